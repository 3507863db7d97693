"""The province's identity platform: its people, its one-time codes and its access tokens.

Two doors lead to the same desk: OpenID Connect (`province_oidc`) and the shape of Guangdong's
platform (`province_guangdong`). Both ask for an authorization code with PKCE (S256), once, within
five minutes.

A code comes into being in one of two ways:

- Somebody walks the authorize URL (`province_page`): the code is bound to that request's redirect
  address, code challenge and nonce, as outside.
- `POST /_sandbox/personas` hands one out as `province_code`, as if its owner had already come back
  from the province. Nobody showed the sandbox the request it answers, so it is bound to nothing:
  the first redirect address and the first well-formed verifier presented are taken for its own, and
  the ID token it buys has no nonce. Guangdong's shape, which has no ID token, signs in with it; an
  OpenID Connect client rightly refuses it. This way exists in the sandbox only.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from integrations.sandbox.endpoints import Clock
from integrations.sandbox.personas import Codes, Persona
from integrations.sandbox.settings import SandboxSettings

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_\-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")

Refused = Literal["code_unknown", "code_used", "verifier_wrong", "redirect_wrong", "blocked"]


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """What a client asked for in an authorize URL that is as it should be."""

    redirect: str
    state: str | None
    nonce: str | None
    challenge: str


@dataclass(frozen=True, slots=True)
class WrongRequest:
    """What is wrong with an authorize URL, in OAuth's words.

    `redirect` is where to say so; without one the address itself is in doubt, and only the
    citizen may be told.
    """

    error: str
    detail: str
    redirect: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """Whose code it was, and the nonce and tampering it carried."""

    persona: Persona
    nonce: str | None
    tamper: str | None


class ProvinceDesk:
    """One client's account with the province."""

    def __init__(self, settings: SandboxSettings, clock: Clock) -> None:
        self.client_id = settings.province_client_id
        self.secret = settings.province_secret
        self._redirects = settings.province_redirects
        self._identity_key = settings.identity_key.encode()
        self._clock = clock
        self._codes = Codes(settings.code_life_s, settings.most_codes)
        self._tokens = Codes(settings.token_life_s, settings.most_codes)

    def subject(self, persona: Persona) -> str:
        """Return the province's own stable name for the person."""
        facts = f"province\n{persona.id_number}".encode()
        return hmac.digest(self._identity_key, facts, hashlib.sha256).hex()[:32]

    def ready_made_code(self, persona: Persona) -> str:
        """Give a code that answers no request in particular."""
        return self._codes.issue(persona, self._clock())

    def read(self, query: Mapping[str, str]) -> SignInRequest | WrongRequest:
        """Check an authorize URL's query."""
        redirect, state = query.get("redirect_uri", ""), query.get("state")
        if query.get("client_id") != self.client_id:
            return WrongRequest("unauthorized_client", "client_id is not one we know")
        if not self._may_return_to(redirect):
            return WrongRequest("invalid_request", "redirect_uri is not registered")
        if query.get("response_type") != "code":
            return WrongRequest(
                "unsupported_response_type", "response_type is not code", redirect, state
            )
        challenge = query.get("code_challenge", "")
        if query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
            return WrongRequest(
                "invalid_request", "code_challenge with S256 is missing", redirect, state
            )
        return SignInRequest(redirect, state, query.get("nonce"), challenge)

    def grant(self, persona: Persona, asked: SignInRequest, tamper: str | None = None) -> str:
        """Give the person a code bound to the request."""
        terms = {"redirect": asked.redirect, "challenge": asked.challenge}
        if asked.nonce is not None:
            terms["nonce"] = asked.nonce
        if tamper is not None:
            terms["tamper"] = tamper
        return self._codes.issue(persona, self._clock(), terms)

    def spend(self, text: str, verifier: str, redirect: str) -> Spent | Refused:
        """Spend a code; a try with the wrong verifier or redirect spends it, too."""
        code = self._codes.find(text, self._clock())
        if code is None:
            return "code_unknown"
        if code.used:
            return "code_used"
        code.used = True
        terms = code.terms
        if code.persona.blocked:
            return "blocked"
        if terms.get("redirect", redirect) != redirect:
            return "redirect_wrong"
        if not _fits(verifier, terms.get("challenge")):
            return "verifier_wrong"
        return Spent(code.persona, terms.get("nonce"), terms.get("tamper"))

    def token_for(self, spent: Spent) -> str:
        """Give an access token that opens this person's facts."""
        terms = {} if spent.tamper is None else {"tamper": spent.tamper}
        return self._tokens.issue(spent.persona, self._clock(), terms)

    def owner_of(self, token: str) -> Spent | None:
        """Return whose facts the token opens while it lives."""
        found = self._tokens.find(token, self._clock())
        return None if found is None else Spent(found.persona, None, found.terms.get("tamper"))

    def _may_return_to(self, redirect: str) -> bool:
        if self._redirects:
            return redirect in self._redirects
        try:
            parts = urlsplit(redirect)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.fragment


def document(persona: Persona) -> str:
    """Return the province's number for the kind of document: 10 id card, 20 passport, 40 other."""
    if re.fullmatch(r"[0-9]{17}[0-9X]", persona.id_number):
        return "10"
    return "20" if re.fullmatch(r"[DEGPS][A-Z0-9][0-9]{7}", persona.id_number) else "40"


def _fits(verifier: str, challenge: str | None) -> bool:
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    # A ready-made code has no challenge and takes any verifier.
    return challenge in (None, base64.urlsafe_b64encode(digest).rstrip(b"=").decode())
