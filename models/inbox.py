"""The inbox of callbacks: each piece of a channel's news once, kept until it is settled.

A row is the job: whoever settles claims it by its lock, and a process that dies gives it back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.database import Transaction, rows


class NewsState(StrEnum):
    """What became of a piece of news."""

    STORED = "stored"
    SETTLED = "settled"  # it is true here; also where it was already
    ASK = "ask"  # it does not fit what we know: the channel is asked
    DROPPED = "dropped"  # the channel itself says otherwise, or it is of no concern


class CallbackInbox(Model):
    """What a genuine callback says, in our words; what it was in bytes is told by its digest."""

    id = fields.BigIntField(primary_key=True, generated=True)
    channel = fields.CharField(max_length=16)
    event_id = fields.CharField(max_length=128)
    received_at = fields.DatetimeField()
    signed_at = fields.DatetimeField()
    digest = fields.CharField(max_length=64)
    order_id = fields.UUIDField(null=True)
    refund_id = fields.UUIDField(null=True)
    # What the channel says of it: `paid`, `closed`, …; `done`, `failed`, `stuck`.
    said = fields.CharField(max_length=12)
    channel_no = fields.CharField(max_length=64, null=True)
    happened_at = fields.DatetimeField(null=True)
    state = fields.CharEnumField(NewsState, max_length=12)
    settled_at = fields.DatetimeField(null=True)

    class Meta:
        table = "callback_inbox"
        constraints = (
            UniqueConstraint(fields=("channel", "event_id"), name="callback_once"),
            CheckConstraint(
                check="(order_id IS NULL) <> (refund_id IS NULL)", name="callback_is_about_one"
            ),
            CheckConstraint(
                check="(state IN ('stored', 'ask')) = (settled_at IS NULL)",
                name="callback_until_settled",
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A genuine callback about one order or one refund, by our number of it."""

    channel: str
    event_id: str
    signed_at: datetime
    digest: str
    number: str
    amount_fen: int | None
    said: str
    channel_no: str | None
    happened_at: datetime | None


@dataclass(frozen=True, slots=True)
class Kept:
    """How a callback was taken. `id` is its row's, None where it was there before.

    `known`: the number is ours, at that channel. `fits`: and its amount is what we asked.
    """

    id: int | None
    known: bool
    fits: bool


_KEEP: Final = """
    WITH ours AS ({ours}),
    new AS (
        INSERT INTO callback_inbox (channel, event_id, received_at, signed_at, digest, {about},
            said, channel_no, happened_at, state)
        SELECT $1, $2, now(), $3, $4, id, $7, $8, $9, 'stored' FROM ours
        WHERE $6::bigint IS NULL OR amount_fen = $6
        ON CONFLICT (channel, event_id) DO NOTHING RETURNING id
    )
    SELECT (SELECT id FROM new) AS id, ($6::bigint IS NULL OR amount_fen = $6) AS fits FROM ours
"""
_ORDER: Final = _KEEP.format(
    ours="SELECT id, amount_fen FROM pay_order WHERE order_no = $5 AND channel = $1",
    about="order_id",
)
_REFUND: Final = _KEEP.format(
    ours="SELECT r.id, r.amount_fen FROM refund r JOIN pay_order o ON o.id = r.order_id"
    " WHERE r.refund_no = $5 AND o.channel = $1",
    about="refund_id",
)


async def keep(news: News, *, of_refund: bool) -> Kept:
    """Store news for good, once, unless its number is none of ours or its amount is another.

    One statement, and committed with it.
    """
    found = await rows(
        _REFUND if of_refund else _ORDER,
        news.channel,
        news.event_id,
        news.signed_at,
        news.digest,
        news.number,
        news.amount_fen,
        news.said,
        news.channel_no,
        news.happened_at,
    )
    if not found:
        return Kept(None, known=False, fits=False)
    return Kept(found[0]["id"], known=True, fits=found[0]["fits"])


async def claim(
    tx: Transaction, most: int, *, ids: Sequence[int] | None = None, wait_s: float = 0.0
) -> list[Any]:
    """Hold news that is to be settled, oldest first: these, or any older than `wait_s` seconds."""
    return await tx.rows(
        """
        SELECT i.id, i.channel, i.order_id, i.refund_id, i.said, i.channel_no, i.happened_at,
               i.received_at
        FROM callback_inbox i
        WHERE i.state = 'stored' AND ($2::bigint[] IS NULL OR i.id = ANY($2))
          AND i.received_at <= now() - make_interval(secs => $3)
        ORDER BY i.id LIMIT $1 FOR UPDATE SKIP LOCKED
        """,
        most,
        ids,
        wait_s,
    )


async def finish(tx: Transaction, ids: Sequence[int], state: NewsState) -> None:
    """Say what became of news whose rows are held."""
    if ids:
        await tx.run(
            "UPDATE callback_inbox SET state = $2, settled_at = CASE WHEN $3 THEN now() END"
            " WHERE id = ANY($1)",
            ids,
            state.value,
            state is not NewsState.ASK,
        )


async def answered(tx: Transaction, state: NewsState, *, order_id: UUID) -> None:
    """The channel was asked about an order: what was kept of it for that is over."""
    await tx.run(
        "UPDATE callback_inbox SET state = $2, settled_at = now()"
        " WHERE order_id = $1 AND state = 'ask'",
        order_id,
        state.value,
    )
