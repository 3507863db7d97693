"""How our account with WeChat Pay moved, against the ledger: explained, or a case."""

from datetime import UTC, date, datetime, timedelta

from integrations.ports_bill import FundLine
from models import ledger
from models.database import rows
from models.reconciliation import CaseState, Statement
from server.reconciling.day import Outcome, reconcile_day
from server.reconciling.due import days_due
from server.reconciling.funds import compare_moved
from server.reconciling.summing_up import Summary, summaries_of
from tests.payments.counter import Counter, order_of
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

LONG_AGO = date(2025, 5, 6)


async def funds_of(counter: Counter) -> Summary:
    """Today's movements as they were compared last."""
    found = await rows(
        "SELECT id FROM reconciliation_run WHERE channel = 'wechat' AND statement = 'funds'"
        " AND day = $1",
        today(counter),
    )
    (told,) = await summaries_of([row["id"] for row in found])
    return told


async def kinds_of(number: str) -> list[tuple[str, str, int | None, int | None]]:
    found = await rows(
        "SELECT kind, state, theirs_fen, ours_fen FROM reconciliation_case WHERE number = $1"
        " ORDER BY id",
        number,
    )
    return [tuple(row) for row in found]


async def test_what_moved_agrees_with_the_ledger(counter: Counter) -> None:
    order_no = await paid(counter, 1500)
    refund_no = await given_back(counter, order_no, 400)
    await reconciled(counter)
    before = await funds_of(counter)
    assert await cases_of(order_no) == await cases_of(refund_no) == []
    await reconciled(counter)
    again = await funds_of(counter)
    assert (again.id, again.paid_fen, again.matched) == (
        before.id,
        before.paid_fen,
        before.matched,
    )
    assert before.statement is Statement.FUNDS
    assert before.paid_fen >= 1500
    assert before.back_fen >= 400
    assert before.fees_fen > 0


async def test_each_movement_that_differs_is_a_case_until_it_is_put_right(
    counter: Counter,
) -> None:
    missing, dearer = await paid(counter), await paid(counter, 1700)
    refund_no = await given_back(counter, dearer, 300)
    extra = a_stranger()
    await plant(
        counter,
        {"kind": "missing", "number": missing},
        {"kind": "amount", "number": dearer, "fen": 1},
        {"kind": "missing", "number": refund_no},
        {"kind": "extra", "number": extra, "fen": 4242},
        statement="funds",
    )
    theirs = f"42{extra}"[:32]
    for _ in range(2):
        await reconciled(counter)
        assert await kinds_of(missing) == [("missing_there", "open", None, 1500)]
        assert await kinds_of(dearer) == [("different_amount", "open", 1701, 1700)]
        assert await kinds_of(refund_no) == [("missing_there", "open", None, 300)]
        assert await kinds_of(theirs) == [("missing_here", "open", 4242, None)]
    assert await ledger.disagreeing() == []
    await plant(counter, statement="funds")
    await reconciled(counter)
    for number in (missing, dearer, refund_no, theirs):
        ((_, state),) = await cases_of(number)
        assert state == CaseState.AGREED


async def test_what_trades_have_mended_is_no_difference_of_funds(counter: Counter) -> None:
    order_no = await begun(counter)
    await reconciled(counter)
    assert (await order_of(order_no))["state"] == "paid"
    assert await cases_of((await order_of(order_no))["channel_no"]) == []
    assert await cases_of(order_no) == [("missing_here", "repaired")]


async def test_what_is_no_payment_and_no_refund_is_for_a_person(counter: Counter) -> None:
    number, at = a_stranger(), datetime(2025, 5, 6, 4, tzinfo=UTC)
    lines = [
        FundLine(at, number, "提现", -250_000, 750_000),
        FundLine(at, f"{number}F", "扣除交易手续费", -6, 749_994),
    ]
    run = await compare_moved("wechat", LONG_AGO, iter(lines), now=at)
    assert await kinds_of(number) == [("missing_here", "open", -250_000, None)]
    (told,) = await summaries_of([run])
    assert (told.lines, told.matched, told.fees_fen) == (2, 1, 6)


async def test_a_day_without_its_movements_is_still_due(counter: Counter) -> None:
    room = counter.api.services
    channels = {"wechat": room.platforms.payments["wechat"]}
    # A week that no other test reconciles.
    now = datetime(2025, 4, 9, 4, tzinfo=UTC)
    before = await days_due(now, channels)
    assert len(before) == 7
    day = before[-1]
    await compare_moved("wechat", day, iter(()), now=now)
    assert day in await days_due(now, channels), "its trades are not compared"
    done = await reconcile_day(channels, day, now=now)
    assert [one.statement for one in done] == [Statement.TRADES, Statement.FUNDS]
    assert all(one.outcome is Outcome.COMPARED for one in done)
    assert await days_due(now, channels) == [one for one in before if one != day]
    assert day + timedelta(days=7) > now.date()
