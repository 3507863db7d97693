"""Bank counters' files: looked at, brought in once, through the one path that settles."""

import asyncio
import base64
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from integrations.bank import HmacKey, signed_batch
from integrations.bank.batch import BankCounters
from integrations.ports_bank import BankBatch, BatchLine, BatchRefused
from models import ledger
from models.bank_batches import BatchDiffers
from models.database import rows
from server.reconciling.bank_batches import bring, confirm
from tests.conftest import Api
from tests.payments.counter import Counter
from tests.payments.money import NOW, a_bill, an_order, entries_of, paid, row_of

KEY = HmacKey(b"k" * 32)
READER = BankCounters({("ICBC-DG", "2026a"): KEY})


def a_file(*payments: tuple[str, int, str], number: str | None = None) -> bytes:
    """A signed file of bills paid: number, fen and serial of each."""
    lines = tuple(
        BatchLine(3 + nth, bill_no, fen, NOW, serial)
        for nth, (bill_no, fen, serial) in enumerate(payments)
    )
    total = sum(line.fen for line in lines)
    batch = BankBatch("ICBC-DG", number or uuid4().hex, date(2026, 11, 23), total, lines)
    return signed_batch(batch, "2026a", KEY)


def a_serial() -> str:
    return uuid4().hex


async def number_of(bill: UUID) -> str:
    return str((await row_of("bill", bill))["bill_no"])


async def brought(content: bytes) -> dict[str, str]:
    """What each bill's payment does, before it is confirmed and after: the same."""
    shown = await bring(content, READER, by=None, now=NOW)
    before = [shown.effect_of(one) for one in shown.payments]
    done = await confirm(shown.batch["id"], by=None, now=NOW)
    assert [done.effect_of(one) for one in done.payments] == before
    return {one["bill_no"]: done.effect_of(one).value for one in done.payments}


async def case_of(number: str) -> tuple[str, str, int, int | None]:
    found = await rows(
        "SELECT kind, state, theirs_fen, ours_fen FROM reconciliation_case WHERE number = $1",
        number,
    )
    return tuple(found[0])


async def test_what_was_paid_at_a_counter_settles_its_bill(api: Api) -> None:
    bill = await a_bill(1500)
    content = a_file((await number_of(bill), 1500, a_serial()))
    shown = await bring(content, READER, by=None, now=NOW)
    assert (await row_of("bill", bill))["state"] == "due", "it was only looked at"
    for _ in range(2):
        done = await confirm(shown.batch["id"], by=None, now=NOW)
        assert done.is_confirmed
    settled = (await row_of("bill", bill))["settled_by"]
    assert await entries_of(settled) == [("paid", "at_bank", "collected", 1500)]
    again = await bring(content, READER, by=None, now=NOW)
    assert again.batch["id"] == shown.batch["id"]
    assert await ledger.disagreeing() == []


async def test_confirmed_by_many_at_once_it_is_brought_in_once(api: Api) -> None:
    bill = await a_bill(1500)
    content = a_file((await number_of(bill), 1500, a_serial()))
    shown = await asyncio.gather(*(bring(content, READER, by=None, now=NOW) for _ in range(4)))
    (batch,) = {one.batch["id"] for one in shown}
    await asyncio.gather(*(confirm(batch, by=None, now=NOW) for _ in range(8)))
    found = await rows("SELECT count(*) AS many FROM pay_order WHERE bill_id = $1", bill)
    assert found[0]["many"] == 1


async def test_what_settles_nothing_is_a_case(api: Api) -> None:
    dearer, done = await a_bill(1500), await a_bill(800)
    await paid(await an_order(done))
    other, twice = await number_of(dearer), await number_of(done)
    unknown = f"B{uuid4().hex[:12]}"
    payments = ((other, 1501, a_serial()), (twice, 800, a_serial()), (unknown, 7, a_serial()))
    assert await brought(a_file(*payments)) == {
        other: "other_amount",
        twice: "surplus",
        unknown: "unknown_bill",
    }
    assert await case_of(other) == ("different_amount", "open", 1501, 1500)
    assert await case_of(unknown) == ("missing_here", "open", 7, None)
    assert await case_of(twice) == ("different_state", "open", 800, 800)
    (surplus,) = await rows("SELECT * FROM pay_order WHERE bill_id = $1 AND channel = 'bank'", done)
    assert await entries_of(surplus["id"]) == [("surplus", "at_bank", "owed_back", 800)]
    assert (await row_of("refund", surplus["id"], "order_id"))["state"] == "stuck"
    assert await ledger.disagreeing() == []


async def test_one_bill_paid_twice_in_a_file_settles_once(api: Api) -> None:
    bill = await a_bill(900)
    number = await number_of(bill)
    content = a_file((number, 900, a_serial()), (number, 900, a_serial()))
    shown = await bring(content, READER, by=None, now=NOW)
    effects = [shown.effect_of(one).value for one in shown.payments]
    assert sorted(effects) == ["settles", "surplus"]
    done = await confirm(shown.batch["id"], by=None, now=NOW)
    assert [done.effect_of(one).value for one in done.payments] == effects


async def test_a_serial_that_came_before_is_nothing_new(api: Api) -> None:
    first, second, serial = await a_bill(900), await a_bill(900), a_serial()
    await brought(a_file((await number_of(first), 900, serial)))
    number = await number_of(second)
    assert await brought(a_file((number, 900, serial))) == {number: "known"}
    assert (await row_of("bill", second))["state"] == "due"


