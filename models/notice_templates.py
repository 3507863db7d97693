"""Templates of notices: the words of each kind, for each channel and language, in versions."""

from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from models.database import Transaction, rows
from models.notice_kinds import NoticeKind


class NoticeTemplate(Model):
    """One version of a template that an administrator saved. Never changed: another follows it.

    The highest version counts; what the city's files bring is version 0, and not stored. Without
    a `template_id` its channel sends none of that kind. `saved_at` is real time.
    """

    id = fields.BigIntField(primary_key=True, generated=True)
    kind = fields.CharEnumField(NoticeKind, max_length=32)
    channel = fields.CharField(max_length=12)
    english = fields.BooleanField()
    version = fields.IntField()
    template_id = fields.CharField(max_length=64)
    # The page of the mini-program that it opens.
    page = fields.CharField(max_length=200)
    # Each field of the platform's template with its pattern, such as {"thing1": "{hall}"}.
    patterns: fields.Field[dict[str, str]] = fields.JSONField()
    # The whole text as the carrier knows it, where the channel counts its characters.
    text = fields.CharField(max_length=500)
    saved_at = fields.DatetimeField()
    saved_by = fields.UUIDField()

    class Meta:
        table = "notice_template"
        constraints = (
            UniqueConstraint(
                fields=("kind", "channel", "english", "version"), name="notice_template_version"
            ),
            CheckConstraint(check="version > 0", name="notice_template_after_files"),
        )


_COLUMNS = "kind, channel, english, version, template_id, page, patterns, text, saved_at"


async def newest() -> list[Any]:
    """The versions that count."""
    return await rows(
        f"SELECT DISTINCT ON (kind, channel, english) {_COLUMNS} FROM notice_template"
        " ORDER BY kind, channel, english, version DESC"
    )


async def mark() -> int:
    """Rises whenever a version is saved."""
    [found] = await rows("SELECT coalesce(max(id), 0) AS id FROM notice_template")
    last: int = found["id"]
    return last


async def versions(kind: str, channel: str, *, english: bool) -> list[Any]:
    """Every version that was saved of one, the newest first."""
    return await rows(
        f"SELECT {_COLUMNS} FROM notice_template"
        " WHERE kind = $1 AND channel = $2 AND english = $3 ORDER BY version DESC",
        kind,
        channel,
        english,
    )


async def save(
    tx: Transaction,
    kind: str,
    channel: str,
    *,
    english: bool,
    template_id: str,
    page: str,
    patterns: str,
    text: str,
    by: UUID,
) -> int:
    """Store the next version; which one it is. `patterns` are its fields as JSON."""
    await tx.run("SELECT pg_advisory_xact_lock(hashtextextended('notice_template', 0))")
    row = await tx.row(
        """
        INSERT INTO notice_template (kind, channel, english, version, template_id, page, patterns,
                                     text, saved_at, saved_by)
        SELECT $1::varchar, $2::varchar, $3::bool, coalesce(max(version), 0) + 1, $4, $5,
               $6::jsonb, $7, now(), $8
        FROM notice_template
        WHERE kind = $1::varchar AND channel = $2::varchar AND english = $3::bool
        RETURNING version
        """,
        kind,
        channel,
        english,
        template_id,
        page,
        patterns,
        text,
        by,
    )
    assert row is not None, "an insert of one row answers it"
    version: int = row["version"]
    return version
