"""The audit log: who looked at or changed what is personal, each entry chained to the one before.

An entry's hash is SHA-256 over the previous entry's hash and the entry's canonical JSON, so that to
change, drop or move one is to break the chain at that place. The head keeps how long the chain is,
and its row is the lock that orders it. Witnesses are heads that a process with the personal keys
has signed; they are what somebody with the database but without the keys cannot make.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from models.database import Transaction
from models.identifiers import is_id, is_mobile
from models.tickets import Actor

START: Final = "0" * 64
Detail: TypeAlias = Mapping[str, str | int | bool | Sequence[str] | None]
_LONGEST: Final = 200
_AT: Final = "%Y-%m-%dT%H:%M:%S.%f"


class AuditEntry(Model):
    """One look at, or change to, personal data. Only ever added; a trigger refuses the rest."""

    seq = fields.BigIntField(primary_key=True, generated=False)
    at = fields.DatetimeField()
    actor_kind = fields.CharField(max_length=16)
    actor_id = fields.UUIDField(null=True)
    on_behalf_of = fields.UUIDField(null=True)
    action = fields.CharField(max_length=64)
    subject_kind = fields.CharField(max_length=32)
    subject_id = fields.CharField(max_length=64, null=True)
    detail: fields.JSONField[dict[str, Any]] = fields.JSONField()
    previous = fields.CharField(max_length=64)
    hash = fields.CharField(max_length=64)

    class Meta:
        table = "audit_entry"
        indexes = (
            Index(fields=("subject_id", "seq"), name="audit_of_subject"),
            Index(fields=("actor_id", "seq"), name="audit_of_actor"),
            Index(fields=("on_behalf_of", "seq"), name="audit_of_whom"),
        )


class AuditHead(Model):
    """The one row that says how long the chain is and how it ends; locked by whoever adds to it."""

    id = fields.SmallIntField(primary_key=True, generated=False)
    seq = fields.BigIntField()
    hash = fields.CharField(max_length=64)

    class Meta:
        table = "audit_head"


class AuditWitness(Model):
    """That the chain once ended so, signed with a key that the database does not have."""

    seq = fields.BigIntField(primary_key=True, generated=False)
    hash = fields.CharField(max_length=64)
    at = fields.DatetimeField()
    mac = fields.CharField(max_length=64)

    class Meta:
        table = "audit_witness"


class NotForTheLog(ValueError):
    """A detail holds what may be personal: the log keeps ids and words of ours, never data."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What to record. `action` is `citizen.joined`, `citizen.looked_at` and the like.

    `detail` says what was looked at or changed by the names of fields, never by their contents.
    `on_behalf_of` is the citizen for whom the actor acted, or the proxy where that person is none.
    """

    actor: Actor
    action: str
    subject_kind: str
    subject_id: UUID | str | None
    on_behalf_of: UUID | None = None
    detail: Detail = field(default_factory=dict)


_ADD: Final = r"""
WITH head AS (
    UPDATE audit_head
    SET seq = seq + 1, hash = encode(sha256(convert_to(hash || E'\n' || $1, 'UTF8')), 'hex')
    WHERE id = 1
    RETURNING new.seq AS seq, old.hash AS previous, new.hash AS hash
)
INSERT INTO audit_entry (seq, at, actor_kind, actor_id, on_behalf_of, action,
    subject_kind, subject_id, detail, previous, hash)
SELECT seq, $2, $3, $4, $5, $6, $7, $8, $9, previous, hash FROM head
RETURNING seq
"""


async def record(tx: Transaction, entry: Entry) -> int:
    """Add an entry, in the transaction that looks or changes; answers its place in the chain.

    Record last before the commit: from here on every other transaction that records waits for this
    one, and whoever took a lock after it could wait for one that waits here. Raises NotForTheLog.
    """
    row = await tx.row(_ADD, *_columns(entry, datetime.now(UTC)))
    if row is None:
        raise LookupError("audit_head has lost its row")
    seq: int = row["seq"]
    return seq


async def record_all(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Add several entries in one round trip, as `record` adds one. Raises NotForTheLog."""
    at = datetime.now(UTC)
    await tx.connection.executemany(_ADD, [_columns(each, at) for each in entries])


def _columns(entry: Entry, at: datetime) -> tuple[Any, ...]:
    _check(entry)
    subject_id = None if entry.subject_id is None else str(entry.subject_id)
    detail = dict(entry.detail)
    body = canonical(
        at=at.strftime(_AT),
        actor_kind=entry.actor.kind,
        actor_id=entry.actor.id,
        on_behalf_of=entry.on_behalf_of,
        action=entry.action,
        subject_kind=entry.subject_kind,
        subject_id=subject_id,
        detail=detail,
    )
    return (
        body,
        at,
        entry.actor.kind,
        entry.actor.id,
        entry.on_behalf_of,
        entry.action,
        entry.subject_kind,
        subject_id,
        json.dumps(detail),
    )


def canonical(
    *,
    at: str | None,
    actor_kind: str,
    actor_id: UUID | None,
    on_behalf_of: UUID | None,
    action: str,
    subject_kind: str,
    subject_id: str | None,
    detail: Any,
) -> str:
    """An entry as the one text that is hashed; its place is told by the chain.

    `at` is in UTC with microseconds: `2026-11-23T01:30:00.000000`.
    """
    parts = [
        at,
        actor_kind,
        str(actor_id) if actor_id else None,
        str(on_behalf_of) if on_behalf_of else None,
        action,
        subject_kind,
        subject_id,
        detail,
    ]
    return json.dumps(parts, sort_keys=True, separators=(",", ":"))


def hash_of(previous: str, body: str) -> str:
    """The hash of an entry that follows the one with the hash `previous`."""
    return hashlib.sha256(f"{previous}\n{body}".encode()).hexdigest()


def _check(entry: Entry) -> None:
    for name in (entry.action, entry.subject_kind, entry.actor.kind, *entry.detail):
        if not _is_ours(name):
            raise NotForTheLog("names of actions, kinds and fields are words of ours")
    if isinstance(entry.subject_id, str) and not _is_ours(entry.subject_id):
        raise NotForTheLog(f"the subject of {entry.action}")
    for name, value in entry.detail.items():
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        if not all(_is_harmless(one) for one in values):
            raise NotForTheLog(f"{name} of {entry.action}")


def _is_harmless(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return _is_ours(str(value))
    return isinstance(value, str) and _is_ours(value)


def _is_ours(text: str) -> bool:
    """Whether a text can be one of ours. Ours are ASCII, so nobody's Chinese name is."""
    if len(text) > _LONGEST or not text.isascii() or not text.isprintable():
        return False
    return not any(is_mobile(word) or is_id("resident_id", word) for word in _words(text))


def _words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() else " " for letter in text).split()
