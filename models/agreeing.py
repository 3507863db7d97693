"""What holds between tickets, lines and counters: statements that find what breaks it.

Each takes a hall's id and a day, or nulls for all, and answers `hall_id`, `day`, `what` is wrong (a
number, or a line's or counter's code), the `ticket` and a `detail`.
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
)
