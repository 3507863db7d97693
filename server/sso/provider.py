"""The provider as departments know it: its address, its keys, and the ID tokens it signs."""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt

from server.sso.keys import ALGORITHM, SigningKeys

ID_TOKEN_S = 10 * 60


@dataclass(frozen=True, slots=True)
class Hint:
    """What an ID token that we signed once says: whose it was, at which client, which session."""

    client: str
    subject: str
    sid: str


class Provider:
    """One issuer. `issuer` is its address without a slash at the end (OpenID Connect Core 1.2)."""

    def __init__(self, issuer: str, keys: SigningKeys) -> None:
        self.issuer = issuer
        self.keys = keys
        self.is_https = issuer.startswith("https://")

    def subject(self, sector: str, citizen_id: UUID) -> str:
        """The citizen as a sector knows her; two sectors cannot tell that theirs is the same.

        Pairwise, OpenID Connect Core 8.1: HMAC-SHA-256 of sector and citizen under the salt. What
        a sector was told first is kept in `sso_subject` and comes before this.
        """
        return self._pairwise("sub", sector, str(citizen_id))

    def sid(self, client: str, session_id: UUID) -> str:
        """The browser's session as a client knows it."""
        return self._pairwise("sid", client, str(session_id))

    def form_token(self, request: str, shown_to: str) -> str:
        """What a form of ours bears, so that only the page we showed to this one can be sent."""
        return self._pairwise("form", request, shown_to)

    def id_token(self, claims: dict[str, Any], *, access_token: str) -> str:
        """A signed ID token for ID_TOKEN_S seconds; `iss`, `iat`, `exp`, `at_hash` are added."""
        now = int(time.time())
        said = {
            "iss": self.issuer,
            "iat": now,
            "exp": now + ID_TOKEN_S,
            "at_hash": _at_hash(access_token),
            **claims,
        }
        return jwt.encode(
            said,
            self.keys.signing_key,
            algorithm=ALGORITHM,
            headers={"kid": self.keys.current, "typ": "JWT"},
        )

    def read_hint(self, id_token: str) -> Hint | None:
        """Read an ID token that comes back as a hint; an expired one will do, a forged one not.

        OpenID Connect RP-Initiated Logout 1.0, section 2.
        """
        try:
            key = self.keys.public_key(jwt.get_unverified_header(id_token).get("kid"))
            if key is None:
                return None
            claims = jwt.decode(
                id_token,
                key,
                algorithms=[ALGORITHM],
                issuer=self.issuer,
                options={"verify_exp": False, "verify_aud": False, "require": ["iss", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        client, subject, sid = claims.get("aud"), claims.get("sub"), claims.get("sid")
        if isinstance(client, str) and isinstance(subject, str) and isinstance(sid, str):
            return Hint(client, subject, sid)
        return None

    def _pairwise(self, purpose: str, whose: str, who: str) -> str:
        said = f"{purpose}\0{whose}\0{who}".encode()
        return _base64(hmac.digest(self.keys.salt, said, hashlib.sha256))


def _at_hash(access_token: str) -> str:
    """OpenID Connect Core 3.1.3.6: the left half of the hash that goes with ES256."""
    return _base64(hashlib.sha256(access_token.encode()).digest()[:16])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
