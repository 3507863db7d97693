"""A channel's statement of a day against ours: what agrees, what differs, what becomes of it."""

import base64
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from integrations.ports_bill import BillLine, DayBill
from models import ledger, orders, refunds, settling
from models.comparing import compare
from models.database import rows, transaction
from models.differing import Line, Told
from models.reconciliation import CaseState
from models.refunds import RefundReason, Wish
from models.settling import Payment
from models.tickets import SYSTEM
from scheduler.calendar import SHANGHAI
from server.reconciling.day import Outcome, reconcile_day, reconcile_file
from server.reconciling.summing_up import summaries_of
from tests.payments.counter import Counter, order_of
from tests.payments.money import NOW, a_bill, an_order, row_of
from tests.payments.money import paid as paid_row
from tests.payments.reconciled import (
    a_stranger,
    begun,
    cases_of,
    given_back,
    paid,
    plant,
    reconciled,
    today,
)
from tests.payments.wechat_vectors import vector


async def test_what_agrees_makes_no_case(counter: Counter) -> None:
    order_no = await paid(counter)
    refund_no = await given_back(counter, order_no, 400)
    first = await reconciled(counter)
    assert await cases_of(order_no) == await cases_of(refund_no) == []
    assert (await reconciled(counter)).run_id == first.run_id


async def test_each_planted_difference_is_a_case_once(counter: Counter) -> None:
    missing, dearer, unclear = [await paid(counter) for _ in range(3)]
    refund_no = await given_back(counter, unclear, 400)
    extra = a_stranger()
    await plant(
        counter,
        {"kind": "missing", "number": missing},
        {"kind": "amount", "number": dearer, "fen": 1},
        {"kind": "state", "number": refund_no, "state": "failed"},
        {"kind": "extra", "number": extra, "fen": 4242},
    )
    for _ in range(2):
        await reconciled(counter)
        assert await cases_of(missing) == [("missing_there", "open")]
        assert await cases_of(dearer) == [("different_amount", "open")]
        assert await cases_of(refund_no) == [("different_state", "open")]
        assert await cases_of(extra) == [("missing_here", "open")]
    assert await ledger.disagreeing() == []
    await plant(counter)
    await reconciled(counter)
    for number in (missing, dearer, refund_no, extra):
        ((_, state),) = await cases_of(number)
        assert state == "agreed", "the statement was put right"


async def test_what_the_channel_was_paid_unknown_to_us_is_settled(counter: Counter) -> None:
    order_no = await begun(counter)
    await reconciled(counter, repairs=False)
    assert await cases_of(order_no) == [("missing_here", "open")]
    assert (await order_of(order_no))["state"] == "pending"
    await reconciled(counter)
    assert (await order_of(order_no))["state"] == "paid"
    for _ in range(2):
        await reconciled(counter)
        assert await cases_of(order_no) == [("missing_here", "repaired")]
    assert await ledger.disagreeing() == []


