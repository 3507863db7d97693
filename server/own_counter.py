"""Who works at a counter, and that nobody else does anything there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from models.database import Transaction
from models.halls import CounterState
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


def no_counter() -> NotFound:
    """What to say where a hall has no counter of that code."""
    return NotFound(("没有这个窗口。", "There is no such counter."))
