"""What holds between tickets, lines, counters and visits: statements that find what breaks it.

Each takes a hall's id and a day, or nulls for all, and answers `hall_id`, `day`, `what` is wrong (a
number, a line's or counter's code, a visit), the `ticket` and a `detail`.
"""

from collections.abc import Sequence
from typing import Final

from models.faults import Kind

# Numbers as they were given: in events, for a ticket that went on has another by now. An undo gives
# none: what it names was given before.
_GIVEN = """
    given AS (
        SELECT e.line_id, t.day, e.number, e.ticket_id, e.move, e.at,
               coalesce(substring(e.number FROM '[0-9]+$')::bigint, 0) AS nth
        FROM ticket_event e JOIN ticket t ON t.id = e.ticket_id
        WHERE e.number IS NOT NULL AND e.move <> 'undo' AND ($2::date IS NULL OR t.day = $2)
    )
"""
_OF_VISIT = "v.hall_id, v.day, 'visit ' || v.id AS what"
_IN_SCOPE = "($1::uuid IS NULL OR v.hall_id = $1) AND ($2::date IS NULL OR v.day = $2)"
_IS_PENDING = "s.ticket_id IS NULL AND s.left_out IS NULL"
_ANOTHER_PERSON = """(t.citizen_id IS DISTINCT FROM v.citizen_id
                      OR t.person_key IS DISTINCT FROM v.person_key)"""
