"""She ticks off what she has of what to bring; the counter sees it beside her number."""

from collections.abc import Sequence
from uuid import UUID

from models import booking_steps
from models.appointments import AppointmentState
from models.database import Transaction
from models.joined import held
from models.tickets import WrongState
from server.again import until_done
from server.appointments.changing import Doing
from server.appointments.papers import Paper, unknown_among
from server.appointments.views import OPEN, AppointmentView, appointment
from server.clock import microseconds
from server.errors import FieldFault, InvalidRequest, NotFound

_NONE_OF_THEM = ("不在所需材料之中。", "is none of the materials of this appointment")


async def tick_off(appointment_id: UUID, papers: Sequence[Paper], doing: Doing) -> AppointmentView:
    """Keep what she has, in place of what she said before.

    Raises NotFound, InvalidRequest for what is not to be brought, or WrongState once it is over.
    """

    async def work(tx: Transaction) -> AppointmentView:
        me = await held(tx, doing.who.id)
        row = await booking_steps.hold_own(tx, appointment_id, me)
        if row is None:
            raise NotFound
        state = AppointmentState(row["state"])
        if state not in OPEN:
            raise WrongState("it is not to come any more", state)
        items = [doing.directory.item_by_id(item) for item in row["items"]]
        if unknown := unknown_among(papers, items):
            faults = [FieldFault(f"/have/{nth}", _NONE_OF_THEM) for nth in unknown]
            raise InvalidRequest(errors=faults)
        keys = list(dict.fromkeys(paper.key for paper in papers))
        await booking_steps.tick_off(tx, appointment_id, keys, microseconds())
        view = await appointment(appointment_id, doing.directory, tx)
        assert view is not None, "its row is locked"
        return view

    return await until_done(work)
