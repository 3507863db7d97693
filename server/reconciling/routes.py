"""Reconciling over HTTP, for who answers for the city's money: runs, differences, closing them."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from models import bank_batches, reconciliation
from models.audit import Entry, record
from models.database import Transaction, transaction
from models.reconciliation import CaseState, CloseReason, DifferenceKind
from models.staff import Role
from models.tickets import Actor
from server.auth import Principal, own_id, staff
from server.errors import IdempotencyKeyReused, NotFound, WrongStateRefusal
from server.http.endpoint import endpoint
from server.http.idempotency import once
from server.http.paging import PageQuery
from server.reconciling import views
from server.reconciling.summing_up import summaries, summaries_of
from server.reconciling.views import CasePage, CaseWithNotes, RunPage, RunView, run_view
from server.services import services

bp = Blueprint("reconciling", url_prefix="/api/v1")
TAG = "reconciling"
# The city's money is no single hall's: only who belongs to all of them.
READS = staff(Role.HALL_MANAGER, Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR, everywhere=True)
DECIDES = staff(Role.HALL_MANAGER, Role.SUPERVISOR, Role.ADMIN, everywhere=True)

Channel = Annotated[
    Literal["wechat", "alipay", "unionpay", "bank"], msgspec.Meta(examples=["wechat"])
]
Text = Annotated[
    str, msgspec.Meta(min_length=1, max_length=500, examples=["已与渠道客服核实，次日补单。"])
]


class RunQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """Which page, of which day and channel."""

    day: date | None = None
    channel: Channel | None = None


class DifferenceQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """Which page, and of which differences."""

    state: CaseState | None = None
    kind: DifferenceKind | None = None


class CaseQuery(DifferenceQuery, frozen=True, forbid_unknown_fields=True):
    """Which page, and of which differences."""

    channel: Channel | None = None


class NewNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was found out. Name nobody: a payment's number says whose it is to who may know."""

    text: Text


class Closing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a difference needs nothing more; `note` is kept with it."""

    reason: Annotated[CloseReason, msgspec.Meta(examples=["explained"])]
    note: Text | None = None


@endpoint(
    bp,
    "GET",
    "/reconciliations",
    summary=("对账批次", "Statements compared"),
    tag=TAG,
    guard=READS,
    query=RunQuery,
    returns=RunPage,
)
async def list_runs(request: Request, who: Principal, query: RunQuery) -> RunPage:
    """Each channel's statement of each day as it was compared with our ledger, newest first."""
    found = await summaries(query.cursor, query.limit + 1, day=query.day, channel=query.channel)
    page = [run_view(one) for one in found[: query.limit]]
    return RunPage(page, str(page[-1].id) if len(found) > query.limit else None)


@endpoint(
    bp,
    "GET",
    "/reconciliations/<run_id:str>",
    summary=("一个对账批次", "One statement compared"),
    tag=TAG,
    guard=READS,
    returns=RunView,
    refuses=[NotFound],
)
async def show_run(request: Request, who: Principal, run_id: str) -> RunView:
    """What a channel's statement of a day and our ledger said."""
    found = await summaries_of([own_id(run_id)])
    if not found:
        raise NotFound
    return run_view(found[0])


@endpoint(
    bp,
    "GET",
    "/reconciliations/<run_id:str>/differences",
    summary=("一个批次的差异", "Differences of a statement"),
    tag=TAG,
    guard=READS,
    query=DifferenceQuery,
    returns=CasePage,
    refuses=[NotFound],
)
async def list_differences(
    request: Request, who: Principal, run_id: str, query: DifferenceQuery
) -> CasePage:
    """Every difference of one statement, those that are settled too."""
    run = own_id(run_id)
    if not await summaries_of([run]):
        raise NotFound
    return await views.cases(query.cursor, query.limit, run=run, state=query.state, kind=query.kind)


@endpoint(
    bp,
    "GET",
    "/reconciliation-cases",
    summary=("差异处理", "Differences to be looked into"),
    tag=TAG,
    guard=READS,
    query=CaseQuery,
    returns=CasePage,
)
async def list_cases(request: Request, who: Principal, query: CaseQuery) -> CasePage:
    """Differences of all days, newest first; `state=open` are those that wait for a person."""
    return await views.cases(
        query.cursor, query.limit, state=query.state, kind=query.kind, channel=query.channel
    )


@endpoint(
    bp,
    "GET",
    "/reconciliation-cases/<case_id:str>",
    summary=("一笔差异", "One difference"),
    tag=TAG,
    guard=READS,
    returns=CaseWithNotes,
    refuses=[NotFound],
)
async def show_case(request: Request, who: Principal, case_id: str) -> CaseWithNotes:
    """A difference and what was written about it."""
    return await _shown(own_id(case_id))


@endpoint(
    bp,
    "POST",
    "/reconciliation-cases/<case_id:str>/notes",
    summary=("记录处理情况", "Write about a difference"),
    tag=TAG,
    guard=DECIDES,
    body=NewNote,
    returns=CaseWithNotes,
    status=201,
    idempotent=True,
    refuses=[NotFound, IdempotencyKeyReused],
)
async def add_note(request: Request, who: Principal, case_id: str, body: NewNote) -> CaseWithNotes:
    """Write down what was found out; it stays as it is written."""
    key = once(request, who.id)
    now = services(request).clock.now()
    async with transaction() as tx:
        await key.claim(tx)
        case = await _held(tx, case_id)
        await reconciliation.note(tx, case["id"], body.text, by=who.id, now=now)
        view = await _shown(case["id"], tx)
        await key.keep(tx, view, status=201)
        await _record(tx, who, "reconciliation_case.noted", case["id"])
    return view


@endpoint(
    bp,
    "POST",
    "/reconciliation-cases/<case_id:str>/close",
    summary=("办结差异", "Close a difference"),
    tag=TAG,
    guard=DECIDES,
    body=Closing,
    returns=CaseWithNotes,
    refuses=[NotFound, WrongStateRefusal],
)
async def close_case(
    request: Request, who: Principal, case_id: str, body: Closing
) -> CaseWithNotes:
    """A person has looked into it and says why nothing more is to be done.

    No money moves by it. What was paid too much at a bank's counter, and is `settled_otherwise`, is
    in the ledger as given back: she has seen to it that it was.
    """
    now = services(request).clock.now()
    async with transaction() as tx:
        case = await _held(tx, case_id)
        await reconciliation.close(tx, case, body.reason, by=who.id, now=now)
        if body.reason is CloseReason.SETTLED_OTHERWISE:
            await bank_batches.given_back(tx, case, now=now)
        if body.note is not None:
            await reconciliation.note(tx, case["id"], body.note, by=who.id, now=now)
        view = await _shown(case["id"], tx)
        await _record(tx, who, "reconciliation_case.closed", case["id"], reason=body.reason.value)
    return view


async def _held(tx: Transaction, case_id: str) -> Any:
    """A case's row, held. Raises NotFound."""
    case = await reconciliation.lock_case(tx, own_id(case_id))
    if case is None:
        raise NotFound
    return case


async def _shown(case_id: UUID, tx: Transaction | None = None) -> CaseWithNotes:
    """A case as it is now. Raises NotFound."""
    found = await views.case(case_id, tx)
    if found is None:
        raise NotFound
    return found


async def _record(tx: Transaction, who: Principal, action: str, case_id: UUID, **said: str) -> None:
    """Last in its transaction, as the log wants."""
    actor = Actor("staff", who.id)
    await record(tx, Entry(actor, action, "reconciliation_case", case_id, detail=said))
