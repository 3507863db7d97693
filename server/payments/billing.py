"""Making bills: an item's fee for the number she holds, or what a clerk asks for at the counter."""

from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from models import bills, carrying
from models.audit import Detail, Entry, record
from models.bills import BillSource
from models.database import Transaction, transaction
from models.tickets import Actor, TicketState, WrongState
from server.again import until_done
from server.auth import Principal
from server.errors import NotFound
from server.halls.directory import Directory, HallEntry
from server.http.idempotency import Once
from server.payments.refusals import NoFee
from server.payments.views import BillView, bill


async def bill_for_own_ticket(
    ticket_id: UUID, who: Principal, *, now: datetime, directory: Directory
) -> BillView:
    """The bill for the item of a number of hers, made when it is first asked for.

    Raises NotFound, NoFee for an item that is free, or WrongState once she has given it up.
    """

    async def work(tx: Transaction) -> BillView:
        ticket = await bills.ticket_of(tx, ticket_id, who.id)
        if ticket is None:
            raise NotFound
        state = TicketState(ticket["state"])
        if state is TicketState.CANCELLED:
            raise WrongState(f"bill for {state}", state)
        made = await _for_ticket(tx, ticket, Actor("citizen", who.id), directory, now)
        return await bill(made, tx)

    # Her account may be joined into another meanwhile, which moves the ticket.
    return await until_done(work)


async def bill_at_counter(
    hall: HallEntry,
    ticket_id: UUID,
    who: Principal,
    once: Once,
    *,
    amount_fen: int | None,
    title: str | None,
    now: datetime,
    directory: Directory,
) -> BillView:
    """A clerk's bill for who holds this number: the item's fee, or another amount. It is recorded.

    Raises NotFound for a number of another hall, or NoFee.
    """

    async def work(tx: Transaction) -> BillView:
        await once.claim(tx)
        ticket = await tx.row(
            "SELECT * FROM ticket WHERE id = $1 AND hall_id = $2", ticket_id, hall.id
        )
        if ticket is None:
            raise NotFound
        actor = Actor("staff", who.id)
        if amount_fen is None:
            made = await _for_ticket(tx, ticket, actor, directory, now)
        else:
            item = directory.item_by_id(ticket["item_id"])
            facts = _of_ticket(ticket, actor) | {
                "source": BillSource.COUNTER.value,
                "source_key": str(uuid7()),
                "title": title or item.name,
                "amount_fen": amount_fen,
            }
            made, _ = await bills.make(tx, facts, now=now)
        view = await bill(made, tx)
        await once.keep(tx, view, status=201)
        detail: Detail = {"amount_fen": view.amount_fen, "hall": hall.code}
        await record(tx, Entry(actor, "bill.made", "bill", made, detail=detail))
        return view

    return await until_done(work)


async def cancel_bill(hall: HallEntry, bill_id: UUID, who: Principal, *, now: datetime) -> BillView:
    """A clerk asks for it no more. Raises NotFound, or WrongState unless it is due."""
    async with transaction() as tx:
        held = await lock_of_hall(tx, hall, bill_id)
        await bills.cancel(tx, held, reason="withdrawn", now=now)
        view = await bill(bill_id, tx)
        detail = {"hall": hall.code}
        entry = Entry(Actor("staff", who.id), "bill.cancelled", "bill", bill_id, detail=detail)
        await record(tx, entry)
    return view


async def lock_of_hall(tx: Transaction, hall: HallEntry, bill_id: UUID) -> Any:
    """Hold a bill of a hall. Raises NotFound."""
    held = await bills.lock(tx, bill_id)
    if held is None or held["hall_id"] != hall.id:
        raise NotFound
    return held


async def _for_ticket(
    tx: Transaction, ticket: Any, actor: Actor, directory: Directory, now: datetime
) -> UUID:
    """The bill for an item's fee: one a number and item, whoever asks for it.

    Where the hall holds what she paid for an earlier number, it is that bill, and paid.
    """
    item = directory.item_by_id(ticket["item_id"])
    if item.fee_fen <= 0:
        raise NoFee
    held = await carrying.held_for(tx, ticket["id"])
    if held is not None and await carrying.carry(tx, held, ticket["id"]):
        return held
    facts = _of_ticket(ticket, actor) | {
        "source": BillSource.TICKET.value,
        "source_key": bills.key_of_ticket(ticket["id"], item.code),
        "title": item.name,
        "amount_fen": item.fee_fen,
        # Who was missed may come back, or not: as if it had been there when she was.
        "abandoned_at": ticket["ended_at"] if ticket["state"] == TicketState.MISSED else None,
    }
    made, _ = await bills.make(tx, facts, now=now)
    return made


def _of_ticket(ticket: Any, actor: Actor) -> dict[str, Any]:
    """Whose a bill is and what for, as its ticket tells it."""
    return {
        "citizen_id": ticket["citizen_id"],
        "acting_id": ticket["acting_id"],
        "person_key": ticket["person_key"],
        "hall_id": ticket["hall_id"],
        "item_id": ticket["item_id"],
        "ticket_id": ticket["id"],
        "made_by": actor.kind,
        "made_by_id": actor.id,
    }
