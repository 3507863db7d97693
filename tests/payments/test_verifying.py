"""`verify` finds what does not hold between bills, orders, refunds, the ledger and callbacks."""

from collections.abc import Sequence
from uuid import UUID

from models import inbox
from models.agreeing_payments import BROKEN_PAYMENTS
from models.database import Transaction, rows, transaction
from models.faults import WORDS
from models.inbox import News
from models.verifying import Scope, verify_in
from tests.payments.counter import Counter, order_of
from tests.payments.money import NOW, paid

ENTRY = (
    "INSERT INTO ledger_entry (at, kind, debit_id, credit_id, amount_fen, order_id, refund_id)"
    " SELECT now(), {what} FROM pay_order o LEFT JOIN refund r ON r.order_id = o.id"
    " WHERE o.id = '{{order}}'"
)
# What is done by hand to a bill that is paid and in part paid back, and what it is then called.
DAMAGES: dict[str, Sequence[str]] = {
    "bill_settled_wrongly": [
        "UPDATE bill SET state = 'due', settled_by = NULL, ended_at = NULL WHERE id = '{bill}'"
    ],
    "payment_not_entered": ["UPDATE pay_order SET settles = false WHERE id = '{order}'"],
    "refund_not_entered": [
        "UPDATE refund SET amount_fen = amount_fen + 1 WHERE order_id = '{order}'"
    ],
    "refunds_of_order": ["UPDATE pay_order SET refunding_fen = 199 WHERE id = '{order}'"],
    "surplus_kept": [
        "UPDATE pay_order SET settles = false WHERE id = '{order}'",
        "UPDATE refund SET order_id = gen_random_uuid() WHERE order_id = '{order}'",
    ],
    "entry_of_nobody": [
        ENTRY.format(what="'paid', 'at_bank', 'collected', 1, gen_random_uuid(), NULL")
    ],
    "channel_sum": [ENTRY.format(what="'kept', 'at_bank', 'collected', 1, o.id, r.id")],
    "callback_lost": [
        "UPDATE pay_order SET paid_at = NULL, settles = NULL, state = 'pending', look_at = now(),"
        " refunded_fen = 0, refunding_fen = 0 WHERE id = '{order}'"
    ],
    "callback_unsettled": [
        "UPDATE callback_inbox SET state = 'stored', settled_at = NULL,"
        " received_at = received_at - interval '11 min' WHERE order_id = '{order}'",
        "UPDATE callback_inbox SET received_at = now() WHERE id = (SELECT max(id)"
        " FROM callback_inbox WHERE order_id = '{order}')",
    ],
    "callback_of_nobody": [
        "UPDATE callback_inbox SET order_id = gen_random_uuid() WHERE order_id = '{order}'"
    ],
}
OF_NO_HALL = {"entry_of_nobody", "channel_sum", "callback_of_nobody"}


class Undone(Exception):
    """Ends a transaction, and with it what was damaged in it."""


async def found_in(tx: Transaction, hall_id: UUID) -> set[str]:
    found: set[str] = set((await verify_in(tx, Scope(hall_id))).found.counts)
    for kind, sql in BROKEN_PAYMENTS:
        if kind in OF_NO_HALL and await tx.rows(sql, None, None):
            found.add(kind)
    return found


async def found_after(hall_id: UUID, damages: Sequence[str]) -> set[str]:
    """What `verify` calls wrong once this is done; then it is undone."""
    found: set[str] = set()
    try:
        async with transaction() as tx:
            # As a hand that goes past triggers and keys would.
            await tx.run("SET LOCAL session_replication_role = replica")
            for damage in damages:
                await tx.run(damage)
            found = await found_in(tx, hall_id)
            raise Undone
    except Undone:
        return found


async def told(order_no: str, event_id: str) -> None:
    news = News(
        channel="wechat",
        event_id=event_id,
        signed_at=NOW,
        digest="0" * 64,
        number=order_no,
        amount_fen=None,
        said="paid",
        channel_no=None,
        happened_at=NOW,
    )
    assert (await inbox.keep(news)).id is not None
    await rows(
        "UPDATE callback_inbox SET state = 'settled', settled_at = now() WHERE event_id = $1",
        event_id,
    )


async def test_each_damage_is_found_and_what_is_whole_is_not(counter: Counter) -> None:
    lin = await counter.api.citizen()
    bill = await counter.a_bill(lin, 1200)
    order_no = await counter.begun(lin, bill)
    order = await order_of(order_no)
    await paid(order["id"])
    for nth in range(2):
        await told(order_no, f"{order_no}-{nth}")
    clerk = await counter.api.clerk(counter.hall)
    asked = await clerk.post(
        f"/halls/{counter.hall}/bills/{bill['id']}/refunds",
        {"request_no": "1", "amount_fen": 200, "reason": "overcharged"},
    )
    assert asked.status_code == 201, asked.text
    hall_id = counter.api.services.directory.hall(counter.hall).id
    assert await found_after(hall_id, []) == set()
    for kind, damages in DAMAGES.items():
        names = {"bill": bill["id"], "order": order["id"]}
        found = await found_after(hall_id, [damage.format(**names) for damage in damages])
        assert kind in found, f"{kind} is not found, but {found}"
    assert await found_after(hall_id, []) == set()


def test_there_is_a_damage_and_a_word_for_all_that_is_looked_for() -> None:
    assert {kind for kind, _ in BROKEN_PAYMENTS} == set(DAMAGES)
    assert WORDS.keys() >= DAMAGES.keys()
