"""Whether a number of a visit that was missed may be open again."""

from models import visiting
from models.database import Transaction
from models.standing import Held
from models.tickets import WrongState
from models.visits import VisitState

_GONE_ON = ("联办已继续办理其他事项", "the visit has gone on without it")


async def check_waited_for(tx: Transaction, held: Held) -> None:
    """Raise WrongState where a missed number's visit has gone on without it, or is over.

    The ticket and its hall are locked. A ticket of no visit is waited for as long as its hall says.
    """
    visit = await visiting.hold(tx, held.now.visit_id) if held.now.visit_id else None
    if visit is None:
        return
    given_up = all(stop.ticket_id != held.id or stop.left_out for stop in visit.stops)
    if given_up or visit.is_under_way or visit.state is not VisitState.OPEN:
        raise WrongState("her visit has gone on without it", held.now.state, told=_GONE_ON)
