"""Knowing a citizen's real name: by the identity provider, and by her face."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

import redis.asyncio as aioredis

from integrations.ports import (
    FaceCheckStarted,
    PlatformRefused,
    Platforms,
    PlatformUnavailable,
    RealNameCheck,
)
from models.database import rows
from models.identifiers import IdDocument, IdType, NotAnIdentifier, read_id, read_name
from models.joined import HER_ID
from models.knowing import citizen_with_id, known
from models.sealing import Sealer
from server.errors import FieldFault, InvalidRequest, NotAvailable, TooManyRequests
from server.http.limits import (
    FACES_PERSON,
    NAMING_ADDRESS,
    NAMING_NUMBER,
    NAMING_PERSON,
    Limits,
    Tries,
)
from server.identity.joining import Proven
from server.identity.refusals import (
    EMPTY,
    NOT_A_NUMBER,
    FaceNotPassed,
    IdentityFixed,
    IdentityMismatch,
)
from server.services import Services

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

    def __init__(
        self,
        platforms: Platforms,
        sealer: Sealer,
        valkey: aioredis.Redis,
        limits: Limits,
        *,
        face_to_join: bool,
    ) -> None:
        """`face_to_join`: name and number alone join nobody into another account."""
        self._platforms = platforms
        self._face_to_join = face_to_join
        self._sealer = sealer
        self._valkey = valkey
        self._limits = limits

    async def start_face_check(
        self, citizen_id: UUID, claim: Claim, address: str
    ) -> FaceCheckStarted:
        """Start a face check for this claim.

        Raises NotAvailable, IdentityFixed, IdentityMismatch, TooManyRequests or
        PlatformUnavailable.
        """
        if self._platforms.faces is None:
            raise NotAvailable
        await self._require_free(citizen_id, claim)
        async with self._trying(citizen_id, claim, address, paid=[(FACES_PERSON, citizen_id)]):
            try:
                started = await self._platforms.faces.start(claim.name, claim.document.number)
            except PlatformRefused as refusal:
                raise _refusal(refusal) from None
        kept = self._fingerprint(citizen_id, claim)
        await self._valkey.set(_face_key(started.certify_id), kept, ex=FACE_CHECK_LIVES_S)
        return started

    async def prove(
        self, citizen_id: UUID, claim: Claim, certify_id: str | None, address: str
    ) -> Proven:
        """Prove a claim: by name and number, or also by the face check of that id.

        Raises NotAvailable, IdentityFixed, IdentityMismatch, FaceNotPassed, TooManyRequests or
        PlatformUnavailable.
        """
        if self._platforms.real_names is None:
            raise NotAvailable
        await self._require_free(citizen_id, claim)
        # Also before we look whether we know it: that answers strangers' guesses just as well.
        async with self._trying(citizen_id, claim, address):
            if certify_id is not None:
                await self._require_face(citizen_id, claim, certify_id)
            if not await self._is_known(claim):
                await self._require_match(self._platforms.real_names, claim)
        level = BY_NUMBER if certify_id is None else BY_FACE
        may_join = level == BY_FACE or not self._face_to_join
        return Proven(claim.name, claim.document, level, datetime.now(UTC), may_join)

    async def require_pair(self, citizen_id: UUID, claim: Claim, address: str) -> None:
        """Ask whether somebody else's name and number belong together.

        Always of the provider, where there is one: what we know ourselves would be told faster.
        Raises IdentityMismatch, TooManyRequests or PlatformUnavailable.
        """
        if self._platforms.real_names is not None:
            async with self._trying(citizen_id, claim, address):
                await self._require_match(self._platforms.real_names, claim)

    @asynccontextmanager
    async def _trying(
        self, citizen_id: UUID, claim: Claim, address: str, *, paid: Tries = ()
    ) -> AsyncIterator[None]:
        """One try at a name and a number, counted before it is made: many at once pass no limit.

        It counts when they do not belong together, or when whoever asked did not wait for the
        answer; what is `paid` for counts whenever it was done. Raises TooManyRequests.
        """
        tries: Tries = [
            (NAMING_PERSON, citizen_id),
            (NAMING_NUMBER, self._index(claim)),
            (NAMING_ADDRESS, address),
        ]
        await self._limits.take([*tries, *paid])
        try:
            yield
        except IdentityMismatch:
            raise
        except PlatformUnavailable:
            await self._limits.give_back([*tries, *paid])
            raise
        except Exception:
            await self._limits.give_back(tries)
            raise
        await self._limits.give_back(tries)

    async def _require_free(self, citizen_id: UUID, claim: Claim) -> None:
        """Raise IdentityFixed when she is known by another number: then nobody need be asked."""
        found = await rows(
            f"SELECT id_index FROM citizen WHERE id = {HER_ID}",  # noqa: S608 a constant
            citizen_id,
        )
        if found and found[0]["id_index"] not in {None, self._index(claim)}:
            raise IdentityFixed

    def _index(self, claim: Claim) -> str:
        return self._sealer.blind_index(claim.document.id_type, claim.document.number)

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


def of(room: Services) -> RealNames:
    """The proving of names with this room's means."""
    return RealNames(
        room.platforms,
        room.sealer,
        room.valkey,
        room.limits,
        face_to_join=room.settings.face_to_join,
    )


def _refusal(refusal: PlatformRefused) -> Exception:
    return TooManyRequests(60) if refusal.reason == "too_often" else IdentityMismatch()


def _face_key(certify_id: str) -> str:
    return f"yiting:face:{certify_id}"
