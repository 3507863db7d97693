"""No-shows 爽约: who did not come, how often, and whose booking is blocked for it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from models.appointments import Pardon
from models.database import Transaction, rows
from models.joined import HER_ID

APPEAL = "booking_block.appeal"
_COUNTED = """
    SELECT count(DISTINCT a.slot_start) FROM appointment a
    WHERE {whose} AND a.state = 'missed' AND a.pardoned_at IS NULL AND a.slot_start > greatest(
        $2::timestamptz, (SELECT max(b.since) FROM booking_block b WHERE b.person = $1))
"""
# Those since the last block: nobody is blocked twice for the same. Who did not come at a time did
# so once, however many she had booked for it.
COUNTED = _COUNTED.format(whose="a.citizen_id = $1")
COUNTED_FOR = _COUNTED.format(whose="a.person_key = $1")
# What the person of an appointment `t` missed before, while it is open; else it does not matter.
MISSED_BEFORE = """CASE WHEN t.state IN ('held', 'offered', 'booked') THEN ARRAY(
               SELECT DISTINCT a.slot_start FROM appointment a
               WHERE (a.citizen_id = t.citizen_id OR a.person_key = t.person_key)
                 AND a.state = 'missed' AND a.pardoned_at IS NULL
                 AND a.slot_start > coalesce((
                     SELECT max(b.since) FROM booking_block b
                     WHERE b.person = coalesce(t.citizen_id, t.person_key)), '-infinity')
               ORDER BY a.slot_start DESC LIMIT 20) END AS missed_before"""
# What a block `b` came of: missed before it, and since the one before; {days} as its hall counted.
# Who was pardoned since is among them.
_CAME_OF = """
    (a.citizen_id = b.person OR a.person_key = b.person) AND a.state = 'missed'
    AND a.slot_start <= b.since AND a.slot_start > greatest(
        b.since - make_interval(days => {days}),
        (SELECT max(e.since) FROM booking_block e WHERE e.person = b.person AND e.since < b.since))
"""


async def counted(tx: Transaction, person: UUID, since: datetime, *, citizen: bool) -> int:
    """How often somebody did not come since a moment, and since she was last blocked."""
    row = await tx.row(COUNTED if citizen else COUNTED_FOR, person, since)
    assert row is not None, "a count is a row"
    return int(row[0])


async def block(
    tx: Transaction, person: UUID, hall_id: UUID, *, now: datetime, until: datetime
) -> None:
    """Let her book nothing until a moment."""
    await tx.run(
        "INSERT INTO booking_block (id, person, hall_id, since, until) VALUES ($1, $2, $3, $4, $5)",
        uuid7(),
        person,
        hall_id,
        now,
        until,
    )


async def blocks_of(citizen_id: UUID, now: datetime, *, within_days: int = 0) -> list[Any]:
    """The block that holds for a citizen now, if one does; `missed` in so many days it came of."""
    return await rows(
        f"""
        SELECT b.*, hall.code AS hall, ARRAY(
            SELECT DISTINCT a.slot_start FROM appointment a WHERE {_CAME_OF.format(days="$3")}
            AND a.pardoned_at IS NULL ORDER BY a.slot_start DESC LIMIT 20) AS missed
        FROM booking_block b JOIN hall ON hall.id = b.hall_id
        WHERE b.person = {HER_ID} AND b.until > $2 AND b.granted IS NOT TRUE
        ORDER BY b.until DESC LIMIT 1
        """,
        citizen_id,
        now,
        within_days,
    )


async def missed_since(citizen_id: UUID, since: datetime) -> list[Any]:
    """When a citizen did not come since a moment, and was not pardoned; the last first."""
    return await rows(
        f"""
        SELECT DISTINCT a.slot_start FROM appointment a
        WHERE a.citizen_id = {HER_ID} AND a.state = 'missed' AND a.pardoned_at IS NULL
          AND a.slot_start > greatest($2::timestamptz, (
              SELECT max(b.since) FROM booking_block b WHERE b.person = {HER_ID}))
        ORDER BY a.slot_start DESC LIMIT 20
        """,
        citizen_id,
        since,
    )


async def appeal(tx: Transaction, block_id: UUID, sealed: bytes, now: datetime) -> None:
    """What she says against being blocked."""
    await tx.run(
        "UPDATE booking_block SET appeal = $2, appealed_at = $3 WHERE id = $1",
        block_id,
        sealed,
        now,
    )


async def hold_block(tx: Transaction, block_id: UUID) -> Any:
    """A block's row, locked; None when there is none."""
    return await tx.row("SELECT * FROM booking_block WHERE id = $1 FOR UPDATE", block_id)


async def decide(
    tx: Transaction, block_id: UUID, *, granted: bool, by: UUID, now: datetime
) -> None:
    """A manager decided about an appeal; a block whose appeal is granted is over."""
    await tx.run(
        "UPDATE booking_block SET granted = $2, decided_by = $3, decided_at = $4 WHERE id = $1",
        block_id,
        granted,
        by,
        now,
    )


async def appeals_of(
    hall_id: UUID, cursor: UUID | None, limit: int, *, within_days: int
) -> list[Any]:
    """A hall's appeals that nobody decided, the oldest first.

    With whose they are, and as JSON what she `missed` in so many days, which each block came of.
    """
    return await rows(
        f"""
        SELECT b.*, c.name AS known_as, coalesce((
            SELECT json_agg(json_build_array(a.id, hall.code, a.items, a.slot_start, a.pardon)
                            ORDER BY a.slot_start DESC)
            FROM appointment a JOIN hall ON hall.id = a.hall_id
            WHERE {_CAME_OF.format(days="$4")}), '[]') AS missed
        FROM booking_block b LEFT JOIN citizen c ON c.id = b.person
        WHERE b.hall_id = $1 AND b.appealed_at IS NOT NULL AND b.decided_at IS NULL
          AND ($2::uuid IS NULL OR b.id > $2)
        ORDER BY b.id LIMIT $3
        """,
        hall_id,
        cursor,
        limit,
        within_days,
    )


async def pardon(
    tx: Transaction, appointment_id: UUID, why: Pardon, *, now: datetime, version: int
) -> None:
    """Let a missed appointment not count."""
    await tx.run(
        "UPDATE appointment SET pardoned_at = $2, pardon = $3, version = greatest(version + 1, $4)"
        " WHERE id = $1",
        appointment_id,
        now,
        why.value,
        version,
    )


async def lift(tx: Transaction, person: UUID, slot_start: datetime, *, now: datetime) -> None:
    """End a block that came of what is pardoned: one less would not have made it."""
    await tx.run(
        """
        UPDATE booking_block SET until = $3
        WHERE person = $1 AND until > $3 AND since >= $2 AND since = (
            SELECT min(since) FROM booking_block WHERE person = $1 AND since >= $2)
        """,
        person,
        slot_start,
        now,
    )
