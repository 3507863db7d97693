"""Bills, orders and payments for tests of the rows themselves, without a channel."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from models import bills, orders, settling
from models.database import rows, transaction
from models.settling import Effect, Payment

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


async def a_bill(fen: int = 800) -> UUID:
    """A bill that is due, nobody's in particular."""
    facts = {
        "source": "department",
        "source_key": str(uuid4()),
        "title": "工本费",
        "amount_fen": fen,
        "made_by": "system",
    }
    async with transaction() as tx:
        made, _ = await bills.make(tx, facts, now=NOW)
    return made


async def an_order(bill_id: UUID, channel: str = "wechat", *, now: datetime = NOW) -> UUID:
    """A pending order of a bill."""
    async with transaction() as tx:
        bill = await bills.lock(tx, bill_id)
        placed: UUID = (await orders.place(tx, bill, channel, None, now=now))["id"]
    return placed


async def paid(*order_ids: UUID, now: datetime = NOW) -> dict[UUID, Effect]:
    """Settle what the channels were paid."""
    payments = [
        Payment(each, f"42{each.hex}"[:32], now + timedelta(seconds=nth))
        for nth, each in enumerate(order_ids)
    ]
    async with transaction() as tx:
        return await settling.settle(tx, payments, now=now)


async def row_of(table: str, key: UUID, column: str = "id") -> Any:
    """The one row of a table."""
    (found,) = await rows(f"SELECT * FROM {table} WHERE {column} = $1", key)
    return found


async def entries_of(order_id: UUID) -> list[tuple[str, str, str, int]]:
    """What the ledger says of an order: why, to, from and how much."""
    found = await rows(
        "SELECT kind, debit_id, credit_id, amount_fen FROM ledger_entry"
        " WHERE order_id = $1 ORDER BY id",
        order_id,
    )
    return [tuple(row) for row in found]
