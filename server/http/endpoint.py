"""The one way a route is declared: its guard, its shapes, its refusals, its documentation.

Sanic middleware costs a third of the server's throughput even when it does nothing, so what every
request needs (guard, limits, shapes, problems, metrics, request id, log line) is one plain wrapper.
"""

import asyncio
import functools
import itertools
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from traceback import extract_tb
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
import structlog
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from integrations.ports import PlatformUnavailable
from models.joined import NoSuchCitizen
from models.sessions import PersonKind
from models.tickets import WrongState
from server.auth import PUBLIC, Guard, Principal
from server.errors import (
    InternalError,
    NotFound,
    NotSignedIn,
    Refusal,
    Unavailable,
    problem_response,
    wants_english,
)
from server.faults import is_store_fault
from server.http.answers import JSON, REQUEST_ID, Answer
from server.http.idempotency import AlreadyAnswered
from server.http.limits import ADDRESS, KIOSK, PERSON
from server.http.reading import NoQuery, read_body, read_query
from server.kiosk_tokens import known_kiosk, names_kiosk
from server.running import metrics
from server.services import services
from server.state_words import wrong_state

log = structlog.get_logger()

SLOW_S = 0.5
# Whoever may GET may ask for the HEAD of it: Sanic then sends no body, and its true length.
READS = ("GET", "HEAD")
_REQUEST_PREFIX = secrets.token_hex(4)
_request_numbers = itertools.count(1)
_encode = msgspec.json.Encoder().encode

