"""How money moves, drawn from the `STEPS` of bills, orders and refunds.

`python -m models.payments_page > docs/payments.md` writes the page; a test compares.
"""

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from models import bills, orders, refunds
from models.ledger import ACCOUNTS, EntryKind

HEAD = """\
# Payments

Made from the code by `python -m models.payments_page > docs/payments.md`. Amounts are whole fen
(`bigint`), never floats. What is not drawn cannot happen: it is refused as `wrong_state`, and
nothing changes.

A **bill** 账单 is what somebody owes for one thing. An **order** 支付单 is one attempt to pay it
through one channel; it bears our number, which the channel knows it by. A **refund** 退款 is so
much of one order that goes back. The **ledger** 账本 says where the money is. A **receipt** 票据 is
issued in the transaction that settles a bill, a red one 红字 in that which ends a refund.

"""
ONCE = """\
## What makes "once" true

The database itself refuses what would be wrong, whoever writes it.

| what | by |
|---|---|
| a bill is settled by one order, of its own, over its very amount | `bill.settled_by` with a foreign key (bill, order); `order_over_its_bill`; `order_settles_once` |
| a bill has one pending order a channel | `order_pending_once` |
| a channel's payment is one order's | `order_channel_no_once` |
| a payment is entered once, as a settlement or as a surplus | `entry_paid_once` |
| each step of a refund is entered once, and it ends one way | `entry_step_once`, `entry_ends_once` |
| refunds together are never more than was paid | `order_refunds_within`: what is asked for is reserved on the order's row |
| the same request is the same refund | `refund_once` (order, request number) |
| an order stands as its amounts say | `order_standing` |
| the ledger balances | an entry is one row with an account on each side |
| nothing of it is changed or deleted | triggers; the ledger's is always on |
| a channel's news happen once | `callback_once` (channel, event) |
| what settled a bill has one receipt, each refund of it one red receipt | `receipt_paid_once`; `refund_id` is unique |
| receipts of an issuer and year are 1, 2, 3 without gaps | a counter's row, locked until the money has moved; `receipt_number_once` |

Locks are taken in this order: news in the inbox, the bill, its orders, their refunds, the counters
of receipts.

"""
LEDGER = """\
## The ledger

Each entry takes its amount from one account and gives it to another.

| entry | when | to (debit) | from (credit) |
|---|---|---|---|
"""
TELLS: Mapping[EntryKind, tuple[str, str, str]] = {
    EntryKind.PAID: ("an order settled its bill", "`at_…`", "`collected`"),
    EntryKind.SURPLUS: ("paid, and nothing to settle: it goes back", "`at_…`", "`owed_back`"),
    EntryKind.PROMISED: (
        "of what settled a bill, some is to go back",
        "`collected`",
        "`owed_back`",
    ),
    EntryKind.RETURNED: ("the channel has given it back", "`owed_back`", "`at_…`"),
    EntryKind.KEPT: ("the channel could not: it is ours as before", "`owed_back`", "`collected`"),
}
LATER = """\

`at_…` is one account for each channel: what it holds for us.

## Who comes too late

| what comes | what it does |
|---|---|
| the same news again, or many at once | nothing |
| a payment through a second channel | it is a surplus, and its refund is asked for in the same transaction; once: its request number is `surplus` |
| a payment for a cancelled bill | the same |
| a payment after its order was closed | it goes back as a whole, with request number `late`; the bill stays due |
| a payment while others of the bill are pending | these are closed at their channels |
| nobody, for the number that an item's fee is for: given up, or missed for good | by the hall's rule `refund_abandoned` what is paid goes back (1, as usual) or is held (0); what is due is cancelled |
| whose fee is held, with another number for the same item there | it goes with that number by itself, once, if it is whole and still what the item costs; else staff gives it back |
| a payment of a number's fee, in a hall with a line for who has paid (`payments.csv`) | while she waits, the worker sends her on to that line with her rank time, once, and tells her her new number |
"""


PROVEN = """
## Proven by chaos

`YITING_CHAOS_ORDERS=2000 pytest -n 0 tests/city/test_payment_chaos.py --junit-xml=chaos.xml`: 2,000 orders over
three channels, each told of 1 to 15 times by 32 senders in any order, one in twenty by a forger alone, one in twenty
never, while a process is killed every few seconds. Afterwards ledger, orders, channels and citizens agree to the fen,
each bill is paid once, each forgery is audited, and nothing that was thanked for is lost. `make test` runs a small
one. Last run whole, on two busy CPUs: 2,033 orders, 1,932 paid, 91 of them too much and back, 14,647 genuine deliveries, 350
forged ones, 12 processes killed. `python app.py bench --only callbacks --only callbacks_settled --only forged_callbacks` measures how many fit in a second.
Forgeries are sent by two: a stranger, who does not know our key's id and is turned away at it, and who has seen callbacks of ours, whose signature has to be computed: that alone costs as much as half an
empty request.
"""


def payments_page() -> str:
    """The whole page."""
    return "".join(
        [
            HEAD,
            "## Bills\n\n",
            _machine(bills.BillState.DUE, {key: (to,) for key, to in bills.STEPS.items()}),
            "What went back of a paid bill is told by the order that settled it.\n\n",
            "## Orders\n\n",
            _machine(orders.OrderState.PENDING, orders.STEPS),
            "Where one step may lead to several states, the amounts decide: some of it on its way"
            " back is `refunding`,\nall of it back is `refunded`, some `partly_refunded`. Paid"
            " while the bill is due it settles; else it goes back.\n\n",
            "## Refunds\n\n",
            _machine(refunds.RefundState.ASKED, {key: (to,) for key, to in refunds.STEPS.items()}),
            "Up to the city's limit a refund is approved as it is asked for; so is what goes back"
            " by itself.\n\n",
            ONCE,
            LEDGER,
            *(
                f"| `{kind}` | {when} | {to} | {source} |\n"
                for kind, (when, to, source) in TELLS.items()
            ),
            LATER,
            PROVEN,
            "\nAccounts: ",
            ", ".join(f"`{code}` ({kind})" for code, kind in ACCOUNTS.items()),
            ".\n",
        ]
    )


def _machine(first: StrEnum, steps: Mapping[Any, Sequence[StrEnum]]) -> str:
    arrows: dict[tuple[StrEnum, StrEnum], list[str]] = {}
    for (before, step), afters in steps.items():
        for after in afters:
            arrows.setdefault((before, after), []).append(step)
    drawn = [f"    {a.value} --> {b.value}: {', '.join(by)}\n" for (a, b), by in arrows.items()]
    leaving = {before for before, _ in steps}
    ends = [f"    {state.value} --> [*]\n" for state in type(first) if state not in leaving]
    head = f"```mermaid\nstateDiagram-v2\n    [*] --> {first.value}\n"
    return "".join([head, *drawn, *ends, "```\n\n"])


if __name__ == "__main__":
    sys.stdout.write(payments_page())
