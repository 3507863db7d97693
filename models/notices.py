"""Notices 通知: what somebody is to be told, and how it went.

A row is the job: it is written in the transaction that causes it, and whoever delivers claims it
for a while. Moves of tickets write theirs by a trigger on the events (migration `notices`), so that
no statement that moves a ticket has to know of notices, and none can forget them.
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

from models.consents import Purpose
from models.database import Transaction, rows
from models.joined import HER_ID
from models.notice_kinds import RULES, NoticeKind


class NoticeState(StrEnum):
    """Where a notice is. All but the first are final."""

    WAITING = "waiting"
    SENT = "sent"  # a channel took it
    KEPT = "kept"  # no channel reaches her: it stands in her inbox
    EXPIRED = "expired"  # of no use any more before it was sent
    DEAD = "dead"  # every channel that should have taken it failed: somebody has to look


class AttemptResult(StrEnum):
    """What a channel said to an attempt."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # for good
    FAILED = "failed"  # surely not done; later perhaps
    UNSURE = "unsure"  # no answer came: it may be done


class Notice(Model):
    """One thing that one person is told once: `event_key`, person and kind are unique.

    `happened_at`, `useful_until` and `read_at` are business time, the others real time. While
    `while_state` is set it is of use only as long as its ticket is in that state.
    """

    id = fields.UUIDField(primary_key=True)
    event_key = fields.CharField(max_length=80)
    citizen_id = fields.UUIDField()
    kind = fields.CharEnumField(NoticeKind, max_length=32)
    ticket_id = fields.UUIDField(null=True, db_index=True)
    # The appointment, the bill or the case that it is about.
    subject_id = fields.UUIDField(null=True)
    hall_id = fields.UUIDField(null=True)
    # What she consented to that it is written for; null: it is about what she does here herself.
    purpose = fields.CharEnumField(Purpose, max_length=12, null=True)
    # What its templates may name, such as {"number": "A023", "counter": "03"}; no person.
    facts: fields.Field[dict[str, Any]] = fields.JSONField()
    urgency = fields.SmallIntField()
    while_state = fields.CharField(max_length=16, null=True)
    happened_at = fields.DatetimeField()
    useful_until = fields.DatetimeField()
    state = fields.CharEnumField(NoticeState, max_length=8)
    # The channel that took it, and why others did not.
    channel = fields.CharField(max_length=12, null=True)
    fault = fields.CharField(max_length=64, null=True)
    try_after = fields.DatetimeField()
    tries = fields.SmallIntField(db_default=0)
    settled_at = fields.DatetimeField(null=True)
    read_at = fields.DatetimeField(null=True)

    class Meta:
        table = "notice"
        constraints = (
            UniqueConstraint(fields=("event_key", "citizen_id", "kind"), name="notice_once"),
            CheckConstraint(
                check="(state = 'waiting') = (settled_at IS NULL)", name="notice_until_settled"
            ),
        )
        indexes = (("citizen_id", "id"),)


class NoticeAttempt(Model):
    """That a channel was asked to deliver a notice, written before it is asked. Real time."""

    id = fields.BigIntField(primary_key=True, generated=True)
    notice_id = fields.UUIDField(db_index=True)
    channel = fields.CharField(max_length=12)
    # Whom the platform was to tell, as it knows her, and by which of its templates.
    subject = fields.CharField(max_length=128, null=True)
    template_id = fields.CharField(max_length=64)
    begun_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    result = fields.CharEnumField(AttemptResult, max_length=8, null=True)
    # The platform's own words for what went wrong, and its number of the message.
    code = fields.CharField(max_length=64, null=True)
    message_no = fields.CharField(max_length=128, null=True)

    class Meta:
        table = "notice_attempt"
        indexes = (("channel", "message_no"),)


