"""Stopping a line in an emergency: those who wait are sent elsewhere. And opening it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from models import decisions, outages, standing
from models.database import Transaction
from models.halls import LineState
from models.history import Happened
from models.numbers import next_numbers
from models.standing import Held
from models.tickets import Actor, Move, WrongState, after
from scheduler.calendar import business_day
from scheduler.residence import ANYWHERE
from server.auth import Principal
from server.clock import microseconds
from server.halls.directory import HallEntry, LineEntry
from server.lines.changing import changed
from server.lines.looking import one_line
from server.lines.views import LineView, StoppedLine
from server.live.feed import Feed
from server.live.memory import Change
from server.numbers.arriving import check_open
from server.numbers.refusals import LineClosed

_MadeTo = list[tuple[Held, Happened]]


@dataclass(frozen=True, slots=True)
class StopOrder:
    """A line of a hall that is to stop, why, and where those go who wait.

    `to_line` is another line of the hall, `to_hall` another hall; with neither they stay.
    """

    hall: HallEntry
    line: LineEntry
    reason: str
    reason_en: str | None = None
    to_line: LineEntry | None = None
    to_hall: HallEntry | None = None

    @property
    def there(self) -> HallEntry:
        """The hall in which those are who were sent on."""
        return self.to_hall or self.hall

    @property
    def said(self) -> str:
        """The reason as events keep it."""
        return " | ".join(each for each in (self.reason, self.reason_en) if each)


async def stop(order: StopOrder, who: Principal, *, now: datetime, feed: Feed) -> StoppedLine:
    """Let a line take nobody more, and send on those who wait, each with her seniority.

    Whoever cannot go (her item, or another of her visit, is not offered there or is for residents
    only, or its line is not open) stays, and is told. What a line or the day takes at most does not
    count. Raises HallClosed, or LineClosed for a line that is not open: nothing has changed then.
    """
    if order.to_hall is not None:
        check_open(order.to_hall, now)
    actor = Actor("staff", who.id)
    async with decisions.deciding_in(*{order.hall.id, order.there.id}) as tx:
        await _set_state(tx, order.line.id, LineState.STOPPED, order.reason, order.reason_en)
        await outages.line_closes(tx, order.hall.id, order.line.id, now)
        waiting = [
            held
            for held in await standing.hold_waiting(tx, order.line.id)
            if held.day == business_day(now)
        ]
        sent = await _sent(tx, order, waiting, now)
        gone = {held.id for held, _ in sent}
        stay = [(held, _stays(order, held, now)) for held in waiting if held.id not in gone]
        versions = await standing.make_all(tx, [*sent, *stay], version=microseconds(), actor=actor)
        to = order.to_line or order.to_hall
        detail = {"to": to.code if to else None, "sent": len(sent), "stayed": len(stay)}
        view = await changed(
            tx, order.hall, order.line, who, "line.stopped", now=now, detail=detail
        )
    await feed.changed(
        *(Change(code) for code in {order.hall.code, order.there.code}),
        *(
            Change(order.there.code if ticket_id in gone else order.hall.code, ticket_id, version)
            for ticket_id, version in versions.items()
        ),
    )
    return StoppedLine(**msgspec.structs.asdict(view), sent=len(sent), stayed=len(stay))


async def open_again(
    hall: HallEntry, line: LineEntry, who: Principal, *, now: datetime, feed: Feed
) -> LineView:
    """Take a line back into use. Raises WrongState for one that is open."""
    async with decisions.deciding_in(hall.id) as tx:
        before = await one_line(tx, line.id, now=now)
        if before.state is LineState.OPEN:
            raise WrongState("the line is open", before.state)
        await _set_state(tx, line.id, LineState.OPEN)
        await outages.line_opens(tx, line.id, now)
        view = await changed(tx, hall, line, who, "line.opened", now=now)
    await feed.changed(Change(hall.code))
    return view


async def _set_state(
    tx: Transaction,
    line_id: UUID,
    state: LineState,
    reason: str | None = None,
    reason_en: str | None = None,
) -> None:
    await tx.run(
        "UPDATE line SET state = $2, reason = $3, reason_en = $4 WHERE id = $1",
        line_id,
        state.value,
        reason,
        reason_en,
    )


async def _sent(
    tx: Transaction, order: StopOrder, waiting: Sequence[Held], now: datetime
) -> _MadeTo:
    """Those who go, each with the next number of the line that takes her, in their order."""
    takes = await _lines_there(tx, order, waiting)
    bound = await _bound_here(tx, order, waiting)
    waiting = [held for held in waiting if held.now.visit_id not in bound]
    sent: _MadeTo = []
    for line_id in set(takes.values()):
        going = [held for held in waiting if takes.get(held.item_id) == line_id]
        numbers = await next_numbers(tx, line_id, len(going), business_day(now), now)
        if numbers is None and order.to_line is not None:
            raise LineClosed
        for held, number in zip(going, numbers or (), strict=False):
            sent.append((held, _goes(order, held, line_id, number, now)))
    return sent


async def _lines_there(
    tx: Transaction, order: StopOrder, waiting: Sequence[Held]
) -> Mapping[UUID, UUID]:
    """Which line takes each item there; those without one are not taken."""
    items = list({held.item_id for held in waiting})
    if order.to_line is not None:
        return dict.fromkeys(items, order.to_line.id)
    if order.to_hall is None:
        return {}
    # What is for residents only stays: whose residents the other hall takes is not for us to say.
    found = await tx.rows(
        """
        SELECT o.item_id, o.line_id FROM offering o JOIN item i ON i.id = o.item_id
        WHERE o.hall_id = $1 AND o.item_id = ANY($2) AND i.residents_of = $3
        """,
        order.to_hall.id,
        items,
        ANYWHERE,
    )
    return {row["item_id"]: row["line_id"] for row in found}


async def _bound_here(tx: Transaction, order: StopOrder, waiting: Sequence[Held]) -> set[UUID]:
    """The visits of which something is left that the other hall does not do for everybody."""
    visits = {held.now.visit_id for held in waiting if held.now.visit_id}
    if order.to_hall is None or not visits:
        return set()
    found = await tx.rows(
        """
        SELECT DISTINCT s.visit_id FROM visit_stop s
        WHERE s.visit_id = ANY($1) AND s.ticket_id IS NULL AND s.left_out IS NULL
          AND NOT EXISTS (SELECT 1 FROM offering o JOIN item i ON i.id = o.item_id
                          WHERE o.hall_id = $2 AND o.item_id = s.item_id AND i.residents_of = $3)
        """,
        list(visits),
        order.to_hall.id,
        ANYWHERE,
    )
    return {row["visit_id"] for row in found}


def _goes(order: StopOrder, held: Held, line_id: UUID, number: str, now: datetime) -> Happened:
    return Happened(
        Move.REROUTE,
        after(held.now.state, Move.REROUTE),
        now,
        order.there.id,
        detail=f"{held.now.number}@{order.hall.code} {order.said}",
        line_id=line_id,
        number=number,
        rank_time=held.now.rank_time,
        # In another hall she is not yet, if it asks.
        here=False if order.to_hall and order.to_hall.rules.check_in_required else None,
    )


def _stays(order: StopOrder, held: Held, now: datetime) -> Happened:
    state = after(held.now.state, Move.STAY)
    return Happened(Move.STAY, state, now, order.hall.id, detail=order.said)
