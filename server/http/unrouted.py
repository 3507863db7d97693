"""What is answered outside every route: no such address, a body too large, a broken request."""

import asyncio
from contextlib import suppress

from sanic import Request
from sanic.exceptions import (
    BadRequest,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    SanicException,
    URITooLong,
)
from sanic.response import HTTPResponse

from server import errors
from server.http.addresses import check_address
from server.http.endpoint import finish, refused
from server.running.metrics import RouteTally
from server.web.pages import page_for

MOST_SWALLOWED = 16 * 1024 * 1024
SWALLOW_S = 2.0
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

_faults = RouteTally("*", "(no route)")


async def answer_fault(request: Request, fault: Exception) -> HTTPResponse:
    """What happens outside every route: no such address, a body too large, a broken request."""
    if isinstance(fault, SanicException):
        # No route has counted this request: walking through unknown addresses is limited too.
        try:
            check_address(request)
        except errors.TooManyRequests as refusal:
            fault = refusal
    ours = _too_long(request) if _has_no_end(request, fault) else _as_ours(fault)
    if isinstance(fault, PayloadTooLarge):
        await _swallow(request)
    if isinstance(ours, errors.MethodNotAllowed) and "Allow" not in ours.headers:
        ours.headers["Allow"] = ", ".join(_methods_at(request))
    response = page_for(request, ours) or refused(request, ours)
    finish(request, response, _faults, 0.0)
    return response


def _methods_at(request: Request) -> list[str]:
    """What an address takes; Sanic does not say it of one with parameters and several methods."""
    found = []
    for method in METHODS:
        with suppress(SanicException):
            request.app.router.get(request.path, method, None)
            found.append(method)
    return found


async def _swallow(request: Request) -> None:
    """Read the rest of a body that is too large, within bounds, and forget it.

    To close on bytes unread resets the connection, and the sender would never hear why.
    """
    stream = request.stream
    stream.request_max_size = MOST_SWALLOWED  # type: ignore[union-attr]
    with suppress(SanicException, TimeoutError):
        async with asyncio.timeout(SWALLOW_S):
            async for _ in stream:  # type: ignore[union-attr]
                pass


def _has_no_end(request: Request, fault: Exception) -> bool:
    """Whether a request's head grew too large: then there is no request, and Sanic made one up."""
    return isinstance(fault, PayloadTooLarge | URITooLong) and request.method == "NONE"


def _too_long(request: Request) -> errors.Refusal:
    """What of a request's head was too large: its first line, or the headers after it."""
    head: bytes = request.stream.recv_buffer  # type: ignore[union-attr]
    longest = request.app.config.REQUEST_MAX_HEADER_SIZE
    line = head.find(b"\r\n")
    return errors.HeadersTooLarge() if 0 <= line < longest else errors.UriTooLong()


def _as_ours(fault: Exception) -> Exception:
    if isinstance(fault, NotFound):
        return errors.NotFound()
    if isinstance(fault, MethodNotAllowed):
        refusal = errors.MethodNotAllowed()
        refusal.headers.update(getattr(fault, "headers", {}))
        return refusal
    if isinstance(fault, PayloadTooLarge):
        return errors.TooLarge()
    if isinstance(fault, BadRequest) or (
        isinstance(fault, SanicException) and 400 <= fault.status_code < 500
    ):
        return errors.MalformedRequest()
    if isinstance(fault, SanicException) and fault.status_code == 503:
        return errors.Unavailable()
    return fault
