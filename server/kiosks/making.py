"""Kiosks of a hall: made with a token that is told once, listed, revoked; changes are audited."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from models import decisions
from models.audit import Entry, record
from models.database import Transaction, rows, transaction
from models.digests import digest_of
from models.tickets import Actor
from server.auth import Principal
from server.errors import NotFound
from server.halls.directory import HallEntry
from server.kiosk_tokens import new_token
from server.kiosks.refusals import KioskNameTaken, TooManyKiosks
from server.live.feed import Feed

MOST_OF_HALL: Final = 50


async def make_kiosk(hall: HallEntry, name: str, who: Principal) -> tuple[asyncpg.Record, str]:
    """A new kiosk of the hall, and its token, which is kept nowhere.

    Raises KioskNameTaken or TooManyKiosks.
    """
    token = new_token()
    async with decisions.deciding_in(hall.id) as tx:
        names = await tx.rows(
            "SELECT name FROM kiosk WHERE hall_id = $1 AND revoked_at IS NULL", hall.id
        )
        if any(row["name"] == name for row in names):
            raise KioskNameTaken
        if len(names) >= MOST_OF_HALL:
            raise TooManyKiosks
        kiosk = await tx.row(
            """
            INSERT INTO kiosk (id, hall_id, name, token_digest, created_at, created_by)
            VALUES ($1, $2, $3, $4, $5, $6) RETURNING *
            """,
            uuid7(),
            hall.id,
            name,
            digest_of(token),
            datetime.now(UTC),
            who.id,
        )
        assert kiosk is not None, "an insert returns its row"
        await _record(tx, "made", kiosk["id"], hall, who)
    return kiosk, token


async def page_of_kiosks(
    hall: HallEntry, *, before: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Kiosks of the hall in service, newest first, those made before one."""
    return await rows(
        """
        SELECT * FROM kiosk
        WHERE hall_id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR id < $2)
        ORDER BY id DESC LIMIT $3
        """,
        hall.id,
        before,
        limit,
    )


async def revoke_kiosk(hall: HallEntry, kiosk_id: UUID, who: Principal, feed: Feed) -> None:
    """Take a kiosk out of service: its token is dead at once, on every worker. Raises NotFound."""
    async with transaction() as tx:
        kiosk = await tx.row(
            """
            UPDATE kiosk SET revoked_at = $3
            WHERE id = $1 AND hall_id = $2 AND revoked_at IS NULL RETURNING id
            """,
            kiosk_id,
            hall.id,
            datetime.now(UTC),
        )
        if kiosk is None:
            raise NotFound(("该大厅没有这台自助机。", "There is no such kiosk in this hall."))
        await _record(tx, "revoked", kiosk_id, hall, who)
    await feed.sign_ins_ended(kiosk_id)


async def _record(
    tx: Transaction, did: str, kiosk_id: UUID, hall: HallEntry, who: Principal
) -> None:
    """An entry in the audit log. Last before the commit."""
    actor, detail = Actor("staff", who.id), {"hall": hall.code}
    await record(tx, Entry(actor, f"kiosk.{did}", "kiosk", kiosk_id, detail=detail))
