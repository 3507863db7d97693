"""What would be if counters were opened or closed: the predictor asked twice."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from scheduler.calendar import business_day, open_spans
from scheduler.wait.city import City, Range
from scheduler.wait.events import Event
from scheduler.wait.halls import Hall
from scheduler.wait.known import Known
from scheduler.wait.predictor import HORIZONS, Waits
from scheduler.wait.prior import shipped_trees
from server.errors import NotFound, Refusal
from server.halls.directory import HallEntry
from server.live.reading import shown
from server.live.rows import read_whole
from server.live.state import Wait
from server.waits.foresight import hear, steady
from server.waits.hearing import day_of, minute_of_day
from server.waits.packing import pack_hall, unpack_hall
from server.waits.remembering import recall_city, recall_halls, take_trees
from server.waits.views import WhatIfLine, WhatIfMoment, WhatIfView

_HOUR: Final = 60.0


class TooFewCounters(Refusal):
    """Fewer counters serve the line than would be closed."""

    status, code = 409, "too_few_counters"
    sentence = (
        "办理该队列的窗口没有这么多。",
        "Not so many counters serve the line.",
    )


async def what_if(hall: HallEntry, line: str, change: int, *, now: datetime) -> WhatIfView:
    """The waits in a hall as they are and with so many counters more or less in a line.

    Raises NotFound for an unknown line, and TooFewCounters.
    """
    if line not in hall.lines:
        raise NotFound
    waits = await _as_known(hall, now)
    known = waits.hall(hall.code)
    counters = len(known.able(line))
    horizons = _horizons(hall, now)
    minute = minute_of_day(now)
    as_is = waits.on_arrival(hall.code, minute, list(hall.lines), horizons)
    waits.halls[hall.code] = _changed(known, hall, line, change, now)
    then = waits.on_arrival(hall.code, minute, list(hall.lines), horizons)
    for code in hall.lines:
        if known.able(code) and not waits.hall(hall.code).able(code):
            then[code] = [None] * len(horizons)  # nobody would serve it any more
    share = counters / max(counters + change, 1)
    at = [minute + each for each in horizons]
    for code in hall.lines:
        then[code] = at_work(known.known, at, as_is[code], then[code], change=change, share=share)
    return WhatIfView(
        hall=hall.code,
        line=line,
        open=change,
        counters=counters,
        as_of=shown(now),
        data=[
            WhatIfLine(
                line=code,
                name=each.name,
                name_en=each.name_en,
                data=[
                    WhatIfMoment(shown(now + timedelta(minutes=horizon)), _wait(one), _wait(two))
                    for horizon, one, two in zip(horizons, as_is[code], then[code], strict=True)
                ],
            )
            for code, each in hall.lines.items()
        ],
    )


def at_work(
    known: Known,
    at: Sequence[float],
    as_is: Sequence[Range | None],
    then: Sequence[Range | None],
    *,
    change: int,
    share: float,
) -> list[Range | None]:
    """The same as `no_better` of waits on the clock that begin `at` these minutes of the day.

    A break is as long with any number of counters: only work is done sooner or later.
    """
    one, two = _each_as(known.working, at, as_is), _each_as(known.working, at, then)
    most = [known.working(each, known.left(each)) for each in at]
    held = no_better(one, two, most, change=change, share=share)
    return _each_as(known.waited, at, held)


def no_better(
    as_is: Sequence[Range | None],
    then: Sequence[Range | None],
    most: Sequence[float],
    *,
    change: int,
    share: float,
) -> list[Range | None]:
    """The waits with fewer counters, none of them shorter than as it is; or with more, none longer.

    Later waits follow what the change does to the wait now, which is played forward, at least by
    the same share. That is never more than `share`, the counters as they are to those there would
    be. `most` is how long somebody can wait at each moment. All are minutes of work.
    """
    choose = max if change < 0 else min
    ratio = 1.0
    if as_is[0] and then[0]:
        ratio = choose((then[0].p50 + 1.0) / (as_is[0].p50 + 1.0), 1.0)
        ratio = min(ratio, share) if change < 0 else max(ratio, share)
    held: list[Range | None] = []
    for one, two, left in zip(as_is, then, most, strict=True):
        if one is None or two is None:
            held.append(two)
            continue
        pairs = zip((one.p10, one.p50, one.p90), (two.p10, two.p50, two.p90), strict=True)
        p10, p50, p90 = (min(choose(b, a * ratio), max(left, 0.0)) for a, b in pairs)
        held.append(Range(p10, p50, p90, two.basis))
    return held


def _each_as(
    told: Callable[[float, float], float], at: Sequence[float], ranges: Sequence[Range | None]
) -> list[Range | None]:
    """Ranges of waits that begin `at` these minutes of the day, each end told in other minutes."""
    return [
        Range(told(start, one.p10), told(start, one.p50), told(start, one.p90), one.basis)
        if one
        else None
        for start, one in zip(at, ranges, strict=True)
    ]


async def _as_known(hall: HallEntry, now: datetime) -> Waits:
    """What the worker remembered of the hall, and has happened in it since."""
    waits = Waits(City(shipped_trees()))
    await take_trees(waits.city)
    await recall_city(waits.city)
    await recall_halls(waits, [hall.code])
    hear(waits, hall, await read_whole(hall.id, now=now), now)
    return waits


def _changed(known: Hall, hall: HallEntry, line: str, change: int, now: datetime) -> Hall:
    """The same hall with so many counters more or less. Raises TooFewCounters."""
    able = [code for code, each in known.counters.items() if each.lines and line in each.lines]
    if -change > len(able):
        raise TooFewCounters
    other = unpack_hall(pack_hall(known))
    other.known = known.known
    day, minute = day_of(now), minute_of_day(now)
    if change > 0:
        events = [
            Event(day, minute, hall.code, "", "counter_open", counter=f"+{nth}", detail=line)
            for nth in range(change)
        ]
    else:
        # Who closes serves to the end: an idle one first, then whoever has just begun.
        able.sort(key=lambda code: (known.counters[code].serving is not None, -_since(known, code)))
        events = [
            Event(day, minute, hall.code, "", "counter_close", counter=code)
            for code in able[:-change]
        ]
    for event in events:
        other.hear(event)
    return other


def _since(known: Hall, code: str) -> float:
    return known.counters[code].since


def _horizons(hall: HallEntry, now: datetime) -> list[float]:
    """Minutes from now: soon ones, then hour by hour until the hall closes for the day."""
    spans = open_spans(hall.timetable, business_day(now))
    left = (spans[-1].end - now).total_seconds() / 60 if spans else 0.0
    horizons: list[float] = [float(each) for each in HORIZONS if each == 0 or each < left]
    while horizons[-1] >= HORIZONS[-1] and horizons[-1] + _HOUR < left:
        horizons.append(horizons[-1] + _HOUR)
    return horizons


def _wait(foreseen: Range | None) -> Wait | None:
    return steady(foreseen, None) if foreseen is not None else None
