"""Opening, pausing and closing a counter."""

from collections.abc import Sequence
from datetime import datetime

from models import decisions
from models.database import Transaction
from models.halls import CounterState
from models.tickets import WrongState
from scheduler.calendar import business_day
from server.counters.views import CounterView
from server.errors import NotFound, Refusal
from server.halls.directory import HallEntry
from server.live.feed import Feed
from server.live.memory import Change

# The states from which each state can be reached.
_FROM = {
    CounterState.OPEN: (CounterState.CLOSED, CounterState.PAUSED, CounterState.OPEN),
    CounterState.PAUSED: (CounterState.OPEN,),
    CounterState.CLOSED: (CounterState.OPEN, CounterState.PAUSED),
}


class LineNotServed(Refusal):
    """The counter has no skill for a line it was asked to serve."""

    status, code = 422, "line_not_served"
    sentence = ("该窗口不能办理此队列。", "This counter cannot serve that line.")


async def set_state(
    hall: HallEntry,
    counter: str,
    state: CounterState,
    *,
    now: datetime,
    feed: Feed,
    lines: Sequence[str] | None = None,
    reason: str | None = None,
) -> CounterView:
    """Open (for all its lines, or the named ones), pause or close a counter.

    Raises NotFound, LineNotServed, or WrongState: also for closing while somebody is at it.
    """
    async with decisions.deciding_in(hall.id) as tx:
        row = await tx.row(
            "SELECT id, code, name, skills, serving, state FROM counter"
            " WHERE hall_id = $1 AND code = $2",
            hall.id,
            counter,
        )
        if row is None:
            raise NotFound(("没有这个窗口。", "There is no such counter."))
        if CounterState(row["state"]) not in _FROM[state]:
            raise WrongState(f"{state} from {row['state']}")
        if state is CounterState.CLOSED:
            await _refuse_while_busy(tx, hall, counter)
        serving = _chosen(row["skills"], lines) if state is CounterState.OPEN else row["serving"]
        await tx.run(
            """
            UPDATE counter SET state = $2, serving = $3, pause_reason = $4,
                opened_on = coalesce($5, opened_on)
            WHERE id = $1
            """,
            row["id"],
            state.value,
            serving,
            reason,
            business_day(now) if state is CounterState.OPEN else None,
        )
    await feed.changed(Change(hall.code))
    return CounterView(
        row["code"], row["name"], state.value, list(row["skills"]), list(serving), reason
    )


def _chosen(skills: list[str], lines: Sequence[str] | None) -> list[str]:
    """The lines to serve, in the counter's order of preference. Raises LineNotServed."""
    if lines is None:
        return skills
    foreign = sorted(set(lines) - set(skills))
    if foreign:
        named = "、".join(foreign)
        raise LineNotServed(
            (f"该窗口不能办理队列 {named}。", f"This counter cannot serve {named}.")
        )
    return [code for code in skills if code in lines]


async def _refuse_while_busy(tx: Transaction, hall: HallEntry, counter: str) -> None:
    facts = await decisions.counter_facts(hall.id, counter, tx=tx)
    if facts is not None and facts.ticket_id is not None:
        raise WrongState("somebody is at the counter")
