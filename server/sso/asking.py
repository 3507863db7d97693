"""Reading what a department's system asks for at `/oauth2/authorize`. Decides; does no I/O.

RFC 6749 (4.1.1), RFC 7636, RFC 9700, OpenID Connect Core 1.0 (3.1.2.1, 5.5), RFC 9470.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from server.sso.clients import SCOPES, Client
from server.sso.errors import ErrorCode, OAuthError, PageError, SentBack

LONGEST_QUERY = 8_000
LONGEST_STATE = 2_000
LONGEST_NONCE = 512
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
LEVELS = ("0", "1", "2", "3")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_UNSUPPORTED: dict[str, ErrorCode] = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}
NOT_TO_BE_TRUSTED = (
    "这个登录链接有误，请返回原来的网站重试。",
    "This sign-in link is wrong; go back to the site you came from and try again.",
)


class Asked(msgspec.Struct, frozen=True):
    """A request of a known client, checked. `level` is the least it takes; `subject` whom it wants.

    `fresh` asks for a new sign-in, `again` for consent given anew, `silent` for no page at all.
    `max_age_s` is how long ago she may have signed in.
    """

    client: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str
    state: str | None = None
    nonce: str | None = None
    silent: bool = False
    fresh: bool = False
    again: bool = False
    max_age_s: int | None = None
    level: int = 0
    subject: str | None = None


def read_pairs(text: str) -> tuple[dict[str, str], set[str]]:
    """Parameters of a query or form, and the names that came more than once.

    One without a value counts as left out (RFC 6749, 3.1). Raises ValueError when it is malformed.
    """
    if len(text) > LONGEST_QUERY:
        raise ValueError("too long")
    pairs = parse_qsl(text, keep_blank_values=False, max_num_fields=50, errors="strict")
    if any("\0" in word for pair in pairs for word in pair):
        raise ValueError("NUL")
    said = dict(pairs)
    names = [name for name, _ in pairs]
    return said, {name for name in said if names.count(name) > 1}


def read_form(body: bytes, content_type: str | None) -> dict[str, str]:
    """The parameters of a back-channel request. Raises OAuthError."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "send application/x-www-form-urlencoded")
    try:
        said, repeated = read_pairs(body.decode("ascii"))
    except ValueError:
        raise OAuthError("invalid_request", "the form cannot be read") from None
    if repeated:
        raise OAuthError("invalid_request", f"{sorted(repeated)[0]!r} came twice")
    return said


def redirect_of(client: Client, said: Mapping[str, str], repeated: set[str]) -> str:
    """Where the answer goes: one of the client's own addresses, compared character by character.

    Raises PageError: whoever asks wrongly here is never sent anywhere (RFC 9700, 4.1).
    """
    redirect = said.get("redirect_uri")
    if redirect is None or {"redirect_uri", "client_id"} & repeated:
        raise PageError(NOT_TO_BE_TRUSTED, "redirect_uri and client_id are needed, once each")
    if redirect not in client.redirect_uris:
        raise PageError(NOT_TO_BE_TRUSTED, "redirect_uri is not registered for this client")
    return redirect


