"""Codes by which a ticket is followed: made for its holder and for slips, and ended."""

import secrets
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from uuid import UUID

import asyncpg

from models import following
from models.database import Transaction, transaction
from models.digests import digest_of
from models.joined import current_id
from models.sessions import PersonKind
from models.tickets import TicketState, WrongState
from scheduler.calendar import SHANGHAI, business_day
from server.auth import CLERK, Principal
from server.errors import NotFound
from server.halls.directory import Directory
from server.live.feed import Feed

# 96 bits, in 16 characters that an address may hold.
_BYTES = 12
_LOCKED = """
    SELECT t.id, t.day, t.state, t.ended_at, t.citizen_id, t.acting_id, h.code AS hall
    FROM ticket t JOIN hall h ON h.id = t.hall_id WHERE t.id = $1 FOR NO KEY UPDATE OF t
"""


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code just made, until when it is good, and how many people follow the ticket already."""

    code: str = field(repr=False)
    expires_at: datetime
    followers: int


async def make_code(
    ticket_id: UUID, who: Principal, *, now: datetime, directory: Directory, feed: Feed
) -> NewCode:
    """A code of a ticket for whoever holds or took it, or for staff of its hall.

    Raises NotFound, NotAllowed, or WrongState once it is over.
    """
    async with transaction() as tx:
        row = await _held(tx, ticket_id, who, directory)
        new, surplus = await code_for(tx, row, now=now)
    await feed.sign_ins_ended(*surplus)
    return new


async def code_for(
    tx: Transaction, row: asyncpg.Record, *, now: datetime
) -> tuple[NewCode, list[UUID]]:
    """A code of a ticket whose row is locked, and the codes that end.

    Of the row `id`, `day`, `state` and `ended_at` are read. Raises WrongState for one that is over.
    """
    if row["ended_at"] is not None or row["day"] != business_day(now):
        raise WrongState("there is nothing to follow any more", TicketState(row["state"]))
    code = secrets.token_urlsafe(_BYTES)
    surplus = await following.add_code(tx, row["id"], row["day"], digest_of(code))
    followers = await following.followers(tx, row["id"])
    return NewCode(code, end_of(row["day"]), followers), surplus


async def end_following(
    ticket_id: UUID, who: Principal, *, directory: Directory, feed: Feed
) -> None:
    """Nobody follows the ticket any more, nor by any code there is. Raises as `make_code`."""
    async with transaction() as tx:
        await _held(tx, ticket_id, who, directory)
        ended = await following.end_all(tx, ticket_id)
    await feed.sign_ins_ended(*ended)


def end_of(day: date) -> datetime:
    """When a day ends in the halls."""
    return datetime.combine(day + timedelta(days=1), time(), SHANGHAI)


async def _held(
    tx: Transaction, ticket_id: UUID, who: Principal, directory: Directory
) -> asyncpg.Record:
    """The ticket's row, locked, if it is hers, or of a hall where this clerk works."""
    row = await tx.row(_LOCKED, ticket_id)
    if row is None:
        raise NotFound
    if who.kind is PersonKind.STAFF:
        CLERK.admit(who, row["hall"], directory.halls)
        return row
    holders = {row["citizen_id"], row["acting_id"]} - {None}
    if who.id not in holders and await current_id(who.id, tx=tx) not in holders:
        raise NotFound
    return row
