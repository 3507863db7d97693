"""What all routes of single sign-on share: its provider, and faults in their readers' words."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any

from sanic import Request
from sanic.response import HTTPResponse

from server.errors import NotFound
from server.services import services
from server.sso import pages
from server.sso.asking import NOT_TO_BE_TRUSTED, answer_url, read_pairs
from server.sso.errors import NOT_STORED, OAuthError, PageError, SentBack, error_response
from server.sso.provider import Provider

Handler = Callable[..., Coroutine[Any, Any, Any]]


def provider_of(request: Request) -> Provider:
    """The provider of this city. Raises NotFound where there is no single sign-on."""
    provider = services(request).provider
    if provider is None:
        raise NotFound(
            ("本市未开通部门单点登录。", "This city has no single sign-on for departments.")
        )
    return provider


def in_browser(handler: Handler) -> Handler:
    """Faults become pages for the citizen, or errors at the client's redirect URI."""

    @functools.wraps(handler)
    async def wrapped(request: Request, **path: Any) -> Any:
        provider = provider_of(request)
        try:
            return await handler(request, **path)
        except PageError as fault:
            return pages.wrong_page(provider, fault)
        except SentBack as back:
            return send_to(
                answer_url(
                    back.redirect_uri,
                    provider.issuer,
                    back.state,
                    error=back.error,
                    error_description=back.description,
                )
            )

    return wrapped


def for_systems(handler: Handler) -> Handler:
    """Faults become OAuth's JSON."""

    @functools.wraps(handler)
    async def wrapped(request: Request, **path: Any) -> Any:
        try:
            return await handler(request, **path)
        except OAuthError as fault:
            return error_response(fault)

    return wrapped


def send_to(address: str) -> HTTPResponse:
    """A redirect that never repeats a form (RFC 9700, 4.12). Not an `Answer`: it bears secrets."""
    headers = {**NOT_STORED, "Location": address, "Referrer-Policy": "no-referrer"}
    return HTTPResponse(status=303, headers=headers, content_type="text/plain; charset=utf-8")


def query_of(request: Request) -> tuple[dict[str, str], set[str]]:
    """The parameters of the address, and those that came twice. Raises PageError."""
    try:
        return read_pairs(request.query_string)
    except ValueError:
        raise PageError(NOT_TO_BE_TRUSTED, "the query cannot be read") from None


def form_of(request: Request) -> dict[str, str]:
    """The parameters of a form a browser sent. Raises PageError."""
    try:
        said, repeated = read_pairs(request.body.decode("ascii"))
    except ValueError:
        raise PageError(NOT_TO_BE_TRUSTED, "the form cannot be read") from None
    if repeated:
        raise PageError(NOT_TO_BE_TRUSTED, "a field of the form came twice")
    return said
