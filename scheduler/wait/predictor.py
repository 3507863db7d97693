"""Waits of a city's halls: hears events, promises ranges, learns from what comes true.

One object holds the halls of one worker. A live worker calls `hear` for each ticket event and
`project` or `on_arrival` whenever it writes a hall's state; a replay does the same with a trace.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from scheduler.wait import arrival, features
from scheduler.wait.calibration import bin_of
from scheduler.wait.city import FARTHEST, TAILS, City, Kind, Promise, Range, Row
from scheduler.wait.events import Event
from scheduler.wait.halls import Called, Hall
from scheduler.wait.known import Known, known_in_work
from scheduler.wait.lines import slot_of
from scheduler.wait.pools import Waiting
from scheduler.wait.projecting import Place, newcomers, placed, waiting_now

HORIZONS: Final = (0, 15, 30, 60, 90)
_ASK_EVERY: Final = 20.0  # minutes between two looks at a hall's future, to learn from them
_ASK_LATE: Final = 10.0  # by so much later where people join and nothing else happens
_ASKED_OF_LINE: Final = 6
_SOON: Final = 1.25  # minutes of a hall; bins midway end at 2, 4, 8 … times as many


class Waits:
    """The predictor of one or more halls that share a City.

    `pools` names lines that wait for the same counters in one order; `credit` is by how many
    minutes a priority ticket without a rank of its own ranks earlier.
    """

    def __init__(
        self, city: City, pools: Iterable[Iterable[str]] = (), credit: float = 0.0
    ) -> None:
        self.city = city
        self.pools = tuple(tuple(pool) for pool in pools)
        self.credit = credit
        self.halls: dict[str, Hall] = {}
        self.rows: list[Row] = []

    def hall(self, code: str) -> Hall:
        """The hall, made when first heard of."""
        found = self.halls.get(code)
        if found is None:
            found = self.halls[code] = Hall(code, self.pools, self.credit)
        return found

    def know(self, hall: str, known: Known) -> None:
        """Take in what the product knows of a hall's day; it holds until told otherwise."""
        self.hall(hall).known = known_in_work(known)

    def hear(self, event: Event) -> Promise | None:
        """Take an event in; answers what is promised to whoever joins by it.

        Costs some tens of microseconds; an issue that is scored, up to 200.
        """
        hall = self.hall(event.hall)
        if not hall.accepts(event):
            hall.refused += 1
            return None
        if hall.day != event.day:
            if hall.day is not None:
                self.city.settle()
            hall.begin_day(event.day, self.city.scale)
        refused = hall.refused
        heard = hall.hear(event)
        if hall.refused > refused:
            return None
        if isinstance(heard, Waiting):
            arrival.came(heard, hall.t)
            promise = heard.promise = self._promise(hall, heard) if heard.scored else None
        else:
            promise = None
            if heard is not None:
                self._label(hall, heard)
        self._ask_now_and_then(hall, joined=promise is not None)
        return promise

    def project(self, hall_code: str, now: float) -> dict[tuple[str, str], Range | None]:
        """How much longer each ticket in line waits, by (line, number); None: nothing is known.

        `now` is minutes of the day.
        """
        hall = self.hall(hall_code)
        hall.pass_to(now)
        places = [place for _, place in waiting_now(hall, self.city)]
        promises = self._promised(hall, places)
        return {
            (place.line.code, place.ticket): self._told(hall, promise.shown)
            for place, promise in zip(places, promises, strict=True)
        }

    def on_arrival(
        self,
        hall_code: str,
        now: float,
        lines: Sequence[str] = (),
        horizons: Sequence[float] = HORIZONS,
    ) -> dict[str, list[Range | None]]:
        """The wait of somebody who arrives in each of so many minutes, by line (all, or these).

        The first of `horizons` is 0. Learned are those up to 90 minutes; what lies beyond rests on
        what is usual at that hour.
        """
        hall = self.hall(hall_code)
        hall.pass_to(now)
        places = newcomers(hall, self.city, list(lines) or list(hall.lines))
        at_once = self._promised(hall, places)
        curves = {}
        for place, promise in zip(places, at_once, strict=True):
            later = arrival.predicted(hall, place, promise, horizons[1:], self.city)
            told: list[Range | None] = [self._told(hall, promise.shown)]
            told += [
                self._on_clock(hall, each.shown, in_minutes) if each.shown and told[0] else None
                for each, in_minutes in zip(later, horizons[1:], strict=True)
            ]
            curves[place.line.code] = arrival.in_turn(told, horizons)
        return curves

    def close_day(self) -> None:
        """A business day has passed: what the halls share fades."""
        self.city.close_day()

    def drain_rows(self) -> list[Row]:
        """The rows since the last time, to be kept for the nightly refit."""
        rows, self.rows = self.rows, []
        return rows

    def _promise(self, hall: Hall, waiting: Waiting) -> Promise:
        counters = hall.open_for(waiting.line, hall.t)
        if counters is not None:
            waiting.line.counters_by_slot.add(slot_of(hall.t), float(counters))
        promise = self._promised(hall, [placed(hall, waiting, self.city)])[0]
        promise.shown = self._told(hall, promise.shown)
        return promise

    def _promised(self, hall: Hall, places: Sequence[Place]) -> list[Promise]:
        """Ranges for places, in minutes of work."""
        city = self.city
        found: dict[int, Promise] = {}
        by_kind: dict[Kind, list[int]] = {}
        for at, place in enumerate(places):
            by_kind.setdefault(place.kind, []).append(at)
        for kind, members in by_kind.items():
            ref = np.array([places[at].backbone for at in members]) + city.offset
            make = features.midway_table if kind == "midway" else features.table
            x = make([places[at] for at in members], ref, city.offset)
            for at, row, each, said in zip(
                members, x, ref.tolist(), city.trees[kind].predict(x), strict=True
            ):
                place = places[at]
                which = bin_of(place.n)
                if kind == "midway":
                    # It is how soon it will be that matters: "in ten minutes" is told by it.
                    minutes = each * math.exp(min(said[0], FARTHEST)) - city.offset
                    which = bin_of(int(minutes / (_SOON * city.scale)))
                found[at] = city.promise(
                    place.line, kind, row, each, which=which, said=said, more=place.gap
                )
        return [found[at] for at in range(len(places))]

    def _told(self, hall: Hall, shown: Range | None) -> Range | None:
        """What is told of somebody who is here; None where that would say nothing."""
        left = hall.known.left(hall.clock)
        if shown is None or left <= 0.0 or not shown.says_something(left):
            return None
        return self._on_clock(hall, shown)

    def _on_clock(self, hall: Hall, shown: Range, later: float = 0.0) -> Range:
        """A range in minutes of the clock, where the hall's hours are known.

        It does not reach beyond the moment at which whoever still waits is let go.
        """
        known = hall.known
        if not known.open:
            return shown
        start, left = hall.clock + later, known.left(hall.clock, later)
        ends = (known.waited(start, p) for p in (shown.p10, shown.p50, shown.p90))
        p10, p50, p90 = (max(min(each, left), 0.0) for each in ends)
        return Range(p10, p50, p90, shown.basis)

    def _ask_now_and_then(self, hall: Hall, *, joined: bool) -> None:
        """Look at the hall's future, so that what comes true tells how right that was.

        Not while somebody waits for her number, unless nothing else happens.
        """
        if hall.asks_at is None:
            hall.asks_at = hall.t + _ASK_EVERY / 2
        due = hall.asks_at + (_ASK_LATE if joined else 0.0)
        if hall.t < due:
            return
        hall.asks_at, hall.asks = hall.t + _ASK_EVERY, hall.asks + 1
        self._ask_midway(hall)
        self._ask_arrivals(hall)

    def _ask_midway(self, hall: Hall) -> None:
        """Of those who wait, some of each line, for they err alike; others each time."""
        of_line: dict[str, list[tuple[Waiting, Place]]] = {}
        for waiting, place in waiting_now(hall, self.city):
            if place.kind == "midway" and waiting.scored:
                of_line.setdefault(place.line.code, []).append((waiting, place))
        chosen = []
        for every in of_line.values():
            step = -(-len(every) // _ASKED_OF_LINE)
            chosen += every[hall.asks % step :: step]
        promises = self._promised(hall, [place for _, place in chosen])
        for (waiting, _), promise in zip(chosen, promises, strict=True):
            waiting.asked.append((promise, hall.t))

    def _ask_arrivals(self, hall: Hall) -> None:
        codes = [code for code, line in hall.lines.items() if line.issued]
        places = newcomers(hall, self.city, codes)
        for place, at_once in zip(places, self._promised(hall, places), strict=True):
            later = arrival.predicted(hall, place, at_once, arrival.ASKED, self.city)
            place.line.asked += zip((hall.t + each for each in arrival.ASKED), later, strict=True)

    def _label(self, hall: Hall, called: Called) -> None:
        """A wait came true; and those of people who left would have come true now at the latest."""
        for gone in called.overtaken:
            self._learn(gone, hall.t)
        waiting, city = called.waiting, self.city
        row = self._learn(waiting, hall.t)
        if row is None or row.kind == "booked":
            return
        line = waiting.line
        hall.ys = [hall.ys[0] * 0.97 + row.y, hall.ys[1] * 0.97 + 1.0]
        hall.waits += called.wait
        hall.people += waiting.n
        line.label(called.wait, waiting.n, waiting.issued, row.y, waiting.promise.y50)
        city.count(called.wait, waiting.n)

    def _learn(self, waiting: Waiting, t: float) -> Row | None:
        """Follow all that was foretold of one whose wait is over; answers what was at her issue."""
        promise = waiting.promise
        foretold = [*waiting.asked, *([(promise, waiting.issued)] if promise else ())]
        row = None
        for each, since in foretold:
            row = self.city.label(each, t - since)
            self.rows.append(row)
            if row.kind != "booked":
                below, above = row.y < each.low, row.y > each.high
                waiting.line.follow(TAILS[row.kind], below=below, above=above)
        return row if promise else None
