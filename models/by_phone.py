"""Numbers taken by phone: how many of a day a person may take, exactly, whatever happens at once.

What a person takes by phone on a day is numbered, and `(person, day, nth_of_day)` is unique. Of two
at once that saw the same, the slower violates that key, writes nothing, and counts anew. The key
also finds all that she took on the day, so that counting is a look-up however many tickets there
are. Where a number was taken is told by its `issue` event: a ticket may have moved since.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ByPhone:
    """That a number is taken by phone: so many may a person take in a day there; None: any."""

    most_in_line: int | None
    most_in_hall: int | None


# What two numbers of one person, taken at the same moment, violate: then one is asked for again.
AT_ONCE: Final = frozenset({"ticket_nth_of_citizen", "ticket_nth_of_person"})

# How many whom a wish `w` is for took by phone on its day. Each look-up reads one entry.
TAKEN_TODAY: Final = """greatest(
                (SELECT coalesce(max(t.nth_of_day), 0) FROM ticket t
                 WHERE t.citizen_id = w.citizen_id AND t.day = w.day),
                (SELECT coalesce(max(t.nth_of_day), 0) FROM ticket t
                 WHERE t.person_key = w.person_key AND t.day = w.day))"""


def taken_by_phone(*, citizen: str, person: str, day: str, hall: str, line: str) -> str:
    """SQL: how many numbers of a hall (`in_hall`) and of a line (`in_line`) she took by phone.

    Those that she gave up, missed or took elsewhere since count too. The parameters are SQL: who
    she is (as a citizen, or by the key of her number), the day, the hall and the line.
    """
    return f"""
            SELECT count(*) AS in_hall, count(*) FILTER (WHERE e.line_id = {line}) AS in_line
            FROM (
              SELECT t.id FROM ticket t
              WHERE t.citizen_id = {citizen} AND t.day = {day} AND t.nth_of_day IS NOT NULL
              UNION ALL
              SELECT t.id FROM ticket t
              WHERE t.person_key = {person} AND t.day = {day} AND t.nth_of_day IS NOT NULL
              OFFSET 0) took
            CROSS JOIN LATERAL (
              SELECT first.hall_id, first.line_id FROM ticket_event first
              WHERE first.ticket_id = took.id ORDER BY first.id LIMIT 1) e
            WHERE e.hall_id = {hall}"""


# Whether a wish `w` is within both its caps. Where she took fewer anywhere, `today.taken`, than
# either of them allows, nothing is counted: that is almost everybody.
WITHIN_CAPS: Final = f"""((today.taken < least(w.most_in_line, w.most_in_hall)) IS NOT FALSE OR (
            SELECT (in_hall < w.most_in_hall) IS NOT FALSE
               AND (in_line < w.most_in_line) IS NOT FALSE
            FROM ({
    taken_by_phone(
        citizen="w.citizen_id",
        person="w.person_key",
        day="w.day",
        hall="w.hall_id",
        line="w.line_id",
    )
}) counted))"""
