"""Leaving: one channel unlinked, everything told, or everything erased."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models import proxies, sso_people
from models.audit import Entry, record
from models.database import Transaction, rows, transaction
from models.knowing import known
from models.sealing import Sealer
from models.tickets import Actor, WrongState
from server.clock import microseconds
from server.errors import NotFound
from server.identity.proxies import exported
from server.identity.refusals import LastChannel
from server.live.memory import Change

# Tickets for her, and those she took for whoever has no account.
_HERS = "(citizen_id = $1 OR (acting_id = $1 AND citizen_id IS NULL))"


@dataclass(frozen=True, slots=True)
class Left:
    """What has ended: sign-ins, whose tokens are dead, and tickets that changed their halls."""

    sign_ins: list[UUID]
    changes: list[Change]


async def unlink(citizen_id: UUID, platform: str) -> Left:
    """Forget that a platform's user is this citizen; sign-ins that came through it end.

    Raises NotFound when it is not linked, LastChannel when there is no other way in.
    """
    async with transaction() as tx:
        linked = await _linked(tx, citizen_id)
        if platform not in linked:
            raise NotFound
        if len(linked) == 1:
            raise LastChannel
        await tx.run(
            "DELETE FROM channel_link WHERE citizen_id = $1 AND platform = $2",
            citizen_id,
            platform,
        )
        ended = await _end_sign_ins(tx, citizen_id, "channel_unlinked", platform)
        await _record(tx, citizen_id, "citizen.unlinked", {"channel": platform})
        return Left(ended, [])


async def erase(citizen_id: UUID, *, now: datetime) -> Left:
    """Forget who a citizen is. What the law wants kept of her visits stays, and names nobody.

    `now` is business time. Raises WrongState while she is being served.
    """
    async with transaction() as tx:
        await proxies.hold(tx, citizen_id)
        await _linked(tx, citizen_id)
        changes = await _give_tickets_up(tx, citizen_id, now)
        await tx.run("DELETE FROM channel_link WHERE citizen_id = $1", citizen_id)
        await tx.run("DELETE FROM answer WHERE person_id = $1", citizen_id)
        await sso_people.forget(tx, citizen_id)
        await proxies.forget(tx, citizen_id)
        await tx.run(
            """
            UPDATE citizen SET name = NULL, id_type = NULL, id_number = NULL, id_index = NULL,
                real_name_at = NULL, phone = NULL, phone_index = NULL, phone_verified_at = NULL,
                level = 0
            WHERE id = $1
            """,
            citizen_id,
        )
        ended = await _end_sign_ins(tx, citizen_id, "erased")
        await tx.run(
            "UPDATE sign_in SET device = '' WHERE person_kind = 'citizen' AND person_id = $1",
            citizen_id,
        )
        await _record(tx, citizen_id, "citizen.erased", {})
        return Left(ended, changes)


async def export(sealer: Sealer, citizen_id: UUID) -> dict[str, Any]:
    """Everything kept about a citizen, in clear: it is hers. Raises NoSuchCitizen."""
    async with transaction() as tx:
        me = await known(tx, sealer, citizen_id)
        await _record(tx, citizen_id, "citizen.exported", {})
    return {
        "id": citizen_id,
        "name": me.name,
        "id_type": me.id_type,
        "id_number": me.id_number,
        "phone": me.phone,
        "assurance_level": me.level,
        "channels": await _found(
            "SELECT platform, app_id, subject, union_subject, created_at FROM channel_link"
            " WHERE citizen_id = $1 ORDER BY created_at",
            citizen_id,
        ),
        "sign_ins": await _found(
            "SELECT channel, device, started_at, ended_at, end_reason FROM sign_in"
            " WHERE person_kind = 'citizen' AND person_id = $1 ORDER BY started_at",
            citizen_id,
        ),
        "consents": await _found(
            "SELECT c.code AS client, c.name, o.facts, o.given_at"
            " FROM sso_consent o JOIN sso_client c ON c.id = o.client_id"
            " WHERE o.citizen_id = $1 ORDER BY o.given_at",
            citizen_id,
        ),
        "tickets": await _found(
            """
            SELECT t.id, t.number, t.state, h.code AS hall, l.code AS line, i.code AS item,
                   t.day, t.issued_at, t.called_at, t.started_at, t.ended_at, t.outcome,
                   t.proxy_id AS proxy, t.acting_id IS NOT DISTINCT FROM $1 AS taken_for_another
            FROM ticket t JOIN hall h ON h.id = t.hall_id JOIN line l ON l.id = t.line_id
            JOIN item i ON i.id = t.item_id
            WHERE t.citizen_id = $1 OR t.acting_id = $1 ORDER BY t.issued_at
            """,
            citizen_id,
        ),
        "family": await exported(sealer, citizen_id),
    }


async def _record(tx: Transaction, citizen_id: UUID, action: str, detail: dict[str, str]) -> None:
    """Last in its transaction, as the log wants."""
    actor = Actor("citizen", citizen_id)
    await record(tx, Entry(actor, action, "citizen", citizen_id, detail=detail))


async def _found(sql: str, citizen_id: UUID) -> list[dict[str, Any]]:
    return [dict(row) for row in await rows(sql, citizen_id)]


async def _linked(tx: Transaction, citizen_id: UUID) -> set[str]:
    """Lock a citizen; the platforms she comes in by. Raises NotFound."""
    if await tx.row("SELECT 1 FROM citizen WHERE id = $1 FOR UPDATE", citizen_id) is None:
        raise NotFound
    found = await tx.rows("SELECT platform FROM channel_link WHERE citizen_id = $1", citizen_id)
    return {row["platform"] for row in found}


async def _end_sign_ins(
    tx: Transaction, citizen_id: UUID, reason: str, channel: str | None = None
) -> list[UUID]:
    found = await tx.rows(
        """
        UPDATE sign_in SET ended_at = now(), end_reason = $2
        WHERE person_kind = 'citizen' AND person_id = $1 AND ended_at IS NULL
          AND ($3::text IS NULL OR channel = $3)
        RETURNING id
        """,
        citizen_id,
        reason,
        channel,
    )
    return [row["id"] for row in found]


async def _give_tickets_up(tx: Transaction, citizen_id: UUID, now: datetime) -> list[Change]:
    """Nobody waits who is not known, nor does anybody who is known through her alone.

    Raises WrongState for somebody at a counter just now.
    """
    # The rows are locked first, so that nobody calls them between the look and the end.
    opened = await tx.rows(
        f"SELECT id, state FROM ticket WHERE {_HERS} AND ended_at IS NULL"  # noqa: S608 a text of ours
        " ORDER BY id FOR UPDATE",
        citizen_id,
    )
    if any(row["state"] == "serving" for row in opened):
        raise WrongState("she is being served")
    ended = await tx.rows(
        f"""
        WITH ended AS (
            UPDATE ticket SET state = 'cancelled', ended_at = $2,
                version = greatest(version + 1, $3)
            WHERE {_HERS} AND ended_at IS NULL
            RETURNING id, hall_id, version, CASE WHEN acting_id = $1 THEN proxy_id END AS behalf
        ), event AS (
            INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind, actor_id,
                detail, on_behalf_of)
            SELECT id, hall_id, $2, 'cancel', 'cancelled', 'citizen', $1, 'erased', behalf
            FROM ended
        )
        SELECT hall.code, ended.id, ended.version FROM ended JOIN hall ON hall.id = ended.hall_id
        """,  # noqa: S608 a text of ours
        citizen_id,
        now,
        microseconds(),
    )
    return [Change(row["code"], row["id"], row["version"]) for row in ended]
