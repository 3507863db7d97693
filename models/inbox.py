"""The inbox of callbacks: each piece of a channel's news once, kept until it is settled.

A row is the job: whoever settles claims it by its lock, and a process that dies gives it back.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.database import Transaction, rows
from models.durable import durable
from models.gathering import Gathered


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
    of_refund: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """How a callback was taken. `id` is its row's, None where it was there before.

    `known`: the number is ours, at that channel. `fits`: and its amount is what we asked.
    """

    id: int | None
    known: bool
    fits: bool


# All news of one moment: ours are looked up by their numbers, and what fits is stored in the order
# of its key, so that two processes that are told the same never wait for each other. Several commit
# before their flush, which `_safe` waits for.
_KEEP: Final = """
    WITH flush AS MATERIALIZED (
        SELECT set_config('synchronous_commit', CASE WHEN cardinality($1::text[]) > 1 THEN 'off'
                          ELSE current_setting('synchronous_commit') END, true) AS said
    ), told AS MATERIALIZED (
        SELECT t.* FROM flush, unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[],
            $5::text[], $6::bigint[], $7::text[], $8::text[], $9::timestamptz[], $10::boolean[])
          WITH ORDINALITY AS t (channel, event_id, signed_at, digest, number, fen, said,
            channel_no, happened_at, of_refund, place)
    ), ours AS MATERIALIZED (
        SELECT told.*, o.id AS order_id, NULL::uuid AS refund_id,
               fen IS NULL OR o.amount_fen = fen AS fits
        FROM told JOIN pay_order o ON o.order_no = told.number AND o.channel = told.channel
        WHERE NOT of_refund
        UNION ALL
        SELECT told.*, NULL, r.id, fen IS NULL OR r.amount_fen = fen
        FROM told JOIN refund r ON r.refund_no = told.number
        JOIN pay_order o ON o.id = r.order_id AND o.channel = told.channel
        WHERE of_refund
    ), new AS (
        INSERT INTO callback_inbox (channel, event_id, received_at, signed_at, digest, order_id,
            refund_id, said, channel_no, happened_at, state)
        SELECT channel, event_id, now(), signed_at, digest, order_id, refund_id, said, channel_no,
               happened_at, 'stored'
        FROM ours WHERE fits ORDER BY channel, event_id
        ON CONFLICT (channel, event_id) DO NOTHING RETURNING id, channel, event_id
    )
    SELECT ours.place, ours.fits, new.id FROM ours LEFT JOIN new USING (channel, event_id)
"""
_STRANGE: Final = Kept(None, known=False, fits=False)


async def keep(news: News) -> Kept:
    """Store news for good, once, unless its number is none of ours or its amount is another.

    Together with all that comes at this moment; committed and flushed when this returns, also where
    it was there before.
    """
    kept = _kept.setdefault(asyncio.get_running_loop(), Gathered(_keep_all, safe=_safe))
    return await kept.make(news)


async def _keep_all(news: Sequence[News]) -> list[Kept]:
    columns = zip(*(_row(each) for each in news), strict=True)
    kept = [_STRANGE] * len(news)
    for row in await rows(_KEEP, *columns):
        kept[row["place"] - 1] = Kept(row["id"], known=True, fits=row["fits"])
    return kept


def _row(news: News) -> tuple[Any, ...]:
    return (
        news.channel,
        news.event_id,
        news.signed_at,
        news.digest,
        news.number,
        news.amount_fen,
        news.said,
        news.channel_no,
        news.happened_at,
        news.of_refund,
    )


async def _safe(kept: Sequence[Kept]) -> None:
    """Wait for the flush, but for a single one: its own commit was flushed.

    What was there before may be another process's that has not been flushed yet.
    """
    if len(kept) > 1 or (kept[0].fits and kept[0].id is None):
        await durable()


_kept: "WeakKeyDictionary[asyncio.AbstractEventLoop, Gathered[News, Kept]]" = WeakKeyDictionary()


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
