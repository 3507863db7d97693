"""Bills of departments' systems: each known by its department's own number, and news of them.

News are read by polling. Their order is that in which they became visible to everybody: a row bears
the transaction that wrote it, and is told once no older one is under way, so none is passed over.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from models import bills
from models.bills import BillSource
from models.database import Transaction, rows


class BillNewsKind(StrEnum):
    """What happened to a bill."""

    PAID = "paid"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"  # some of it, or all, has gone back


class DepartmentBillNews(Model):
    """One thing that happened to a department's bill; triggers write it, nothing changes it."""

    id = fields.BigIntField(primary_key=True, generated=True)
    client_id = fields.UUIDField()
    bill_id = fields.UUIDField()
    kind = fields.CharEnumField(BillNewsKind, max_length=12)
    # The transaction that wrote it.
    written_by = fields.BigIntField()

    class Meta:
        table = "department_bill_news"
        indexes = (
            Index(fields=("client_id", "written_by", "id"), name="department_bill_news_in_order"),
        )


class Place(NamedTuple):
    """How far somebody has read: the transaction and the row that she read last."""

    written_by: int
    id: int


START: Final = Place(0, 0)


def source_key(client: str, number: str) -> str:
    """What a department's bill is known by among all."""
    return f"{client}:{number}"


async def issue(
    tx: Transaction, client_id: UUID, key: str, facts: dict[str, Any], *, now: datetime
) -> tuple[UUID, bool]:
    """Write a department's bill down; its id, and whether it is new."""
    given = facts | {
        "source": BillSource.DEPARTMENT.value,
        "source_key": key,
        "made_by": "department",
        "made_by_id": client_id,
    }
    return await bills.make(tx, given, now=now)


_BILL: Final = """
    SELECT b.*, substr(b.source_key, length($1::text) + 1) AS department_no, o.channel,
        o.paid_at, coalesce(o.refunded_fen, 0) AS refunded_fen
    FROM bill b LEFT JOIN pay_order o ON o.id = b.settled_by
"""


async def bill_of(key: str, client: str, tx: Transaction | None = None) -> Any | None:
    """A department's bill by its key, with how it was paid."""
    found = await rows(
        _BILL + " WHERE b.source = 'department' AND b.source_key = $2", f"{client}:", key, tx=tx
    )
    return found[0] if found else None


async def news_of(client_id: UUID, client: str, after: Place, most: int) -> list[Any]:
    """What happened to a department's bills after a place, in order; the bills as they are now."""
    return await rows(
        f"""
        SELECT n.written_by, n.id AS news_id, n.kind, b.*
        FROM department_bill_news n JOIN LATERAL ({_BILL} WHERE b.id = n.bill_id) b ON true
        WHERE n.client_id = $2 AND (n.written_by, n.id) > ($3, $4)
          AND n.written_by < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
        ORDER BY n.written_by, n.id LIMIT $5
        """,
        f"{client}:",
        client_id,
        after.written_by,
        after.id,
        most,
    )
