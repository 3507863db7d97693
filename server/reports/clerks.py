"""What each member of a hall's staff has done, measured fairly."""

from datetime import date
from typing import Annotated, Final
from uuid import UUID

import msgspec

from models.database import rows
from scheduler.pace import Pace, pace_of
from server.halls.directory import HallEntry


class PaceView(msgspec.Struct, frozen=True):
    """How long her services took, against the same items at this hall: 1 is as usual.

    Nine times in ten her true pace is between `low` and `high`; a range with 1 in it is as usual.
    """

    ratio: Annotated[float, msgspec.Meta(examples=[0.93])]
    low: Annotated[float, msgspec.Meta(examples=[0.84])]
    high: Annotated[float, msgspec.Meta(examples=[1.03])]


class ClerkRow(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who served at the hall: how many of whom, and how long that took.

    Numbers alone are not compared: `usual_s` is what the same items take at this hall, whoever
    serves them, and `pace` is null below twenty services of which that is known. Who was parked
    meanwhile is in `served` only. `called` and `missed` tell of those she called.
    """

    staff: UUID
    name: str
    served: int
    called: int
    missed: int
    service_s: int
    usual_s: int
    pace: PaceView | None


class ClerksView(msgspec.Struct, frozen=True, rename={"start": "from"}):
    """By name, everybody who called or finished somebody on these days."""

    hall: str
    start: date
    to: date
    data: list[ClerkRow]
    next_cursor: None = None


async def read_clerks(hall: HallEntry, start: date, to: date) -> ClerksView:
    """Who served at a hall from one day to another, both included."""
    data = []
    for row in await rows(_CLERKS, hall.id, start, to):
        pace = pace_of(row["compared"], row["log_mean"], row["log_spread"])
        data.append(
            ClerkRow(
                staff=row["staff_id"],
                name=row["name"],
                served=row["served"],
                called=row["called"],
                missed=row["missed"],
                service_s=row["service_s"],
                usual_s=row["usual_s"],
                pace=_view(pace) if pace else None,
            )
        )
    return ClerksView(hall.code, start, to, data)


def _view(pace: Pace) -> PaceView:
    return PaceView(round(pace.ratio, 3), round(pace.low, 3), round(pace.high, 3))


# What was taken back did not happen. An item's usual time needs five services.
_CLERKS: Final = """
    WITH done AS (
        SELECT e.actor_id, e.move, e.ticket_id, t.item_id,
               CASE WHEN e.move = 'finish' AND t.started_at IS NOT NULL AND NOT EXISTS (
                   SELECT 1 FROM ticket_event p
                   WHERE p.ticket_id = t.id AND p.move = 'park' OFFSET 0)
               THEN greatest(1, extract(epoch FROM t.ended_at - t.started_at))::float8 END AS took
        FROM line JOIN ticket t ON t.line_id = line.id AND t.day BETWEEN $2 AND $3
        JOIN ticket_event e ON e.ticket_id = t.id AND e.hall_id = $1 AND e.actor_kind = 'staff'
            AND e.move IN ('call', 'finish', 'miss')
        WHERE line.hall_id = $1 AND NOT EXISTS (
            SELECT 1 FROM ticket_event back
            WHERE back.ticket_id = t.id AND back.undoes = e.id OFFSET 0)
    ), usual AS (
        SELECT item_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS took
        FROM done WHERE took IS NOT NULL GROUP BY item_id HAVING count(*) >= 5
    )
    SELECT staff.id AS staff_id, staff.name,
           (count(*) FILTER (WHERE d.move = 'finish'))::int AS served,
           (count(*) FILTER (WHERE d.move = 'call'))::int AS called,
           (count(*) FILTER (WHERE d.move = 'miss'))::int AS missed,
           coalesce(sum(d.took) FILTER (WHERE u.took IS NOT NULL), 0)::int AS service_s,
           coalesce(sum(u.took) FILTER (WHERE d.took IS NOT NULL), 0)::int AS usual_s,
           (count(*) FILTER (WHERE d.took IS NOT NULL AND u.took IS NOT NULL))::int AS compared,
           avg(ln(d.took / u.took)) AS log_mean, stddev_samp(ln(d.took / u.took)) AS log_spread
    FROM done d JOIN staff ON staff.id = d.actor_id LEFT JOIN usual u ON u.item_id = d.item_id
    GROUP BY staff.id, staff.name ORDER BY staff.name, staff.id
"""
