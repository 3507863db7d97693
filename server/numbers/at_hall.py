"""Giving a number to somebody who stands in the hall: at the help desk, or at a kiosk.

Who has an account gets the ticket into it, and sees it on her phone. Who has none is told apart by
a key of her number, so that she holds one ticket for an item whoever gives it to her. Nobody has to
say who she is, but for an item that asks for a real name.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from uuid import UUID

import asyncpg
import msgspec

from models import decisions, holders
from models.audit import Entry, record
from models.database import Transaction, rows, transaction
from models.decisions import LineFacts
from models.identifiers import IdDocument, age_on
from models.knowing import held_with_index
from models.proxies import person_key
from models.sealing import Sealer
from models.sessions import PersonKind
from models.tickets import OPEN_ONCE, Actor, Priority
from scheduler.calendar import business_day
from scheduler.discipline import ELDERLY_FROM_AGE
from server.auth import Principal
from server.halls.directory import Directory, HallEntry
from server.http.idempotency import Once
from server.live.feed import Feed
from server.live.memory import Change
from server.live.state import TicketView
from server.numbers import priorities
from server.numbers.giving import Giving, check_hall, decide, give, line_for, new_ticket
from server.numbers.refusals import (
    AlreadyInLine,
    ClaimNotTrue,
    IdNumberRequired,
    MissedNumberKept,
)

# From this level on an item asks who somebody is.
REAL_NAME = 2
# Whoever holds her card before a clerk or a kiosk's reader is known as surely as can be.
FACE_TO_FACE = 3


@dataclass(frozen=True, slots=True)
class Comer:
    """Whoever stands there, as far as she says who she is, in the forms in which it is kept."""

    document: IdDocument | None = None
    name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    priority: Priority | None = None


@dataclass(frozen=True, slots=True)
class _Taking(Giving):
    comer: Comer
    who: Principal
    # Once she is looked up: her account, or what tells her apart without one.
    citizen_id: UUID | None = None
    person_key: UUID | None = None

    @property
    def actor(self) -> Actor:
        return Actor(self.who.kind.value, self.who.id)


async def give_number(
    hall: HallEntry,
    item: str,
    comer: Comer,
    who: Principal,
    once: Once,
    *,
    sealer: Sealer,
    now: datetime,
    directory: Directory,
    feed: Feed,
) -> TicketView:
    """Give somebody the next number of the line that serves the item; `who` is staff or a kiosk.

    Raises NotFound, IdNumberRequired, ClaimNotTrue, AlreadyInLine, and why the line takes nobody;
    after one, nothing has changed.
    """
    entry = directory.item(item)
    taking = _Taking(hall, entry, line_for(hall, entry), now, feed.memory, comer, who)
    if comer.document is None and entry.level_required >= REAL_NAME:
        raise IdNumberRequired
    try:
        view = await (_simply(taking) if _is_simple(comer, once) else _whole(taking, once, sealer))
    except asyncpg.UniqueViolationError as taken:
        # On her phone at this very moment: each look found nothing, the key sees both.
        if taken.constraint_name in OPEN_ONCE:
            raise AlreadyInLine from None
        raise
    await feed.changed(Change(hall.code, view.id, view.version))
    return view


def _is_simple(comer: Comer, once: Once) -> bool:
    return comer == Comer() and not once.has_key


async def _simply(taking: _Taking) -> TicketView:
    """A number for nobody in particular, in one statement."""
    await check_hall(taking)
    return await _issued(None, taking)


async def _whole(taking: _Taking, once: Once, sealer: Sealer) -> TicketView:
    """A number for somebody who said something of herself. Locks as docs/decisions.md says."""
    async with transaction() as tx:
        await once.claim(tx)
        await check_hall(taking, tx=tx)
        if taking.comer.document is not None:
            await decisions.lock(tx, taking.hall.id)  # before people, as everywhere
        taking = await _looked_up(tx, taking, sealer)
        priority, is_proven = _priority(taking)
        view = await _keep_name(tx, taking, sealer, await _issued(tx, taking))
        if priority is not None:
            row = await _claim(tx, taking, view.id, priority, is_proven=is_proven)
            view = priorities.with_claim(view, row, taking.hall, is_proven=is_proven)
        await once.keep(tx, view, status=201)
        await _record(tx, taking, view.id)
    return view


async def _looked_up(tx: Transaction, taking: _Taking, sealer: Sealer) -> _Taking:
    """Whose number was given. Nobody comes to have it, or leaves, before the transaction ends."""
    document = taking.comer.document
    if document is None:
        return taking
    index = sealer.blind_index(document.id_type, document.number)
    await tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", index)
    citizen_id = await held_with_index(tx, index)
    key = None if citizen_id else person_key(index)
    return replace(taking, citizen_id=citizen_id, person_key=key)


def _priority(taking: _Taking) -> tuple[Priority | None, bool]:
    """What she has priority for, and whether that is so, not only claimed. Raises ClaimNotTrue.

    Her number proves her age, and a clerk what she says by saying it. Of two the greater counts.
    """
    said, elderly = taking.comer.priority, _is_elderly(taking)
    if said is Priority.ELDERLY and elderly is False:
        raise ClaimNotTrue
    true = [said] if said is not None and taking.who.kind is PersonKind.STAFF else []
    true += [Priority.ELDERLY] if elderly else []
    if not true:
        return said, False
    return max(true, key=lambda each: taking.hall.rules.credit(each.value)), True


def _is_elderly(taking: _Taking) -> bool | None:
    """Whether her number says so; None when there is none, or it tells no birth date."""
    document = taking.comer.document
    if document is None or document.born is None:
        return None
    return age_on(business_day(taking.now), document.born) >= ELDERLY_FROM_AGE


async def _claim(
    tx: Transaction, taking: _Taking, ticket_id: UUID, priority: Priority, *, is_proven: bool
) -> asyncpg.Record:
    by_number = priority is Priority.ELDERLY and _is_elderly(taking)
    return await priorities.make_claim(
        tx,
        ticket_id,
        priority,
        taking.hall,
        is_proven=is_proven,
        actor=taking.actor,
        seen_by=taking.actor if is_proven and not by_number else None,
    )


async def _issued(tx: Transaction | None, taking: _Taking) -> TicketView:
    new = new_ticket(
        taking,
        taking.actor,
        citizen_id=taking.citizen_id,
        person_key=taking.person_key,
        level_required=0,  # she is here
        here=True,
    )
    return (await give(taking, new, partial(_check_facts, taking), tx=tx)).view


async def _check_facts(taking: _Taking, tx: Transaction, facts: LineFacts) -> None:
    if facts.has_open_ticket:
        raise AlreadyInLine(await _open_here(tx, taking))
    kept, by_staff = facts.missed, taking.who.kind is PersonKind.STAFF
    if kept is not None and by_staff and kept.hall_id == taking.hall.id:
        raise MissedNumberKept.of(kept)
    decide(replace(facts, level=FACE_TO_FACE), taking.item.level_required)


async def _open_here(tx: Transaction, taking: _Taking) -> UUID | None:
    """The ticket that she has open in this hall, for a clerk to find; a kiosk is not told."""
    if taking.who.kind is PersonKind.KIOSK:
        return None
    found = await rows(
        """
        SELECT id FROM ticket
        WHERE (citizen_id = $1 OR person_key = $2) AND item_id = $3 AND ended_at IS NULL
          AND hall_id = $4
        """,
        taking.citizen_id,
        taking.person_key,
        taking.item.id,
        taking.hall.id,
        tx=tx,
    )
    return found[0]["id"] if found else None


async def _keep_name(
    tx: Transaction, taking: _Taking, sealer: Sealer, view: TicketView
) -> TicketView:
    """Keep what she said of herself, unless her account knows better."""
    comer = taking.comer
    if taking.citizen_id is not None or (comer.name is None and comer.phone is None):
        return view
    shown_as = await holders.keep(tx, sealer, view.id, name=comer.name, phone=comer.phone)
    return msgspec.structs.replace(view, name=shown_as)


async def _record(tx: Transaction, taking: _Taking, ticket_id: UUID) -> None:
    """An entry in the audit log where somebody's number was looked up. Last before the commit."""
    if taking.comer.document is None:
        return
    said = {
        "id_number": taking.comer.document,
        "name": taking.comer.name,
        "phone": taking.comer.phone,
    }
    detail = {"fields": [name for name, value in said.items() if value is not None]}
    behalf = taking.citizen_id
    await record(
        tx,
        Entry(
            taking.actor, "ticket.given", "ticket", ticket_id, on_behalf_of=behalf, detail=detail
        ),
    )
