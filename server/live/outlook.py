"""How many more numbers a hall's lines can give today: read now and then, not at each change."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from models.database import rows
from models.decisions import SERVES
from scheduler.calendar import business_day, last_close
from scheduler.closing import open_left, state_at
from scheduler.remaining import LineToday, numbers_left, stops_at
from server.halls.directory import HallEntry
from server.live.lines import Outlook

# What a line has to show of this day. Whoever was parked was away for a while: how long she took
# says nothing. Who is called counts as waiting, who is being served does not: her time runs.
_LINES = """
    SELECT line.hall_id, line.code, today.*
    FROM line CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE state IN ('waiting', 'called')) AS waiting,
               count(*) FILTER (WHERE was_served) AS served,
               coalesce(extract(epoch FROM sum(ended_at - started_at)
                                FILTER (WHERE was_served)), 0)::float8 AS service_s,
               count(*) FILTER (WHERE issued_at > $3) AS issued_lately,
               60 * avg(minutes)::float8 AS usual_s
        FROM (SELECT (SELECT minutes FROM item WHERE item.id = item_id) AS minutes,
                     state, ended_at, started_at, issued_at,
                     state = 'finished' AND started_at IS NOT NULL AND NOT lapsed AND NOT EXISTS (
                         SELECT 1 FROM ticket_event e WHERE e.ticket_id = ticket.id
                         AND e.move = 'park' OFFSET 0) AS was_served
              FROM ticket WHERE line_id = line.id AND day = $2 OFFSET 0) of_today
    ) today
    WHERE line.hall_id = ANY($1::uuid[]) ORDER BY line.code
"""
# A counter that pauses comes back; one that has closed does not.
_COUNTERS = """
    SELECT c.hall_id, array_agg(line.code) AS serves FROM counter c JOIN line
        ON line.hall_id = c.hall_id AND {serves}
    WHERE c.hall_id = ANY($1::uuid[]) AND c.state IN ('open', 'paused') GROUP BY c.id
""".replace("{serves}", SERVES.format(counter="c", at="$2"))


# Within so long of an opening the clerks have come to their counters.
COUNTERS_OPEN = timedelta(minutes=10)


async def look_ahead(
    halls: Sequence[HallEntry], *, now: datetime
) -> dict[str, Mapping[str, Outlook]]:
    """What is known of the lines of halls, by the codes of both; nothing while one is not open.

    In a break, and while counters open one after the other, those that are open say nothing of
    those that will be.
    """
    outlooks: dict[str, Mapping[str, Outlook]] = {hall.code: {} for hall in halls}
    open_for_a_while = [hall for hall in halls if _is_open_for_a_while(hall, now)]
    if not open_for_a_while:
        return outlooks
    ids = [hall.id for hall in open_for_a_while]
    lines: defaultdict[UUID, list[LineToday]] = defaultdict(list)
    for row in await rows(_LINES, ids, business_day(now), now - timedelta(hours=1)):
        lines[row["hall_id"]].append(_line(row))
    counters: defaultdict[UUID, list[Sequence[str]]] = defaultdict(list)
    for row in await rows(_COUNTERS, ids, now):
        counters[row["hall_id"]].append(row["serves"])
    for hall in open_for_a_while:
        outlooks[hall.code] = _outlook(hall, lines[hall.id], counters[hall.id], now)
    return outlooks


def _is_open_for_a_while(hall: HallEntry, now: datetime) -> bool:
    moments = (now - COUNTERS_OPEN, now)
    return all(state_at(hall.timetable, moment).state == "open" for moment in moments)


def _line(row: Any) -> LineToday:
    return LineToday(
        row["code"],
        row["waiting"],
        row["served"],
        row["service_s"],
        row["issued_lately"],
        row["usual_s"],
    )


def _outlook(
    hall: HallEntry, lines: Sequence[LineToday], counters: Sequence[Sequence[str]], now: datetime
) -> dict[str, Outlook]:
    day = business_day(now)
    closes = last_close(hall.timetable, day)
    if closes is None:
        return {}
    left = numbers_left(lines, counters, open_left(hall.timetable, now))
    return {
        line.code: Outlook(day, more, line.waiting, stops_at(line, more, now, closes))
        for line in lines
        if (more := left[line.code]) is not None
    }
