"""Subscriptions: what the platforms' prompts allow us to send, counted; and how she wants it.

A platform lets us send one message for each time that somebody allowed it, for that template
alone; `lasting` ones until she withdraws it. We count along, so that nothing is sent that would be
refused.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.database import Transaction, rows
from models.joined import HER_ID

# More than that of one template nobody needs; it keeps a phone that repeats itself in bounds.
MOST_CREDITS: Final = 100


class Subscription(Model):
    """How many messages of a template a platform's user still lets us send. Real time."""

    id = fields.BigIntField(primary_key=True, generated=True)
    platform = fields.CharField(max_length=12)
    subject = fields.CharField(max_length=128)
    template_id = fields.CharField(max_length=64)
    credits = fields.SmallIntField()
    lasting = fields.BooleanField(db_default=False)
    # How often our app and how often the platform told of a permission: mostly both tell of each,
    # and it is one. What either has told more of is what was allowed.
    by_app = fields.IntField(db_default=0)
    by_push = fields.IntField(db_default=0)
    changed_at = fields.DatetimeField()

    class Meta:
        table = "subscription"
        constraints = (
            UniqueConstraint(
                fields=("platform", "subject", "template_id"), name="subscription_once"
            ),
            CheckConstraint(check="credits >= 0", name="subscription_never_overdrawn"),
        )


class PlatformEvent(Model):
    """An event that a platform pushed, once: who did it, what, and when it came (real time)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    platform = fields.CharField(max_length=12)
    event_key = fields.CharField(max_length=160)
    received_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "platform_event"
        constraints = (
            UniqueConstraint(fields=("platform", "event_key"), name="platform_event_once"),
        )


class NoticePreference(Model):
    """How a citizen wants to be told: by which channels, in which language, of what not, and when.

    `quiet_from` and `quiet_to` are minutes of the day; notices of her turn come all the same.
    `ahead`: told when so many are before her; null, as her hall does.
    """

    citizen_id = fields.UUIDField(primary_key=True)
    english = fields.BooleanField()
    channels: fields.Field[list[str]] = fields.JSONField()
    muted: fields.Field[list[str]] = fields.JSONField()
    quiet_from = fields.SmallIntField()
    quiet_to = fields.SmallIntField()
    ahead = fields.SmallIntField(null=True)
    changed_at = fields.DatetimeField()

    class Meta:
        table = "notice_preference"


async def grant(
    tx: Transaction,
    platform: str,
    subject: str,
    template_ids: Sequence[str],
    *,
    by_push: bool = False,
) -> None:
    """Each template was allowed once more by this user: her app says so, or the platform itself.

    Both may tell of the same permission, in any order; it counts once.
    """
    await tx.run(
        """
        INSERT INTO subscription AS s
            (platform, subject, template_id, credits, by_app, by_push, changed_at)
        SELECT $1, $2, template_id, 1, CASE WHEN $5 THEN 0 ELSE 1 END,
               CASE WHEN $5 THEN 1 ELSE 0 END, now()
        FROM (SELECT DISTINCT unnest($3::text[]) AS template_id) t ORDER BY template_id
        ON CONFLICT (platform, subject, template_id) DO UPDATE SET
            by_app = s.by_app + excluded.by_app, by_push = s.by_push + excluded.by_push,
            credits = least($4, s.credits - greatest(s.by_app, s.by_push)
                + greatest(s.by_app + excluded.by_app, s.by_push + excluded.by_push)),
            changed_at = now()
        """,
        platform,
        subject,
        list(template_ids),
        MOST_CREDITS,
        by_push,
    )


async def withdraw(
    tx: Transaction, platform: str, subject: str, template_ids: Sequence[str]
) -> None:
    """She lets us send none of these templates any more."""
    await tx.run(
        "UPDATE subscription SET credits = 0, lasting = false, by_app = 0, by_push = 0,"
        " changed_at = now()"
        " WHERE platform = $1 AND subject = $2 AND template_id = ANY($3)",
        platform,
        subject,
        list(template_ids),
    )


async def subject_of(
    citizen_id: UUID, platform: str, app_id: str, *, tx: Transaction | None = None
) -> str | None:
    """As whom a platform knows a citizen in our app; None where she does not come by it."""
    found = await rows(
        "SELECT subject FROM channel_link WHERE citizen_id = $1 AND platform = $2 AND app_id = $3"
        " ORDER BY created_at DESC LIMIT 1",
        citizen_id,
        platform,
        app_id,
        tx=tx,
    )
    return found[0]["subject"] if found else None


async def links_of(citizen_id: UUID) -> list[Any]:
    """As whom the platforms know a citizen, the oldest first."""
    return await rows(
        "SELECT platform, app_id, subject FROM channel_link"
        f" WHERE citizen_id = {HER_ID} ORDER BY created_at",
        citizen_id,
    )


async def credits_of(platform: str, subject: str) -> list[Any]:
    """What a platform's user lets us send, by template."""
    return await rows(
        "SELECT template_id, credits, lasting FROM subscription"
        " WHERE platform = $1 AND subject = $2 ORDER BY template_id",
        platform,
        subject,
    )


async def heard(tx: Transaction, platform: str, event_key: str) -> bool:
    """Remember an event of a platform; False when it was heard before."""
    found = await tx.rows(
        "INSERT INTO platform_event (platform, event_key, received_at) VALUES ($1, $2, now())"
        " ON CONFLICT (platform, event_key) DO NOTHING RETURNING 1",
        platform,
        event_key,
    )
    return bool(found)


async def wishes() -> dict[UUID, int]:
    """How many ahead those want to be told at who said so and wait somewhere now."""
    found = await rows(
        "SELECT DISTINCT p.citizen_id, p.ahead FROM notice_preference p JOIN ticket t"
        " ON t.citizen_id = p.citizen_id OR t.acting_id = p.citizen_id"
        " WHERE p.ahead IS NOT NULL AND t.ended_at IS NULL"
    )
    return {row["citizen_id"]: row["ahead"] for row in found}


async def preference_of(citizen_id: UUID) -> Any | None:
    """How she wants to be told; None where she never said."""
    found = await rows(f"SELECT * FROM notice_preference WHERE citizen_id = {HER_ID}", citizen_id)
    return found[0] if found else None


async def prefer(
    tx: Transaction,
    citizen_id: UUID,
    *,
    english: bool,
    channels: Sequence[str],
    muted: Sequence[str],
    quiet_from: int,
    quiet_to: int,
    ahead: int | None,
    at: datetime,
) -> None:
    """Keep how a citizen, who is held, wants to be told from now on."""
    await tx.run(
        """
        INSERT INTO notice_preference (citizen_id, english, channels, muted, quiet_from, quiet_to,
                                       ahead, changed_at)
        VALUES ($1, $2, to_jsonb($3::text[]), to_jsonb($4::text[]), $5, $6, $7, $8)
        ON CONFLICT (citizen_id) DO UPDATE SET english = excluded.english,
            channels = excluded.channels, muted = excluded.muted, quiet_from = excluded.quiet_from,
            quiet_to = excluded.quiet_to, ahead = excluded.ahead, changed_at = excluded.changed_at
        """,
        citizen_id,
        english,
        list(channels),
        list(muted),
        quiet_from,
        quiet_to,
        ahead,
        at,
    )
