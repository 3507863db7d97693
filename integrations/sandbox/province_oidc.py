"""The province as an OpenID provider, with tampered ID tokens on demand.

The issuer is the address it was asked at, `http://<host>/province`, since the sandbox does not
know its own. A client authenticates with client_secret_basic. Claims beyond the standard's: `acr`
is `L0` to `L3`; userinfo adds `id_type` and `id_number`.
"""

import asyncio
import base64
import binascii
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from sanic import HTTPResponse, Request

from integrations.sandbox.endpoints import App, Endpoint, Endpoints, Handler
from integrations.sandbox.province import ProvinceDesk, Refused, Spent, document
from integrations.sandbox.replies import answer

_ID_TOKEN_LIFE_S: Final = 300
_MOST_KEYS: Final = 3

TAMPERINGS: Final = (
    "alg_none",  # no signature at all
    "hs256",  # "signed" with our public key as if it were a shared secret
    "wrong_key",  # signed by somebody who only knows the key's name
    "unknown_kid",
    "issuer",
    "audience",
    "azp",
    "expired",
    "nonce",
    "no_nonce",
    "subject",  # userinfo is somebody else's
)

_STATUSES: Final = {
    "invalid_client": 401,
    "invalid_token": 401,
    "server_error": 500,
    "temporarily_unavailable": 503,
    "slow_down": 429,
}
_WORDS: Final[dict[Refused, tuple[str, str]]] = {
    "code_unknown": ("invalid_grant", "code is unknown or expired"),
    "code_used": ("invalid_grant", "code was used"),
    "verifier_wrong": ("invalid_grant", "code_verifier does not fit"),
    "redirect_wrong": ("invalid_grant", "redirect_uri does not fit"),
    "blocked": ("access_denied", "the account is locked"),
}


def refuse(error: int | str, detail: str | None = None) -> HTTPResponse:
    """Answer as RFC 6749, section 5.2, says."""
    word = error if isinstance(error, str) else "server_error"
    body = {"error": word} if detail is None else {"error": word, "error_description": detail}
    response = answer(body, status=_STATUSES.get(word, 400))
    response.headers["Cache-Control"] = "no-store"
    if word == "invalid_client":
        response.headers["WWW-Authenticate"] = 'Basic realm="province"'
    if word == "invalid_token":
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return response


