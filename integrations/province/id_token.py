"""Reading an ID token: nothing it says counts before everything about it was checked."""

import hmac
from typing import Any, Final

import jwt

# Signatures that only the provider can make. "none" is none of them, and with HS256 whoever knows
# a public key could sign.
ALGORITHMS: Final = ("RS256", "PS256", "ES256")
_MOST_CHARACTERS: Final = 16_384
_LEEWAY_S: Final = 60


class NotGenuine(Exception):
    """The token is not one that this provider made for us; `why` holds no word of it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class OtherSignIn(NotGenuine):
    """Genuine, but made for another sign-in than the one under way: its nonce differs."""


def named_key(token: str) -> tuple[str | None, str]:
    """Return the key id and the algorithm the token names, or raise NotGenuine."""
    if len(token) > _MOST_CHARACTERS:
        raise NotGenuine("too_long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise NotGenuine(type(error).__name__) from None
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise NotGenuine("algorithm")
    return kid if isinstance(kid, str) else None, str(algorithm)


def read_id_token(
    token: str, key: jwt.PyJWK, *, issuer: str, client_id: str, nonce: str
) -> dict[str, Any]:
    """Return the claims after the checks of OpenID Connect Core 1.0, section 3.1.3.7.

    Raises NotGenuine, or OtherSignIn when only the nonce is wrong.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(ALGORITHMS),
            issuer=issuer,
            audience=client_id,
            leeway=_LEEWAY_S,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise NotGenuine(type(error).__name__) from None
    if not _is_for_us_alone(claims, client_id):
        raise NotGenuine("authorized_party")
    if not _same(claims.get("nonce"), nonce):
        raise OtherSignIn("nonce")
    return claims


def _is_for_us_alone(claims: dict[str, Any], client_id: str) -> bool:
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if "azp" not in claims:
        return not several
    return bool(claims["azp"] == client_id)


def _same(told: object, ours: str) -> bool:
    if not isinstance(told, str):
        return False
    return hmac.compare_digest(told.encode(errors="replace"), ours.encode())