async def test_another_file_under_the_same_number_is_refused(api: Api) -> None:
    number = uuid4().hex
    await bring(a_file(("B1", 1, a_serial()), number=number), READER, by=None, now=NOW)
    with pytest.raises(BatchDiffers):
        await bring(a_file(("B1", 2, a_serial()), number=number), READER, by=None, now=NOW)


async def test_a_forged_file_brings_nothing(api: Api) -> None:
    content = a_file((await number_of(await a_bill(900)), 900, a_serial()))
    with pytest.raises(BatchRefused):
        await bring(content.replace(b"9.00", b"9.01", 1), READER, by=None, now=NOW)


async def test_what_was_given_back_by_hand_is_entered_when_its_case_is_closed(api: Api) -> None:
    done = await a_bill(800)
    await paid(await an_order(done))
    number = await number_of(done)
    await brought(a_file((number, 800, a_serial())))
    (case,) = await rows("SELECT id FROM reconciliation_case WHERE number = $1", number)
    finance = await api.colleague("supervisor")
    closed = await finance.post(
        f"/reconciliation-cases/{case['id']}/close", {"reason": "settled_otherwise"}
    )
    assert closed.status_code == 200, closed.text
    (surplus,) = await rows("SELECT * FROM pay_order WHERE bill_id = $1 AND channel = 'bank'", done)
    assert surplus["state"] == "refunded"
    assert await entries_of(surplus["id"]) == [
        ("surplus", "at_bank", "owed_back", 800),
        ("returned", "owed_back", "at_bank", 800),
    ]
    assert await ledger.disagreeing() == []


async def a_bank_file(counter: Counter, *payments: tuple[str, int], **how: Any) -> dict[str, str]:
    """What is sent to bring a file that the sandbox's bank counter wrote and signed."""
    taken = [{"bill_no": number, "fen": fen} for number, fen in payments]
    wrote = await counter.till.post("/_sandbox/bank/batch", json={"payments": taken} | how)
    assert wrote.status_code == 200, wrote.text
    return {"content": base64.b64encode(wrote.content).decode()}


async def test_a_file_is_looked_at_and_brought_in_over_http(counter: Counter) -> None:
    finance = await counter.api.colleague("supervisor")
    bill = await a_bill(1500)
    number, unknown = await number_of(bill), f"B{uuid4().hex[:12]}"
    body = await a_bank_file(counter, (number, 1500), (unknown, 7))
    shown = await finance.post("/bank-batches", body)
    assert shown.status_code == 201, shown.text
    told = shown.json()
    assert {one["effect"]: (one["payments"], one["amount_fen"]) for one in told["effects"]} == {
        "settles": (1, 1500),
        "unknown_bill": (1, 7),
    }
    assert [(one["bill_no"], one["effect"]) for one in told["to_look_at"]] == [
        (unknown, "unknown_bill")
    ]
    assert (told["payments"], told["amount_fen"], told["confirmed_at"]) == (2, 1507, None)
    assert (await row_of("bill", bill))["state"] == "due", "it was only looked at"
    path = f"/bank-batches/{told['id']}"
    done = await asyncio.gather(*(finance.post(f"{path}/confirm") for _ in range(4)))
    assert [each.status_code for each in done] == [200] * 4
    assert (await row_of("bill", bill))["state"] == "paid"
    after = (await finance.get(path)).json()
    assert after["confirmed_at"] is not None
    assert after["effects"] == told["effects"]
    assert (await finance.post("/bank-batches", body)).json() == after
    audited = await rows(
        "SELECT actor_kind FROM audit_entry WHERE action = 'bank_batch.confirmed'"
        " AND subject_id = $1",
        told["id"],
    )
    assert [row["actor_kind"] for row in audited] == ["staff"]
    assert await ledger.disagreeing() == []


async def test_what_no_bank_signed_is_refused_over_http(counter: Counter) -> None:
    finance = await counter.api.colleague("supervisor")
    number = await number_of(await a_bill(1500))
    before = await rows("SELECT count(*) AS many FROM bank_batch")
    for tamper in ("signature", "body", "key", "total"):
        refused = await finance.post(
            "/bank-batches", await a_bank_file(counter, (number, 1500), tamper=tamper)
        )
        assert (refused.status_code, refused.json()["code"]) == (422, "bank_batch_refused")
    for content in ("no base64!", "AAAA", base64.b64encode(b"\xff\xfe" * 99).decode(), ""):
        odd = await finance.post("/bank-batches", {"content": content})
        assert odd.status_code == 422, odd.text
    assert await rows("SELECT count(*) AS many FROM bank_batch") == before
    for path in (f"/bank-batches/{uuid4()}", "/bank-batches/no-id"):
        assert (await finance.get(path)).status_code == 404
        assert (await finance.post(f"{path}/confirm")).status_code == 404
    body = await a_bank_file(counter, (number, 1500))
    other = await a_bank_file(counter, (number, 1500), number="twice")
    again = await a_bank_file(counter, (number, 1499), number="twice")
    assert (await finance.post("/bank-batches", other)).status_code == 201
    reused = await finance.post("/bank-batches", again)
    assert (reused.status_code, reused.json()["code"]) == (409, "bank_batch_number_reused")
    clerk = await counter.api.clerk(counter.hall)
    assert (await clerk.post("/bank-batches", body)).status_code == 403
