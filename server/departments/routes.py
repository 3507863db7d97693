"""Bills that departments' systems ask citizens to pay, over HTTP."""

import re
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from sanic import Blueprint, Request

from models import bills, department_bills
from models.audit import Detail, Entry, record
from models.bills import MOST_FEN, BillState
from models.database import Transaction, transaction
from models.department_bills import START, BillNewsKind, Place, source_key
from models.identifiers import IdType
from models.knowing import held_with_index
from models.proxies import person_key
from models.tickets import Actor
from scheduler.calendar import SHANGHAI, business_day
from server.auth import DEPARTMENT
from server.departments.credentials import billing_system
from server.errors import (
    FieldFault,
    InvalidRequest,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Refusal,
    TooManyRequests,
    WrongStateRefusal,
)
from server.http.endpoint import endpoint
from server.http.formats import PLAIN_NUMBER
from server.identity.comers import SaysWho, read_comer
from server.services import services
from server.sso.clients import Client

bp = Blueprint("departments", url_prefix="/api/v1/departments")
TAG = "departments"
_REFUSES: Final = (NotSignedIn, NotAllowed, TooManyRequests)
Number = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=PLAIN_NUMBER, examples=["2026-0042"])
]
_PLACE: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})", re.ASCII)


class BillNumberReused(Refusal):
    """This number stands for a bill over something else, or for somebody else."""

    status, code = 409, "bill_number_reused"
    sentence = (
        "该编号已用于另一张账单。",
        "This number was used for another bill.",
    )


class NewDepartmentBill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody owes the department.

    `number` is the department's own: the same again is the same bill. `title` is what she sees.
    Whom it concerns is found by her id number, who may not have come to us yet: she then finds it.
    """

    number: Number
    title: Annotated[str, Meta(min_length=1, max_length=60, examples=["不动产登记费"])]
    amount_fen: Annotated[int, Meta(ge=1, le=MOST_FEN, examples=[8000])]
    id_number: Annotated[str, Meta(min_length=1, max_length=40)]
    id_type: IdType = "resident_id"


class DepartmentBill(msgspec.Struct, frozen=True, kw_only=True):
    """A department's bill. `number` is the department's, `bill_no` what citizens and banks see."""

    number: str
    bill_no: str
    state: BillState
    title: str
    amount_fen: int
    refunded_fen: int
    made_at: datetime
    paid_at: datetime | None
    channel: str | None
    ended_at: datetime | None


class BillNews(msgspec.Struct, frozen=True):
    """What happened, and the bill as it is by now."""

    kind: BillNewsKind
    bill: DepartmentBill


class BillNewsPage(msgspec.Struct, frozen=True):
    """News in the order in which they happened. Go on with `since` = `next`, also where none is."""

    data: list[BillNews]
    next: str
    more: bool


class NewsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From where on: `next` of the page before; without it from the beginning."""

    since: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


@endpoint(
    bp,
    "POST",
    "/bills",
    summary=("部门开具账单", "Bill a citizen"),
    tag=TAG,
    guard=DEPARTMENT,
    body=NewDepartmentBill,
    returns=DepartmentBill,
    status=201,
    refuses=[*_REFUSES, BillNumberReused],
)
async def issue_bill(request: Request, body: NewDepartmentBill) -> DepartmentBill:
    """Ask somebody for money. With the same number again it is the same bill, as it is now."""
    client = await billing_system(request)
    room = services(request)
    now = room.clock.now()
    said = SaysWho(id_number=body.id_number, id_type=body.id_type)
    document = read_comer(said, today=business_day(now)).document
    assert document is not None, "a number was given"
    index = room.sealer.blind_index(document.id_type, document.number)
    key = source_key(client.code, body.number)
    async with transaction() as tx:
        # Nobody comes to have this number, or leaves, before the bill is hers.
        await tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", index)
        citizen_id = await held_with_index(tx, index)
        whose = {"citizen_id": citizen_id, "person_key": None if citizen_id else person_key(index)}
        facts = whose | {"title": body.title, "amount_fen": body.amount_fen}
        _, new = await department_bills.issue(tx, client.id, key, facts, now=now)
        row = await department_bills.bill_of(key, client.code, tx)
        assert row is not None, "it was just written, or is never deleted"
        if not new and any(row[name] != value for name, value in facts.items()):
            raise BillNumberReused
        if new:
            await _record(tx, client, "bill.made", row, amount_fen=body.amount_fen)
    return _shown(row)