class NoticeReceipt(Model):
    """What a platform told later of a message it took: it arrived, or it did not. Real time."""

    id = fields.BigIntField(primary_key=True, generated=True)
    channel = fields.CharField(max_length=12)
    message_no = fields.CharField(max_length=128)
    subject = fields.CharField(max_length=128, null=True)
    template_id = fields.CharField(max_length=64, null=True)
    # Null where it arrived, else the platform's word for why not.
    code = fields.CharField(max_length=64, null=True)
    # When it happened, as the platform's clock has it, where it says so.
    told_at = fields.DatetimeField(null=True)
    received_at = fields.DatetimeField()

    class Meta:
        table = "notice_receipt"
        constraints = (
            UniqueConstraint(fields=("channel", "message_no"), name="notice_receipt_once"),
        )


_WRITE: Final = """
    INSERT INTO notice (id, event_key, citizen_id, kind, ticket_id, hall_id, facts, urgency,
                        while_state, happened_at, useful_until, subject_id, state, try_after)
    SELECT uuidv7(), event_key, citizen_id, kind, ticket_id, hall_id, facts, urgency, while_state,
           happened_at, useful_until, subject_id, 'waiting', now()
    FROM unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::jsonb[],
                $7::smallint[], $8::text[], $9::timestamptz[], $10::timestamptz[], $11::uuid[])
        AS n (event_key, citizen_id, kind, ticket_id, hall_id, facts, urgency, while_state,
              happened_at, useful_until, subject_id)
    ON CONFLICT (event_key, citizen_id, kind) DO NOTHING
    RETURNING id
"""
_SHOWN: Final = (
    "id, kind, ticket_id, subject_id, hall_id, facts, happened_at, state, channel, read_at, purpose"
)
_LISTED: Final = f"""
    SELECT {_SHOWN} FROM notice
    WHERE citizen_id = {HER_ID} AND ($2::uuid IS NULL OR id < $2) AND (NOT $4 OR read_at IS NULL)
    ORDER BY id DESC LIMIT $3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """A notice to be written; its kind says how urgent it is and for how long of use.

    `facts` is a JSON object of what its templates may name.
    """

    event_key: str
    citizen_id: UUID
    kind: NoticeKind
    facts: str
    happened_at: datetime
    ticket_id: UUID | None = None
    hall_id: UUID | None = None
    subject_id: UUID | None = None


async def write(new: Sequence[New], *, tx: Transaction | None = None) -> int:
    """Write what people are to be told, each once whoever writes it; how many were new."""
    rules = [RULES[each.kind] for each in new]
    found = await rows(
        _WRITE,
        [each.event_key for each in new],
        [each.citizen_id for each in new],
        [each.kind.value for each in new],
        [each.ticket_id for each in new],
        [each.hall_id for each in new],
        [each.facts for each in new],
        [rule.urgency for rule in rules],
        [rule.while_state and rule.while_state.value for rule in rules],
        [each.happened_at for each in new],
        [each.happened_at + rule.useful for each, rule in zip(new, rules, strict=True)],
        [each.subject_id for each in new],
        tx=tx,
    )
    return len(found)


async def write_leave_now(tx: Transaction, ticket_ids: Sequence[UUID], *, now: datetime) -> None:
    """That it is time to set off, for who holds these tickets and who took them; each once."""
    rule = RULES[NoticeKind.LEAVE_NOW]
    await tx.run(
        """
        INSERT INTO notice (id, event_key, citizen_id, kind, ticket_id, hall_id, facts, urgency,
                            while_state, happened_at, useful_until, state, try_after)
        SELECT uuidv7(), 'leave:' || t.id, person, $3, t.id, t.hall_id,
               jsonb_build_object('number', t.number, 'item', t.item_id, 'line', t.line_id,
                   'minutes', greatest(1, (d.travel_s + 59) / 60)),
               $4, 'waiting', $2::timestamptz, $2::timestamptz + $5::interval, 'waiting', now()
        FROM departure d JOIN ticket t USING (id) CROSS JOIN LATERAL (
            SELECT t.citizen_id AS person UNION SELECT t.acting_id) whom
        WHERE d.id = ANY($1) AND person IS NOT NULL
        ON CONFLICT (event_key, citizen_id, kind) DO NOTHING
        """,
        list(ticket_ids),
        now,
        NoticeKind.LEAVE_NOW.value,
        rule.urgency,
        rule.useful,
    )


async def inbox(
    citizen_id: UUID, *, before: UUID | None, limit: int, unread: bool
) -> tuple[list[Any], int]:
    """A citizen's notices, the newest first, and how many of all she has not read.

    Two statements, and one where the first page shows all.
    """
    found = await rows(_LISTED, citizen_id, before, limit + 1, unread)
    if before is None and len(found) <= limit:
        return found, sum(row["read_at"] is None for row in found)
    [counted] = await rows(
        f"SELECT count(*) AS many FROM notice WHERE citizen_id = {HER_ID} AND read_at IS NULL",
        citizen_id,
    )
    return found, counted["many"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How an inbox stands: how many notices are unread, and the newest as it is listed."""

    citizen_id: UUID
    unread: int
    newest: Any | None


