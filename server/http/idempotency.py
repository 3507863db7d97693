"""Phones ask twice: the same `Idempotency-Key` from the same person gets the first answer again."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from sanic import Request
from uuid_utils.compat import uuid7

from models.answers import FirstAnswer
from models.database import Transaction, rows
from server.errors import IdempotencyKeyReused, InvalidRequest
from server.services import services

HEADER = "Idempotency-Key"
LONGEST_KEY = 128
_NO_KEY = (
    f"{HEADER} 应为 1–{LONGEST_KEY} 个可见 ASCII 字符。",
    f"{HEADER} must be 1 to {LONGEST_KEY} printable ASCII characters.",
)
_encode = msgspec.json.Encoder().encode


class AlreadyAnswered(Exception):
    """The request was answered before; here is that answer."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body
        super().__init__(status)


class Once:
    """The promise that a request has one effect. Without a key it promises nothing, at no cost.

    Both calls belong into the transaction that has the effect, so key and effect stand or fall
    together.
    """

    def __init__(self, person_id: UUID, key: str | None, fingerprint: str) -> None:
        self._person_id = person_id
        self._key = key
        self._fingerprint = fingerprint

    @property
    def has_key(self) -> bool:
        """Whether the request came with a key."""
        return self._key is not None

    async def claim(self, tx: Transaction) -> None:
        """Take the key, waiting for a request under way with it.

        Raises AlreadyAnswered with the first answer, or IdempotencyKeyReused.
        """
        if self._key is None:
            return
        taken = await tx.row(
            """
            INSERT INTO answer (id, person_id, key, fingerprint, created_at)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (person_id, key) DO NOTHING RETURNING id
            """,
            uuid7(),
            self._person_id,
            self._key,
            self._fingerprint,
            datetime.now(UTC),
        )
        if taken is not None:
            return
        first = await tx.row(
            "SELECT fingerprint, status, body FROM answer WHERE person_id = $1 AND key = $2",
            self._person_id,
            self._key,
        )
        if first is None or first["fingerprint"] != self._fingerprint:
            raise IdempotencyKeyReused
        raise AlreadyAnswered(first["status"], first["body"])

    def first_answer(
        self, answer: Callable[[Sequence[datetime]], Any], *, status: int
    ) -> FirstAnswer | None:
        """For who keeps key and answer by a statement of many; None without a key.

        `answer` makes what msgspec can encode.
        """
        if self._key is None:
            return None
        return FirstAnswer(
            self._person_id,
            self._key,
            self._fingerprint,
            status,
            lambda found: _encode(answer(found)),
        )

    async def recall(self) -> None:
        """Look whether this was answered, where the effect is a platform's and not a transaction's.

        Raises AlreadyAnswered with the first answer, or IdempotencyKeyReused.
        """
        if self._key is None:
            return
        first = await rows(
            "SELECT fingerprint, status, body FROM answer WHERE person_id = $1 AND key = $2",
            self._person_id,
            self._key,
        )
        if not first:
            return
        if first[0]["fingerprint"] != self._fingerprint:
            raise IdempotencyKeyReused
        raise AlreadyAnswered(first[0]["status"], first[0]["body"])

    async def keep(self, tx: Transaction, answer: Any, *, status: int) -> None:
        """Remember the answer: anything msgspec can encode."""
        if self._key is not None:
            await tx.run(
                "UPDATE answer SET status = $3, body = $4 WHERE person_id = $1 AND key = $2",
                self._person_id,
                self._key,
                status,
                _encode(answer),
            )


def once(request: Request, person_id: UUID) -> Once:
    """The promise for this request of this person. Raises InvalidRequest for an impossible key."""
    key = request.headers.get(HEADER)
    if key is None:
        return Once(person_id, None, "")
    if not key or len(key) > LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise InvalidRequest(_NO_KEY)
    said = b"\0".join([request.method.encode(), request.path.encode(), request.body])
    # Signed: whoever reads the table could else guess a name and a number and see that it fits.
    fingerprint = services(request).sealer.sign("request", hashlib.sha256(said).hexdigest())
    return Once(person_id, key, fingerprint)
