"""Coming to a hall with a ticket of another, by her own wish or sent by a clerk."""

from dataclasses import replace
from datetime import datetime

from models import standing
from models.database import Transaction
from models.history import Happened
from models.standing import Held
from models.tickets import Move, WrongState, after
from scheduler.calendar import SHANGHAI, business_day, next_open
from scheduler.closing import gives_numbers
from server.halls.directory import HallEntry
from server.tickets.refusals import NO_MORE_TODAY, HallClosed, LineClosed, LineFull, NotOffered


def check_open(hall: HallEntry, now: datetime) -> None:
    """Raise HallClosed, saying when it opens, unless the hall gives numbers now."""
    if gives_numbers(hall.timetable, now, hall.rules):
        return
    opens = next_open(hall.timetable, now)
    if opens is None:
        raise HallClosed
    when = opens.astimezone(SHANGHAI)
    raise HallClosed(
        (
            f"大厅现在不开放，{when:%m月%d日 %H:%M} 开门。",
            f"The hall opens at {when:%Y-%m-%d %H:%M}.",
        )
    )


def check_day(held: Held, now: datetime) -> None:
    """Raise WrongState for a ticket of an earlier day, which is only to be ended."""
    if held.day != business_day(now):
        raise WrongState("its day is over")


async def arrive(
    tx: Transaction, held: Held, move: Move, hall: HallEntry, *, left: HallEntry, now: datetime
) -> Happened:
    """What happens when she comes to this hall, both of whose rows are locked: a number there.

    She keeps her rank time. Raises WrongState, HallClosed, NotOffered, LineFull or LineClosed.
    """
    state = after(held.now.state, move)
    check_day(held, now)
    check_open(hall, now)
    line = await standing.line_for(tx, hall.id, held.item_id, now=now)
    if line is None:
        raise NotOffered
    if line.stopped:
        raise LineClosed(NO_MORE_TODAY)
    if line.full:
        raise LineFull
    came = Happened(move, state, now, hall.id, detail=f"{held.now.number}@{left.code}")
    return await with_number(tx, held, came, line)


async def with_number(
    tx: Transaction, held: Held, event: Happened, line: standing.LineAt
) -> Happened:
    """The same, with the next number of a line. Raises LineClosed when it gives out none now."""
    number = await standing.next_number(tx, line.id, held.day, event.at)
    if number is None:
        raise LineClosed
    return replace(event, line_id=line.id, number=number, rank_time=held.now.rank_time)