BROKEN: Final[Sequence[tuple[Kind, str]]] = (
    (
        "events_of_nobody",
        """
        SELECT e.hall_id, $2::date AS day, 'event ' || e.id AS what, e.ticket_id AS ticket,
               e.move::text AS detail
        FROM ticket_event e
        WHERE ($1::uuid IS NULL OR e.hall_id = $1)
          AND NOT EXISTS (SELECT 1 FROM ticket t WHERE t.id = e.ticket_id)
        """,
    ),
    (
        "number_twice",
        f"""
        WITH {_GIVEN}
        SELECT line.hall_id, given.day, given.number AS what, NULL::uuid AS ticket,
               count(*) || ' times' AS detail
        FROM given JOIN line ON line.id = given.line_id
        WHERE $1::uuid IS NULL OR line.hall_id = $1
        GROUP BY line.hall_id, line.id, given.day, given.number HAVING count(*) > 1
        """,
    ),
    (
        "number_missing",
        f"""
        WITH {_GIVEN}
        SELECT line.hall_id, given.day, line.code AS what, NULL::uuid AS ticket,
               count(DISTINCT nth) || ' numbers up to ' || max(nth) AS detail
        FROM given JOIN line ON line.id = given.line_id
        WHERE $1::uuid IS NULL OR line.hall_id = $1
        GROUP BY line.hall_id, line.id, given.day
        HAVING count(DISTINCT nth) <> max(nth) OR min(nth) <> 1
        """,
    ),
    (
        "number_early",
        f"""
        WITH {_GIVEN}, issued AS (
            SELECT given.*, lag(at) OVER (PARTITION BY line_id, day ORDER BY nth, at) AS before
            FROM given WHERE move = 'issue'
        )
        SELECT line.hall_id, issued.day, issued.number AS what, issued.ticket_id AS ticket,
               issued.at || ', the one before ' || before AS detail
        FROM issued JOIN line ON line.id = issued.line_id
        WHERE at < before AND ($1::uuid IS NULL OR line.hall_id = $1)
        """,
    ),
    (
        "line_count",
        f"""
        WITH {_GIVEN}, counted AS (
            SELECT line_id, day, max(nth) AS last FROM given GROUP BY line_id, day
        )
        SELECT line.hall_id, line.numbered_on AS day, line.code AS what, NULL::uuid AS ticket,
               line.last_sequence || ', numbers: ' || coalesce(counted.last, 0) AS detail
        FROM line LEFT JOIN counted
          ON counted.line_id = line.id AND counted.day = line.numbered_on
        WHERE line.numbered_on IS NOT NULL AND line.last_sequence <> coalesce(counted.last, 0)
          AND ($1::uuid IS NULL OR line.hall_id = $1)
          AND ($2::date IS NULL OR line.numbered_on = $2)
        """,
    ),
    (
        "shared_counter",
        """
        SELECT c.hall_id, max(t.day) AS day, c.code AS what, NULL::uuid AS ticket,
               string_agg(t.number, ', ' ORDER BY t.number) AS detail
        FROM ticket t JOIN counter c ON c.id = t.counter_id
        WHERE t.state IN ('called', 'serving') AND ($1::uuid IS NULL OR c.hall_id = $1)
          AND ($2::date IS NULL OR t.day = $2)
        GROUP BY c.hall_id, c.id HAVING count(*) > 1
        """,
    ),
    (
        "no_counter",
        """
        SELECT t.hall_id, t.day, t.number AS what, t.id AS ticket,
               CASE WHEN t.counter_id IS NULL THEN 'at none'
                    WHEN c.id IS NULL OR c.hall_id <> t.hall_id THEN 'at none of the hall'
                    ELSE c.code || ' is closed' END AS detail
        FROM ticket t LEFT JOIN counter c ON c.id = t.counter_id
        WHERE t.state IN ('called', 'serving')
          -- Who is being served when it closes is served to the end.
          AND (c.id IS NULL OR c.hall_id <> t.hall_id OR c.state = 'closed' AND t.state = 'called')
          AND ($1::uuid IS NULL OR t.hall_id = $1) AND ($2::date IS NULL OR t.day = $2)
        """,
    ),
    (
        "two_for_one_item",
        """
        SELECT max(hall_id::text)::uuid AS hall_id, max(day) AS day,
               string_agg(number, ', ' ORDER BY number) AS what, NULL::uuid AS ticket,
               'open at once' AS detail
        FROM ticket
        WHERE ended_at IS NULL AND coalesce(citizen_id, person_key) IS NOT NULL
        GROUP BY coalesce(citizen_id, person_key), item_id
        HAVING count(*) > 1 AND ($1::uuid IS NULL OR bool_or(hall_id = $1))
           AND ($2::date IS NULL OR bool_or(day = $2))
        """,
    ),
    (
        "stop_without_ticket",
        f"""
        SELECT {_OF_VISIT}, s.ticket_id AS ticket, 'turn ' || s.turn AS detail
        FROM visit_stop s JOIN visit v ON v.id = s.visit_id
        WHERE s.ticket_id IS NOT NULL AND {_IN_SCOPE}
          AND NOT EXISTS (SELECT 1 FROM ticket t WHERE t.id = s.ticket_id)
        """,
    ),
    (
        "stop_of_another",
        f"""
        SELECT {_OF_VISIT}, t.id AS ticket, concat_ws(', ',
                   CASE WHEN t.visit_id IS DISTINCT FROM v.id THEN 'another visit' END,
                   CASE WHEN t.item_id <> s.item_id THEN 'another item' END,
                   CASE WHEN t.day <> v.day THEN 'another day' END,
                   CASE WHEN {_ANOTHER_PERSON} THEN 'another person' END) AS detail
        FROM visit_stop s JOIN visit v ON v.id = s.visit_id JOIN ticket t ON t.id = s.ticket_id
        WHERE {_IN_SCOPE} AND (t.visit_id IS DISTINCT FROM v.id OR t.item_id <> s.item_id
                              OR t.day <> v.day OR {_ANOTHER_PERSON})
        """,
    ),
    (
        # Numbers that a finish taken back took with it stay cancelled, and are of no stop.
        "ticket_of_no_stop",
        """
        SELECT t.hall_id, t.day, t.number AS what, t.id AS ticket,
               coalesce('visit ' || v.id, 'no visit') AS detail
        FROM ticket t LEFT JOIN visit v ON v.id = t.visit_id
        WHERE t.visit_id IS NOT NULL AND t.state <> 'cancelled'
          AND NOT EXISTS (SELECT 1 FROM visit_stop s WHERE s.ticket_id = t.id)
          AND ($1::uuid IS NULL OR t.hall_id = $1) AND ($2::date IS NULL OR t.day = $2)
        """,
    ),
    (
        "two_stops_at_once",
        f"""
        SELECT {_OF_VISIT}, NULL::uuid AS ticket,
               string_agg(t.number, ', ' ORDER BY t.number) AS detail
        FROM visit_stop s JOIN visit v ON v.id = s.visit_id JOIN ticket t ON t.id = s.ticket_id
        WHERE t.ended_at IS NULL AND {_IN_SCOPE} GROUP BY v.id HAVING count(*) > 1
        """,
    ),
    (
        "visit_end",
        f"""
        SELECT {_OF_VISIT}, max(t.id::text)::uuid AS ticket,
               v.state || concat(', ended ' || v.ended_at, ', open: ' || string_agg(t.number, ', '),
                   CASE WHEN bool_or({_IS_PENDING}) THEN ', with a stop to come' END) AS detail
        FROM visit v LEFT JOIN visit_stop s ON s.visit_id = v.id
        LEFT JOIN ticket t ON t.id = s.ticket_id AND t.ended_at IS NULL
        WHERE {_IN_SCOPE} GROUP BY v.id
        HAVING (v.state = 'open') <> (v.ended_at IS NULL) OR count(s.id) = 0
            OR v.state <> 'open' AND (count(t.id) > 0 OR bool_or({_IS_PENDING}))
        """,
    ),
    (
        "stop_turns",
        f"""
        SELECT {_OF_VISIT}, NULL::uuid AS ticket,
               'turns ' || coalesce(string_agg(s.turn::text, ', ' ORDER BY s.turn), '-') AS detail
        FROM visit_stop s JOIN visit v ON v.id = s.visit_id WHERE {_IN_SCOPE} GROUP BY v.id
        HAVING count(s.turn) <> count(DISTINCT s.turn) OR count(s.turn) <> coalesce(max(s.turn), 0)
            OR bool_or(s.turn < 1) OR bool_or((s.turn IS NULL) <> (s.ticket_id IS NULL))
        """,
    ),
)
