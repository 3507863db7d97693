"""Claims of priority: made with the number, proven by papers where they can be, else by a clerk."""

from datetime import datetime
from uuid import UUID

import asyncpg
import structlog
from msgspec.structs import replace

from models import promises, standing
from models.database import Transaction
from models.history import Happened
from models.identifiers import age_on, read_id
from models.issuing import Papers
from models.joined import NoSuchCitizen
from models.knowing import ID_NUMBER as CITIZENS_NUMBER
from models.knowing import known
from models.proxies import Acting
from models.sealing import NotOpened, Sealer
from models.tickets import SYSTEM, Actor, Move, Priority, TicketState
from scheduler.calendar import business_day
from scheduler.discipline import ELDERLY_FROM_AGE, with_credit
from server.clock import microseconds
from server.halls.directory import HallEntry
from server.live.reading import ticket_view
from server.live.state import TicketView
from server.numbers.refusals import ClaimNotTrue

log = structlog.get_logger()


async def proven(
    tx: Transaction,
    sealer: Sealer,
    claim: Priority,
    *,
    citizen_id: UUID | None,
    acting: Acting | None,
    now: datetime,
) -> bool:
    """Whether what is known of her proves the claim by itself.

    Only age does: by the number of her own account. One that somebody else gave for her proves
    nothing, but may contradict: then ClaimNotTrue is raised.
    """
    if claim is not Priority.ELDERLY:
        return False
    age = await _age(tx, sealer, citizen_id, acting, now)
    if age is None:
        return False
    if age < ELDERLY_FROM_AGE:
        raise ClaimNotTrue
    return citizen_id is not None


def is_elderly(sealer: Sealer, papers: Papers | None, now: datetime) -> bool:
    """Whether the verified number of whoever a ticket is for says that she is old enough."""
    if papers is None:
        return False
    try:
        number = sealer.open(papers.id_number, field=CITIZENS_NUMBER, owner=papers.citizen_id)
    except NotOpened:
        log.error("id_number_not_opened")
        return False  # the number is given: she may claim it, and a clerk sees her card
    born = read_id(papers.id_type, number).born
    return born is not None and age_on(business_day(now), born) >= ELDERLY_FROM_AGE


async def make_claim(
    tx: Transaction,
    ticket_id: UUID,
    claim: Priority,
    hall: HallEntry,
    *,
    is_proven: bool,
    actor: Actor,
    seen_by: Actor | None = None,
    proof: str = "id_number",
) -> asyncpg.Record:
    """Write her claim on a ticket just issued; it counts at once where it is proven.

    Her papers prove it, or `proof`, or `seen_by`, the clerk before whom she stands.
    """
    held = await standing.hold(tx, ticket_id)
    assert held is not None, "it was issued in this transaction"
    at, behalf, waiting = held.issued_at, held.on_behalf_of, TicketState.WAITING
    event = Happened(Move.CLAIM, waiting, at, hall.id, detail=claim.value)
    row = await standing.make(
        tx, held, event, version=microseconds(), actor=actor, on_behalf_of=behalf
    )
    if not is_proven:
        return row
    await promises.untell(tx, ticket_id)  # `with_claim` tells her none
    held = await standing.hold(tx, ticket_id)
    assert held is not None, "it was issued in this transaction"
    rank_time = with_credit(held.now.rank_time, claim.value, hall.rules)
    detail = claim.value if seen_by else proof
    event = Happened(Move.CONFIRM, waiting, at, hall.id, detail=detail, rank_time=rank_time)
    return await standing.make(
        tx, held, event, version=microseconds(), actor=seen_by or SYSTEM, on_behalf_of=behalf
    )


def with_claim(
    given: TicketView, row: asyncpg.Record, hall: HallEntry, *, is_proven: bool
) -> TicketView:
    """A ticket just issued, with the claim that `make_claim` wrote.

    The wait stands where nobody has confirmed it yet; from a place further ahead none was foreseen.
    """
    view = ticket_view(row, hall=hall.code, ahead=row["ahead"])
    return replace(view, wait=None if is_proven else given.wait)


async def _age(
    tx: Transaction,
    sealer: Sealer,
    citizen_id: UUID | None,
    acting: Acting | None,
    now: datetime,
) -> int | None:
    born = acting.born if acting else None
    if citizen_id is not None:
        try:
            her = await known(tx, sealer, citizen_id)
        except NoSuchCitizen:
            return None  # issuing says what became of her
        if her.id_type is None or her.id_number is None:
            return None
        born = read_id(her.id_type, her.id_number).born
    return None if born is None else age_on(business_day(now), born)
