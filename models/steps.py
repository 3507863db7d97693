"""Steps: the transitions of tickets, each written with its event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

import asyncpg

from models.database import Transaction, rows
from models.decisions import IS_OWN, MAY_CALL, SERVES
from models.proxies import TAKEN_FOR
from models.tickets import OF_APPOINTMENT, Actor, Move, TicketState, after
from models.together import BUSY, LOCKED, Busy, Patience, Together


@dataclass(frozen=True, slots=True)
class Step:
    """A transition about to be made, of a ticket that is in state `before`."""

    hall_id: UUID
    move: Move
    before: TicketState
    at: datetime
    version: int
    actor: Actor
    detail: str | None = None
    on_behalf_of: UUID | None = None


# What every step writes, once `target` has found its ticket (and the counter it happens at). What
# a counter found before it got the hall's lock counts only where nothing has happened to it since:
# she may wait again by now, elsewhere, or be at another counter. The counter's own row is looked at
# anew (`FOR UPDATE`): somebody else may have taken it over.
_STEP = """
    WITH step AS MATERIALIZED (
        SELECT * FROM unnest(
            $1::{key}[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
            $7::bigint[], $8::text[], $9::uuid[], $10::text[], $11::uuid[]
        ) WITH ORDINALITY AS s (
            key, hall_id, move, before, after, at, version, actor_kind, actor_id, detail,
            on_behalf_of, nth
        )
    ), locked AS MATERIALIZED ({locked}
    ), {target}, moved AS (
        UPDATE ticket SET
            state = step.after,
            version = greatest(ticket.version + 1, step.version),
            counter_id = coalesce(target.counter_id, ticket.counter_id),
            called_at = CASE WHEN step.move = 'call' THEN step.at ELSE called_at END,
            started_at = CASE WHEN step.move = 'start' THEN step.at ELSE started_at END,
            ended_at = CASE WHEN step.after IN ('finished', 'missed', 'cancelled')
                       THEN step.at ELSE ended_at END,
            outcome = CASE WHEN step.move = 'finish' THEN step.detail ELSE outcome END,
            recalls = CASE step.move WHEN 'call' THEN 0 WHEN 'recall' THEN recalls + 1
                      ELSE recalls END
        FROM target JOIN step USING (nth)
        WHERE ticket.id = target.id AND ticket.hall_id = step.hall_id
          AND ticket.state = step.before
          AND ticket.version = coalesce(target.version, ticket.version)
          AND (ticket.visit_id IS NULL OR step.move NOT IN ('finish', 'cancel'))
        RETURNING ticket.*, target.counter_id AS at_counter, step.nth, step.move, step.at,
                  step.actor_kind, step.actor_id, step.detail, step.on_behalf_of
    ), event AS (
        INSERT INTO ticket_event
            (ticket_id, hall_id, at, move, state, actor_kind, actor_id, counter_id, detail,
             on_behalf_of)
        SELECT id, hall_id, at, move, state, actor_kind, actor_id, at_counter, detail, on_behalf_of
        FROM moved
    )
    SELECT step.nth, locked.id IS NULL AS busy,
           t.id, t.number, t.state, h.code AS hall, l.code AS line, i.code AS item,
           t.issued_at, t.called_at, c.code AS counter, t.version, t.citizen_id,
           t.acting_id, t.recalls, t.priority, t.priority_at, t.shown_as, t.visit_id,
           t.checked_in_at, t.away, t.sent_from,
           {taken_for}, {of_appointment}
    FROM step
    LEFT JOIN locked ON locked.id = step.hall_id
    LEFT JOIN moved t USING (nth)
    LEFT JOIN hall h ON h.id = t.hall_id
    LEFT JOIN line l ON l.id = t.line_id
    LEFT JOIN item i ON i.id = t.item_id
    LEFT JOIN counter c ON c.id = t.counter_id
"""


# Whether whoever makes a step works at the counter, or nobody does.
_STAFFED = "coalesce(counter.staffed_by = step.actor_id, true)"


def _statements(key: str, target: str) -> dict[Patience, str]:
    """The statement for each patience."""
    target = target.replace("{staffed}", _STAFFED)
    return {
        patience: _STEP.format(
            key=key,
            target=target,
            locked=locked,
            taken_for=TAKEN_FOR,
            of_appointment=OF_APPOINTMENT,
        )
        for patience, locked in LOCKED.items()
    }


_ONE_TICKET = _statements(
    key="uuid",
    target="""target AS (
        SELECT step.nth, step.key AS id, NULL::uuid AS counter_id, NULL::bigint AS version
        FROM step JOIN locked ON locked.id = step.hall_id
    )""",
)
# The published order itself, `scheduler.discipline.next_up`: the lowest rank time of the counter's
# own lines, and of those that it helps where nobody waits in these or somebody has too long.
_CALL_FIRST = _statements(
    key="text",
    target="""place AS (
        SELECT step.nth, step.at, counter.id, counter.hall_id, counter.code, counter.serving,
               counter.helps
        FROM step
        JOIN locked ON locked.id = step.hall_id
        JOIN counter ON counter.hall_id = step.hall_id AND counter.code = step.key
        WHERE counter.state = 'open' AND {staffed}
          AND NOT EXISTS (SELECT 1 FROM ticket WHERE ticket.counter_id = counter.id
                          AND ticket.state IN ('called', 'serving') OFFSET 0)
        FOR UPDATE OF counter
    ), target AS (
        SELECT place.nth, first.id, place.id AS counter_id, first.version
        FROM place
        CROSS JOIN LATERAL (
            SELECT ticket.id, ticket.version FROM line
            CROSS JOIN LATERAL (
                SELECT id, rank_time, counter_id, version FROM ticket
                WHERE ticket.line_id = line.id AND ticket.state = 'waiting' AND NOT ticket.away
                  AND """
    + MAY_CALL.format(counter="place.id")
    + """
                ORDER BY rank_time, id LIMIT 1
            ) ticket
            WHERE line.hall_id = place.hall_id AND """
    + SERVES.format(counter="place", at="place.at")
    + """
            ORDER BY (
                """
    + IS_OWN.format(counter="place", at="place.at")
    + """
                OR place.at - ticket.rank_time > make_interval(mins => line.help_after_min)
            ) IS TRUE DESC, ticket.rank_time, ticket.id
            LIMIT 1
        ) first
    )""",
)
_AT_COUNTER = _statements(
    key="text",
    target="""place AS (
        SELECT step.nth, counter.id
        FROM step
        JOIN locked ON locked.id = step.hall_id
        JOIN counter ON counter.hall_id = step.hall_id AND counter.code = step.key
        WHERE {staffed}
        FOR UPDATE OF counter
    ), target AS (
        SELECT place.nth, busy.id, place.id AS counter_id, busy.version
        FROM place
        CROSS JOIN LATERAL (
            SELECT id, version FROM ticket
            WHERE ticket.counter_id = place.id AND ticket.state IN ('called', 'serving') LIMIT 1
        ) busy
    )""",
)

# A step, and the ticket's id or the counter's code that it is for.
_Wish = tuple[UUID | str, Step]


async def _make_all(
    sql: Mapping[Patience, str],
    wishes: Sequence[_Wish],
    patience: Patience,
    *,
    tx: Transaction | None = None,
) -> list[asyncpg.Record | Busy | None]:
    steps = [step for _, step in wishes]
    found = await rows(
        sql[patience],
        [key for key, _ in wishes],
        [step.hall_id for step in steps],
        [step.move.value for step in steps],
        [step.before.value for step in steps],
        [after(step.before, step.move).value for step in steps],
        [step.at for step in steps],
        [step.version for step in steps],
        [step.actor.kind for step in steps],
        [step.actor.id for step in steps],
        [step.detail for step in steps],
        [step.on_behalf_of for step in steps],
        tx=tx,
    )
    made: list[asyncpg.Record | Busy | None] = [None] * len(wishes)
    for row in found:
        made[row["nth"] - 1] = BUSY if row["busy"] else row if row["id"] else None
    return made


class _Kind:
    """One kind of step: made in a transaction, or by itself with others of the moment."""

    def __init__(self, sql: Mapping[Patience, str], *, one_a_hall: bool = False) -> None:
        self._make_all = partial(_make_all, sql)
        self._together: Together[_Wish, asyncpg.Record | None] = Together(
            self._make_all,
            hall=lambda wish: wish[1].hall_id,
            apart=lambda wish: wish[1].hall_id if one_a_hall else (wish[1].hall_id, wish[0]),
        )

    async def make(
        self, key: UUID | str, step: Step, tx: Transaction | None
    ) -> asyncpg.Record | None:
        after(step.before, step.move)  # refuse what is impossible before others are with it
        if tx is None:
            return await self._together.make((key, step))
        [row] = await self._make_all([(key, step)], Patience.ENDLESS, tx=tx)
        return row


_one_ticket = _Kind(_ONE_TICKET)
# Two calls of one hall in one statement would choose the same ticket.
_call_first = _Kind(_CALL_FIRST, one_a_hall=True)
_at_counter = _Kind(_AT_COUNTER)


async def make(
    ticket_id: UUID, step: Step, *, tx: Transaction | None = None
) -> asyncpg.Record | None:
    """Make one step of a ticket; answers it as `VIEW_ONE` shows it.

    Raises WrongState when the move is impossible from `before`. None when the ticket is not in that
    state any more, or one of a visit and would be cancelled (`server.visits`). Without a
    transaction it is committed when this returns.
    """
    return await _one_ticket.make(ticket_id, step, tx)


async def call_first(
    counter: str, step: Step, *, tx: Transaction | None = None
) -> asyncpg.Record | None:
    """Call whom `scheduler.discipline.next_up` names, of all lines that an open counter serves.

    None when there is nobody, the counter is not open and free, staffed by another than the step's
    actor, or another call was faster. Of two
    calls at once for one counter the slower violates `ticket_at_counter_once`. Without a
    transaction it is committed when this returns.
    """
    return await _call_first.make(counter, step, tx)


async def move_at(
    counter: str, step: Step, *, tx: Transaction | None = None
) -> asyncpg.Record | None:
    """Make one step of the ticket at a counter; None when none there is in that state.

    None, too, where another than the step's actor staffs it, and for the finish of one of a visit,
    which goes on with its next stop. Raises WrongState when the move is impossible from `before`.
    Without a transaction it is committed when this returns.
    """
    return await _at_counter.make(counter, step, tx)
