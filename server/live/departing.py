"""When those who wait elsewhere must set off: made of what is foreseen, shown steadily."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from models.tickets import TicketState
from scheduler.calendar import SHANGHAI
from scheduler.leaving import leave_in, travel_range
from scheduler.wait.city import Range
from server.live.rows import TicketRow, WayRow
from server.live.state import Leave, Wait

# The moment shown is early by so much at most; it moves back at once, and ahead in such steps.
EARLY_S: Final = 120
_GRID_S: Final = 30
# Whoever should be on her way is not told to wait for less than this.
NOT_WORTH_WAITING_S: Final = 300.0
_TENTH: Final = 0.1


def leaves_of(
    found: Mapping[UUID, TicketRow],
    foreseen: Mapping[UUID, Range],
    joining: Mapping[str, Range],
    before: Mapping[UUID, Leave],
    now: datetime,
) -> dict[UUID, Leave]:
    """When everybody of these tickets must set off who said how she comes.

    `foreseen` are the waits of who waits in line, `joining` of who joins a line now, in minutes;
    `before` is what was said last. Who must check in first is passed over until she does, and then
    called in her place: so her turn is that of whoever is next behind her.
    """
    leaves = {}
    for row in found.values():
        if row.way is not None:
            turn = foreseen.get(row.id) or _turn_behind(row, found, foreseen, joining)
            leaves[row.id] = _leave(turn, row.way, before.get(row.id), now)
    return leaves


def leave_of(wait: Wait | None, way: WayRow, before: Leave | None, now: datetime) -> Leave:
    """When to set off to a turn that comes after a wait from `now`; `before` was said last."""
    if wait is None:
        return _leave(None, way, before, now)
    p10, p50, p90 = (seconds / 60 for seconds in (wait.p10_s, wait.p50_s, wait.p90_s))
    return _leave(Range(p10, p50, p90), way, before, now)


def _turn_behind(
    row: TicketRow,
    found: Mapping[UUID, TicketRow],
    foreseen: Mapping[UUID, Range],
    joining: Mapping[str, Range],
) -> Range | None:
    if row.state is not TicketState.WAITING or not row.away:
        return None
    place = (row.rank_time, row.id)
    behind = [
        ((other.rank_time, other.id), foreseen[other.id])
        for other in found.values()
        if other.line == row.line and other.id in foreseen and (other.rank_time, other.id) > place
    ]
    return min(behind, key=lambda each: each[0])[1] if behind else joining.get(row.line)


def _leave(turn: Range | None, way: WayRow, before: Leave | None, now: datetime) -> Leave:
    at, certainty = (None, None) if turn is None else _moment(turn, way, before, now)
    return Leave(
        at=at,
        certainty=certainty,
        travel=way.travel,
        travel_s=way.travel_s,
        travel_basis=way.basis,
        told_at=_shown(way.told_at) if way.told_at else None,
    )


def _moment(
    turn: Range, way: WayRow, before: Leave | None, now: datetime
) -> tuple[datetime, float]:
    """The latest moment to set off, and how sure she then is to be there in time."""
    seconds = [60 * share for share in (turn.p10, turn.p50, turn.p90)]
    leaving = leave_in(seconds, travel_range(way.travel_s, way.basis))
    certainty = round(leaving.certainty, 1)
    at = _on_grid(now + timedelta(seconds=leaving.in_s)) if leaving.in_s else now
    if before is not None and before.at is not None and before.certainty is not None:
        if abs(leaving.certainty - before.certainty) < 0.75 * _TENTH:
            certainty = before.certainty
        at = _steady(at, before.at, leaving.in_s, now)
    return _shown(at), certainty


def _steady(at: datetime, before: datetime, in_s: float, now: datetime) -> datetime:
    """The moment said before where it may stand."""
    if before <= now:
        return at if in_s > NOT_WORTH_WAITING_S else before
    return before if before <= at <= before + timedelta(seconds=EARLY_S) else at


def _shown(at: datetime) -> datetime:
    return at.astimezone(SHANGHAI).replace(microsecond=0)


def _on_grid(at: datetime) -> datetime:
    return datetime.fromtimestamp(at.timestamp() // _GRID_S * _GRID_S, SHANGHAI)
