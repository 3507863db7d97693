"""Taking a number."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from models import decisions, issuing, proxies
from models.audit import Entry, record
from models.by_phone import ByPhone
from models.database import Transaction, transaction
from models.decisions import LineFacts
from models.halls import LineState
from models.issuing import Issued, NewTicket
from models.joined import current_id
from models.proxies import Acting, ProxyState
from models.sealing import Sealer
from models.tickets import OPEN_ONCE, Actor, Priority, TicketState
from scheduler.calendar import business_day
from scheduler.discipline import CREDIT_OF_WALK_IN
from server.auth import Principal
from server.clock import microseconds
from server.errors import LevelTooLow, NotFound, NotSignedIn
from server.halls.directory import Directory, HallEntry, ItemEntry, LineEntry
from server.idempotency import Once
from server.live.feed import Feed
from server.live.memory import Change, Memory
from server.live.reading import shown, ticket_view
from server.live.state import TakenFor, TicketView
from server.tickets import by_phone, priorities
from server.tickets.arriving import check_left, check_open
from server.tickets.by_phone import Fix, counted_anew
from server.tickets.refusals import (
    NO_MORE_TODAY,
    AlreadyInLine,
    LineClosed,
    LineFull,
    NotOffered,
    ProxyNotActive,
)
from server.tickets.residents import check_residence


@dataclass(frozen=True, slots=True)
class Wish:
    """What a citizen asks for. `fix` is where her phone says that it is, if it does.

    `proxy` is through which she takes it for somebody else, `claim` why she would be served first.
    """

    hall: str
    item: str
    fix: Fix | None
    proxy: UUID | None = None
    claim: Priority | None = None


async def take_number(
    wish: Wish,
    who: Principal,
    once: Once,
    *,
    sealer: Sealer,
    now: datetime,
    directory: Directory,
    feed: Feed,
    capped: bool = True,
) -> TicketView:
    """Give the citizen, or whom she acts for, the next number of the line that serves the item.

    `capped`: the hall's daily caps hold. Raises NotFound and every refusal of this room; after one,
    nothing has changed.
    """
    hall, item = directory.hall(wish.hall), directory.item(wish.item)
    most = by_phone.caps(hall) if capped else ByPhone(None, None)
    line, memory = line_for(hall, item), feed.memory
    taking = _Taking(hall, item, line, wish, who, now, memory, most, directory)
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
class _Taking:
    hall: HallEntry
    item: ItemEntry
    line: LineEntry
    wish: Wish
    who: Principal
    now: datetime
    memory: Memory
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
        return await _issue(taking, sealer)

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
    _check(taking)
    await _check_residence(None, taking, sealer)
    issued = await issuing.issue(_new_ticket(taking))
    if issued is None:
        async with transaction() as tx:
            issued = await _issue_under_lock(tx, taking)
    return _view(taking, issued)


async def _issue_once(taking: _Taking, once: Once, sealer: Sealer) -> TicketView:
    """Issue the ticket for a request with a key: whatever is asked again is answered first."""
    async with transaction() as tx:
        await once.claim(tx)
        _check(taking)
        return await _issue_in(tx, taking, once, sealer)


async def _issue_for(taking: _Taking, proxy_id: UUID, once: Once, sealer: Sealer) -> TicketView:
    """Issue a ticket for somebody else, through a proxy that holds until it is issued."""
    async with transaction() as tx:
        await once.claim(tx)
        _check(taking)
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


async def acting_for(
    tx: Transaction, sealer: Sealer, proxy_id: UUID, who: Principal, now: datetime
) -> Acting:
    """Whom she acts for through a proxy, which holds until the transaction ends.

    Raises NotFound, or ProxyNotActive.
    """
    acting = await proxies.acting(tx, sealer, proxy_id, who.id, today=business_day(now))
    if acting is None:
        raise NotFound
    if acting.state is not ProxyState.ACTIVE or acting.outgrown:
        raise ProxyNotActive
    return acting


async def _issue_in(tx: Transaction, taking: _Taking, once: Once, sealer: Sealer) -> TicketView:
    view = await _give(tx, taking, sealer)
    await once.keep(tx, view, status=201)
    return view


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
    capped: bool = True,
) -> TicketView:
    """The number of a visit's first stop, by the rules of any number. Raises every refusal.

    The transaction belongs into `counted_anew`.
    """
    hall, item = directory.hall(wish.hall), directory.item(wish.item)
    line = line_for(hall, item)
    most = by_phone.caps(hall) if capped else ByPhone(None, None)
    first = _Taking(hall, item, line, wish, who, now, memory, most, directory, acting)
    taking = replace(first, part_of=part_of, level_required=level_required)
    _check(taking)
    return await _give(tx, taking, sealer)


async def _give(tx: Transaction, taking: _Taking, sealer: Sealer) -> TicketView:
    await _check_residence(tx, taking, sealer)
    claim, is_proven = taking.wish.claim, False
    if claim is not None:
        is_proven = await priorities.proven(
            tx,
            sealer,
            claim,
            citizen_id=taking.citizen_id,
            acting=taking.acting,
            now=taking.now,
        )
    issued = await issuing.issue(_new_ticket(taking), tx=tx)
    if issued is None:
        issued = await _issue_under_lock(tx, taking)
    view = _view(taking, issued)
    if claim is not None:
        actor = Actor("citizen", taking.who.id)
        row = await priorities.make_claim(
            tx, issued.id, claim, taking.hall, is_proven=is_proven, actor=actor
        )
        view = ticket_view(row, hall=taking.hall.code, ahead=row["ahead"])
    return view


async def _issue_under_lock(tx: Transaction, taking: _Taking) -> Issued:
    """Find what stands against the ticket, where nothing moves; a limited line is counted here."""
    await decisions.lock(tx, taking.hall.id)
    facts = await decisions.line_facts(
        tx,
        line_id=taking.line.id,
        item_id=taking.item.id,
        taker_id=taking.who.id,
        citizen_id=taking.citizen_id,
        person_key=taking.acting.person_key if taking.acting else None,
        sign_in_id=taking.who.sign_in_id,
        now=taking.now,
    )
    by_phone.check_level(facts.level, taking.hall)
    decide(facts, _level_of(taking))
    by_phone.check_caps(taking.most, in_line=facts.taken_in_line, in_hall=facts.taken_in_hall)
    issued = await issuing.issue(replace(_new_ticket(taking), within_limit=True), tx=tx)
    if issued is None:
        # Only what happens in other halls can have moved.
        raise AlreadyInLine
    return issued


def _new_ticket(taking: _Taking) -> NewTicket:
    return NewTicket(
        hall_id=taking.hall.id,
        line_id=taking.line.id,
        item_id=taking.item.id,
        citizen_id=taking.citizen_id,
        day=business_day(taking.now),
        asked_at=taking.now,
        credit=CREDIT_OF_WALK_IN,
        version=microseconds(),
        level_required=max(_level_of(taking), taking.hall.rules.remote_level),
        actor=Actor("citizen", taking.who.id),
        sign_in_id=taking.who.sign_in_id,
        acting=taking.acting,
        person_key=taking.acting.person_key if taking.acting else None,
        visit_id=taking.part_of,
        here=by_phone.is_here(taking.hall, taking.wish.fix),
        by_phone=taking.most,
    )


def _level_of(taking: _Taking) -> int:
    level = taking.level_required
    return taking.item.level_required if level is None else level


def _view(taking: _Taking, issued: Issued) -> TicketView:
    here = by_phone.is_here(taking.hall, taking.wish.fix)
    return TicketView(
        id=issued.id,
        number=issued.number,
        state=TicketState.WAITING,
        hall=taking.hall.code,
        line=taking.line.code,
        item=taking.item.code,
        issued_at=shown(issued.issued_at),
        called_at=None,
        ahead=issued.ahead,
        wait=None,
        counter=None,
        version=issued.version,
        taken_for=_taken_for(taking.acting) if taking.acting else None,
        visit=taking.part_of,
        checked_in_at=shown(issued.issued_at) if here else None,
        check_in_required=here is False,
    )


def _taken_for(acting: Acting) -> TakenFor:
    return TakenFor(acting.proxy_id, acting.shown_as, acting.kind)


def line_for(hall: HallEntry, item: ItemEntry) -> LineEntry:
    """The line of a hall that serves an item. Raises NotOffered."""
    code = hall.offers.get(item.code)
    if code is None:
        raise NotOffered
    return hall.lines[code]


def _check(taking: _Taking) -> None:
    """What needs no database: the hall is open, its day not full, and she is near enough."""
    check_open(taking.hall, taking.now)
    check_left(taking.hall, taking.line.code, taking.memory, taking.now)
    by_phone.check_place(taking.hall, taking.wish.fix)


async def _check_residence(tx: Transaction | None, taking: _Taking, sealer: Sealer) -> None:
    her = taking.citizen_id
    await check_residence(
        tx, sealer, her, hall=taking.hall, item=taking.item, directory=taking.directory
    )


def decide(facts: LineFacts, level_required: int) -> None:
    """Raise why nobody may join the line, or why she may not; nothing where she may."""
    if facts.level < level_required:
        raise LevelTooLow
    if facts.has_open_ticket:
        raise AlreadyInLine(facts.open_ticket_id)
    if facts.state is not LineState.OPEN:
        raise LineClosed.because(*facts.reason)
    if facts.stopped:
        raise LineClosed(NO_MORE_TODAY)
    if facts.waiting_limit is not None and facts.waiting >= facts.waiting_limit:
        raise LineFull
