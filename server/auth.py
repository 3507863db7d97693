"""Who is asking: access tokens, the guards that routes declare, and sign-ins ended early."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from uuid_utils.compat import uuid7

from models.sessions import PersonKind
from models.staff import Role
from server.errors import NotAllowed, NotFound, NotSignedIn
from server.whole_files import write_new

ACCESS_TOKEN_S = 15 * 60
AUDIENCE = "yiting-api"
ALGORITHM = "EdDSA"
_REMEMBERED_TOKENS = 50_000
_ROLES = tuple(Role)


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in person. `halls` is empty for citizens and for staff of every hall."""

    kind: PersonKind
    id: UUID
    sign_in_id: UUID
    role: Role | None = None
    halls: frozenset[str] = frozenset()

    def works_in(self, hall: str) -> bool:
        """Whether this member of staff belongs to the hall."""
        return self.kind is PersonKind.STAFF and (not self.halls or hall in self.halls)


@dataclass(frozen=True, slots=True)
class Guard:
    """What a route demands of whoever asks.

    `kind` None takes both kinds. `role` is the least role of staff; where the route's path names a
    `hall`, staff must belong to it.
    """

    kind: PersonKind | None = None
    role: Role | None = None
    signed_in: bool = True

    def admit(self, who: Principal, hall: str | None) -> None:
        """Raise NotAllowed unless this person may."""
        if self.kind is not None and who.kind is not self.kind:
            raise NotAllowed
        if self.role is not None:
            assert who.role is not None
            if _ROLES.index(who.role) < _ROLES.index(self.role):
                raise NotAllowed
            if hall is not None and not who.works_in(hall):
                raise NotAllowed


PUBLIC = Guard(signed_in=False)
SIGNED_IN = Guard()
CITIZEN = Guard(PersonKind.CITIZEN)
CLERK = Guard(PersonKind.STAFF, Role.CLERK)


class TokenKeys:
    """The Ed25519 keys that sign access tokens: the first signs, all verify, so keys can rotate."""

    def __init__(self, keys: Iterable[dict[str, Any]]) -> None:
        """`keys` are private OKP JWKs with a `kid`. Raises ValueError when there is none."""
        self._private = {
            key["kid"]: OKPAlgorithm.from_jwk(key) for key in keys if key.get("kty") == "OKP"
        }
        if not self._private:
            raise ValueError("the token key file holds no Ed25519 key with a kid")
        self.current = next(iter(self._private))
        self._public = {
            kid: key.public_key()
            for kid, key in self._private.items()
            if isinstance(key, Ed25519PrivateKey)
        }

    @classmethod
    def read(cls, path: Path) -> "TokenKeys":
        """Keys from a JWK Set file. Raises ValueError or OSError when it is not one."""
        return cls(json.loads(path.read_text())["keys"])

    @property
    def signing_key(self) -> Any:
        """The private key that signs now."""
        return self._private[self.current]

    def verifying_key(self, kid: object) -> Any:
        """The public key of that name. Raises NotSignedIn for one we do not have."""
        if not isinstance(kid, str) or kid not in self._public:
            raise NotSignedIn
        return self._public[kid]


def write_token_keys(path: Path) -> bool:
    """Make a new key file that only its owner can read; False when there is one already.

    The file is there whole or not at all, whenever this is interrupted. Raises OSError.
    """
    jwk = json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate()))
    return write_new(path, json.dumps({"keys": [{**jwk, "kid": uuid7().hex}]}))


class Tokens:
    """Issues and reads access tokens.

    A verified token is remembered until it expires, because checking an Ed25519 signature costs
    more than answering the request does. The memory is asked for the exact token text, so a
    changed token is always verified anew.
    """

    def __init__(self, keys: TokenKeys, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._remembered: dict[str, tuple[Principal, float]] = {}
        self.ended: set[UUID] = set()
        # Citizens whose accounts were joined: tokens from before bear the old id.
        self.joined: dict[UUID, UUID] = {}

    def issue(self, who: Principal) -> str:
        """A signed access token for ACCESS_TOKEN_S seconds."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": str(who.id),
            "sid": str(who.sign_in_id),
            "kind": who.kind.value,
            "iat": now,
            "exp": now + ACCESS_TOKEN_S,
        }
        if who.role is not None:
            claims |= {"role": who.role.value, "halls": sorted(who.halls)}
        return jwt.encode(
            claims,
            self._keys.signing_key,
            algorithm=ALGORITHM,
            headers={"kid": self._keys.current, "typ": "at+jwt"},
        )

    def read(self, token: str) -> Principal:
        """Who the token is for. Raises NotSignedIn when it is forged, expired, foreign or ended."""
        remembered = self._remembered.get(token)
        if remembered is None:
            remembered = self._verify(token)
            self._remember(token, remembered)
        who, expires = remembered
        if expires <= time.time():
            self._remembered.pop(token, None)
            raise NotSignedIn
        if who.sign_in_id in self.ended:
            raise NotSignedIn
        return self.as_now(who)

    def end(self, sign_in_id: UUID) -> None:
        """Refuse every token of a sign-in from now on."""
        self.ended.add(sign_in_id)

    def as_now(self, who: Principal) -> Principal:
        """Somebody as she is known since her accounts were joined."""
        now_id = self.joined.get(who.id)
        return who if now_id is None else replace(who, id=now_id)

    def join(self, was: UUID, now: UUID) -> None:
        """Read tokens of one citizen as another's from now on: they are the same person."""
        for old_id, new_id in self.joined.items():
            if new_id == was:
                self.joined[old_id] = now
        self.joined[was] = now

    def _remember(self, token: str, verified: tuple[Principal, float]) -> None:
        if len(self._remembered) >= _REMEMBERED_TOKENS:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[token] = verified

    def _verify(self, token: str) -> tuple[Principal, float]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != "at+jwt":
                raise NotSignedIn
            claims = jwt.decode(
                token,
                self._keys.verifying_key(header.get("kid")),
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
            who = Principal(
                kind=PersonKind(claims["kind"]),
                id=UUID(claims["sub"]),
                sign_in_id=UUID(claims["sid"]),
                role=Role(claims["role"]) if "role" in claims else None,
                halls=frozenset(claims.get("halls", ())),
            )
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, AttributeError):
            raise NotSignedIn from None
        return who, float(claims["exp"])


@lru_cache(maxsize=10_000)
def own_id(text: str) -> UUID:
    """An id out of a path; remembered, because phones ask for theirs again and again.

    Raises NotFound when it is none: no such thing can exist.
    """
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None
