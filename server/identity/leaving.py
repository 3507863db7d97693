"""Leaving: one channel unlinked, or everything erased."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models import (
    bill_people,
    booking_people,
    case_people,
    consent_people,
    departures,
    following,
    her_halls,
    notices,
    proxies,
    ratings,
    sso_people,
    visit_people,
)
from models.audit import Entry, record
from models.database import Transaction
from models.proving import door_of
from models.tickets import Actor, TicketState, WrongState
from server.again import until_done
from server.auth import Principal
from server.clock import microseconds
from server.errors import NotFound
from server.identity.refusals import LastChannel
from server.identity.sure import held_surely
from server.live.memory import Change

# Tickets for her, and those she took for whoever has no account.
_HERS = "(citizen_id = $1 OR (acting_id = $1 AND citizen_id IS NULL))"


@dataclass(frozen=True, slots=True)
class Left:
    """What has ended: sign-ins, whose tokens are dead, and tickets that changed their halls."""

    sign_ins: list[UUID]
    changes: list[Change]


async def unlink(who: Principal, platform: str) -> Left:
    """Forget that a platform's user is this citizen; sign-ins that came through it end.

    Where she has several accounts of the platform she came in by, the others go and her own stays:
    one may be a stranger's, who knew her name and number. Raises NotFound when it is not linked,
    LastChannel when there is no other way in, and LevelTooLow.
    """

    async def work(tx: Transaction) -> Left:
        me = await held_surely(tx, who)
        links = await tx.rows("SELECT id, platform FROM channel_link WHERE citizen_id = $1", me)
        meant = [link["id"] for link in links if link["platform"] == platform]
        if not meant:
            raise NotFound
        own = await door_of(tx, who.sign_in_id)
        gone = [link for link in meant if link != own] or meant
        if len(gone) == len(links):
            raise LastChannel
        await tx.run("DELETE FROM channel_link WHERE id = ANY($1)", gone)
        ended = await _end_sign_ins(tx, me, "channel_unlinked", gone)
        await _record(tx, me, "citizen.unlinked", {"channel": platform})
        return Left(ended, [])

    return await until_done(work)


async def erase(who: Principal, *, now: datetime) -> Left:
    """Forget who a citizen is. What the law wants kept of her visits stays, and names nobody.

    `now` is business time. Raises WrongState while she is being served, and LevelTooLow.
    """

    async def work(tx: Transaction) -> Left:
        halls = await her_halls.lock(tx, who.id)
        me = await held_surely(tx, who, wholly=True)
        return await _erase(tx, me, halls, now)

    return await until_done(work)


async def _erase(tx: Transaction, me: UUID, halls: Collection[UUID], now: datetime) -> Left:
    await proxies.hold(tx, me)
    await her_halls.check(tx, halls, me)
    changes = await _give_tickets_up(tx, me, now)
    await visit_people.forget(tx, me, now)
    await departures.forget_of(tx, me)
    await booking_people.forget(tx, me, now=now, version=microseconds())
    await bill_people.forget(tx, me)
    await case_people.forget(tx, me)
    await notices.forget(tx, me)
    await ratings.forget(tx, me)
    await consent_people.forget(tx, me)
    await tx.run("DELETE FROM channel_link WHERE citizen_id = $1", me)
    await tx.run("DELETE FROM answer WHERE person_id = $1", me)
    await sso_people.forget(tx, me)
    await proxies.forget(tx, me)
    await following.forget(tx, me)
    await tx.run(
        """
        UPDATE citizen SET name = NULL, id_type = NULL, id_number = NULL, id_index = NULL,
            real_name_at = NULL, phone = NULL, phone_index = NULL, phone_verified_at = NULL,
            residence = NULL, residence_at = NULL,
            level = 0
        WHERE id = $1
        """,
        me,
    )
    ended = await _end_sign_ins(tx, me, "erased")
    await tx.run(
        "UPDATE sign_in SET device = '' WHERE person_kind = 'citizen' AND person_id = $1", me
    )
    await _record(tx, me, "citizen.erased", {})
    return Left(ended, changes)


async def _record(tx: Transaction, citizen_id: UUID, action: str, detail: dict[str, str]) -> None:
    """Last in its transaction, as the log wants."""
    actor = Actor("citizen", citizen_id)
    await record(tx, Entry(actor, action, "citizen", citizen_id, detail=detail))


async def _end_sign_ins(
    tx: Transaction, citizen_id: UUID, reason: str, links: Sequence[UUID] | None = None
) -> list[UUID]:
    found = await tx.rows(
        """
        UPDATE sign_in SET ended_at = now(), end_reason = $2
        WHERE person_kind = 'citizen' AND person_id = $1 AND ended_at IS NULL
          AND ($3::uuid[] IS NULL OR link_id = ANY($3))
        RETURNING id
        """,
        citizen_id,
        reason,
        links,
    )
    return [row["id"] for row in found]


async def _give_tickets_up(tx: Transaction, citizen_id: UUID, now: datetime) -> list[Change]:
    """Nobody waits who is not known, nor does anybody who is known through her alone.

    Raises WrongState for somebody at a counter just now.
    """
    # Their halls are locked: nobody calls them between the look and the end.
    opened = await tx.rows(
        f"SELECT id, state FROM ticket WHERE {_HERS} AND ended_at IS NULL"  # noqa: S608 a text of ours
        " ORDER BY id FOR UPDATE",
        citizen_id,
    )
    if any(row["state"] == "serving" for row in opened):
        raise WrongState("she is being served", TicketState.SERVING)
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