async def standing(citizen_ids: Sequence[UUID]) -> list[Standing]:
    """How each of these inboxes stands, in one statement."""
    found = await rows(
        f"""
        SELECT whose.id AS citizen_id, newest.*, (
            SELECT count(*) FROM notice n WHERE n.citizen_id = whose.id AND read_at IS NULL
        ) AS unread
        FROM unnest($1::uuid[]) AS whose (id) LEFT JOIN LATERAL (
            SELECT {_SHOWN} FROM notice n WHERE n.citizen_id = whose.id ORDER BY id DESC LIMIT 1
        ) newest ON true
        """,
        list(citizen_ids),
    )
    return [
        Standing(row["citizen_id"], row["unread"], row if row["id"] is not None else None)
        for row in found
    ]


async def mark_read(citizen_id: UUID, notice_id: UUID, *, now: datetime) -> Any | None:
    """Note that she has read it, once; the notice, None when it is none of hers."""
    found = await rows(
        "UPDATE notice SET read_at = coalesce(read_at, $3)"
        f" WHERE id = $2 AND citizen_id = {HER_ID} RETURNING {_SHOWN}",
        citizen_id,
        notice_id,
        now,
    )
    return found[0] if found else None


async def mark_all_read(citizen_id: UUID, *, up_to: UUID | None, now: datetime) -> int:
    """Note that she has read all, or all up to that one; how many that were."""
    found = await rows(
        "UPDATE notice SET read_at = $3"
        f" WHERE citizen_id = {HER_ID} AND read_at IS NULL AND ($2::uuid IS NULL OR id <= $2)"
        " RETURNING 1",
        citizen_id,
        up_to,
        now,
    )
    return len(found)


async def move_to(tx: Transaction, me: UUID, into: UUID) -> None:
    """Give a citizen's notices to another; what both were told stays once."""
    await tx.run(
        """
        WITH twice AS (
            DELETE FROM notice n USING notice o
            WHERE n.citizen_id = $1 AND o.citizen_id = $2
              AND o.event_key = n.event_key AND o.kind = n.kind
            RETURNING n.id
        )
        UPDATE notice SET citizen_id = $2
        WHERE citizen_id = $1 AND id NOT IN (SELECT id FROM twice)
        """,
        me,
        into,
    )
    await tx.run(
        "UPDATE notice_preference p SET citizen_id = $2 WHERE citizen_id = $1 AND NOT EXISTS ("
        " SELECT 1 FROM notice_preference o WHERE o.citizen_id = $2)",
        me,
        into,
    )
    await tx.run("DELETE FROM notice_preference WHERE citizen_id = $1", me)


async def forget(tx: Transaction, citizen_id: UUID) -> None:
    """Forget what a citizen was told, how, and how she wants to be told. Her links still stand."""
    await tx.run(
        "DELETE FROM notice_attempt WHERE notice_id IN ("
        " SELECT id FROM notice WHERE citizen_id = $1)",
        citizen_id,
    )
    await tx.run("DELETE FROM notice WHERE citizen_id = $1", citizen_id)
    await tx.run("DELETE FROM notice_preference WHERE citizen_id = $1", citizen_id)
    await tx.run(
        "DELETE FROM subscription s USING channel_link l WHERE l.citizen_id = $1"
        " AND s.platform = l.platform AND s.subject = l.subject",
        citizen_id,
    )
