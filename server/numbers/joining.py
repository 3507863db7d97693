"""Taking a number."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID

import asyncpg

from models import decisions, standing
from models.audit import Entry, record
from models.by_phone import ByPhone
from models.database import Transaction, transaction
from models.decisions import LineFacts
from models.issuing import NewTicket
from models.joined import current_id
from models.proxies import Acting
from models.sealing import Sealer
from models.tickets import OPEN_ONCE, SYSTEM, Actor, Priority, TicketState
from server.auth import Principal
from server.errors import LevelTooLow, NotSignedIn
from server.halls.directory import Directory
from server.http.idempotency import Once
from server.live.feed import Feed
from server.live.memory import Change, Memory
from server.live.reading import ticket_view
from server.live.state import TakenFor, TicketView
from server.numbers import by_phone, priorities
from server.numbers.acting import acting_for
from server.numbers.by_phone import Fix, counted_anew
from server.numbers.giving import Given, Giving, check_hall, decide, give, line_for, new_ticket
from server.numbers.refusals import (
    AlreadyInLine,
)
from server.numbers.residents import check_residence

# What is to be kept with a number just given, in its transaction if it has one; answers the ticket
# with it. Whoever keeps it without one must let no fault of a store out: the number is given.
WithIt = Callable[[Transaction | None, TicketView], Awaitable[TicketView]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a citizen asks for. `fix` is where her phone says that it is, if it does.

    `proxy` is through which she takes it for somebody else, `claim` why she would be served first,
    `with_it` keeps what else she says with her number.
    """

    hall: str
    item: str
    fix: Fix | None
    proxy: UUID | None = None
    claim: Priority | None = None
    with_it: WithIt | None = None


async def take_number(
    wish: Wish,
    who: Principal,
    once: Once,
    *,
    sealer: Sealer,
    now: datetime,
    directory: Directory,
    feed: Feed,
) -> TicketView:
    """Give the citizen, or whom she acts for, the next number of the line that serves the item.

    Raises NotFound and every refusal of this room; after one, nothing has changed.
    """
    hall, item = directory.hall(wish.hall), directory.item(wish.item)
    most, line, memory = by_phone.caps(hall), line_for(hall, item), feed.memory
    taking = _Taking(hall, item, line, now, memory, wish, who, most, directory)
    try:
        view = await _taken(taking, once, sealer)
    except (asyncpg.ForeignKeyViolationError, LevelTooLow):
        # Her account may have been joined into another a moment ago, and her token not know yet.
        now_id = await current_id(who.id)
        if now_id is None:
            raise NotSignedIn from None
        if now_id == who.id:
            raise
        view = await _taken(replace(taking, who=replace(who, id=now_id)), once, sealer)
    await feed.changed(Change(hall.code, view.id, view.version))
    return view


@dataclass(frozen=True, slots=True)
class _Taking(Giving):
    wish: Wish
    who: Principal
    most: ByPhone
    directory: Directory
    acting: Acting | None = None
    # The visit whose first stop it is; its items together ask for this level.
    part_of: UUID | None = None
    level_required: int | None = None

    @property
    def citizen_id(self) -> UUID | None:
        """Whom the ticket is for, if that is a citizen."""
        return self.acting.principal_id if self.acting else self.who.id


async def _taken(taking: _Taking, once: Once, sealer: Sealer) -> TicketView:
    async def take() -> TicketView:
        if taking.wish.proxy is not None:
            return await _issue_for(taking, taking.wish.proxy, once, sealer)
        if once.has_key or taking.wish.claim is not None:
            return await _issue_once(taking, once, sealer)
        return await _with_it(None, taking, await _issue(taking, sealer))

    try:
        return await counted_anew(take)
    except asyncpg.UniqueViolationError as taken:
        # She asked twice at once: each look found nothing, the key sees both.
        if taken.constraint_name in OPEN_ONCE:
            hers = taking.wish.proxy is None
            find = decisions.open_ticket_of(taking.who.id, taking.item.id) if hers else None
            raise AlreadyInLine(await find if find else None) from None
        raise


async def _issue(taking: _Taking, sealer: Sealer) -> TicketView:
    """Issue the ticket in one statement, which refuses by writing nothing."""
    await _check(taking, None)
    await _check_residence(None, taking, sealer)
    given = await _issued(None, taking)
    if not priorities.is_elderly(sealer, given.papers, taking.now):
        return given.view
    return await _preferred(taking, given.view)


async def _preferred(taking: _Taking, view: TicketView) -> TicketView:
    """Let the age of whoever has just got a number count; unless something has happened since."""
    async with decisions.deciding_in(taking.hall.id) as tx:
        held = await standing.hold(tx, view.id)
        if held is None or held.now.state is not TicketState.WAITING:
            return view
        if held.now.hall_id != taking.hall.id or held.now.priority is not None:
            return view
        row = await priorities.make_claim(
            tx, view.id, Priority.ELDERLY, taking.hall, is_proven=True, actor=SYSTEM
        )
    return ticket_view(row, hall=taking.hall.code, ahead=row["ahead"])


