"""Rating a service that one had, and answering where it was bad."""

from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from models import cases, ratings
from models.audit import Entry, record
from models.cases import CaseFileState
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
        served = await _served(tx, said, who)
        id = uuid7()
        comment = said.comment.strip()
        given = {
            "id": id,
            "subject": said.subject,
            "subject_id": said.id,
            "citizen_id": served["her_id"],
            "hall_id": served["hall_id"],
            "item_id": served["item_id"],
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


async def _served(tx: Transaction, said: Rate, who: Principal) -> Any:
    """The ticket or case that she rates, locked. Raises NotFound, or WrongState before its end."""
    state: TicketState | CaseFileState
    if said.subject == "ticket":
        found = await ratings.her_ticket(tx, said.id, who.id)
        if found is None:
            raise NotFound
        state = TicketState(found["state"])
        is_over = state is TicketState.FINISHED
    else:
        found = await cases.held_case(tx, said.id, who.id)
        if found is None:
            raise NotFound
        state = CaseFileState(found["state"])
        # How she was treated may be said of what was refused, too.
        is_over = state in (CaseFileState.FINISHED, CaseFileState.REFUSED)
    if not is_over:
        raise WrongState("rate", state)
    return found


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
