"""Money moves once: one payment settles a bill, what is too much goes back, the ledger balances."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

import app as yiting
from models import bills, ledger, orders, refunds
from models.bills import BillState
from models.database import rows, transaction
from models.orders import LADDER, LASTS, OrderState, next_look, standing
from models.payments_page import payments_page
from models.refunds import RefundReason, RequestReused, TooMuch, Wish
from models.settling import Effect
from models.tickets import Actor, WrongState
from tests.conftest import Api
from tests.payments.money import NOW, a_bill, an_order, entries_of, paid, row_of

CLERK = Actor("staff", uuid4())


async def ask_back(
    order_id: UUID, fen: int, request_no: str = "1", *, approved: bool = True
) -> tuple[UUID, bool]:
    wish = Wish(request_no, fen, RefundReason.OVERCHARGED, CLERK, approved)
    async with transaction() as tx:
        row, new = await refunds.ask(tx, await refunds.lock_order(tx, order_id), wish, now=NOW)
    return row["id"], new


async def ended(refund_id: UUID, what: str) -> bool:
    async with transaction() as tx:
        order = await refunds.lock_order(tx, (await row_of("refund", refund_id))["order_id"])
        return await refunds.conclude(tx, order, await row_of("refund", refund_id), what, now=NOW)


async def test_a_payment_settles_its_bill_and_is_entered_once(api: Api) -> None:
    bill = await a_bill(800)
    order = await an_order(bill)
    assert await paid(order) == {order: Effect.SETTLES}
    assert await paid(order) == {order: Effect.NOTHING}
    found = await row_of("bill", bill)
    assert (found["state"], found["settled_by"]) == ("paid", order)
    assert (await row_of("pay_order", order))["state"] == "paid"
    assert await entries_of(order) == [("paid", "at_wechat", "collected", 800)]
    assert await ledger.disagreeing() == []


async def test_thirty_tellings_at_once_have_one_effect(api: Api) -> None:
    bill = await a_bill()
    order = await an_order(bill)
    effects = await asyncio.gather(*(paid(order) for _ in range(30)))
    assert sorted(each[order] for each in effects) == [Effect.NOTHING] * 29 + [Effect.SETTLES]
    assert len(await entries_of(order)) == 1


async def test_of_two_channels_at_once_one_settles_and_the_other_goes_back(api: Api) -> None:
    bill = await a_bill(1200)
    first, second = await an_order(bill), await an_order(bill, "alipay")
    effects = await asyncio.gather(*(paid(each) for each in (first, second, first, second)))
    told = sorted(effect for each in effects for effect in each.values())
    assert told == [Effect.NOTHING, Effect.NOTHING, Effect.SETTLES, Effect.SURPLUS]
    surplus = first if (await row_of("pay_order", second))["settles"] else second
    back = await row_of("refund", surplus, "order_id")
    assert (back["state"], back["amount_fen"], back["reason"]) == ("approved", 1200, "surplus")
    assert (await row_of("pay_order", surplus))["state"] == "refunding"
    await ended(back["id"], "finish")
    assert not await ended(back["id"], "finish")
    assert (await row_of("pay_order", surplus))["state"] == "refunded"
    held = [entry[1:] for entry in await entries_of(surplus)]
    at = held[0][0]
    assert held == [(at, "owed_back", 1200), ("owed_back", at, 1200)]
    assert await ledger.disagreeing() == []


async def test_both_payments_in_one_go_still_settle_once(api: Api) -> None:
    bill = await a_bill()
    first, second = await an_order(bill), await an_order(bill, "unionpay")
    assert await paid(first, second) == {first: Effect.SETTLES, second: Effect.SURPLUS}


async def test_what_is_paid_after_its_order_was_closed_goes_back(api: Api) -> None:
    bill = await a_bill()
    order = await an_order(bill)
    async with transaction() as tx:
        assert await orders.close(tx, order, now=NOW)
    assert await paid(order) == {order: Effect.LATE}
    assert (await row_of("bill", bill))["state"] == "due"
    assert (await row_of("refund", order, "order_id"))["reason"] == "late"
    # And she may pay it anew.
    again = await an_order(bill)
    assert await paid(again) == {again: Effect.SETTLES}


async def test_a_cancelled_bill_is_settled_by_nothing(api: Api) -> None:
    bill = await a_bill()
    order = await an_order(bill)
    async with transaction() as tx:
        await bills.cancel(tx, await bills.lock(tx, bill), reason="mistake", now=NOW)
    row = await row_of("pay_order", order)
    assert (row["close_at"], row["look_at"]) == (NOW, NOW), "it is to be closed at the channel"
    assert await paid(order) == {order: Effect.SURPLUS}
    async with transaction() as tx:
        with pytest.raises(WrongState) as refused:
            await bills.cancel(tx, await bills.lock(tx, bill), reason="mistake", now=NOW)
    assert refused.value.state is BillState.CANCELLED


async def test_a_settled_bill_has_its_other_orders_closed_soon(api: Api) -> None:
    bill = await a_bill()
    first, second = await an_order(bill), await an_order(bill, "alipay")
    later = NOW + timedelta(seconds=7)
    await paid(first, now=later)
    row = await row_of("pay_order", second)
    assert (row["close_at"], row["look_at"], row["state"]) == (later, later, "pending")


async def test_an_order_is_handed_out_again_while_it_may_be_paid(api: Api) -> None:
    bill = await a_bill()
    order = await an_order(bill)
    assert await an_order(bill, now=NOW + timedelta(minutes=5)) == order
    with pytest.raises(orders.StillPending):
        await an_order(bill, now=NOW + LASTS - timedelta(seconds=30))


async def test_refunds_in_parts_are_never_more_than_was_paid(api: Api) -> None:
    order = await an_order(await a_bill(1000))
    await paid(order)
    first, new = await ask_back(order, 300, "a")
    assert new
    assert await ask_back(order, 300, "a") == (first, False)
    with pytest.raises(RequestReused):
        await ask_back(order, 301, "a")
    with pytest.raises(TooMuch):
        await ask_back(order, 701, "b")
    await ended(first, "finish")
    assert (await row_of("pay_order", order))["state"] == "partly_refunded"
    second, _ = await ask_back(order, 700, "b")
    await ended(second, "fail")
    assert (await row_of("pay_order", order))["refunded_fen"] == 300
    third, _ = await ask_back(order, 700, "c")
    await ended(third, "stick")
    assert (await row_of("pay_order", order))["state"] == "refunding"
    await ended(third, "finish")
    assert (await row_of("pay_order", order))["state"] == "refunded"
    assert [kind for kind, *_ in await entries_of(order)] == [
        *("paid", "promised", "returned"),
        *("promised", "kept"),
        *("promised", "returned"),
    ]
    assert await ledger.disagreeing() == []


async def test_of_refunds_at_once_no_fen_too_many_is_promised(api: Api) -> None:
    order = await an_order(await a_bill(1000))
    await paid(order)
    asked = [ask_back(order, 300, str(nth)) for nth in range(8)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(each, TooMuch) for each in told) == 5
    assert (await row_of("pay_order", order))["refunding_fen"] == 900


async def test_one_request_asked_many_times_at_once_is_one_refund(api: Api) -> None:
    order = await an_order(await a_bill(1000))
    await paid(order)
    told = await asyncio.gather(*(ask_back(order, 400, "same") for _ in range(8)))
    assert len({refund for refund, _ in told}) == 1
    assert sum(new for _, new in told) == 1


async def test_a_manager_who_rejects_frees_what_was_reserved(api: Api) -> None:
    order = await an_order(await a_bill(1000))
    await paid(order)
    refund, _ = await ask_back(order, 1000, approved=False)
    assert [kind for kind, *_ in await entries_of(order)] == ["paid"], "nothing is promised yet"
    async with transaction() as tx:
        held = await refunds.lock_order(tx, order)
        row = await row_of("refund", refund)
        await refunds.decide(tx, held, row, approve=False, by=uuid4(), now=NOW)
    assert (await row_of("pay_order", order))["state"] == "paid"
    with pytest.raises(WrongState):
        await ended(refund, "finish")
    assert await ledger.disagreeing() == []


async def test_nothing_goes_back_of_what_was_never_paid(api: Api) -> None:
    order = await an_order(await a_bill())
    with pytest.raises(WrongState):
        await ask_back(order, 1)


@pytest.mark.parametrize(
    "forbidden",
    [
        "UPDATE ledger_entry SET amount_fen = amount_fen + 1 WHERE order_id = $1",
        "DELETE FROM ledger_entry WHERE order_id = $1",
        "INSERT INTO ledger_entry (at, kind, debit_id, credit_id, amount_fen, order_id)"
        " VALUES (now(), 'paid', 'at_wechat', 'collected', 800, $1)",
        "INSERT INTO ledger_entry (at, kind, debit_id, credit_id, amount_fen, order_id)"
        " VALUES (now(), 'surplus', 'at_wechat', 'owed_back', 800, $1)",
        "UPDATE pay_order SET amount_fen = 1 WHERE id = $1",
        "UPDATE pay_order SET state = 'refunded' WHERE id = $1",
        "UPDATE pay_order SET state = 'pending', paid_at = NULL, settles = NULL,"
        " look_at = now() WHERE id = $1",
        "UPDATE pay_order SET refunding_fen = 801, state = 'refunding' WHERE id = $1",
        "DELETE FROM pay_order WHERE id = $1",
        "UPDATE bill SET state = 'due', settled_by = NULL, ended_at = NULL, amount_fen = 1"
        " WHERE settled_by = $1",
        "DELETE FROM bill WHERE settled_by = $1",
        "INSERT INTO pay_order (id, order_no, bill_id, amount_fen, channel, state, placed_at,"
        " expires_at, close_at, paid_at, settles) SELECT gen_random_uuid(), 'YT00000000', bill_id,"
        " amount_fen, 'alipay', 'paid', now(), now(), now(), now(), true"
        " FROM pay_order WHERE id = $1",
        "INSERT INTO pay_order (id, order_no, bill_id, amount_fen, channel, state, placed_at,"
        " expires_at, close_at, look_at) SELECT gen_random_uuid(), 'YT00000001', bill_id,"
        " amount_fen - 1, 'alipay', 'pending', now(), now(), now(), now()"
        " FROM pay_order WHERE id = $1",
    ],
)
async def test_the_database_itself_refuses_what_would_be_wrong(api: Api, forbidden: str) -> None:
    order = await an_order(await a_bill(800))
    await paid(order)
    with pytest.raises(asyncpg.PostgresError) as refused:
        await rows(forbidden, order)
    assert isinstance(refused.value, asyncpg.IntegrityConstraintViolationError)


async def test_a_bill_is_not_settled_by_another_bills_order(api: Api) -> None:
    bill, order = await a_bill(800), await an_order(await a_bill(800))
    await paid(order)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await rows(
            "UPDATE bill SET state = 'paid', settled_by = $2, ended_at = now() WHERE id = $1",
            bill,
            await an_order(await a_bill(800)),
        )


async def test_accounts_together_are_nothing(api: Api) -> None:
    await paid(await an_order(await a_bill(123)))
    assert sum((await ledger.balances()).values()) == 0


@given(
    amount=st.integers(1, 10**9),
    going=st.integers(0, 10**9),
    gone=st.integers(0, 10**9),
)
def test_a_paid_order_stands_as_its_amounts_say(amount: int, going: int, gone: int) -> None:
    state = standing(amount, going, gone)
    assert (state is OrderState.REFUNDING) == (going > 0)
    assert (state is OrderState.PAID) == (going == gone == 0)
    assert state is not OrderState.REFUNDED or gone == amount


def test_the_channel_is_asked_sooner_then_seldom_and_before_it_is_closed() -> None:
    looks, at = [NOW + LADDER[0]], NOW + LADDER[0]
    for nth in range(1, 8):
        at = next_look(NOW, nth, NOW + timedelta(hours=3), at)
        looks.append(at)
    told = [round((each - NOW).total_seconds()) for each in looks]
    assert told == [15, 60, 300, 900, 3600, 7200, 10800, 10815]
    assert all(a < b for a, b in pairwise(looks))
    soon = NOW + timedelta(minutes=15)
    assert next_look(NOW, 4, NOW + LASTS, soon) == NOW + LASTS, "before the hour: it is closed then"


def test_the_page_of_the_docs_is_drawn_from_the_steps() -> None:
    written = (yiting.HERE / "docs" / "payments.md").read_text()
    assert written == payments_page(), "run: python -m models.payments_page > docs/payments.md"
