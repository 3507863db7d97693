"""Campaigns 政策通知: a notice to everybody whom it concerns, written little by little.

Whoever wrote it last cannot approve it, and what was approved stays as it is: both are held by the
table. A worker holds a campaign for a while and goes through its audience in the order of ids; how
far it came is written with the notices, in one transaction, so that another goes on just there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from models.database import Transaction, rows
from models.tickets import WrongState

# A worker that has not come back for so long (seconds) is taken for dead.
LEASE_S: Final = 15.0
# So many at most are written and not yet on their way: what goes out is written as it goes.
MOST_WAITING: Final = 2_000
# Who had been told enough by other rules is looked at again after so long, until the end.
AGAIN_AFTER: Final = timedelta(hours=21)
# Figures are counted until so long after the end, which is less than notices are kept.
COUNTED_FOR: Final = timedelta(days=60)


class CampaignState(StrEnum):
    """Where a campaign is. The last two are final."""

    DRAFT = "draft"
    APPROVED = "approved"  # it begins at its time
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


class Campaign(Model):
    """What is told to whom, from when to when, how fast; and how far it is.

    `starts_at` and `ends_at` are business time, the others real time. `author_id` wrote it last, as
    its `version`. `cursor` is the last citizen who was looked at; null: the first is next.
    """

    id = fields.UUIDField(primary_key=True)
    title = fields.CharField(max_length=40)
    title_en = fields.CharField(max_length=80)
    text = fields.CharField(max_length=500)
    text_en = fields.CharField(max_length=1000)
    # Whom it concerns, in the language of rules, and the groups of attributes that it reads.
    audience = fields.CharField(max_length=1000)
    reads = fields.SmallIntField()
    item_id = fields.UUIDField(null=True)
    starts_at = fields.DatetimeField()
    ends_at = fields.DatetimeField()
    # How many people a minute at most.
    per_minute = fields.IntField()
    state = fields.CharEnumField(CampaignState, max_length=12)
    version = fields.SmallIntField()
    author_id = fields.UUIDField()
    created_at = fields.DatetimeField()
    approved_by = fields.UUIDField(null=True)
    approved_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    cursor = fields.UUIDField(null=True)
    # Whom it concerned in this round and who was not told, having been told enough of late.
    left_out = fields.IntField(db_default=0)
    next_at = fields.DatetimeField()
    held_by = fields.UUIDField(null=True)
    held_until = fields.DatetimeField(null=True)
    figures: fields.Field[dict[str, int]] = fields.JSONField(null=True)
    counted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "campaign"
        constraints = (
            CheckConstraint(check="approved_by <> author_id", name="campaign_second_person"),
            CheckConstraint(
                check="state IN ('draft', 'cancelled') OR approved_by IS NOT NULL",
                name="campaign_approved",
            ),
            CheckConstraint(
                check="(state IN ('done', 'cancelled')) = (ended_at IS NOT NULL)",
                name="campaign_until_ended",
            ),
            CheckConstraint(check="ends_at > starts_at", name="campaign_ends_after_start"),
            CheckConstraint(check="per_minute > 0", name="campaign_goes_on"),
        )
        indexes = (Index(fields=("state", "next_at"), name="campaign_due"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a campaign says, to whom, when. `starts_at` and `ends_at` are business time."""

    title: str
    title_en: str
    text: str
    text_en: str
    audience: str
    reads: int
    item_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    per_minute: int


_SHOWN: Final = """
    id, title, title_en, text, text_en, audience, reads, item_id, starts_at, ends_at,
    per_minute, state, version, author_id, created_at, approved_by, approved_at, ended_at,
    left_out, figures, counted_at
"""
# In the order of their ids, as couriers hold them, lest each waits for the other.
_WAITING: Final = """
    WITH theirs AS MATERIALIZED (
        SELECT id FROM notice WHERE subject_id = ANY($1) AND state = 'waiting'
        ORDER BY id FOR UPDATE)
"""
_OF_THEM: Final = "WHERE state = 'waiting' AND id IN (SELECT id FROM theirs)"
_COLUMNS: Final = (
    "title",
    "title_en",
    "text",
    "text_en",
    "audience",
    "reads",
    "item_id",
    "starts_at",
    "ends_at",
    "per_minute",
)


def _values(draft: Draft) -> list[Any]:
    return [getattr(draft, name) for name in _COLUMNS]


async def listed(
    *, before: UUID | None, limit: int, state: CampaignState | None = None
) -> list[Any]:
    """Campaigns, the newest first."""
    return await rows(
        f"SELECT {_SHOWN} FROM campaign WHERE ($1::uuid IS NULL OR id < $1)"
        " AND ($2::text IS NULL OR state = $2) ORDER BY id DESC LIMIT $3",
        before,
        state and state.value,
        limit,
    )


