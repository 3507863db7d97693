"""Who is asking: access tokens, the guards that routes declare, and sign-ins ended early."""

import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol
from uuid import UUID

import jwt

from models.sessions import PersonKind
from models.staff import Role
from server.errors import (
    NotAllowed,
    NotFound,
    NotSignedIn,
    PasswordChangeRequired,
    Refusal,
    TotpEnrolmentRequired,
)
from server.keys.token_keys import Seldom, TokenKeys

ACCESS_TOKEN_S = 15 * 60
AUDIENCE = "yiting-api"
ALGORITHM = "EdDSA"
# How far ahead the clock of the machine that issued a token may be.
CLOCKS_DIFFER_S = 60
UNKNOWN_KEY_LOOK_S = 1.0
_REMEMBERED_TOKENS = 50_000


class Duty(StrEnum):
    """What a member of staff has to do before anything else."""

    CHANGE_PASSWORD = "change_password"  # noqa: S105 a duty, no password
    ENROL_TOTP = "enrol_totp"


_UNDONE: dict[Duty, type[Refusal]] = {
    Duty.CHANGE_PASSWORD: PasswordChangeRequired,
    Duty.ENROL_TOTP: TotpEnrolmentRequired,
}


class Standing(Protocol):
    """Where a hall stands in the city: its level, and the codes of the halls above it."""

    @property
    def level(self) -> str:
        """`city`, `town` or `village`."""

    @property
    def above(self) -> frozenset[str]:
        """From the hall it belongs to up to the city's."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in person, or a kiosk: then `sign_in_id` is its own id, and `halls` its one hall.

    Staff work in the `halls` named, and in all halls of the `levels` named: those below the halls
    named, or wherever they are when none is. With neither, in every hall.
    """

    kind: PersonKind
    id: UUID
    sign_in_id: UUID
    role: Role | None = None
    halls: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()
    duty: Duty | None = None

    @property
    def everywhere(self) -> bool:
        """Whether this member of staff belongs to every hall."""
        return self.kind is PersonKind.STAFF and not self.halls and not self.levels

    def works_in(self, hall: str, standing: Standing | None) -> bool:
        """Whether this member of staff belongs to the hall; `standing` None: there is none such."""
        if self.everywhere or hall in self.halls:
            return self.kind is PersonKind.STAFF
        if standing is None or standing.level not in self.levels:
            return False
        return not self.halls or not self.halls.isdisjoint(standing.above)


@dataclass(frozen=True, slots=True)
class Guard:
    """What a route demands of whoever asks.

    `kind` None takes both kinds. `roles` are the roles of staff that may, and where the route's
    path names a `hall`, they must belong to it; `everywhere`: only those of every hall may.
    `counted`: that so many requests come from one address in a while is refused.
    `before_duty`: also who has a duty to do first. `kiosks`: kiosks of the path's `hall` may, too;
    no other route takes them. `systems`: departments' systems, by their client id and secret.
    """

    kind: PersonKind | None = None
    roles: frozenset[Role] = frozenset()
    signed_in: bool = True
    everywhere: bool = False
    before_duty: bool = False
    kiosks: bool = False
    counted: bool = True
    systems: bool = False

    def admit(self, who: Principal, hall: str | None, halls: Mapping[str, Standing]) -> None:
        """Raise NotAllowed unless this person may, or the refusal that names her duty."""
        if who.kind is PersonKind.KIOSK:
            if not self.kiosks or hall not in who.halls:
                raise NotAllowed
            return
        if self.kind is not None and who.kind is not self.kind:
            raise NotAllowed
        if who.duty is not None and not self.before_duty:
            raise _UNDONE[who.duty]
        if not self.roles:
            return
        if who.role not in self.roles or (self.everywhere and not who.everywhere):
            raise NotAllowed
        if hall is not None and not who.works_in(hall, halls.get(hall)):
            raise NotAllowed


def staff(
    *roles: Role, everywhere: bool = False, before_duty: bool = False, kiosks: bool = False
) -> Guard:
    """The guard of a route for staff of these roles; each is named, none is implied by another."""
    return Guard(
        PersonKind.STAFF,
        frozenset(roles),
        everywhere=everywhere,
        before_duty=before_duty,
        kiosks=kiosks,
    )


