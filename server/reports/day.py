"""A hall's day, quarter hour by quarter hour, beside what is usual on that weekday."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import msgspec

from models.database import rows
from scheduler.calendar import SHANGHAI
from server.halls.directory import HallEntry

QUARTER: Final = timedelta(minutes=15)
WEEKS: Final = 4


class DayQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which day; today by default."""

    day: date | None = None


class LineThen(msgspec.Struct, frozen=True):
    """How many waited in a line."""

    line: str
    waiting: int


class DayMoment(msgspec.Struct, frozen=True, kw_only=True):
    """The quarter hour that ends `at`: numbers taken, people served and missed in it.

    `waiting` is how many waited when it ended. `wait_s` is how long those called in it had waited,
    on average; null where nobody was. `counters` called or finished somebody.
    """

    at: datetime
    issued: int
    served: int
    missed: int
    waiting: int
    wait_s: int | None
    counters: int
    lines: list[LineThen]


class UsualMoment(msgspec.Struct, frozen=True, kw_only=True):
    """The same on average over the usual days."""

    at: datetime
    issued: float
    served: float
    waiting: float
    wait_s: int | None


class HallDayView(msgspec.Struct, frozen=True, kw_only=True):
    """A day, as far as it is over, and the usual one: the same weekday in the four weeks before.

    `usual_days` are those of them on which somebody came; with none there is no usual day. Both
    begin with the first quarter hour in which something happened, of any of these days.
    """

    hall: str
    day: date
    usual_days: list[date]
    data: list[DayMoment]
    usual: list[UsualMoment]
    next_cursor: None = None


async def read_day(hall: HallEntry, day: date, *, now: datetime) -> HallDayView:
    """A day of a hall and the usual one."""
    before = [day - timedelta(weeks=n) for n in range(1, WEEKS + 1) if (day - date.min).days > 28]
    found: dict[date, list[Any]] = defaultdict(list)
    for row in await rows(_QUARTERS, hall.id, [day, *before]):
        found[row["day"]].append(row)
    usual_days = [one for one in before if found[one]]
    every = [row["quarter"] for of_day in found.values() for row in of_day]
    if not every:
        return HallDayView(hall=hall.code, day=day, usual_days=[], data=[], usual=[])
    quarters = range(min(every), max(every) + 1)
    names = {line.id: code for code, line in hall.lines.items()}
    days = {one: _moments(one, found[one], quarters, names) for one in (day, *usual_days)}
    return HallDayView(
        hall=hall.code,
        day=day,
        usual_days=usual_days,
        data=[moment for moment in days.pop(day) if moment.at - QUARTER <= now],
        usual=[
            _usual(_end_of(day, quarter), of)
            for quarter, of in zip(quarters, zip(*days.values(), strict=True), strict=False)
        ],
    )


def _end_of(day: date, quarter: int) -> datetime:
    return datetime.combine(day, time(), SHANGHAI) + (quarter + 1) * QUARTER


def _moments(
    day: date, found: Sequence[Any], quarters: range, names: Mapping[Any, str]
) -> list[DayMoment]:
    by_quarter: dict[int, list[Any]] = defaultdict(list)
    for row in found:
        by_quarter[row["quarter"]].append(row)
    waiting = dict.fromkeys(sorted(names.values()), 0)
    moments = []
    for quarter in quarters:
        here = by_quarter[quarter]
        for row in here:
            if row["line_id"] in names:
                waiting[names[row["line_id"]]] += row["issued"] - row["gone"]
        waits = sum(row["waits"] for row in here)
        moments.append(
            DayMoment(
                at=_end_of(day, quarter),
                issued=sum(row["issued"] for row in here),
                served=sum(row["served"] for row in here),
                missed=sum(row["missed"] for row in here),
                waiting=sum(waiting.values()),
                wait_s=round(sum(row["waited_s"] for row in here) / waits) if waits else None,
                counters=len({one for row in here for one in row["counters"]}),
                lines=[LineThen(code, many) for code, many in waiting.items()],
            )
        )
    return moments


def _usual(at: datetime, of: Sequence[DayMoment]) -> UsualMoment:
    waits = [moment.wait_s for moment in of if moment.wait_s is not None]
    return UsualMoment(
        at=at,
        issued=_mean([moment.issued for moment in of]),
        served=_mean([moment.served for moment in of]),
        waiting=_mean([moment.waiting for moment in of]),
        wait_s=round(sum(waits) / len(waits)) if waits else None,
    )


def _mean(values: Sequence[int]) -> float:
    return round(sum(values) / len(values), 1)


# Each ticket counts where it is or was last. It waits until it is called, or is over uncalled.
_QUARTERS: Final = """
    SELECT t.day, t.line_id,
           floor(extract(epoch FROM happened.at AT TIME ZONE 'Asia/Shanghai' - t.day) / 900)::int
               AS quarter,
           (count(*) FILTER (WHERE what = 'issued'))::int AS issued,
           (count(*) FILTER (WHERE what = 'gone'))::int AS gone,
           (count(*) FILTER (WHERE what = 'over' AND t.state = 'finished'))::int AS served,
           (count(*) FILTER (WHERE what = 'over' AND t.state = 'missed'))::int AS missed,
           (count(*) FILTER (WHERE what = 'gone' AND plain))::int AS waits,
           coalesce(sum(extract(epoch FROM t.called_at - t.issued_at))
               FILTER (WHERE what = 'gone' AND plain), 0)::float8 AS waited_s,
           coalesce(array_agg(DISTINCT t.counter_id)
               FILTER (WHERE what <> 'issued' AND t.counter_id IS NOT NULL), '{}') AS counters
    FROM line JOIN ticket t ON t.line_id = line.id AND t.day = ANY($2::date[])
    CROSS JOIN LATERAL (SELECT t.called_at IS NOT NULL AND t.returned_at IS NULL
                               AND t.sent_from IS NULL AS plain) how
    CROSS JOIN LATERAL (VALUES
        ('issued', t.issued_at), ('gone', coalesce(t.called_at, t.ended_at)), ('over', t.ended_at)
    ) happened (what, at)
    WHERE line.hall_id = $1 AND happened.at IS NOT NULL
    GROUP BY t.day, t.line_id, 3
"""