def read_asked(client: Client, said: Mapping[str, str], repeated: set[str]) -> Asked:
    """The whole request, checked. Raises PageError, or SentBack with an error for the client."""
    redirect = redirect_of(client, said, repeated)
    state = None if "state" in repeated else said.get("state")

    def refuse(error: ErrorCode, description: str) -> SentBack:
        return SentBack(redirect, state, error, description)

    if repeated:
        raise refuse("invalid_request", f"{sorted(repeated)[0]} came twice")
    if state is not None and len(state) > LONGEST_STATE:
        state = None
        raise refuse("invalid_request", f"state is longer than {LONGEST_STATE}")
    for name, unsupported in _UNSUPPORTED.items():
        if name in said:
            raise refuse(unsupported, f"{name} is not supported")
    if said.get("response_type") != "code":
        missing = "response_type" not in said
        error: ErrorCode = "invalid_request" if missing else "unsupported_response_type"
        raise refuse(error, "response_type must be code")
    if said.get("response_mode", "query") != "query":
        raise refuse("invalid_request", "response_mode must be query")
    challenge = said.get("code_challenge", "")
    if said.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise refuse("invalid_request", "code_challenge with code_challenge_method=S256 is needed")
    nonce = said.get("nonce")
    if nonce is not None and len(nonce) > LONGEST_NONCE:
        raise refuse("invalid_request", f"nonce is longer than {LONGEST_NONCE}")
    try:
        prompts = _prompts(said.get("prompt", ""))
        max_age_s = _max_age(said.get("max_age"))
        levels, subject = _wanted(said)
    except ValueError as fault:
        raise refuse("invalid_request", str(fault)) from None
    if levels is not None and not set(levels) & set(LEVELS):
        raise refuse("unmet_authentication_requirements", f"acr is one of {', '.join(LEVELS)}")
    try:
        scopes = read_scopes(client, said.get("scope", ""))
    except ValueError as fault:
        raise refuse("invalid_scope", str(fault)) from None
    return Asked(
        client=client.code,
        redirect_uri=redirect,
        scopes=scopes,
        challenge=challenge,
        state=state,
        nonce=nonce,
        silent="none" in prompts,
        fresh=bool(prompts & {"login", "select_account"}),
        again="consent" in prompts,
        max_age_s=max_age_s,
        level=min(int(level) for level in levels if level in LEVELS) if levels else 0,
        subject=subject,
    )


def read_scopes(client: Client, text: str) -> tuple[str, ...]:
    """The scopes asked for; unknown ones are left out (OpenID Connect Core 3.1.2.1).

    Raises ValueError without `openid`, or for one that this client may not have.
    """
    asked = [scope for scope in SCOPES if scope in text.split(" ")]
    if "openid" not in asked:
        raise ValueError("scope must contain openid")
    if foreign := [scope for scope in asked if scope not in client.scopes]:
        raise ValueError(f"this client may not ask for {' '.join(foreign)}")
    return tuple(asked)


def _prompts(text: str) -> frozenset[str]:
    prompts = frozenset(text.split())
    if prompts - PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise ValueError("prompt is none, or some of login, consent, select_account")
    return prompts


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError("max_age is a number of seconds")
    return int(text)


def _wanted(said: Mapping[str, str]) -> tuple[list[str] | None, str | None]:
    """The levels that will do, if any are named, and the subject wanted, by `acr_values`, `claims`.

    An `acr` that is essential counts like `acr_values`; one that is voluntary is not asked for.
    """
    levels = said["acr_values"].split() if "acr_values" in said else None
    if "claims" not in said:
        return levels, None
    try:
        claims = msgspec.json.decode(said["claims"], type=dict[str, dict[str, Any] | None])
    except (msgspec.MsgspecError, RecursionError):
        raise ValueError("claims is no JSON object as OpenID Connect Core 5.5 has it") from None
    wanted = claims.get("id_token") or {}
    acr, sub = wanted.get("acr"), wanted.get("sub")
    if isinstance(acr, dict) and acr.get("essential") is True:
        values = acr.get("values", [acr["value"]] if "value" in acr else None)
        if values is not None and not isinstance(values, list):
            raise ValueError("the values of acr are a list")
        levels = [value for value in values if isinstance(value, str)] if values else levels
        if values and not levels:
            raise ValueError("the values of acr are texts")
    subject = sub.get("value") if isinstance(sub, dict) else None
    if subject is not None and not isinstance(subject, str):
        raise ValueError("the value of sub is a text")
    return levels, subject


def answer_url(redirect_uri: str, issuer: str, state: str | None, **said: str) -> str:
    """The redirect URI with an answer; `iss` says who gave it (RFC 9207)."""
    said |= {"state": state} if state is not None else {}
    joint = "&" if "?" in redirect_uri else "?"
    return f"{redirect_uri}{joint}{urlencode(said | {'iss': issuer})}"


def proves(verifier: str | None, challenge: str) -> bool:
    """Whether this is the verifier of an S256 challenge (RFC 7636, 4.6)."""
    if verifier is None or not _VERIFIER.fullmatch(verifier):
        return False
    made = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)
