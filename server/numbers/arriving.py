"""Coming to a hall with a ticket of another, by her own wish or sent by a clerk."""

from dataclasses import replace
from datetime import datetime

from models import standing
from models.database import Transaction
from models.halls import Issuing
from models.history import Happened
from models.numbers import is_let_open, next_number
from models.standing import Held
from models.tickets import Move, WrongState, after
from scheduler.calendar import SHANGHAI, business_day, next_open
from scheduler.closing import gives_numbers
from server.halls.directory import HallEntry
from server.live.memory import STALE_AFTER_S, Memory
from server.live.state import LiveLine, Wait
from server.numbers.refusals import (
    FULL_TODAY,
    NO_MORE_TODAY,
    AlreadyCheckedIn,
    HallClosed,
    LineClosed,
    LineFull,
    NotOffered,
)

_DAY_OVER = ("它是前一天的号", "it is of an earlier day")


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


async def check_left(
    hall: HallEntry, line: str, memory: Memory, now: datetime, *, tx: Transaction | None = None
) -> None:
    """Raise LineFull when the time left today is full, as this process last heard.

    Where it is not it costs no statement; what was heard may be half a second old, and what nobody
    has kept up to date for long stops nobody. Before anybody is refused the line's row is asked
    whether its manager has decided otherwise a moment ago.
    """
    shown = _shown(hall, line, memory, now)
    if shown is None or shown.left_today != 0 or shown.issuing is not Issuing.AUTO:
        return
    if not await is_let_open(hall.lines[line].id, now, tx=tx):
        raise LineFull(FULL_TODAY)


def wait_of_who_joins(hall: HallEntry, line: str, memory: Memory, now: datetime) -> Wait | None:
    """The wait of whoever joins a line now, as this process last heard; None: nobody knows."""
    shown = _shown(hall, line, memory, now)
    return None if shown is None else shown.wait


def _shown(hall: HallEntry, line: str, memory: Memory, now: datetime) -> LiveLine | None:
    """A line as it was last heard of today, unless nobody keeps it up to date any more."""
    kept = memory.halls.get(hall.code)
    if kept is None or business_day(kept.board.as_of) != business_day(now):
        return None
    if memory.oldest_age_s([hall.code]) > STALE_AFTER_S:
        return None
    return next((shown for shown in kept.board.lines if shown.code == line), None)


def check_day(held: Held, now: datetime) -> None:
    """Raise WrongState for a ticket of an earlier day, which is only to be ended."""
    if held.day != business_day(now):
        raise WrongState("its day is over", held.now.state, told=_DAY_OVER)


def checked_in(held: Held, now: datetime) -> Happened:
    """What happens when a ticket's holder is seen to be at its hall.

    Raises AlreadyCheckedIn, or WrongState unless she waits there today.
    """
    state = after(held.now.state, Move.CHECK_IN)
    check_day(held, now)
    if held.now.checked_in_at is not None:
        raise AlreadyCheckedIn
    return Happened(Move.CHECK_IN, state, now, held.now.hall_id, here=True)


async def arrive(
    tx: Transaction,
    held: Held,
    move: Move,
    hall: HallEntry,
    *,
    left: HallEntry,
    memory: Memory,
    now: datetime,
) -> Happened:
    """What happens when she comes to this hall, both of whose rows are locked: a number there.

    She keeps her rank time, and must check in there where the hall asks for it. Raises WrongState,
    HallClosed, NotOffered, LineFull or LineClosed.
    """
    state = after(held.now.state, move)
    check_day(held, now)
    check_open(hall, now)
    line = await standing.line_for(tx, hall.id, held.item_id, now=now)
    if line is None:
        raise NotOffered
    if not line.is_open:
        raise LineClosed.because(*line.reason)
    if line.stopped:
        raise LineClosed(NO_MORE_TODAY)
    code = next(code for code, entry in hall.lines.items() if entry.id == line.id)
    await check_left(hall, code, memory, now, tx=tx)
    if line.full:
        raise LineFull
    detail = f"{held.now.number}@{left.code}"
    here = False if hall.rules.check_in_required else None
    came = Happened(move, state, now, hall.id, detail=detail, here=here)
    return await with_number(tx, held, came, line)


async def with_number(
    tx: Transaction, held: Held, event: Happened, line: standing.LineAt
) -> Happened:
    """The same, with the next number of a line. Raises LineClosed when it gives out none now."""
    number = await next_number(tx, line.id, held.day, event.at)
    if number is None:
        raise LineClosed
    return replace(event, line_id=line.id, number=number, rank_time=held.now.rank_time)
