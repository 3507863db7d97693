"""How many more numbers a hall's lines can give today: read now and then, not at each change."""

from collections.abc import Mapping
from datetime import datetime, timedelta

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
    SELECT line.code, today.*
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
    WHERE line.hall_id = $1 ORDER BY line.code
"""
# A counter that pauses comes back; one that has closed does not.
_COUNTERS = """
    SELECT array_agg(line.code) AS serves FROM counter c JOIN line
        ON line.hall_id = c.hall_id AND {serves}
    WHERE c.hall_id = $1 AND c.state IN ('open', 'paused') GROUP BY c.id
""".replace("{serves}", SERVES.format(counter="c", at="$2"))


# Within so long of an opening the clerks have come to their counters.
COUNTERS_OPEN = timedelta(minutes=10)


async def look_ahead(hall: HallEntry, *, now: datetime) -> Mapping[str, Outlook]:
    """What is known of the lines of a hall, by code; nothing while it is not open.

    In a break, and while counters open one after the other, those that are open say nothing of
    those that will be.
    """
    day = business_day(now)
    closes = last_close(hall.timetable, day)
    open_for_a_while = all(
        state_at(hall.timetable, moment).state == "open" for moment in (now - COUNTERS_OPEN, now)
    )
    if closes is None or not open_for_a_while:
        return {}
    found = await rows(_LINES, hall.id, day, now - timedelta(hours=1))
    counters = [row["serves"] for row in await rows(_COUNTERS, hall.id, now)]
    lines = [
        LineToday(
            row["code"],
            row["waiting"],
            row["served"],
            row["service_s"],
            row["issued_lately"],
            row["usual_s"],
        )
        for row in found
    ]
    left = numbers_left(lines, counters, open_left(hall.timetable, now))
    return {
        line.code: Outlook(day, more, line.waiting, stops_at(line, more, now, closes))
        for line in lines
        if (more := left[line.code]) is not None
    }
