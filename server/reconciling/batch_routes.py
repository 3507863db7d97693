"""Bank counters' files over HTTP: brought, looked at, and confirmed by who answers for money."""

import base64
import binascii
from datetime import date, datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from integrations.ports_bank import BatchReader, BatchRefused
from models import bank_batches
from models.bank_batches import BatchDiffers, PaymentEffect
from models.database import rows
from scheduler.calendar import SHANGHAI
from server.auth import Principal, own_id
from server.errors import FieldFault, InvalidRequest, NotAvailable, NotFound, Refusal, TooLarge
from server.http.endpoint import endpoint
from server.reconciling.bank_batches import Preview, bring, confirm
from server.reconciling.batch_faults import FAULTS, LINE_FAULTS
from server.reconciling.routes import DECIDES, READS, TAG
from server.services import services

bp = Blueprint("bank-batches", url_prefix="/api/v1")
# What a whole body may be, as Base64; a day's larger file goes through the command.
MOST_BASE64: Final = 64_000
MOST_SHOWN: Final = 100


class BatchNotTaken(Refusal):
    """No bank of ours signed this file, or it does not add up; `errors` names its lines."""

    status, code = 422, "bank_batch_refused"
    sentence = ("该批次文件不能导入。", "This bank batch cannot be brought in.")


class BatchNumberReused(Refusal):
    """This bank sent another file under this number."""

    status, code = 409, "bank_batch_number_reused"
    sentence = ("该批次号已有另一份文件。", "This bank sent another file under this number.")


class BankFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bank counter's file as it came, every byte of it, in Base64: some 600 payments at most."""

    content: Annotated[
        str,
        msgspec.Meta(
            min_length=4, max_length=MOST_BASE64, examples=["eWl0aW5nLWJhbmstYmF0Y2gsMQ=="]
        ),
    ]


class EffectView(msgspec.Struct, frozen=True):
    """How many payments do this, and over how much."""

    effect: PaymentEffect
    payments: int
    amount_fen: int


class BatchPaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that settles nothing. `line` is its place in the file."""

    line: int
    bill_no: str
    amount_fen: int
    serial: str
    paid_at: datetime
    effect: PaymentEffect


class BankBatchView(msgspec.Struct, frozen=True, kw_only=True):
    """A bank counter's file, and what each of its payments would do, or did once it is confirmed.

    `to_look_at` are those that settle no bill, the first hundred of them.
    """

    id: UUID
    bank: str
    number: str
    day: date
    payments: int
    amount_fen: int
    confirmed_at: datetime | None
    effects: list[EffectView]
    to_look_at: list[BatchPaymentView]


@endpoint(
    bp,
    "POST",
    "/bank-batches",
    summary=("上传银行柜面缴费文件（预览）", "Look at a bank counter's file"),
    tag=TAG,
    guard=DECIDES,
    body=BankFile,
    returns=BankBatchView,
    status=201,
    refuses=[NotAvailable, BatchNotTaken, BatchNumberReused, TooLarge],
)
async def bring_batch(request: Request, who: Principal, body: BankFile) -> BankBatchView:
    """Verify a file and say what each payment would do; nothing is settled yet.

    The same file again is the same batch. A file that is too large goes through `bank-batch`.
    """
    room = services(request)
    reader: BatchReader | None = room.platforms.batches
    if reader is None:
        raise NotAvailable
    try:
        content = base64.b64decode(body.content, validate=True)
    except (binascii.Error, ValueError):
        told = ("不是 Base64。", "is not Base64")
        raise InvalidRequest(errors=[FieldFault("/content", told)]) from None
    try:
        return _view(await bring(content, reader, by=who.id, now=room.clock.now()))
    except BatchRefused as fault:
        lines = [FieldFault(f"/lines/{line}", LINE_FAULTS[what]) for line, what in fault.lines]
        raise BatchNotTaken(FAULTS[fault.fault], errors=lines) from None
    except BatchDiffers:
        raise BatchNumberReused from None


@endpoint(
    bp,
    "GET",
    "/bank-batches/<batch_id:str>",
    summary=("一个银行批次", "One bank batch"),
    tag=TAG,
    guard=READS,
    returns=BankBatchView,
    refuses=[NotFound],
)
async def show_batch(request: Request, who: Principal, batch_id: str) -> BankBatchView:
    """What each payment of a batch would do now, or did."""
    return _view(await _of(own_id(batch_id)))


@endpoint(
    bp,
    "POST",
    "/bank-batches/<batch_id:str>/confirm",
    summary=("确认银行批次入账", "Bring a bank batch in"),
    tag=TAG,
    guard=DECIDES,
    returns=BankBatchView,
    refuses=[NotFound],
)
async def confirm_batch(request: Request, who: Principal, batch_id: str) -> BankBatchView:
    """Make true what the batch says, once however often it is asked; it is in the audit log.

    What settles no bill becomes a case of the day's reconciliation.
    """
    found = await _of(own_id(batch_id))
    now = services(request).clock.now()
    return _view(await confirm(found.batch["id"], by=who.id, now=now))


async def _of(batch_id: UUID) -> Preview:
    """A batch as it stands. Raises NotFound."""
    found = await rows("SELECT * FROM bank_batch WHERE id = $1", batch_id)
    if not found:
        raise NotFound
    return Preview(found[0], await bank_batches.foreseen(batch_id))


def _view(shown: Preview) -> BankBatchView:
    batch, amounts = shown.batch, dict.fromkeys(PaymentEffect, 0)
    for one in shown.payments:
        amounts[shown.effect_of(one)] += one["fen"]
    odd = [one for one in shown.payments if shown.effect_of(one) is not PaymentEffect.SETTLES]
    confirmed = batch["confirmed_at"]
    return BankBatchView(
        id=batch["id"],
        bank=batch["bank"],
        number=batch["number"],
        day=batch["day"],
        payments=batch["lines"],
        amount_fen=batch["fen"],
        confirmed_at=confirmed and confirmed.astimezone(SHANGHAI),
        effects=[
            EffectView(effect, many, amounts[effect])
            for effect, many in sorted(shown.counts.items())
        ],
        to_look_at=[
            BatchPaymentView(
                line=one["line"],
                bill_no=one["bill_no"],
                amount_fen=one["fen"],
                serial=one["serial"],
                paid_at=one["paid_at"].astimezone(SHANGHAI),
                effect=shown.effect_of(one),
            )
            for one in odd[:MOST_SHOWN]
        ],
    )
