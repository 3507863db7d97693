"""Signing in once for several items: the visit begins, with the number of its first stop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from models import decisions, visit_steps, visiting
from models.audit import Entry, record
from models.database import Transaction, transaction
from models.joined import current_id
from models.proxies import Acting
from models.sealing import Sealer
from models.spoken_for import missed_of
from models.tickets import OPEN_ONCE, Actor, Priority
from models.visiting import NewVisit, StopFacts
from scheduler.calendar import business_day
from server.auth import Principal
from server.errors import FieldFault, InvalidRequest, LevelTooLow, NotSignedIn
from server.halls.directory import Directory, HallEntry, ItemEntry
from server.http.idempotency import Once
from server.live.feed import Feed
from server.live.memory import Change, Memory
from server.live.state import TicketView
from server.numbers import joining
from server.numbers.acting import acting_for
from server.numbers.arriving import check_left
from server.numbers.by_phone import Fix, counted_anew
from server.numbers.refusals import (
    AlreadyInLine,
    LineFull,
    MissedNumberKept,
    NotOffered,
    PlannedInVisit,
)
from server.numbers.residents import check_residence
from server.visits.forms import read_form
from server.visits.going_on import ordered, ready
from server.visits.views import VisitView, seal_form, visit_detail, without_form

_NO_FORM = ("只有一件事才填表单。", "only a bundle has a form")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a citizen comes for: a bundle with its form, or items (the other is None or empty)."""

    hall: str
    bundle: str | None
    items: Sequence[str]
    form: Mapping[str, str] = field(repr=False)
    fix: Fix | None
    proxy: UUID | None = None
    claim: Priority | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A stop of a visit that has not begun yet."""

    item_id: UUID
    after: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class _Coming:
    """The wish, read: the items with those that come before each, the form as it is kept."""

    wish: Wish
    hall: HallEntry
    items: Sequence[ItemEntry]
    after: Mapping[UUID, Sequence[UUID]]
    form: Mapping[str, str] = field(repr=False)
    who: Principal
    now: datetime
    memory: Memory

    @property
    def level_required(self) -> int:
        """The highest level that any of the items asks for."""
        return max(item.level_required for item in self.items)


async def sign_in(
    wish: Wish,
    who: Principal,
    once: Once,
    *,
    sealer: Sealer,
    now: datetime,
    directory: Directory,
    feed: Feed,
) -> VisitView:
    """Begin a visit at a hall, for the citizen or whom she acts for.

    The first stop is the one by which the whole is shortest, of those whose line takes people.
    Raises NotFound, InvalidRequest for the form, and every refusal of taking a number; after one,
    nothing has changed.
    """
    coming = _read(wish, who, now, directory, feed.memory)
    try:
        view, ticket = await _begun(coming, once, sealer, directory)
    except (asyncpg.ForeignKeyViolationError, LevelTooLow):
        # Her account may have been joined into another a moment ago, and her token not know yet.
        now_id = await current_id(who.id)
        if now_id is None:
            raise NotSignedIn from None
        if now_id == who.id:
            raise
        coming = replace(coming, who=replace(who, id=now_id))
        view, ticket = await _begun(coming, once, sealer, directory)
    await feed.changed(Change(coming.hall.code, ticket.id, ticket.version))
    return view


def _read(
    wish: Wish, who: Principal, now: datetime, directory: Directory, memory: Memory
) -> _Coming:
    hall = directory.hall(wish.hall)
    if wish.bundle is None:
        if wish.form:
            raise InvalidRequest(errors=[FieldFault("/form", _NO_FORM)])
        items = [directory.item(code) for code in wish.items]
        after: dict[UUID, list[UUID]] = {}
        form: dict[str, str] = {}
    else:
        bundle = directory.bundle(wish.bundle)
        items = [directory.item(stop.item) for stop in bundle.stops]
        after = {
            directory.item(stop.item).id: [directory.item(code).id for code in stop.after]
            for stop in bundle.stops
        }
        form = read_form(bundle.form, wish.form, today=business_day(now))
    if any(item.code not in hall.offers for item in items):
        raise NotOffered
    return _Coming(wish, hall, items, after, form, who, now, memory)


async def _begun(
    coming: _Coming, once: Once, sealer: Sealer, directory: Directory
) -> tuple[VisitView, TicketView]:
    async def begin() -> tuple[VisitView, TicketView]:
        async with transaction() as tx:
            await once.claim(tx)
            return await _begin(tx, coming, once, sealer, directory)

    try:
        return await counted_anew(begin)
    except asyncpg.UniqueViolationError as taken:
        # At another hall at the same moment: each look found nothing, the key sees both.
        if taken.constraint_name in OPEN_ONCE:
            raise AlreadyInLine from None
        raise


async def _begin(
    tx: Transaction, coming: _Coming, once: Once, sealer: Sealer, directory: Directory
) -> tuple[VisitView, TicketView]:
    acting, who = None, coming.who
    await decisions.lock(tx, coming.hall.id)  # before people, as everywhere
    if coming.wish.proxy is not None:
        acting = await acting_for(tx, sealer, coming.wish.proxy, who, coming.now)
        who = replace(who, id=acting.citizen_id)
    new = _new_visit(coming, acting, who, sealer)
    for item in coming.items:
        await check_residence(
            tx, sealer, new.citizen_id, hall=coming.hall, item=item, directory=directory
        )
    lines = await visiting.lines_now(
        tx, coming.hall.id, [item.id for item in coming.items], new, now=coming.now, asked_by=who.id
    )
    stops = [Planned(item.id, coming.after.get(item.id, ())) for item in coming.items]
    if any(stop.item_id not in lines for stop in stops):
        raise NotOffered  # the catalogue was written anew a moment ago
    kept = await missed_of(
        tx,
        new.citizen_id,
        new.person_key,
        item_ids=[stop.item_id for stop in stops],
        line_ids=[line.line_id for line in lines.values()],
        now=coming.now,
    )
    if kept is not None:
        raise MissedNumberKept.told_to(who.id, kept)
    order = ordered(stops, lines, coming.hall, directory)
    first = await _first(tx, order, lines, coming)
    await visit_steps.begin(tx, new)
    stop_ids = {
        stop.item_id: await visit_steps.add_stop(tx, new.id, stop.item_id, place, after=stop.after)
        for place, stop in enumerate(order, start=1)
    }
    ticket = await joining.take_first(
        tx,
        joining.Wish(
            coming.hall.code,
            directory.item_by_id(first.item_id).code,
            coming.wish.fix,
            coming.wish.proxy,
            coming.wish.claim,
        ),
        who,
        acting,
        part_of=new.id,
        level_required=coming.level_required,
        sealer=sealer,
        now=coming.now,
        directory=directory,
        memory=coming.memory,
    )
    await visit_steps.take_turn(tx, new.id, stop_ids[first.item_id], ticket.id)
    await visit_steps.count_from(tx, new.id, ticket.id)
    detail = await visit_detail(new.id, who.id, sealer=sealer, directory=directory, tx=tx)
    assert detail is not None, "it has just begun"
    view = without_form(detail)  # what is kept to be answered again is not sealed
    await once.keep(tx, view, status=201)
    if acting is not None:
        entry = Entry(
            Actor("citizen", who.id),
            "visit.begun",
            "visit",
            new.id,
            on_behalf_of=acting.on_behalf_of,
            detail={"proxy": str(acting.proxy_id)},
        )
        await record(tx, entry)
    return view, ticket


def _new_visit(coming: _Coming, acting: Acting | None, who: Principal, sealer: Sealer) -> NewVisit:
    visit_id: UUID = uuid7()
    return NewVisit(
        id=visit_id,
        hall_id=coming.hall.id,
        citizen_id=acting.principal_id if acting else who.id,
        acting_id=who.id if acting else None,
        proxy_id=acting.proxy_id if acting else None,
        person_key=acting.person_key if acting else None,
        day=business_day(coming.now),
        begun_at=coming.now,
        rank_time=coming.now,
        bundle=coming.wish.bundle,
        form=seal_form(sealer, visit_id, coming.form),
    )


async def _first(
    tx: Transaction,
    order: Sequence[Planned],
    lines: Mapping[UUID, StopFacts],
    coming: _Coming,
) -> Planned:
    """The stop to begin with: the first whose line takes people now.

    Where none does, the first that could be: taking its number says why not. Raises AlreadyInLine
    or PlannedInVisit.
    """
    for stop in order:
        line = lines[stop.item_id]
        if line.ticket_id is not None:
            raise AlreadyInLine(line.ticket_id if line.may_see_ticket else None)
        if line.is_pending_elsewhere:
            raise PlannedInVisit
    able = ready(order)
    open_ones = [stop for stop in able if lines[stop.item_id].is_open]
    taking = [stop for stop in open_ones if await _has_room(tx, lines[stop.item_id], coming)]
    return (taking or open_ones or able)[0]


async def _has_room(tx: Transaction, line: StopFacts, coming: _Coming) -> bool:
    code = next(each.code for each in coming.hall.lines.values() if each.id == line.line_id)
    try:
        await check_left(coming.hall, code, coming.memory, coming.now, tx=tx)
    except LineFull:
        return False
    return not line.is_full
