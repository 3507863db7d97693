"""What an OpenID provider publishes of itself: its endpoints and its signing keys."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import jwt
from msgspec import Struct
from msgspec.json import Decoder

from integrations.asking import Asking

_OK: Final = 200
_KINDS: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}


class Endpoints(Struct, frozen=True):
    """What we use of OpenID Connect Discovery 1.0, section 3."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str


class _KeySet(Struct):
    keys: list[dict[str, Any]]


_endpoints = Decoder(Endpoints)
_key_set = Decoder(_KeySet)


class Provider:
    """One issuer's endpoints and keys, each fetched when needed and kept for `keep_s` seconds.

    Raises PlatformUnavailable when they cannot be had. `clock` is monotonic seconds.
    """

    def __init__(
        self, asking: Asking, issuer: str, *, keep_s: float, clock: Callable[[], float]
    ) -> None:
        self._asking = asking
        self._issuer = issuer
        self._keep_s = keep_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._endpoints: Endpoints | None = None
        self._endpoints_at = 0.0
        self._keys: list[dict[str, Any]] = []
        self._keys_at = float("-inf")

    async def endpoints(self) -> Endpoints:
        """Where to ask what."""
        async with self._lock:
            if self._endpoints is None or self._clock() - self._endpoints_at >= self._keep_s:
                self._endpoints = await self._discover()
                self._endpoints_at = self._clock()
            return self._endpoints

    async def key(self, kid: str | None, algorithm: str, *, newer_than: float) -> jwt.PyJWK | None:
        """Return the signing key of that name, or None when the provider has none.

        `newer_than` is when we asked for the token: keys fetched before may be too old to know
        the one it was signed with, keys fetched after cannot be. So rotation is noticed at once
        and a wrong name costs one fetch.
        """
        uri = (await self.endpoints()).jwks_uri
        async with self._lock:
            if self._clock() - self._keys_at >= self._keep_s:
                await self._fetch_keys(uri)
            found = _find(self._keys, kid, algorithm)
            if found is None and self._keys_at <= newer_than:
                await self._fetch_keys(uri)
                found = _find(self._keys, kid, algorithm)
        return found

    async def _discover(self) -> Endpoints:
        url = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        answer = await self._asking.ask("GET", url)
        if answer.status_code != _OK:
            raise self._asking.unavailable("discovery", status=answer.status_code)
        found = self._asking.read(_endpoints, answer)
        if found.issuer != self._issuer:
            raise self._asking.misconfigured("another_issuer")
        secure = self._issuer.startswith("https://")
        uris = (found.authorization_endpoint, found.token_endpoint, found.userinfo_endpoint)
        if secure and not all(uri.startswith("https://") for uri in (*uris, found.jwks_uri)):
            # Our secret and people's names would travel in the open.
            raise self._asking.misconfigured("endpoint_without_tls")
        return found

    async def _fetch_keys(self, uri: str) -> None:
        answer = await self._asking.ask("GET", uri)
        if answer.status_code != _OK:
            raise self._asking.unavailable("keys", status=answer.status_code)
        self._keys = self._asking.read(_key_set, answer).keys
        self._keys_at = self._clock()


def _find(keys: list[dict[str, Any]], kid: str | None, algorithm: str) -> jwt.PyJWK | None:
    fitting = [
        key
        for key in keys
        if key.get("kty") == _KINDS[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]
    # Without a name there must be no choice.
    if len(fitting) != 1:
        return None
    try:
        return jwt.PyJWK(fitting[0], algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
