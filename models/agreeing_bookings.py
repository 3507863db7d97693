"""What holds between slots, places, appointments and who waits: statements that find what does not.

Each takes and answers what those of `models.agreeing` do. Overdue is told by the events, which bear
business time: what was due ten minutes before the last of them is the worker's to have done.
"""

from collections.abc import Sequence
from typing import Final

from models.appointments import HOLDING, STEPS, Step
from models.faults import Kind
from models.waiting import FITS

_HOLDS: Final = ", ".join(f"'{state.value}'" for state in sorted(HOLDING))
_FIRST: Final = ", ".join(
    f"('{step.value}', '{state}')"
    for step, state in ((Step.HOLD, "held"), (Step.OFFER, "offered"), (Step.BOOK, "booked"))
)
_STEPS: Final = ", ".join(
    f"('{state.value}', '{step.value}', '{then.value}')" for (state, step), then in STEPS.items()
)
_OF_SLOT = """slot.hall_id, slot.day, 'slot ' || slot.id || ' at ' || to_char(
                   slot.starts_at AT TIME ZONE 'Asia/Shanghai', 'HH24:MI') AS what,
               NULL::uuid AS ticket"""
_OF_APPOINTMENT = "a.hall_id, a.day, 'appointment ' || a.id AS what, NULL::uuid AS ticket"
_IN_SCOPE = "($1::uuid IS NULL OR a.hall_id = $1) AND ($2::date IS NULL OR a.day = $2)"
_LATELY = "(SELECT max(at) - interval '10 min' FROM appointment_event)"
BROKEN_BOOKINGS: Final[Sequence[tuple[Kind, str]]] = (
    (
        "slot_count",
        f"""
        SELECT {_OF_SLOT}, format('says %s + %s + %s + %s, places %s + %s + %s + %s',
                   slot.taken, slot.taken_elders, slot.taken_companies, slot.taken_desk,
                   coalesce(p.everybody, 0), coalesce(p.elders, 0), coalesce(p.companies, 0),
                   coalesce(p.desk, 0)) AS detail
        FROM slot LEFT JOIN (
            SELECT slot_id, count(*) FILTER (WHERE part = 'everybody') AS everybody,
                   count(*) FILTER (WHERE part = 'elders') AS elders,
                   count(*) FILTER (WHERE part = 'companies') AS companies,
                   count(*) FILTER (WHERE part = 'desk') AS desk
            FROM appointment_place GROUP BY slot_id
        ) p ON p.slot_id = slot.id
        WHERE (slot.taken, slot.taken_elders, slot.taken_companies, slot.taken_desk)
              <> (coalesce(p.everybody, 0), coalesce(p.elders, 0), coalesce(p.companies, 0),
                  coalesce(p.desk, 0))
          AND ($1::uuid IS NULL OR slot.hall_id = $1) AND ($2::date IS NULL OR slot.day = $2)
        """,
    ),
    (
        "slot_overfull",
        f"""
        SELECT {_OF_SLOT}, format('%s + %s + %s + %s of %s', taken, for_elders, for_companies,
                                  for_desk, capacity + overbooking) AS detail
        FROM slot
        WHERE (taken + for_elders + for_companies + for_desk > capacity + overbooking
               OR taken_elders > for_elders OR taken_companies > for_companies
               OR taken_desk > for_desk)
          AND ($1::uuid IS NULL OR slot.hall_id = $1) AND ($2::date IS NULL OR slot.day = $2)
        """,
    ),
    (
        "place_of_nobody",
        f"""
        SELECT coalesce(slot.hall_id, a.hall_id) AS hall_id, coalesce(slot.day, a.day) AS day,
               'appointment ' || p.appointment_id AS what, NULL::uuid AS ticket,
               CASE WHEN a.id IS NULL THEN 'it is not there' WHEN slot.id IS NULL
                    THEN 'no such slot' ELSE 'it is ' || a.state END AS detail
        FROM appointment_place p
        LEFT JOIN appointment a ON a.id = p.appointment_id LEFT JOIN slot ON slot.id = p.slot_id
        WHERE (a.id IS NULL OR slot.id IS NULL OR a.state NOT IN ({_HOLDS})
               OR slot.hall_id <> a.hall_id)
          AND ($1::uuid IS NULL OR $1 IN (slot.hall_id, a.hall_id))
          AND ($2::date IS NULL OR $2 IN (slot.day, a.day))
        """,
    ),
    (
        "appointment_without_place",
        f"""
        SELECT {_OF_APPOINTMENT}, a.state || coalesce(', its place is at ' || s.first, '') AS detail
        FROM appointment a LEFT JOIN (
            SELECT p.appointment_id, min(slot.starts_at) AS first
            FROM appointment_place p JOIN slot ON slot.id = p.slot_id GROUP BY 1
        ) s ON s.appointment_id = a.id
        WHERE a.state IN ({_HOLDS}) AND s.first IS DISTINCT FROM a.slot_start AND {_IN_SCOPE}
        """,
    ),
    (
        "appointment_once",
        f"""
        SELECT {_OF_APPOINTMENT}, format('%s, of its %s items %s are kept once', a.state,
                   cardinality(a.items), coalesce(o.many, 0)) AS detail
        FROM appointment a LEFT JOIN (
            SELECT appointment_id, count(*) AS many, min(day) AS day, max(day) AS last
            FROM appointment_once GROUP BY 1
        ) o ON o.appointment_id = a.id
        WHERE {_IN_SCOPE} AND CASE
            WHEN a.state IN ('held', 'offered', 'booked') THEN
                (coalesce(o.many, 0), o.day, o.last)
                    IS DISTINCT FROM (cardinality(a.items), a.day, a.day)
            ELSE a.state NOT IN ({_HOLDS}) AND o.many IS NOT NULL END
        """,
    ),
    (
        "appointment_untold",
        f"""
        SELECT {_OF_APPOINTMENT}, coalesce('its last event says ' || e.state || ' at '
                   || e.slot_start, 'it has none') AS detail
        FROM appointment a LEFT JOIN (
            SELECT DISTINCT ON (appointment_id) * FROM appointment_event
            ORDER BY appointment_id, id DESC
        ) e ON e.appointment_id = a.id
        WHERE {_IN_SCOPE} AND (e.state::text, e.slot_start)
            IS DISTINCT FROM (a.state::text, a.slot_start)
        """,
    ),
    (
        "impossible_appointment",
        f"""
        WITH event AS (
            SELECT e.*, lag(state) OVER hers AS before
            FROM appointment_event e WINDOW hers AS (PARTITION BY appointment_id ORDER BY id)
        )
        SELECT {_OF_APPOINTMENT}, event.step || ' from ' || coalesce(event.before, 'nothing')
                   || ' to ' || event.state AS detail
        FROM event JOIN appointment a ON a.id = event.appointment_id
        WHERE {_IN_SCOPE} AND CASE WHEN event.before IS NULL
            THEN (event.step::text, event.state::text) NOT IN ({_FIRST})
            ELSE (event.before::text, event.step::text, event.state::text) NOT IN ({_STEPS}) END
        """,
    ),
    (
        "offer_of_nobody",
        f"""
        SELECT {_OF_APPOINTMENT}, CASE WHEN w.id IS NULL THEN 'nobody waits for it'
                   ELSE 'who waits is ' || w.state END AS detail
        FROM appointment a LEFT JOIN waitlist w ON w.id = a.waitlist_id
        WHERE a.state = 'offered' AND {_IN_SCOPE}
          AND (w.id IS NULL OR w.state <> 'offered' OR w.appointment_id IS DISTINCT FROM a.id)
        UNION ALL
        SELECT w.hall_id, w.day, 'wait ' || w.id, NULL,
               'what she was offered is ' || coalesce(a.state, 'not there')
        FROM waitlist w LEFT JOIN appointment a ON a.id = w.appointment_id
        WHERE w.state = 'offered' AND a.state IS DISTINCT FROM 'offered'
          AND ($1::uuid IS NULL OR w.hall_id = $1) AND ($2::date IS NULL OR w.day = $2)
        """,
    ),
    (
        # A run of slots for what takes several, all with a place of her part, or for everybody.
        "place_not_offered",
        f"""
        SELECT {_OF_SLOT}, min('wait ' || w.id || ' waits for it') AS detail
        FROM (SELECT max(at) AS now FROM appointment_event) last
        CROSS JOIN slot CROSS JOIN LATERAL (SELECT slot.*) s
        JOIN waitlist w ON {FITS.format(now="last.now")}
        WHERE slot.state = 'open' AND slot.starts_at > last.now AND w.joined_at < {_LATELY}
          AND ($1::uuid IS NULL OR slot.hall_id = $1) AND ($2::date IS NULL OR slot.day = $2)
          AND w.many <= (
            SELECT greatest(count(*) FILTER (WHERE o.taken + o.for_elders + o.for_companies
                                                   + o.for_desk < o.capacity + o.overbooking),
                            count(*) FILTER (WHERE w.part = 'elders'
                                             AND o.taken_elders < o.for_elders),
                            count(*) FILTER (WHERE w.part = 'companies'
                                             AND o.taken_companies < o.for_companies))
            FROM slot o
            WHERE o.line_id = slot.line_id AND o.day = slot.day AND o.state = 'open'
              AND o.item_id IS NOT DISTINCT FROM slot.item_id AND o.ends_at <= w.until
              AND o.starts_at >= slot.starts_at
              AND o.starts_at < slot.starts_at + w.many * (slot.ends_at - slot.starts_at))
        GROUP BY slot.id
        """,
    ),
    (
        "booking_overdue",
        f"""
        SELECT {_OF_APPOINTMENT}, a.state || ' until ' || a.held_until AS detail
        FROM appointment a
        WHERE a.state IN ('held', 'offered') AND a.held_until < {_LATELY} AND {_IN_SCOPE}
        UNION ALL
        -- No hall waits longer than four hours for who has booked.
        SELECT {_OF_APPOINTMENT}, 'for ' || a.slot_start AS detail
        FROM appointment a
        WHERE a.state = 'booked' AND a.slot_start < {_LATELY} - interval '4 hours' AND {_IN_SCOPE}
        UNION ALL
        SELECT w.hall_id, w.day, 'wait ' || w.id, NULL, 'until ' || w.until
        FROM waitlist w
        WHERE w.state = 'waiting' AND w.until < {_LATELY}
          AND ($1::uuid IS NULL OR w.hall_id = $1) AND ($2::date IS NULL OR w.day = $2)
        """,
    ),
)