Handler = Callable[..., Coroutine[Any, Any, Any]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Also:
    """An answer besides the usual one and the refusals, where a standard or a browser wants it."""

    status: int
    description: str
    shape: Any = None
    content_type: str = "application/json"
    example: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Endpoint:
    """A route as declared: what OpenAPI and the tests read.

    `asks` and `form` are a query and a form that the handler reads by itself. `example` is what its
    answer says other than the examples of its shape.
    """

    method: str
    path: str
    name: str
    summary: tuple[str, str]
    tag: str
    guard: Guard
    body: Any  # a struct, or a union of tagged ones
    query: type | None
    returns: Any
    status: int
    refuses: Sequence[type[Refusal]]
    idempotent: bool
    description: str
    example: Mapping[str, Any] | None = None
    content_type: str = "application/json"
    asks: type | None = None
    form: type | None = None
    also: Sequence[Also] = ()
    # Answers `If-None-Match` with 304.
    conditional: bool = False
    # Asks no store and no platform, so there is nothing that could be away.
    from_memory: bool = False
    # Whoever hangs up drops it: what it has begun is seen through by somebody else.
    droppable: bool = False
    handler: Handler | None = field(default=None, compare=False)


DECLARED: list[Endpoint] = []


def endpoint(
    bp: Blueprint,
    method: str,
    path: str,
    *,
    summary: tuple[str, str],
    tag: str,
    guard: Guard = PUBLIC,
    body: Any = None,
    query: type | None = None,
    returns: Any = None,
    status: int = 200,
    refuses: Sequence[type[Refusal]] = (),
    idempotent: bool = False,
    example: Mapping[str, Any] | None = None,
    content_type: str = "application/json",
    asks: type | None = None,
    form: type | None = None,
    also: Sequence[Also] = (),
    conditional: bool = False,
    from_memory: bool = False,
    droppable: bool = False,
) -> Callable[[Handler], Handler]:
    """Declare a route. The handler is given `request`, the path's parameters, and by name:

    `who` (Principal) where there is a guard, `body` and `query` (structs) where they are declared.
    It answers with anything msgspec encodes, or with a ready HTTPResponse; None is 204.
    """

    def declare(handler: Handler) -> Handler:
        declared = Endpoint(
            method=method,
            path=(bp.url_prefix or "") + path,
            name=handler.__name__,
            summary=summary,
            tag=tag,
            guard=guard,
            body=body,
            query=query,
            returns=returns,
            status=status,
            refuses=refuses,
            idempotent=idempotent,
            description=(handler.__doc__ or "").strip(),
            example=example,
            content_type=content_type,
            asks=asks,
            form=form,
            also=also,
            conditional=conditional,
            from_memory=from_memory,
            droppable=droppable,
            handler=handler,
        )
        DECLARED.append(declared)
        methods = READS if method == "GET" else (method,)
        # Errors are ours; but for a format Sanic would read each handler's source at every start.
        route = functools.partial(bp.add_route, name=handler.__name__, error_format="json")
        route(_wrap(declared, handler), path, methods=methods)
        return handler

    return declare


def _wrap(declared: Endpoint, handler: Handler) -> Handler:
    tally = metrics.RouteTally(declared.method, declared.path)
    guarded, counted = declared.guard.signed_in, declared.guard.counted
    harmless = declared.method == "GET" or declared.droppable
    decoder: msgspec.json.Decoder[Any] | None = (
        msgspec.json.Decoder(declared.body) if declared.body else None
    )
    query_type = declared.query
    # OAuth has words of its own for what it does not take.
    reads_its_own = declared.asks is not None or not declared.path.startswith("/api/v1/")

    async def answer(request: Request, path: dict[str, Any]) -> HTTPResponse:
        if guarded:
            await learn_kiosk(request)
            path["who"] = admit(request, declared.guard, path.get("hall"))
        elif counted:
            services(request).limits.check(ADDRESS, address_of(request))
        if decoder is not None:
            path["body"] = read_body(request, decoder)
        if query_type is not None:
            path["query"] = read_query(query_type, request.query_string)
        elif request.query_string and not reads_its_own:
            read_query(NoQuery, request.query_string)
        work = handler(request, **path)
        result = await (work if harmless else seen_through(work))
        if isinstance(result, HTTPResponse):
            return result
        if result is None:
            return Answer(status=204)
        return Answer(_encode(result), status=declared.status, content_type=JSON)

    @functools.wraps(handler)
    async def wrapped(request: Request, **path: Any) -> HTTPResponse:
        began = time.perf_counter()
        try:
            response = await answer(request, decoded(path) if b"%" in request.raw_url else path)
        except AlreadyAnswered as before:
            response = Answer(before.body, status=before.status, content_type=JSON)
        except Exception as fault:
            response = refused(request, fault)
        finish(request, response, tally, time.perf_counter() - began)
        return response

    return wrapped


async def seen_through(work: Coroutine[Any, Any, T]) -> T:
    """Await work in a task of its own, which outlives whoever asked for it where it has to.

    A phone that hangs up cancels its request. What has not begun is then dropped; what has been
    written is still told to everybody (`models.together` knows which of the two it is).
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        raise


def finish(
    request: Request,
    response: HTTPResponse,
    tally: metrics.RouteTally,
    took_s: float,
) -> None:
    """Stamp the request id, count, and write the log line where one is worth writing."""
    request_id = f"{_REQUEST_PREFIX}-{next(_request_numbers):x}"
    response.headers[REQUEST_ID] = request_id
    tally.count(response.status, took_s)
    # Reads that succeed are only counted: phones repeat them by the thousand.
    if getattr(response, "quiet", False):
        return
    if request.method not in READS or response.status >= 400 or took_s > SLOW_S:
        route = request.route
        log.info(
            "request",
            id=request_id,
            method=request.method,
            route=route.path if route else None,
            status=response.status,
            took_ms=round(took_s * 1000, 1),
        )


def address_of(request: Request) -> str:
    """The address a request comes from; a proxy's word counts only where proxies are set."""
    behind_proxy: bool = request.app.config.PROXIES_COUNT is not None
    return request.client_ip if behind_proxy else request.ip


def decoded(path: dict[str, str]) -> dict[str, Any]:
    """A path's parameters as they were meant. Raises NotFound: nothing of ours has NUL in it."""
    meant: dict[str, Any] = {name: unquote(value) for name, value in path.items()}
    if any("\0" in value for value in meant.values()):
        raise NotFound
    return meant


async def learn_kiosk(request: Request) -> None:
    """Look the token of a kiosk up, unless it is known. Raises TooManyRequests."""
    header: str = request.headers.get("authorization", "")
    if not names_kiosk(header):
        return
    room, token = services(request), header[7:]
    if not room.tokens.knows(token):
        room.limits.check(ADDRESS, address_of(request))
        await known_kiosk(token, room.tokens)


def admit(request: Request, guard: Guard, hall: str | None) -> Principal:
    """Who asks. Raises NotSignedIn, NotAllowed or TooManyRequests."""
    room = services(request)
    header: str = request.headers.get("authorization", "")
    try:
        who = room.tokens.read(header[7:] if header[:7] == "Bearer " else _bearer(header))
    except NotSignedIn:
        # Whoever tries tokens out has no name to count against.
        room.limits.check(ADDRESS, address_of(request))
        raise
    room.limits.check(KIOSK if who.kind is PersonKind.KIOSK else PERSON, who.id)
    guard.admit(who, hall, room.directory.halls)
    return who


def _bearer(header: str) -> str:
    """The token in an Authorization header that is not written as usual. Raises NotSignedIn."""
    scheme, _, token = header.partition(" ")
    if not token or scheme.lower() != "bearer":
        raise NotSignedIn
    return token


def refused(request: Request, fault: Exception) -> HTTPResponse:
    """The problem document for anything that went wrong; a fault of ours is logged too."""
    return problem_response(
        as_refusal(fault),
        instance=request.path,
        english=wants_english(request.headers.get("accept-language")),
    )


def as_refusal(fault: Exception) -> Refusal:
    """What to say of an exception."""
    if isinstance(fault, Refusal):
        return fault
    if isinstance(fault, WrongState):
        return wrong_state(fault)
    if isinstance(fault, NoSuchCitizen):
        return NotSignedIn()  # she is gone, and her token is not yet
    if isinstance(fault, PlatformUnavailable):
        return Unavailable(fault.retry_after_s)
    if is_store_fault(fault):
        log.error("store_unavailable", fault=type(fault).__name__)
        return Unavailable()
    # Where, but not what it said: a database's message may quote a name or a number.
    where = [f"{frame.filename}:{frame.lineno}" for frame in extract_tb(fault.__traceback__)]
    log.error("internal_error", fault=type(fault).__name__, where=where[-6:])
    return InternalError()
