"""What is written of visits: begun, their stops given turns, left out and put back, ended.

Plain statements inside a transaction that holds what `models.visiting` says.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from models.database import Transaction
from models.visiting import NewVisit
from models.visits import Left, VisitState


async def begin(tx: Transaction, new: NewVisit) -> None:
    """Write a visit, yet without stops."""
    await tx.run(
        """
        INSERT INTO visit (id, hall_id, citizen_id, acting_id, proxy_id, person_key, day, begun_at,
                           rank_time, bundle, form, state)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'open')
        """,
        new.id,
        new.hall_id,
        new.citizen_id,
        new.acting_id,
        new.proxy_id,
        new.person_key,
        new.day,
        new.begun_at,
        new.rank_time,
        new.bundle,
        new.form,
    )


async def add_stop(
    tx: Transaction,
    visit_id: UUID,
    item_id: UUID,
    place: int,
    *,
    after: Sequence[UUID] = (),
    added_with: UUID | None = None,
    slot_start: datetime | None = None,
) -> UUID:
    """Write one more stop of a visit; answers its id. `slot_start`: from when it was booked."""
    stop_id: UUID = uuid7()
    await tx.run(
        """
        INSERT INTO visit_stop (id, visit_id, item_id, place, after, added_with, slot_start)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        stop_id,
        visit_id,
        item_id,
        place,
        list(after),
        added_with,
        slot_start,
    )
    return stop_id


async def put_in_order(tx: Transaction, visit_id: UUID, stop_ids: Sequence[UUID]) -> None:
    """Give the pending stops their places anew, behind those that have had their turn."""
    await tx.run(
        """
        UPDATE visit_stop s SET place = wanted.nth + (
            SELECT count(*) FROM visit_stop o
            WHERE o.visit_id = $1 AND NOT o.id = ANY($2::uuid[]))
        FROM unnest($2::uuid[]) WITH ORDINALITY AS wanted (id, nth)
        WHERE s.id = wanted.id
        """,
        visit_id,
        list(stop_ids),
    )


async def take_turn(
    tx: Transaction,
    visit_id: UUID,
    stop_id: UUID,
    ticket_id: UUID,
    *,
    given_after: UUID | None = None,
) -> None:
    """It is this stop's turn: it has a ticket, given when another of the visit had ended."""
    await tx.run(
        """
        UPDATE visit_stop SET ticket_id = $3, given_after = $4, left_out = NULL,
            turn = 1 + coalesce((SELECT max(turn) FROM visit_stop WHERE visit_id = $1), 0)
        WHERE id = $2
        """,
        visit_id,
        stop_id,
        ticket_id,
        given_after,
    )


async def leave_out(tx: Transaction, stop_ids: Sequence[UUID], why: Left) -> None:
    """These stops will not be done, or not be done again."""
    await tx.run(
        "UPDATE visit_stop SET left_out = $2 WHERE id = ANY($1::uuid[])", list(stop_ids), why.value
    )


async def end(tx: Transaction, visit_id: UUID, state: VisitState, now: datetime) -> None:
    """The visit is over, and with it what it had not come to yet."""
    await tx.run(
        "UPDATE visit SET state = $2, ended_at = $3 WHERE id = $1", visit_id, state.value, now
    )
    await tx.run(
        "UPDATE visit_stop SET left_out = $2"
        " WHERE visit_id = $1 AND ticket_id IS NULL AND left_out IS NULL",
        visit_id,
        Left.VISIT_ENDED.value,
    )


async def be_in(tx: Transaction, visit_id: UUID, hall_id: UUID) -> None:
    """She is at this hall now."""
    await tx.run("UPDATE visit SET hall_id = $2 WHERE id = $1", visit_id, hall_id)


async def count_from(tx: Transaction, visit_id: UUID, ticket_id: UUID) -> None:
    """She counts as waiting, in every line, from when her first number was issued."""
    await tx.run(
        "UPDATE visit SET rank_time = (SELECT issued_at FROM ticket WHERE id = $2) WHERE id = $1",
        visit_id,
        ticket_id,
    )


async def touch(tx: Transaction, ticket_id: UUID, version: int) -> tuple[UUID, int]:
    """What a ticket tells of what came after it has changed; its hall, and its version now."""
    row = await tx.row(
        "UPDATE ticket SET version = greatest(version + 1, $2) WHERE id = $1"
        " RETURNING hall_id, version",
        ticket_id,
        version,
    )
    assert row is not None, "tickets are never deleted"
    return row["hall_id"], row["version"]


async def put_back(tx: Transaction, visit_id: UUID, ticket_id: UUID) -> None:
    """All stands as before that ticket was finished: the next stop has no number yet.

    What was added when it was finished is gone, and a visit that ended then goes on.
    """
    await tx.run(
        """
        UPDATE visit_stop SET ticket_id = NULL, turn = NULL, given_after = NULL
        WHERE visit_id = $1 AND given_after = $2
        """,
        visit_id,
        ticket_id,
    )
    await tx.run(
        "DELETE FROM visit_stop WHERE visit_id = $1 AND added_with = $2", visit_id, ticket_id
    )
    await tx.run(
        """
        UPDATE visit_stop SET left_out = NULL WHERE visit_id = $1 AND ticket_id IS NULL
        AND left_out IN ('not_offered', 'already_in_line')
        """,
        visit_id,
    )
    await tx.run("UPDATE visit SET state = 'open', ended_at = NULL WHERE id = $1", visit_id)


async def forget(tx: Transaction, visit_id: UUID) -> None:
    """There is no such visit, nor was there: the finish that began it is taken back."""
    await tx.run("DELETE FROM visit WHERE id = $1", visit_id)