async def test_the_published_statement_reconciles(
    counter: Counter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WeChat Pay's own sample: with its payments in our books each line agrees, else none does."""
    # Our numbers have other letters than theirs; and the sample has some of WeChat's own twice.
    content = base64.b64decode(vector("trade_bill_all")["csv_base64"])
    file = tmp_path / "statement.csv"
    file.write_bytes(re.sub(rb"`42\d+,`autotest_(\d+)_(\d+)", rb"`42\1\2,`AUTOTEST\1X\2", content))
    channel = counter.api.services.platforms.payments["wechat"]
    day, now = date(2019, 2, 19), counter.api.services.clock.now()
    before = await reconcile_file(channel, day, file, now=now)
    assert before.run_id is not None
    (told,) = await summaries_of([before.run_id])
    assert (told.lines, told.matched, told.count(CaseState.OPEN)) == (45, 0, 45)
    assert (told.paid_fen, told.back_fen, told.fees_fen) == (47, 14, 8)
    await enter_as_told(list(channel.read_bill(DayBill("wechat", day, file, 0))), monkeypatch)
    assert (await reconcile_file(channel, day, file, now=now)).run_id == before.run_id
    (told,) = await summaries_of([before.run_id])
    assert (told.lines, told.matched, told.ours) == (45, 45, 45)
    assert (told.ours_paid_fen, told.ours_back_fen) == (47, 14)
    assert (told.count(CaseState.OPEN), told.count(CaseState.AGREED)) == (0, 45)


async def test_a_damaged_statement_changes_nothing(counter: Counter, tmp_path: Path) -> None:
    channel = counter.api.services.platforms.payments["wechat"]
    file = tmp_path / "statement.csv"
    content = base64.b64decode(vector("trade_bill_all")["csv_base64"])
    file.write_bytes(content.replace(b"`0.47,", b"`0.48,"))
    day, now = date(2019, 2, 18), counter.api.services.clock.now()
    told = await reconcile_file(channel, day, file, now=now)
    assert (told.outcome, told.run_id) == (Outcome.DAMAGED, None)
    found = await rows("SELECT 1 FROM reconciliation_run WHERE day = $1", day)
    assert found == []


async def test_a_statement_that_is_not_made_is_said_to_be(counter: Counter) -> None:
    room = counter.api.services
    done = await reconcile_day(
        room.platforms.payments,
        today(counter) + timedelta(days=9),
        now=room.clock.now(),
        only=["alipay", "unionpay"],
    )
    assert [one.outcome for one in done] == [Outcome.NOT_MADE] * 2


async def test_what_was_paid_near_midnight_waits_for_the_next_statement(counter: Counter) -> None:
    order = await an_order(await a_bill(700), "alipay", now=midnight() - timedelta(minutes=40))
    await paid_row(order, now=midnight() - timedelta(minutes=30))
    number = (await row_of("pay_order", order))["order_no"]
    day = date(2026, 3, 1)
    await compared(day, [])
    assert await cases_of(number) == [("missing_there", "waiting")]
    line = Line(number, False, (await row_of("pay_order", order))["channel_no"], 700, None, NOW)
    await compared(day + timedelta(days=1), [line])
    assert await cases_of(number) == [("missing_there", "agreed")]
    await compared(day, [])
    assert await cases_of(number) == [("missing_there", "agreed")], "it is known to be elsewhere"


async def test_what_the_next_statement_has_not_either_is_open(counter: Counter) -> None:
    order = await an_order(await a_bill(700), "alipay", now=midnight() - timedelta(minutes=40))
    await paid_row(order, now=midnight() - timedelta(minutes=30))
    number = (await row_of("pay_order", order))["order_no"]
    for day in (date(2026, 3, 1), date(2026, 3, 2)):
        await compared(day, [])
    assert await cases_of(number) == [("missing_there", "open")]


async def test_a_line_that_stands_twice_is_a_payment_too_many(counter: Counter) -> None:
    order = await an_order(await a_bill(700), "alipay", now=midnight() + timedelta(hours=9))
    await paid_row(order, now=midnight() + timedelta(hours=9))
    row = await row_of("pay_order", order)
    line = Line(row["order_no"], False, row["channel_no"], 700, None, NOW)
    await compared(date(2026, 3, 2), [line, line])
    assert await cases_of(row["order_no"]) == [("missing_here", "open")]
    await compared(date(2026, 3, 2), [line, line._replace(channel_no="20880000OTHER")])
    assert ("missing_here", "open") in await cases_of(row["order_no"])
    await compared(date(2026, 3, 2), [line])
    assert {state for _, state in await cases_of(row["order_no"])} == {"agreed"}


def midnight() -> datetime:
    """At the end of a day that no other test pays on."""
    return datetime(2026, 3, 2, tzinfo=SHANGHAI)


async def compared(day: date, lines: list[Line]) -> None:
    await compare("alipay", day, lines, Told(len(lines), payments=len(lines)), now=NOW)


async def enter_as_told(lines: list[BillLine], monkeypatch: pytest.MonkeyPatch) -> None:
    """Our books as a statement's lines say: payments settled, refunds ended."""
    paid_by_no: dict[str, UUID] = {}
    for line in sorted(lines, key=lambda one: one.refund_no is not None):
        number = line.order_no
        if number not in paid_by_no:
            # One that only goes back was paid some days before.
            at = line.at if line.refund_no is None else line.at - timedelta(days=3)
            monkeypatch.setattr(orders, "new_number", lambda *_, number=number: number)
            order = await an_order(await a_bill(line.amount_fen), now=at)
            async with transaction() as tx:
                receipt = Payment(order, f"{line.channel_no}", at)
                await settling.settle(tx, [receipt], now=at)
            paid_by_no[number] = order
        if line.refund_no is not None:
            monkeypatch.setattr(refunds, "new_number", lambda *_, no=line.refund_no: no)
            wish = Wish("1", line.amount_fen, RefundReason.OVERCHARGED, SYSTEM, approved=True)
            async with transaction() as tx:
                held = await refunds.lock_order(tx, paid_by_no[number])
                row, _ = await refunds.ask(tx, held, wish, now=line.at)
                await refunds.conclude(tx, held, row, "finish", now=line.at)