@endpoint(
    bp,
    "GET",
    "/bills/<number:str>",
    summary=("部门账单详情", "One bill of mine"),
    tag=TAG,
    guard=DEPARTMENT,
    returns=DepartmentBill,
    refuses=[*_REFUSES, NotFound],
)
async def show_department_bill(request: Request, number: str) -> DepartmentBill:
    """How a bill stands, by the department's own number."""
    client = await billing_system(request)
    row = await department_bills.bill_of(source_key(client.code, number), client.code)
    if row is None:
        raise NotFound
    return _shown(row)


@endpoint(
    bp,
    "POST",
    "/bills/<number:str>/withdraw",
    summary=("撤回账单", "Withdraw a bill"),
    tag=TAG,
    guard=DEPARTMENT,
    returns=DepartmentBill,
    refuses=[*_REFUSES, NotFound, WrongStateRefusal],
)
async def withdraw_bill(request: Request, number: str) -> DepartmentBill:
    """Ask for it no more. A payment under way is closed at its channel, or goes back by itself."""
    client = await billing_system(request)
    key, now = source_key(client.code, number), services(request).clock.now()
    async with transaction() as tx:
        found = await department_bills.bill_of(key, client.code, tx)
        if found is None:
            raise NotFound
        held = await bills.lock(tx, found["id"])
        await bills.cancel(tx, held, reason="withdrawn", now=now)
        row = await department_bills.bill_of(key, client.code, tx)
        assert row is not None, "bills are never deleted"
        await _record(tx, client, "bill.cancelled", row)
    return _shown(row)


@endpoint(
    bp,
    "GET",
    "/bill-news",
    summary=("部门账单动态", "What happened to my bills"),
    tag=TAG,
    guard=DEPARTMENT,
    query=NewsQuery,
    returns=BillNewsPage,
    refuses=_REFUSES,
)
async def list_bill_news(request: Request, query: NewsQuery) -> BillNewsPage:
    """Bills paid, withdrawn, or refunded, each once and in order. Ask every minute or so.

    Keep `next` together with what you made of the page: after a crash nothing is missed.
    """
    client = await billing_system(request)
    after = _place(query.since)
    found = await department_bills.news_of(client.id, client.code, after, query.limit + 1)
    page = found[: query.limit]
    last = Place(page[-1]["written_by"], page[-1]["news_id"]) if page else after
    news = [BillNews(BillNewsKind(row["kind"]), _shown(row)) for row in page]
    return BillNewsPage(news, f"{last.written_by}-{last.id}", len(found) > query.limit)


def _place(text: str | None) -> Place:
    """How far the reader has come. Raises InvalidRequest for what we never gave."""
    if text is None:
        return START
    found = _PLACE.fullmatch(text)
    if found is None:
        wrong = ("应为上一页的 next。", "must be `next` of the page before")
        raise InvalidRequest(errors=[FieldFault("/since", wrong)])
    return Place(int(found[1]), int(found[2]))


def _shown(row: Any) -> DepartmentBill:
    return DepartmentBill(
        number=row["department_no"],
        bill_no=row["bill_no"],
        state=BillState(row["state"]),
        title=row["title"],
        amount_fen=row["amount_fen"],
        refunded_fen=row["refunded_fen"],
        made_at=row["made_at"].astimezone(SHANGHAI),
        paid_at=row["paid_at"].astimezone(SHANGHAI) if row["paid_at"] else None,
        channel=row["channel"],
        ended_at=row["ended_at"].astimezone(SHANGHAI) if row["ended_at"] else None,
    )


async def _record(
    tx: Transaction, client: Client, action: str, row: Any, amount_fen: int | None = None
) -> None:
    """Last in its transaction, as the log wants."""
    detail: Detail = {"client": client.code} | ({"amount_fen": amount_fen} if amount_fen else {})
    entry = Entry(Actor("department", client.id), action, "bill", row["id"], detail=detail)
    await record(tx, entry)