async def one(campaign_id: UUID) -> Any | None:
    """A campaign; None: there is none such."""
    found = await rows(f"SELECT {_SHOWN} FROM campaign WHERE id = $1", campaign_id)
    return found[0] if found else None


async def create(tx: Transaction, draft: Draft, *, by: UUID) -> Any:
    """A new draft."""
    values = ", ".join(f"${nth}" for nth in range(2, 2 + len(_COLUMNS)))
    return await tx.row(
        f"INSERT INTO campaign (id, state, version, author_id, created_at, next_at,"
        f" {', '.join(_COLUMNS)}) VALUES (uuidv7(), 'draft', 1, $1, now(), now(), {values})"
        f" RETURNING {_SHOWN}",
        by,
        *_values(draft),
    )


async def held(tx: Transaction, campaign_id: UUID) -> Any | None:
    """A campaign's row, held until the end of the transaction; None: there is none such."""
    return await tx.row(f"SELECT {_SHOWN} FROM campaign WHERE id = $1 FOR UPDATE", campaign_id)


async def rewrite(tx: Transaction, campaign_id: UUID, draft: Draft, *, by: UUID) -> Any:
    """Write a draft anew, as its next version. Raises WrongState for what is no draft any more."""
    sets = ", ".join(f"{name} = ${nth}" for nth, name in enumerate(_COLUMNS, start=3))
    row = await tx.row(
        f"UPDATE campaign SET version = version + 1, author_id = $2, {sets}"
        f" WHERE id = $1 AND state = 'draft' RETURNING {_SHOWN}",
        campaign_id,
        by,
        *_values(draft),
    )
    if row is None:
        raise WrongState("only a draft is written anew")
    return row


async def approve(tx: Transaction, campaign_id: UUID, *, by: UUID) -> Any:
    """Let it begin at its time. Raises WrongState. Nobody approves what she wrote: the table."""
    return await _step(
        tx,
        campaign_id,
        ("draft",),
        "state = 'approved', approved_by = $3, approved_at = now(), next_at = now()",
        by,
    )


async def pause(tx: Transaction, campaign_id: UUID) -> Any:
    """Write no more, and send nothing of what waits. Raises WrongState."""
    row = await _step(tx, campaign_id, ("approved", "running"), "state = 'paused'")
    await tx.run(f"{_WAITING} UPDATE notice SET try_after = 'infinity' {_OF_THEM}", [campaign_id])
    return row


async def resume(tx: Transaction, campaign_id: UUID) -> Any:
    """Go on where it was paused. Raises WrongState."""
    row = await _step(tx, campaign_id, ("paused",), "state = 'approved', next_at = now()")
    await tx.run(
        f"{_WAITING} UPDATE notice SET try_after = now() {_OF_THEM} AND try_after = 'infinity'",
        [campaign_id],
    )
    return row


async def cancel(tx: Transaction, campaign_id: UUID) -> Any:
    """End it, and send nothing of what waits. Raises WrongState."""
    row = await _step(
        tx,
        campaign_id,
        ("draft", "approved", "running", "paused"),
        "state = 'cancelled', ended_at = now(), counted_at = NULL",
    )
    await _take_back(tx, [campaign_id], "campaign_cancelled")
    return row


async def _step(
    tx: Transaction, campaign_id: UUID, since: Sequence[str], sets: str, *more: Any
) -> Any:
    row = await tx.row(
        f"UPDATE campaign SET {sets} WHERE id = $1 AND state = ANY($2) RETURNING {_SHOWN}",
        campaign_id,
        list(since),
        *more,
    )
    if row is None:
        raise WrongState("it is not in a state for that")
    return row


async def _take_back(tx: Transaction, campaign_ids: Sequence[UUID], why: str) -> None:
    await tx.run(
        f"{_WAITING} UPDATE notice SET state = 'expired', fault = $2, settled_at = now()"
        f" {_OF_THEM}",
        list(campaign_ids),
        why,
    )


# --- a worker's part -----------------------------------------------------------------------


async def claim(worker: UUID, *, now: datetime, limit: int = 4) -> list[Any]:
    """Hold campaigns of which more may be written, for LEASE_S. `now` is business time."""
    return await rows(
        """
        UPDATE campaign SET held_by = $1, held_until = now() + make_interval(secs => $4)
        WHERE id IN (
            SELECT id FROM campaign
            WHERE state IN ('approved', 'running') AND starts_at <= $2 AND ends_at > $2
              AND next_at <= now() AND (held_until IS NULL OR held_until <= now() OR held_by = $1)
            ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING id, title, title_en, text, text_en, audience, reads, item_id, per_minute, cursor,
            left_out, ends_at
        """,
        worker,
        now,
        limit,
        LEASE_S,
    )


async def waiting(campaign_id: UUID) -> int:
    """How many of its notices wait to be sent, MOST_WAITING at most."""
    [row] = await rows(
        "SELECT count(*) AS many FROM (SELECT 1 FROM notice WHERE subject_id = $1"
        " AND state = 'waiting' LIMIT $2) AS those",
        campaign_id,
        MOST_WAITING,
    )
    return int(row["many"])