PUBLIC = Guard(signed_in=False)
# Payment channels: the signature is the key, and all their news come from a few addresses.
CHANNEL = Guard(signed_in=False, counted=False)
# Departments' systems: their credentials are the key, and one address may ask for all of them.
DEPARTMENT = Guard(signed_in=False, counted=False, systems=True)
SIGNED_IN = Guard()
# Signing out needs nothing done first.
SIGNED_IN_AT_ALL = Guard(before_duty=True)
CITIZEN = Guard(PersonKind.CITIZEN)
STAFF = staff(*Role)
# What has to be done first can be done, whatever else has to be done first.
STAFF_AT_ALL = staff(*Role, before_duty=True)
# Who acts in a hall; auditors only read.
CLERK = staff(Role.CLERK, Role.HALL_MANAGER, Role.SUPERVISOR, Role.ADMIN)
# Who gives out numbers where people come in: a clerk at the help desk, a kiosk.
AT_THE_HALL = staff(Role.CLERK, Role.HALL_MANAGER, Role.SUPERVISOR, Role.ADMIN, kiosks=True)
# Who arranges what a hall does.
HALL_ADMIN = staff(Role.HALL_MANAGER, Role.ADMIN)
# Who is shown at once what a clerk calls for.
WATCHES_HALL = staff(Role.HALL_MANAGER, Role.SUPERVISOR, Role.ADMIN)
# Accounts reach everywhere, so who makes them must too.
ACCOUNTS_ADMIN = staff(Role.ADMIN, everywhere=True)


# Who a token is for now; until when it holds (Unix time); the count of changes when that was found;
# and who it says that it is for.
_Remembered = tuple[Principal, float, int, Principal]


