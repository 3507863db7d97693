"""A channel's statement of a day against ours: what agrees, what differs, what becomes of it."""

from models import ledger
from tests.payments.counter import Counter, order_of
from tests.payments.reconciled import (
    a_stranger,
    begun,
    cases_of,
    given_back,
    paid,
    plant,
    reconciled,
)


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
