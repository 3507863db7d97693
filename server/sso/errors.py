"""What goes wrong in OAuth's own words: JSON for departments' systems, pages for citizens."""

from typing import Literal

import msgspec
from sanic.response import HTTPResponse

from server.http.answers import JSON, Answer

ErrorCode = Literal[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "invalid_scope",
    "invalid_token",
    "insufficient_scope",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "unsupported_token_type",
    "access_denied",
    "login_required",
    "consent_required",
    "interaction_required",
    "request_not_supported",
    "request_uri_not_supported",
    "registration_not_supported",
    "unmet_authentication_requirements",
]
NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_encode = msgspec.json.Encoder().encode


class ErrorView(msgspec.Struct, frozen=True):
    """RFC 6749, 5.2: a stable `error`, and a sentence for the developer."""

    error: ErrorCode
    error_description: str


class OAuthError(Exception):
    """A request at a back-channel endpoint that is refused."""

    status = 400

    def __init__(self, error: ErrorCode, description: str) -> None:
        super().__init__(error, description)
        self.error: ErrorCode = error
        self.description = description
        self.headers: dict[str, str] = {}


class InvalidClient(OAuthError):
    """Unknown or disabled client, or a wrong secret; it is not said which.

    `challenge` where the Authorization header was used (RFC 6749, 5.2).
    """

    status = 401

    def __init__(self, *, challenge: bool) -> None:
        super().__init__("invalid_client", "unknown client or wrong client authentication")
        if challenge:
            self.headers = {"WWW-Authenticate": 'Basic realm="oauth2", charset="UTF-8"'}


class InvalidToken(OAuthError):
    """No token, or one that is not good any more (RFC 6750, 3)."""

    status = 401

    def __init__(self, *, given: bool) -> None:
        super().__init__("invalid_token", "the access token is missing, expired or revoked")
        # Without any token the challenge bears no error code.
        self.headers = {"WWW-Authenticate": 'Bearer error="invalid_token"' if given else "Bearer"}


class PageError(Exception):
    """A request in a citizen's browser that cannot go on and must not be sent anywhere else.

    `sentence` is said to her as (Chinese, English), `detail` to the developer, in English.
    """

    def __init__(self, sentence: tuple[str, str], detail: str) -> None:
        super().__init__(detail)
        self.sentence = sentence
        self.detail = detail


class SentBack(Exception):
    """A request that is answered at the client's registered redirect URI with an error."""

    def __init__(
        self, redirect_uri: str, state: str | None, error: ErrorCode, description: str
    ) -> None:
        super().__init__(error, description)
        self.redirect_uri = redirect_uri
        self.state = state
        self.error: ErrorCode = error
        self.description = description


def error_response(fault: OAuthError) -> HTTPResponse:
    """The answer to a refused back-channel request."""
    body = _encode(ErrorView(fault.error, fault.description))
    headers = {**NOT_STORED, **fault.headers}
    return Answer(body, status=fault.status, headers=headers, content_type=JSON)