class Tokens:
    """Issues and reads access tokens.

    A verified token is remembered until it expires, because checking an Ed25519 signature costs
    more than answering the request does. The memory is asked for the exact token text, so a
    changed token is always verified anew.
    """

    def __init__(
        self,
        keys: TokenKeys,
        issuer: str,
        newer_keys: Callable[[], TokenKeys | None] = lambda: None,
    ) -> None:
        """`newer_keys` answers keys that came after those in use, if there are any."""
        self._keys = keys
        self._issuer = issuer
        self._newer_keys = newer_keys
        # Anybody can name keys that nobody has: looking for each would be asked without end.
        self._look_for_key = Seldom(self.take_newer_keys, UNKNOWN_KEY_LOOK_S)
        self._remembered: dict[str, _Remembered] = {}
        self._ended: set[UUID] = set()
        self._joined: dict[UUID, UUID] = {}
        # Rises whenever it becomes known that somebody's sign-in ended or accounts were joined.
        self._changes = 0

    @property
    def ended(self) -> AbstractSet[UUID]:
        """The sign-ins whose tokens are refused; set the whole to change it, or `end` one."""
        return self._ended

    @ended.setter
    def ended(self, sign_in_ids: AbstractSet[UUID]) -> None:
        self._ended = set(sign_in_ids)
        self._changes += 1

    @property
    def joined(self) -> Mapping[UUID, UUID]:
        """Citizens whose accounts were joined: tokens from before bear the old id."""
        return self._joined

    @joined.setter
    def joined(self, ids: Mapping[UUID, UUID]) -> None:
        self._joined = dict(ids)
        self._changes += 1

    def take_newer_keys(self) -> None:
        """Sign and verify with newer keys, if there are any."""
        newer = self._newer_keys()
        if newer is None:
            return
        if self._keys.names - newer.names:
            # What a dropped key signed is not believed any more.
            self._remembered.clear()
        self._keys = newer

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
            claims |= {"levels": sorted(who.levels)} if who.levels else {}
            claims |= {"duty": who.duty.value} if who.duty else {}
        return jwt.encode(
            claims,
            self._keys.signing_key,
            algorithm=ALGORITHM,
            headers={"kid": self._keys.current, "typ": "at+jwt"},
        )

    def read(self, token: str) -> Principal:
        """Who the token is for. Raises NotSignedIn when it is forged, expired, foreign or ended."""
        remembered = self._remembered.get(token)
        if remembered is None or remembered[2] != self._changes:
            remembered = self._look_again(token, remembered)
        who, expires, _, _ = remembered
        if expires <= time.time():
            self._remembered.pop(token, None)
            raise NotSignedIn
        return who

    def knows(self, token: str) -> bool:
        """Whether a token is remembered, and has not expired."""
        remembered = self._remembered.get(token)
        return remembered is not None and remembered[1] > time.time()

    def learn(self, token: str, who: Principal, *, for_s: int) -> None:
        """Take a token of another kind, that was looked up elsewhere, for somebody's for a while.

        No longer than ACCESS_TOKEN_S: for so long it is known which of them have ended since.
        """
        if who.sign_in_id not in self._ended:
            self._remember(token, (who, time.time() + for_s, self._changes, who))

    def _look_again(self, token: str, remembered: _Remembered | None) -> _Remembered:
        """What is to be remembered of a token, as things are now. Raises NotSignedIn."""
        if remembered is None:
            said, expires = self._verify(token)
        else:
            _, expires, _, said = remembered
        if said.sign_in_id in self._ended:
            raise NotSignedIn
        now = self.as_now(said), expires, self._changes, said
        self._remember(token, now)
        return now

    def _remember(self, token: str, what: _Remembered) -> None:
        if token not in self._remembered and len(self._remembered) >= _REMEMBERED_TOKENS:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[token] = what

    def end(self, sign_in_id: UUID) -> None:
        """Refuse every token of a sign-in from now on."""
        self._ended.add(sign_in_id)
        self._changes += 1

    def as_now(self, who: Principal) -> Principal:
        """Somebody as she is known since her accounts were joined."""
        now_id = self._joined.get(who.id)
        return who if now_id is None else replace(who, id=now_id)

    def join(self, was: UUID, now: UUID) -> None:
        """Read tokens of one citizen as another's from now on: they are the same person."""
        for old_id, new_id in self._joined.items():
            if new_id == was:
                self._joined[old_id] = now
        self._joined[was] = now
        self._changes += 1

    def _verify(self, token: str) -> tuple[Principal, float]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != "at+jwt":
                raise NotSignedIn
            claims = jwt.decode(
                token,
                self._key(header.get("kid")),
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                options={
                    "require": ["exp", "iat", "sub", "aud", "iss"],
                    # PyJWT's own check lets no clock differ; ours follows.
                    "verify_iat": False,
                },
            )
            _require_short_life(claims["iat"], claims["exp"])
            who = Principal(
                kind=PersonKind(claims["kind"]),
                id=UUID(claims["sub"]),
                sign_in_id=UUID(claims["sid"]),
                role=Role(claims["role"]) if "role" in claims else None,
                halls=frozenset(claims.get("halls", ())),
                levels=frozenset(claims.get("levels", ())),
                duty=Duty(claims["duty"]) if "duty" in claims else None,
            )
        except (jwt.PyJWTError, KeyError, ValueError, TypeError, AttributeError):
            raise NotSignedIn from None
        return who, float(claims["exp"])

    def _key(self, kid: object) -> Any:
        """The key of that name; one never seen before may just have come into the file."""
        if isinstance(kid, str) and kid not in self._keys.names:
            self._look_for_key()
        return self._keys.verifying_key(kid)


def _require_short_life(issued: object, expires: object) -> None:
    """Raise NotSignedIn for a token of tomorrow, and for one that lives longer than ours do.

    Whatever else our key may have signed: no token outlives the memory of ended sign-ins.
    """
    # As we write them: PyJWT also reads texts as numbers, and a truth is a number in Python.
    if type(issued) is not int or type(expires) is not int:
        raise NotSignedIn
    if issued > time.time() + CLOCKS_DIFFER_S:
        raise NotSignedIn
    if expires - issued > ACCESS_TOKEN_S + CLOCKS_DIFFER_S:
        raise NotSignedIn


@lru_cache(maxsize=10_000)
def own_id(text: str) -> UUID:
    """An id out of a path; remembered, because phones ask for theirs again and again.

    Raises NotFound when it is none: no such thing can exist.
    """
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None
