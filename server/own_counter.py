"""Who works at a counter, and that nobody else does anything there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from models.database import Transaction, rows
from models.halls import CounterState
from models.tickets import Move, WrongState
from scheduler.calendar import business_day
from server.auth import HALL_ADMIN, Principal
from server.errors import NotFound, Refusal, Sentence
from server.halls.directory import HallEntry

NOBODY_AT_COUNTER: Final[Sentence] = ("窗口现在没有人", "nobody is at the counter")


class StaffedByAnother(Refusal):
    """Somebody else works at this counter: she hands it over, or it is taken over knowingly."""

    status, code = 409, "staffed_by_another"
    sentence = ("该窗口已有其他工作人员值守。", "Somebody else is working at this counter.")


@dataclass(frozen=True, slots=True)
class CounterNow:
    """A counter whose hall this transaction holds."""

    id: UUID
    code: str
    state: CounterState
    serving: Sequence[str]
    staffed_by: UUID | None
    staff_name: str | None


def check_staffed_by(who: Principal, staffed_by: UUID | None, name: str | None) -> None:
    """Raise StaffedByAnother where somebody else, of this name, works at a counter.

    Where nobody does, any clerk of the hall may go on with whoever is there.
    """
    if staffed_by not in (None, who.id):
        raise StaffedByAnother(
            (f"该窗口现由{name or ''}值守。", f"{name or ''} is working at this counter.")
        )


def check_in_charge(who: Principal, staffed_by: UUID | None, name: str | None) -> None:
    """The same, but that who manages the hall may: pause a counter, close it, hand it over."""
    if who.role not in HALL_ADMIN.roles:
        check_staffed_by(who, staffed_by, name)


async def own_counter(tx: Transaction, hall: HallEntry, code: str, who: Principal) -> CounterNow:
    """The counter at which she works, or nobody. Raises NotFound, or StaffedByAnother."""
    here = await counter_at(tx, hall, code)
    check_staffed_by(who, here.staffed_by, here.staff_name)
    return here


async def counter_at(tx: Transaction, hall: HallEntry, code: str) -> CounterNow:
    """A counter of a hall. Raises NotFound."""
    row = await tx.row(
        """
        SELECT c.id, c.code, c.state, c.serving, c.staffed_by, staff.name AS staff_name
        FROM counter c LEFT JOIN staff ON staff.id = c.staffed_by
        WHERE c.hall_id = $1 AND c.code = $2
        """,
        hall.id,
        code,
    )
    if row is None:
        raise no_counter()
    return CounterNow(**dict(row) | {"state": CounterState(row["state"])})


async def nobody_at(
    counter_id: UUID, state: CounterState, *, tx: Transaction | None, now: datetime
) -> WrongState:
    """That nobody is at a counter, and what became of whoever was there last on this day."""
    found = await rows(_LAST_HERE, counter_id, business_day(now), tx=tx)
    told = NOBODY_AT_COUNTER
    if found and (said := _BECAME.get(found[0]["move"])):
        (zh, en), (what, what_en), number = NOBODY_AT_COUNTER, said, found[0]["number"]
        told = (f"{zh}，{number} 号{what}", f"{en}: {number} {what_en}")
    return WrongState("nobody is at the counter", state, told=told)


# Whoever was at a counter last, with the number that she had there, and what happened to her last.
# What happened there last may have sent her on with another number: hers was the one before, unless
# a step was taken back by then.
_LAST_HERE: Final = """
    SELECT last.move, had.number
    FROM (SELECT id, ticket_id FROM ticket_event
          WHERE counter_id = $1 ORDER BY id DESC LIMIT 1) here
    JOIN ticket t ON t.id = here.ticket_id
    CROSS JOIN LATERAL (
        SELECT e.number FROM ticket_event e
        WHERE e.ticket_id = t.id AND e.id < here.id AND e.number IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM ticket_event back WHERE back.ticket_id = t.id
                          AND back.undoes = e.id AND back.id <= here.id)
        ORDER BY e.id DESC LIMIT 1) had
    CROSS JOIN LATERAL (
        SELECT move FROM ticket_event WHERE ticket_id = t.id ORDER BY id DESC LIMIT 1) last
    WHERE t.day = $2
"""
_BECAME: Final[Mapping[str, Sentence]] = {
    Move.CANCEL: ("已由本人取消", "was given up by its holder"),
    Move.FINISH: ("已办结", "is finished"),
    Move.MISS: ("已过号", "was missed"),
    Move.PARK: ("已挂起", "is parked"),
    Move.RETURN: ("已回队等候", "came back and waits"),
    Move.TRANSFER: ("已转出", "was sent on"),
    Move.RETURN_TO_LINE: ("已退回队列等候", "waits in line again"),
    Move.MOVE: ("已由本人转到其他大厅", "was taken to another hall by its holder"),
    Move.LET_PASS: ("已让他人先办", "let others pass"),
    Move.REROUTE: ("已改到其他队列", "was sent to another line"),
    Move.MERGE: ("因账号合并已作废", "ended when two accounts were joined"),
    Move.LAPSE: ("已随当天结束", "ended with its day"),
    Move.UNDO: ("的上一步已撤销", "stands as before: the last step was taken back"),
}


def no_counter() -> NotFound:
    """What to say where a hall has no counter of that code."""
    return NotFound(("没有这个窗口。", "There is no such counter."))