class ProvinceOidc:
    """Discovery, keys, tokens and facts about people."""

    def __init__(self, desk: ProvinceDesk) -> None:
        self._desk = desk
        # Newest first. Made when first needed: most sandboxes never need one.
        self._keys: list[tuple[str, rsa.RSAPrivateKey]] = []

    def open(self, app: App, endpoints: Endpoints, authorize: Handler) -> None:
        """Put the endpoints on the app."""
        for name, method, path, handler in (
            ("discovery", "GET", "/province/.well-known/openid-configuration", self._discovery),
            ("jwks", "GET", "/province/jwks.json", self._jwks),
            ("authorize", "GET", "/province/authorize", authorize),
            ("token", "POST", "/province/token", self._token),
            ("userinfo", "GET", "/province/userinfo", self._userinfo),
        ):
            endpoints.add(app, Endpoint(f"province.{name}", method, path, handler, refuse))

    async def rotate(self, *, drop_old: bool = False) -> str:
        """Sign with a new key from now on and return its id; old ones stay published."""
        kid, key = secrets.token_hex(8), await _new_key()
        kept = [] if drop_old else self._keys[: _MOST_KEYS - 1]
        self._keys = [(kid, key), *kept]
        return kid

    async def _discovery(self, request: Request) -> HTTPResponse:
        issuer = _issuer(request)
        return answer(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "userinfo_endpoint": f"{issuer}/userinfo",
                "jwks_uri": f"{issuer}/jwks.json",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "scopes_supported": ["openid", "profile", "phone"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "code_challenge_methods_supported": ["S256"],
                "acr_values_supported": ["L0", "L1", "L2", "L3"],
            }
        )

    async def _jwks(self, _: Request) -> HTTPResponse:
        if not self._keys:
            await self.rotate()
        return answer({"keys": [_public(kid, key) for kid, key in self._keys]})

    async def _token(self, request: Request) -> HTTPResponse:
        if not self._is_our_client(request.headers.get("authorization", "")):
            return refuse("invalid_client")
        form: Mapping[str, Any] = request.form or {}
        if form.get("grant_type") != "authorization_code":
            return refuse("unsupported_grant_type")
        code, redirect = form.get("code"), form.get("redirect_uri")
        if not code or not redirect:
            return refuse("invalid_request", "code and redirect_uri are needed")
        spent = self._desk.spend(code, form.get("code_verifier") or "", redirect)
        if isinstance(spent, str):
            return refuse(*_WORDS[spent])
        response = answer(
            {
                "access_token": self._desk.token_for(spent),
                "token_type": "Bearer",
                "expires_in": 7200,
                "scope": "openid profile phone",
                "id_token": await self._id_token(spent, _issuer(request)),
            }
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    async def _userinfo(self, request: Request) -> HTTPResponse:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        owner = self._desk.owner_of(token) if kind.lower() == "bearer" else None
        if owner is None:
            return refuse("invalid_token")
        persona, subject = owner.persona, self._desk.subject(owner.persona)
        return answer(
            {
                "sub": subject[::-1] if owner.tamper == "subject" else subject,
                "name": persona.name,
                "id_type": document(persona),
                "id_number": persona.id_number,
                "phone_number": persona.phone,
                "phone_number_verified": True,
            }
        )

    def _is_our_client(self, authorization: str) -> bool:
        kind, _, encoded = authorization.partition(" ")
        try:
            pair = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        client_id, _, secret = pair.partition(":")
        told = (kind.lower(), unquote_plus(client_id), unquote_plus(secret))
        return told == ("basic", self._desk.client_id, self._desk.secret)

    async def _id_token(self, spent: Spent, issuer: str) -> str:
        if not self._keys:
            await self.rotate()
        kid, key = self._keys[0]
        claims = _tampered(self._claims(spent, issuer), spent.tamper)
        if spent.tamper == "alg_none":
            return jwt.encode(claims, "", algorithm="none", headers={"kid": kid})
        if spent.tamper == "hs256":
            # The modulus alone, because PyJWT refuses to do this with a whole public key.
            modulus = key.public_key().public_numbers().n.to_bytes(256, "big")
            return jwt.encode(claims, modulus, algorithm="HS256", headers={"kid": kid})
        if spent.tamper == "wrong_key":
            key = await _new_key()
        if spent.tamper == "unknown_kid":
            kid = "nobody"
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})

    def _claims(self, spent: Spent, issuer: str) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": issuer,
            "sub": self._desk.subject(spent.persona),
            "aud": self._desk.client_id,
            "iat": now,
            "exp": now + _ID_TOKEN_LIFE_S,
            "auth_time": now,
            "acr": f"L{spent.persona.level}",
        }
        return claims if spent.nonce is None else claims | {"nonce": spent.nonce}


def _tampered(claims: dict[str, Any], tamper: str | None) -> dict[str, Any]:
    if tamper == "no_nonce":
        return {name: value for name, value in claims.items() if name != "nonce"}
    changes: dict[str, dict[str, Any]] = {
        "issuer": {"iss": "https://another.example"},
        "audience": {"aud": "another-client"},
        "azp": {"aud": [claims["aud"], "another-client"], "azp": "another-client"},
        "expired": {"iat": claims["iat"] - 7200, "exp": claims["exp"] - 7200},
        "nonce": {"nonce": "of-another-sign-in"},
    }
    return claims | changes.get(tamper or "", {})


async def _new_key() -> rsa.RSAPrivateKey:
    # A tenth of a second of arithmetic, which must not stop everybody else.
    return await asyncio.to_thread(rsa.generate_private_key, 65537, 2048)


def _issuer(request: Request) -> str:
    return f"{request.scheme}://{request.host}/province"


def _public(kid: str, key: rsa.RSAPrivateKey) -> dict[str, Any]:
    jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"kty": "RSA", "n": jwk["n"], "e": jwk["e"], "kid": kid, "use": "sig", "alg": "RS256"}
