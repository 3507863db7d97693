"""Bills 账单: what somebody owes, for what, and which payment settled it. Amounts are whole fen.

A bill is settled by one order or by none: `settled_by` is one column, and refers to an order of
this very bill over this very amount. Whatever else is paid for it goes back.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models.database import Transaction
from models.joined import HER_ID
from models.people import Citizen
from models.tickets import WrongState

# A bill is not for more: a slip of the hand would be found by the citizen's bank.
MOST_FEN: Final = 10_000_000_00


class BillState(StrEnum):
    """Whether a bill is to be paid. What went back of it is told by the order that settled it."""

    DUE = "due"
    PAID = "paid"
    CANCELLED = "cancelled"


class Abandoned(StrEnum):
    """What was done about a bill for a number that nobody came for, by its hall's rule."""

    CANCELLED = "cancelled"  # it was not paid yet
    REFUNDED = "refunded"  # what was left of it is on its way back
    HELD = "held"  # the hall keeps it until staff decides


class BillSource(StrEnum):
    """Who asked for the money."""

    TICKET = "ticket"  # an item's fee, for the number she holds
    COUNTER = "counter"  # a clerk
    DEPARTMENT = "department"  # a department's system


_S = BillState
# (state, step) -> next state. What is not in here cannot happen; docs/payments.md draws it.
STEPS: Final[dict[tuple[BillState, str], BillState]] = {
    (_S.DUE, "settle"): _S.PAID,
    (_S.DUE, "cancel"): _S.CANCELLED,
}


class Bill(Model):
    """So much to be paid for one thing. Whose it is is told as a ticket tells it."""

    id = fields.UUIDField(primary_key=True)
    # What a bank's counter and a paper slip name it by.
    bill_no = fields.CharField(max_length=24, unique=True)
    source = fields.CharEnumField(BillSource, max_length=12)
    # What its source calls it: the same asked for again is the same bill.
    source_key = fields.CharField(max_length=120)
    citizen: fields.ForeignKeyNullableRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "bills", null=True, on_delete=OnDelete.RESTRICT
    )
    acting: fields.ForeignKeyNullableRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "bills_of_others", null=True, on_delete=OnDelete.RESTRICT
    )
    person_key = fields.UUIDField(null=True)
    hall_id = fields.UUIDField(null=True)
    item_id = fields.UUIDField(null=True)
    ticket_id = fields.UUIDField(null=True)
    title = fields.CharField(max_length=120)
    amount_fen = fields.BigIntField()
    state = fields.CharEnumField(BillState, max_length=12)
    made_at = fields.DatetimeField()
    made_by = fields.CharField(max_length=16)
    made_by_id = fields.UUIDField(null=True)
    settled_by = fields.UUIDField(null=True, unique=True)
    ended_at = fields.DatetimeField(null=True)
    # Why it was cancelled, in a word of ours.
    reason = fields.CharField(max_length=40, null=True)
    # Since when its number is given up or missed, as the trigger on events says; and what was done.
    abandoned_at = fields.DatetimeField(null=True)
    abandoned = fields.CharEnumField(Abandoned, max_length=12, null=True)
    # It is paid, and its number is to go on to the line of those who have (`models.collecting`).
    collects = fields.BooleanField(db_default=False)

    class Meta:
        table = "bill"
        indexes = (
            Index(fields=("citizen_id", "id"), name="bill_of_citizen"),
            Index(fields=("acting_id", "id"), name="bill_of_acting"),
            Index(fields=("person_key",), name="bill_of_person"),
            Index(fields=("ticket_id",), name="bill_of_ticket"),
            Index(fields=("hall_id", "id"), name="bill_of_hall"),
        )
        constraints = (
            UniqueConstraint(fields=("source", "source_key"), name="bill_once"),
            # What an order's foreign key holds on to: this bill, over this amount.
            UniqueConstraint(fields=("id", "amount_fen"), name="bill_over"),
            CheckConstraint(
                check=f"amount_fen > 0 AND amount_fen <= {MOST_FEN}", name="bill_amount"
            ),
            CheckConstraint(check="state IN ('due', 'paid', 'cancelled')", name="bill_state_known"),
            CheckConstraint(
                check="(state = 'paid') = (settled_by IS NOT NULL)", name="bill_settled_when_paid"
            ),
            CheckConstraint(
                check="(state = 'due') = (ended_at IS NULL)", name="bill_due_until_ended"
            ),
        )


async def make(tx: Transaction, facts: dict[str, Any], *, now: datetime) -> tuple[UUID, bool]:
    """Write a bill down; its id, and whether it is new: the same source and key is the same bill.

    `facts` are the columns but for `id`, `bill_no`, `state` and `made_at`.
    """
    given = {"id": uuid7(), "state": BillState.DUE.value, "made_at": now, **facts}
    places = ", ".join(f"${nth}" for nth in range(1, len(given) + 1))
    row = await tx.row(
        f"""
        INSERT INTO bill (bill_no, {", ".join(given)})
        VALUES (to_char($3::timestamptz AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD')
                || lpad(nextval('bill_no')::text, 8, '0'), {places})
        ON CONFLICT (source, source_key) DO NOTHING RETURNING id
        """,
        *given.values(),
    )
    if row is not None:
        return row["id"], True
    found = await tx.row(
        "SELECT id FROM bill WHERE source = $1 AND source_key = $2",
        facts["source"],
        facts["source_key"],
    )
    assert found is not None, "bills are never deleted"
    return found["id"], False


def key_of_ticket(ticket_id: UUID, item_code: str) -> str:
    """What names the bill of an item's fee for a number: one of each, whoever asks for it."""
    return f"{ticket_id}:{item_code}"[:120]


async def lock(tx: Transaction, bill_id: UUID) -> Any | None:
    """Hold a bill's row; whoever touches its orders holds it first."""
    return await tx.row("SELECT * FROM bill WHERE id = $1 FOR UPDATE", bill_id)


async def cancel(tx: Transaction, bill: Any, *, reason: str, now: datetime) -> None:
    """Ask for it no more. Its orders are closed at their channels soon; what is paid goes back.

    Raises WrongState unless it is due.
    """
    state = BillState(bill["state"])
    if (state, "cancel") not in STEPS:
        raise WrongState(f"cancel from {state}", state)
    await tx.run(
        "UPDATE bill SET state = 'cancelled', ended_at = $2, reason = $3 WHERE id = $1",
        bill["id"],
        now,
        reason,
    )
    await close_soon(tx, [bill["id"]], now=now)


async def close_soon(tx: Transaction, bill_ids: list[UUID], *, now: datetime) -> None:
    """Nobody shall pay these bills any more: have their pending orders closed at the channels."""
    await tx.run(
        """
        UPDATE pay_order SET close_at = least(close_at, $2), look_at = $2
        WHERE bill_id = ANY($1) AND state = 'pending'
        """,
        bill_ids,
        now,
    )


async def ticket_of(tx: Transaction, ticket_id: UUID, citizen_id: UUID) -> Any | None:
    """A ticket for her or taken by her; her id may be one that was joined into another."""
    return await tx.row(
        f"""
        SELECT t.* FROM ticket t, (SELECT {HER_ID} AS id) her
        WHERE t.id = $2 AND her.id IN (t.citizen_id, t.acting_id)
        """,
        citizen_id,
        ticket_id,
    )
