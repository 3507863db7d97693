"""Rating a service that one had, and answering where it was bad."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from models import ratings
from models.audit import Entry, record
from models.database import Transaction, transaction
from models.sealing import Sealer
from models.tickets import Actor, TicketState, WrongState
from server.again import until_done
from server.auth import Principal
from server.errors import NotFound
from server.halls.directory import Directory, HallEntry
from server.http.idempotency import Once
from server.ratings.refusals import AlreadyRated, NothingToAnswer
from server.ratings.views import Rate, RatingView, rating_view


async def rate(
    said: Rate, who: Principal, once: Once, *, sealer: Sealer, directory: Directory, now: datetime
) -> RatingView:
    """Write down how she found it. Raises NotFound, WrongState unless served, AlreadyRated."""

    async def work(tx: Transaction) -> RatingView:
        await once.claim(tx)
        # Of cases nothing is known here yet: there is none such.
        ticket = await ratings.her_ticket(tx, said.id, who.id) if said.subject == "ticket" else None
        if ticket is None:
            raise NotFound
        state = TicketState(ticket["state"])
        if state is not TicketState.FINISHED:
            raise WrongState("rate", state)
        id = uuid7()
        comment = said.comment.strip()
        given = {
            "id": id,
            "subject": said.subject,
            "subject_id": said.id,
            "citizen_id": ticket["her_id"],
            "hall_id": ticket["hall_id"],
            "item_id": ticket["item_id"],
            "stars": said.stars,
            "tags": list(dict.fromkeys(said.tags)),
            "comment": sealer.seal(comment, field=ratings.COMMENT, owner=id) if comment else None,
            "rated_at": now,
            "answer_by": now + ratings.ANSWERED_WITHIN if said.stars <= ratings.BAD else None,
        }
        if not await ratings.write(tx, given):
            raise AlreadyRated
        view = rating_view(await ratings.shown(id, tx=tx), directory, sealer)
        await once.keep(tx, view, status=201)
        return view

    return await until_done(work)


async def answer(
    hall: HallEntry,
    rating_id: UUID,
    text: str,
    who: Principal,
    *,
    sealer: Sealer,
    directory: Directory,
    now: datetime,
) -> RatingView:
    """Answer a bad rating of the hall, once; it is audited. Raises NotFound, NothingToAnswer."""
    async with transaction() as tx:
        row = await ratings.hold(tx, rating_id)
        if row is None or row["hall_id"] != hall.id:
            raise NotFound
        if row["answer_by"] is None or row["answered_at"] is not None:
            raise NothingToAnswer
        await ratings.answer(tx, rating_id, text, by=who.id, now=now)
        view = rating_view(await ratings.shown(rating_id, tx=tx), directory, sealer)
        actor = Actor("staff", who.id)
        detail = {"hall": hall.code}
        await record(tx, Entry(actor, "rating.answered", "rating", rating_id, detail=detail))
    return view
