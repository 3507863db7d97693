"""Who works at a counter, and what it serves: handing it over, re-assigning its lines."""

from collections.abc import Collection
from typing import Any

from models import decisions
from models.database import Transaction
from models.halls import CounterState
from models.sessions import PersonKind
from models.staff import Role
from models.tickets import WrongState
from server.auth import CLERK, Principal
from server.counters.at import At
from server.counters.looking import one_counter
from server.counters.opening import HeldCounter, hold, pause, record_at
from server.counters.refusals import LineUnserved, SkillsChanged
from server.counters.views import CounterView, ReassignSkills
from server.errors import FieldFault, InvalidRequest
from server.halls.directory import HallEntry
from server.live.feed import Feed
from server.live.memory import Change
from server.own_counter import check_in_charge

# Shown on the board until the next clerk opens the counter.
HANDING_OVER = "交接班"
_NOT_STAFF_HERE = ("该大厅没有这位工作人员。", "no such member of staff works in this hall")
_NO_LINE = ("该大厅没有这个队列。", "there is no such line in this hall")
_TWICE = ("同一队列只能写一次。", "each line only once")
_NO_OWN = ("至少要有一个主办队列。", "at least one line must be its own")


async def hand_over(at: At, to: str | None, *, feed: Feed) -> CounterView:
    """Give a counter to somebody else of the hall; whoever is at it stays there.

    Without `to` it pauses until the next clerk opens it. She who staffs it does so, or who manages
    the hall. Raises NotFound, StaffedByAnother, InvalidRequest, or WrongState when it is closed.
    """
    async with decisions.deciding_in(at.hall.id) as tx:
        counter = await hold(tx, at)
        if counter.state is CounterState.CLOSED:
            raise WrongState("nobody works at a closed counter", counter.state)
        check_in_charge(at.who, counter.staffed_by, counter.staff_name)
        if to is None:
            await _leave(tx, counter)
        else:
            await _give(tx, at, counter, to)
        view = await one_counter(tx, at.hall.id, at.counter, now=at.now)
        await record_at(tx, at, "counter.handed_over", counter.id)
    await feed.changed(Change(at.hall.code))
    return view


async def _leave(tx: Transaction, counter: HeldCounter) -> None:
    if counter.state is CounterState.OPEN:
        await pause(tx, counter.id, HANDING_OVER)
    await tx.run(
        "UPDATE counter SET staffed_by = NULL, staffed_since = NULL WHERE id = $1", counter.id
    )


async def _give(tx: Transaction, at: At, counter: HeldCounter, username: str) -> None:
    row = await tx.row(
        "SELECT id, role, halls, levels FROM staff WHERE username = $1 AND NOT disabled", username
    )
    if row is None or not _may_work_at(row, at.hall):
        raise InvalidRequest(errors=[FieldFault("/to", _NOT_STAFF_HERE)])
    await tx.run(
        "UPDATE counter SET staffed_by = $2, staffed_since = $3 WHERE id = $1",
        counter.id,
        row["id"],
        at.now,
    )


def _may_work_at(staff: Any, hall: HallEntry) -> bool:
    """Whether the guard of a counter's routes would admit a member of staff to this hall."""
    role, halls, levels = Role(staff["role"]), staff["halls"], staff["levels"] or ()
    who = Principal(
        PersonKind.STAFF, staff["id"], staff["id"], role, frozenset(halls), frozenset(levels)
    )
    return role in CLERK.roles and who.works_in(hall.code, hall)


async def reassign(at: At, skills: ReassignSkills, *, feed: Feed) -> CounterView:
    """Set the lines that a counter serves, all of them at once; what it does now goes on.

    An open counter serves them all from now on. Raises NotFound, InvalidRequest, SkillsChanged
    where `version` is not the present one, or LineUnserved.
    """
    _check(skills, at.hall.lines)
    lines = [*skills.own, *skills.helps]
    async with decisions.deciding_in(at.hall.id) as tx:
        counter = await hold(tx, at)
        before = await one_counter(tx, at.hall.id, at.counter, now=at.now)
        if skills.version not in (None, before.version):
            raise SkillsChanged
        await tx.run(
            """
            UPDATE counter SET skills = $2, helps = $3, serving = $2,
                skills_version = skills_version + 1
            WHERE id = $1
            """,
            counter.id,
            lines,
            skills.helps,
        )
        await _check_served(tx, at, set(before.skills) - set(lines))
        view = await one_counter(tx, at.hall.id, at.counter, now=at.now)
        await record_at(
            tx, at, "counter.skills_changed", counter.id, own=skills.own, helps=skills.helps
        )
    await feed.changed(Change(at.hall.code))
    return view


def _check(skills: ReassignSkills, known: Collection[str]) -> None:
    """Raise InvalidRequest for lines there are not, lines named twice, or none of its own."""
    faults = [] if skills.own else [FieldFault("/own", _NO_OWN)]
    seen: set[str] = set()
    for name, codes in (("own", skills.own), ("helps", skills.helps)):
        for nth, code in enumerate(codes):
            if code not in known:
                faults.append(FieldFault(f"/{name}/{nth}", _NO_LINE))
            elif code in seen:
                faults.append(FieldFault(f"/{name}/{nth}", _TWICE))
            seen.add(code)
    if faults:
        raise InvalidRequest(errors=faults)


async def _check_served(tx: Transaction, at: At, dropped: Collection[str]) -> None:
    """Raise LineUnserved: nobody may wait in a line that no counter can call."""
    left = await tx.rows(
        """
        SELECT code FROM line WHERE hall_id = $1 AND code = ANY($2) AND NOT EXISTS (
            SELECT 1 FROM counter c WHERE c.hall_id = $1 AND line.code = ANY(c.skills))
        ORDER BY code
        """,
        at.hall.id,
        list(dropped),
    )
    if left:
        named = "、".join(row["code"] for row in left)
        raise LineUnserved(
            (f"调整后将没有窗口办理队列 {named}。", f"No counter would serve {named} any more.")
        )