async def _issue_once(taking: _Taking, once: Once, sealer: Sealer) -> TicketView:
    """Issue the ticket for a request with a key: whatever is asked again is answered first."""
    async with transaction() as tx:
        await once.claim(tx)
        await _check(taking, tx)
        return await _issue_in(tx, taking, once, sealer)


async def _issue_for(taking: _Taking, proxy_id: UUID, once: Once, sealer: Sealer) -> TicketView:
    """Issue a ticket for somebody else, through a proxy that holds until it is issued."""
    async with transaction() as tx:
        await once.claim(tx)
        await _check(taking, tx)
        await decisions.lock(tx, taking.hall.id)  # before people, as everywhere
        acting = await acting_for(tx, sealer, proxy_id, taking.who, taking.now)
        who = replace(taking.who, id=acting.citizen_id)
        view = await _issue_in(tx, replace(taking, who=who, acting=acting), once, sealer)
        entry = Entry(
            Actor("citizen", who.id),
            "ticket.taken",
            "ticket",
            view.id,
            on_behalf_of=acting.on_behalf_of,
            detail={"proxy": str(proxy_id)},
        )
        await record(tx, entry)
    return view


async def _issue_in(tx: Transaction, taking: _Taking, once: Once, sealer: Sealer) -> TicketView:
    view = await _with_it(tx, taking, await _give(tx, taking, sealer))
    await once.keep(tx, view, status=201)
    return view


async def _with_it(tx: Transaction | None, taking: _Taking, view: TicketView) -> TicketView:
    return await taking.wish.with_it(tx, view) if taking.wish.with_it else view


async def take_first(
    tx: Transaction,
    wish: Wish,
    who: Principal,
    acting: Acting | None,
    *,
    part_of: UUID,
    level_required: int,
    sealer: Sealer,
    now: datetime,
    directory: Directory,
    memory: Memory,
) -> TicketView:
    """The number of a visit's first stop, by the rules of any number. Raises every refusal.

    The transaction belongs into `counted_anew`.
    """
    hall, item = directory.hall(wish.hall), directory.item(wish.item)
    line = line_for(hall, item)
    most = by_phone.caps(hall)
    first = _Taking(hall, item, line, now, memory, wish, who, most, directory, acting)
    taking = replace(first, part_of=part_of, level_required=level_required)
    await _check(taking, tx)
    return await _give(tx, taking, sealer)


async def _give(tx: Transaction, taking: _Taking, sealer: Sealer) -> TicketView:
    await _check_residence(tx, taking, sealer)
    claim, is_proven, actor = taking.wish.claim, False, Actor("citizen", taking.who.id)
    if claim is not None:
        is_proven = await priorities.proven(
            tx,
            sealer,
            claim,
            citizen_id=taking.citizen_id,
            acting=taking.acting,
            now=taking.now,
        )
    given = await _issued(tx, taking)
    view = given.view
    if not is_proven and priorities.is_elderly(sealer, given.papers, taking.now):
        # What is proven counts at once, whatever else she claims.
        claim, is_proven, actor = Priority.ELDERLY, True, SYSTEM
    if claim is not None:
        row = await priorities.make_claim(
            tx, view.id, claim, taking.hall, is_proven=is_proven, actor=actor
        )
        view = priorities.with_claim(view, row, taking.hall, is_proven=is_proven)
    return view


async def _issued(tx: Transaction | None, taking: _Taking) -> Given:
    new, check, acting = _new_ticket(taking), partial(_check_facts, taking), taking.acting
    taken_for = TakenFor(acting.proxy_id, acting.shown_as, acting.kind) if acting else None
    return await give(taking, new, check, tx=tx, taker_id=taking.who.id, taken_for=taken_for)


async def _check_facts(taking: _Taking, _: Transaction, facts: LineFacts) -> None:
    by_phone.check_level(facts.level, taking.hall)
    decide(facts, _level_of(taking), taking.who.id)
    by_phone.check_caps(taking.most, in_line=facts.taken_in_line, in_hall=facts.taken_in_hall)


def _new_ticket(taking: _Taking) -> NewTicket:
    new = new_ticket(
        taking,
        Actor("citizen", taking.who.id),
        citizen_id=taking.citizen_id,
        person_key=taking.acting.person_key if taking.acting else None,
        level_required=max(_level_of(taking), taking.hall.rules.remote_level),
        here=by_phone.is_here(taking.hall, taking.wish.fix),
    )
    return replace(
        new,
        sign_in_id=taking.who.sign_in_id,
        acting=taking.acting,
        visit_id=taking.part_of,
        by_phone=taking.most,
    )


def _level_of(taking: _Taking) -> int:
    level = taking.level_required
    return taking.item.level_required if level is None else level


async def _check(taking: _Taking, tx: Transaction | None) -> None:
    """What mostly needs no database: the hall is open, its day not full, she is near enough."""
    await check_hall(taking, tx=tx)
    by_phone.check_place(taking.hall, taking.wish.fix)


async def _check_residence(tx: Transaction | None, taking: _Taking, sealer: Sealer) -> None:
    her = taking.citizen_id
    await check_residence(
        tx, sealer, her, hall=taking.hall, item=taking.item, directory=taking.directory
    )
