"""A province that speaks OpenID Connect: authorization code with state, nonce and PKCE (S256).

Contracts: OpenID Connect Core 1.0 and Discovery 1.0, RFC 6749, RFC 7636. What a level is called
and where name and id number stand is each province's own, hence `ClaimNames` and `levels`.
"""

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

import httpx
from msgspec import Struct
from msgspec.json import Decoder

from integrations.asking import Asking, require_code
from integrations.ports import (
    IdType,
    PlatformRefused,
    PlatformUnavailable,
    ProvinceVisitor,
    RefusalReason,
)
from integrations.province.handshake import require_verifier, vouched, with_query
from integrations.province.id_token import NotGenuine, OtherSignIn, named_key, read_id_token
from integrations.province.provider import Endpoints, Provider

_REFUSALS: Final[dict[str, RefusalReason]] = {
    # Unknown, spent, expired, another redirect, a wrong verifier: RFC 6749 has one word for all.
    "invalid_grant": "code_invalid",
    "access_denied": "user_blocked",
}
_OUR_FAULT: Final = frozenset(
    {
        "invalid_client",
        "unauthorized_client",
        "invalid_request",
        "invalid_scope",
        "unsupported_grant_type",
    }
)
LEVELS: Final[Mapping[str, int]] = {"L0": 0, "L1": 1, "L2": 2, "L3": 3}
ID_TYPES: Final[Mapping[str, IdType]] = {"10": "resident_id", "20": "passport"}


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Where this province writes what; `level` is a claim of the ID token or of userinfo."""

    level: str = "acr"
    name: str = "name"
    id_type: str = "id_type"
    id_number: str = "id_number"
    phone: str = "phone_number"


class _Tokens(Struct):
    access_token: str = ""
    id_token: str = ""
    error: str = ""


_tokens = Decoder(_Tokens)
_claims = Decoder(dict[str, Any])


class OidcSignIn:
    """Signs people in with an OpenID provider, within `budget_s` seconds for each step.

    Our secret goes to the token endpoint alone (client_secret_basic). `levels` and `id_types`
    translate the province's words; a level we do not know counts as 0, and an id document we do
    not know is left out with its number.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        issuer: str,
        client_id: str,
        secret: str,
        *,
        scope: str = "openid profile phone",
        names: ClaimNames | None = None,
        levels: Mapping[str, int] = LEVELS,
        id_types: Mapping[str, IdType] = ID_TYPES,
        budget_s: float = 5.0,
        keep_s: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asking = Asking(http, "province", budget_s=budget_s)
        self._provider = Provider(self._asking, issuer, keep_s=keep_s, clock=clock)
        self._issuer = issuer
        self._client_id = client_id
        self._authorization = _basic(client_id, secret)
        self._scope = scope
        self._names = names or ClaimNames()
        self._levels = levels
        self._id_types = id_types
        self._clock = clock

    async def begin(self, state: str, nonce: str, code_challenge: str, redirect: str) -> str:
        """Return the URL that the citizen's browser has to open."""
        async with self._asking.within_budget():
            endpoints = await self._provider.endpoints()
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect,
            "scope": self._scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        return with_query(endpoints.authorization_endpoint, query)

    async def finish(
        self, code: str, code_verifier: str, nonce: str, redirect: str
    ) -> ProvinceVisitor:
        """Spend the code and name its owner, or raise PlatformRefused or PlatformUnavailable."""
        require_code(code, longest=1024)
        require_verifier(code_verifier)
        async with self._asking.within_budget():
            endpoints = await self._provider.endpoints()
            asked_at = self._clock()
            tokens = await self._spend(endpoints, code, code_verifier, redirect)
            claims = await self._read_id_token(tokens.id_token, nonce, asked_at)
            told = await self._userinfo(endpoints, tokens.access_token)
        if told.get("sub") != claims["sub"]:
            raise self._untrusted("another_subject")
        return self._visitor(claims, told)

    async def _spend(
        self, endpoints: Endpoints, code: str, code_verifier: str, redirect: str
    ) -> _Tokens:
        answer = await self._asking.ask(
            "POST",
            endpoints.token_endpoint,
            form={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect,
                "code_verifier": code_verifier,
            },
            headers={"Authorization": self._authorization, "Accept": "application/json"},
        )
        if answer.status_code >= 500 or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise self._asking.unavailable("token", status=answer.status_code)
        tokens = self._asking.read(_tokens, answer)
        if reason := _REFUSALS.get(tokens.error):
            raise PlatformRefused(reason, tokens.error)
        if tokens.error in _OUR_FAULT:
            raise self._asking.misconfigured(tokens.error, client_id=self._client_id)
        if answer.status_code != httpx.codes.OK or not (tokens.access_token and tokens.id_token):
            raise self._asking.unavailable("no_tokens", status=answer.status_code)
        return tokens

    async def _read_id_token(self, token: str, nonce: str, asked_at: float) -> dict[str, Any]:
        try:
            kid, algorithm = named_key(token)
            key = await self._provider.key(kid, algorithm, newer_than=asked_at)
            if key is None:
                raise NotGenuine("unknown_key")
            return read_id_token(
                token, key, issuer=self._issuer, client_id=self._client_id, nonce=nonce
            )
        except OtherSignIn as other:
            # Somebody may be slipping a stranger's code into this sign-in.
            raise PlatformRefused("code_invalid", other.why) from None
        except NotGenuine as fake:
            raise self._untrusted(fake.why) from None

    async def _userinfo(self, endpoints: Endpoints, access_token: str) -> dict[str, Any]:
        answer = await self._asking.ask(
            "GET",
            endpoints.userinfo_endpoint,
            headers={"Authorization": f"Bearer {access_token}", "Accept": "application/json"},
        )
        if answer.status_code != httpx.codes.OK:
            raise self._asking.unavailable("userinfo", status=answer.status_code)
        return self._asking.read(_claims, answer)

    def _visitor(self, claims: Mapping[str, Any], told: Mapping[str, Any]) -> ProvinceVisitor:
        names = self._names
        level = self._levels.get(str(claims.get(names.level, told.get(names.level))), 0)
        proven = told.get("phone_number_verified") is not False
        phone = _text(told, names.phone) if proven else None
        subject = claims["sub"]
        if not 0 < len(subject) <= 128:
            raise self._asking.unavailable("no_subject")
        return vouched(
            self._client_id,
            subject,
            level,
            name=_text(told, names.name),
            id_type=self._id_types.get(str(told.get(names.id_type))),
            id_number=_text(told, names.id_number),
            phone=phone,
        )

    def _untrusted(self, why: str) -> PlatformUnavailable:
        return self._asking.misconfigured(f"not_genuine_{why}", client_id=self._client_id)


def _basic(client_id: str, secret: str) -> str:
    """Write client_secret_basic: form-encode both first (RFC 6749, section 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _text(told: Mapping[str, Any], name: str) -> str | None:
    value = told.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= 128 else None
