"""Taking back what a counter did last."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg

from models import decisions, standing
from models.halls import CounterState
from models.history import Happened
from models.tickets import UNDOABLE, Actor, Move, TicketState, WrongState
from server.clock import microseconds
from server.counters.at import At
from server.counters.attending import conflicts
from server.counters.refusals import NothingToUndo
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import ticket_view
from server.live.state import TicketView
from server.own_counter import own_counter
from server.visits.coming_back import check_waited_for
from server.visits.finishing import undo_finish

UNDO_WITHIN: Final = timedelta(seconds=30)
_GONE_ON: Final = ("之后又有变动", "something has happened since")
_LAST_STEP: Final = """
    SELECT e.*, hall.code AS hall FROM ticket_event e JOIN hall ON hall.id = e.hall_id
    WHERE e.counter_id = $1 ORDER BY e.id DESC LIMIT 1
"""


async def undo(at: At, *, feed: Feed) -> TicketView:
    """Take back what the counter did last, within half a minute.

    Raises NotFound, StaffedByAnother, NothingToUndo, AlreadyInLine where she has taken another
    number since, or WrongState where something has happened to the ticket or its visit since, or
    the counter is closed.
    """
    with conflicts():
        try:
            row, also = await _undone(at)
        except _SentTo as sent:
            row, also = await _undone(at, sent.hall_id)
    view = ticket_view(row, hall=row["hall"], ahead=row["ahead"])
    await feed.changed(Change(view.hall, view.id, view.version), *also)
    return view


class _SentTo(Exception):
    """The last step sent somebody to another hall, whose lock is needed as well."""

    def __init__(self, hall_id: UUID) -> None:
        self.hall_id = hall_id


async def _undone(at: At, *also: UUID) -> tuple[asyncpg.Record, list[Change]]:
    """Take it back under the locks of these halls, too. Raises _SentTo where one is missing."""
    async with decisions.deciding_in(at.hall.id, *also) as tx:
        here = await own_counter(tx, at.hall, at.counter, at.who)
        last = await tx.row(_LAST_STEP, here.id)
        if last is None or last["move"] not in UNDOABLE or at.now - last["at"] > UNDO_WITHIN:
            raise NothingToUndo
        if last["hall_id"] not in (at.hall.id, *also):
            raise _SentTo(last["hall_id"])
        held = await standing.hold(tx, last["ticket_id"])
        assert held is not None, "what happened to it stays with it"
        events = await standing.history(tx, held.id)
        if events[-1].id != last["id"]:
            raise WrongState("it has gone on since", held.now.state, told=_GONE_ON)
        if here.state is CounterState.CLOSED:
            raise WrongState("the counter is closed", here.state)
        actor, changes = Actor("staff", at.who.id), []
        if last["move"] == Move.FINISH:
            if withdrawn := await undo_finish(tx, held, events[-1], now=at.now, actor=actor):
                changes.append(withdrawn)
        elif last["move"] == Move.MISS:
            await check_waited_for(tx, held)
        elif also:
            # She leaves that hall, where no event tells of it.
            changes.append(Change(last["hall"]))
        event = Happened(
            Move.UNDO, TicketState.WAITING, at.now, at.hall.id, here.id, undoes=last["id"]
        )
        row = await standing.undo(tx, held, event, events, version=microseconds(), actor=actor)
    return row, changes