async def still_mine(tx: Transaction, campaign_id: UUID, worker: UUID, cursor: UUID | None) -> bool:
    """Whether a worker may write on from where it is; the row is held then."""
    row = await tx.row(
        "SELECT 1 FROM campaign WHERE id = $1 AND held_by = $2 AND cursor IS NOT DISTINCT FROM $3"
        " AND state IN ('approved', 'running') FOR UPDATE",
        campaign_id,
        worker,
        cursor,
    )
    return row is not None


async def went_on(
    tx: Transaction, campaign_id: UUID, *, cursor: UUID, looked_at: int, left_out: int
) -> None:
    """Some more were written to; the next after as long as its per_minute says."""
    await tx.run(
        "UPDATE campaign SET state = 'running', cursor = $2, left_out = left_out + $4,"
        " held_until = now() + make_interval(secs => $5),"
        " next_at = greatest(next_at, now() - interval '1 second')"
        "     + make_interval(secs => $3::float8 * 60 / per_minute)"
        " WHERE id = $1",
        campaign_id,
        cursor,
        looked_at,
        left_out,
        LEASE_S,
    )


async def wait(campaign_id: UUID, worker: UUID, seconds: float) -> None:
    """Leave it alone for a while: enough of it waits."""
    await rows(
        "UPDATE campaign SET next_at = now() + make_interval(secs => $3)"
        " WHERE id = $1 AND held_by = $2",
        campaign_id,
        worker,
        seconds,
    )


async def round_ended(tx: Transaction, campaign_id: UUID, *, again_after_s: float | None) -> None:
    """Everybody was looked at: it is done, or begins anew after a while for who was left out."""
    if again_after_s is None:
        await tx.run(
            "UPDATE campaign SET state = 'done', ended_at = now(), cursor = NULL, held_by = NULL,"
            " held_until = NULL, counted_at = NULL WHERE id = $1",
            campaign_id,
        )
    else:
        await tx.run(
            "UPDATE campaign SET state = 'running', cursor = NULL, left_out = 0, held_by = NULL,"
            " held_until = NULL, next_at = now() + make_interval(secs => $2) WHERE id = $1",
            campaign_id,
            again_after_s,
        )


async def end_overdue(tx: Transaction, *, now: datetime) -> list[UUID]:
    """End those whose time is over, and send nothing of what waits. `now` is business time."""
    found = await tx.rows(
        "UPDATE campaign SET state = 'done', ended_at = now(), counted_at = NULL"
        " WHERE state IN ('approved', 'running', 'paused') AND ends_at <= $1 RETURNING id",
        now,
    )
    ended = [row["id"] for row in found]
    if ended:
        await _take_back(tx, ended, "over")
    return ended


async def count() -> int:
    """Count how it went with those that go on, some seconds old, or ended of late; how many.

    What became of a notice changes after the end, too: people read them.
    """
    found = await rows(
        """
        UPDATE campaign c SET counted_at = now(), figures = (
            SELECT jsonb_build_object(
                'written', count(*),
                'waiting', count(*) FILTER (WHERE n.state = 'waiting'),
                'sent', count(*) FILTER (WHERE n.state = 'sent'),
                'arrived', count(*) FILTER (WHERE n.state = 'sent' AND EXISTS (
                    SELECT 1 FROM notice_attempt a JOIN notice_receipt r
                        ON r.channel = a.channel AND r.message_no = a.message_no AND r.code IS NULL
                    WHERE a.notice_id = n.id AND a.result = 'accepted')),
                'inbox_only', count(*) FILTER (WHERE n.state = 'kept'),
                'refused', count(*) FILTER (WHERE n.state <> 'sent' AND EXISTS (
                    SELECT 1 FROM notice_attempt a
                    WHERE a.notice_id = n.id AND a.result = 'refused')),
                'failed', count(*) FILTER (WHERE n.state = 'dead'),
                'withdrawn', count(*) FILTER (WHERE n.fault = 'consent_withdrawn'),
                'expired', count(*) FILTER (WHERE n.state = 'expired'
                    AND n.fault IS DISTINCT FROM 'consent_withdrawn'),
                'opened', count(*) FILTER (WHERE n.read_at IS NOT NULL))
            FROM notice n WHERE n.subject_id = c.id AND n.kind = 'policy_news')
        WHERE c.id IN (
            SELECT id FROM campaign
            WHERE approved_by IS NOT NULL AND (counted_at IS NULL
                OR ended_at IS NULL AND counted_at < now() - interval '10 seconds'
                OR ended_at > now() - $1::interval AND counted_at < now() - interval '10 minutes')
            ORDER BY counted_at NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING 1
        """,
        COUNTED_FOR,
    )
    return len(found)
