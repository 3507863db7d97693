"""Knowing a citizen's real name: by the identity provider, and by her face."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

import redis.asyncio as aioredis

from integrations.ports import FaceCheckStarted, PlatformRefused, Platforms, RealNameCheck
from models.identifiers import IdDocument, IdType, NotAnIdentifier, read_id, read_name
from models.knowing import citizen_with_id, known
from models.sealing import Sealer
from server.errors import FieldFault, InvalidRequest, TooManyRequests
from server.identity.joining import Proven
from server.identity.refusals import (
    EMPTY,
    NOT_A_NUMBER,
    FaceNotPassed,
    IdentityMismatch,
    NotAvailable,
)

FACE_CHECK_LIVES_S = 23 * 3600
BY_NUMBER, BY_FACE = 2, 3


@dataclass(frozen=True, slots=True)
class Claim:
    """Who somebody says she is, in the one form in which it is compared and stored."""

    name: str
    document: IdDocument


def read_claim(name: str, id_type: IdType, id_number: str, *, today: date) -> Claim:
    """What she typed. Raises InvalidRequest that names the field and the kind of mistake."""
    try:
        document = read_id(id_type, id_number, today=today)
    except NotAnIdentifier as fault:
        raise InvalidRequest(errors=[FieldFault("/id_number", NOT_A_NUMBER[fault.fault])]) from None
    if not (told := read_name(name)):
        raise InvalidRequest(errors=[FieldFault("/name", EMPTY)])
    return Claim(told, document)


class RealNames:
    """Proves claims; what a face check was started for is kept in Valkey until it is asked."""

    def __init__(self, platforms: Platforms, sealer: Sealer, valkey: aioredis.Redis) -> None:
        self._platforms = platforms
        self._sealer = sealer
        self._valkey = valkey

    async def start_face_check(self, citizen_id: UUID, claim: Claim) -> FaceCheckStarted:
        """Start a face check for this claim.

        Raises NotAvailable, IdentityMismatch, TooManyRequests or PlatformUnavailable.
        """
        if self._platforms.faces is None:
            raise NotAvailable
        try:
            started = await self._platforms.faces.start(claim.name, claim.document.number)
        except PlatformRefused as refusal:
            raise _refusal(refusal) from None
        kept = self._fingerprint(citizen_id, claim)
        await self._valkey.set(_face_key(started.certify_id), kept, ex=FACE_CHECK_LIVES_S)
        return started

    async def prove(self, citizen_id: UUID, claim: Claim, certify_id: str | None) -> Proven:
        """Prove a claim: by name and number, or also by the face check of that id.

        Raises NotAvailable, IdentityMismatch, FaceNotPassed, TooManyRequests or
        PlatformUnavailable.
        """
        if self._platforms.real_names is None:
            raise NotAvailable
        if certify_id is not None:
            await self._require_face(citizen_id, claim, certify_id)
        if not await self._is_known(claim):
            await self._require_match(self._platforms.real_names, claim)
        level = BY_NUMBER if certify_id is None else BY_FACE
        return Proven(claim.name, claim.document, level, datetime.now(UTC))

    async def _is_known(self, claim: Claim) -> bool:
        """Whether this name was found to belong to this number before: each question costs."""
        document = claim.document
        found = await citizen_with_id(None, self._sealer, document.id_type, document.number)
        if found is None:
            return False
        return (await known(None, self._sealer, found)).name == claim.name

    async def _require_match(self, real_names: RealNameCheck, claim: Claim) -> None:
        document = claim.document
        try:
            right = await real_names.matches(claim.name, document.id_type, document.number)
        except PlatformRefused as refusal:
            raise _refusal(refusal) from None
        if not right:
            raise IdentityMismatch

    async def _require_face(self, citizen_id: UUID, claim: Claim, certify_id: str) -> None:
        kept = await self._valkey.get(_face_key(certify_id))
        if kept != self._fingerprint(citizen_id, claim).encode():
            raise FaceNotPassed
        assert self._platforms.faces, "a check was started there"
        try:
            passed = await self._platforms.faces.passed(certify_id)
        except PlatformRefused as refusal:
            raise _refusal(refusal) from None
        if not passed:
            raise FaceNotPassed

    def _fingerprint(self, citizen_id: UUID, claim: Claim) -> str:
        """Whose check for which name and number it is, without telling either."""
        said = f"{citizen_id} {claim.document.id_type} {claim.document.number} {claim.name}"
        return self._sealer.blind_index("face_check", said)


def _refusal(refusal: PlatformRefused) -> Exception:
    return TooManyRequests(60) if refusal.reason == "too_often" else IdentityMismatch()


def _face_key(certify_id: str) -> str:
    return f"yiting:face:{certify_id}"
