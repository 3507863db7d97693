"""`/api/v1/live`: one WebSocket for everything a phone or a board follows.

Each keeps, for each topic it watches, only the newest state not yet sent (`live_socket`). A slow
reader thus skips states and never falls behind, and one that does not read at all is let go.
"""

import asyncio
import time
from typing import Annotated

import msgspec
import structlog
from sanic import Blueprint, Request
from sanic.exceptions import WebsocketClosed
from sanic.server.websockets.impl import WebsocketImplProtocol
from websockets.protocol import State

from server.errors import (
    InvalidRequest,
    wants_english,
)
from server.http.endpoint import address_of, as_refusal
from server.http.limits import ADDRESS
from server.live.live_socket import LiveSocket, SignedIn, TooSlow
from server.live.sockets import Sockets
from server.live.watching import FindTicket, follow, plain, watch
from server.services import Services, services

log = structlog.get_logger()
bp = Blueprint("live", url_prefix="/api/v1")

MOST_MISTAKES = 10


class SignIn(msgspec.Struct, frozen=True, tag_field="op", tag="sign_in"):
    """Say who I am; needed before watching a ticket."""

    token: Annotated[str, msgspec.Meta(max_length=4096)]


class Watch(msgspec.Struct, frozen=True, tag_field="op", tag="watch"):
    """Send me the topic's state now and at each change.

    `hall:<code>`, `ticket:<id>`, or for who manages a hall `staff:<code>`.
    """

    topic: Annotated[str, msgspec.Meta(max_length=80)]


class Follow(msgspec.Struct, frozen=True, tag_field="op", tag="follow"):
    """Send me the ticket of this code, now and at each change; nobody need sign in for it."""

    code: Annotated[str, msgspec.Meta(max_length=80)]


class Unwatch(msgspec.Struct, frozen=True, tag_field="op", tag="unwatch"):
    """Stop sending the topic."""

    topic: Annotated[str, msgspec.Meta(max_length=80)]


class Ping(msgspec.Struct, frozen=True, tag_field="op", tag="ping"):
    """Are you there?"""


_decode = msgspec.json.Decoder(SignIn | Watch | Follow | Unwatch | Ping).decode


@bp.websocket("/live", name="live")  # type: ignore[untyped-decorator]
async def live(request: Request, ws: WebsocketImplProtocol) -> None:
    """Serve one socket until it closes."""
    room = services(request)
    socket = LiveSocket(
        ws,
        address=address_of(request),
        english=wants_english(request.headers.get("accept-language")),
    )
    sockets: Sockets[LiveSocket] = request.app.ctx.sockets
    sockets.add(socket)
    sender = asyncio.create_task(socket.send_forever())
    reader = asyncio.create_task(_read_forever(request, ws, socket, room))
    try:
        done, _ = await asyncio.wait({sender, reader}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if fault := task.exception():
                raise fault
    except (WebsocketClosed, ConnectionError):
        pass
    except TooSlow:
        ws.fail_connection(1013, "too slow")
    finally:
        try:
            await _end_both(sender, reader)
        finally:  # also when this handler is cancelled meanwhile
            for topic in socket.topics:
                room.feed.topics.unwatch(topic, socket)
            sockets.discard(socket)


async def _end_both(sender: asyncio.Task[None], reader: asyncio.Task[None]) -> None:
    """Cancel and wait, and look at what they failed of: else it is logged as an error."""
    sender.cancel()
    reader.cancel()
    await asyncio.gather(sender, reader, return_exceptions=True)


async def _read_forever(
    request: Request, ws: WebsocketImplProtocol, socket: LiveSocket, room: Services
) -> None:
    find: FindTicket = request.app.ctx.find_ticket
    # Sanic waits for ever for a message when the other side closed while we obeyed the last one.
    while ws.ws_proto.state is State.OPEN:
        message = await ws.recv()
        assert message is not None, "only a time limit would give none"
        socket.heard_at = time.monotonic()
        try:
            room.limits.check(ADDRESS, address_of(request))
            await _obey(message, socket, room, find)
        except (WebsocketClosed, ConnectionError, TooSlow):
            raise
        except Exception as fault:
            await socket.refuse(as_refusal(fault))
            if socket.mistakes >= MOST_MISTAKES:
                ws.fail_connection(1008, "too many mistakes")
                return


async def _obey(message: str | bytes, socket: LiveSocket, room: Services, find: FindTicket) -> None:
    try:
        order = _decode(message)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise InvalidRequest(
            ('请发送 {"op": "watch", "topic": "hall:…"}。', 'Send {"op": "watch", "topic": …}.')
        ) from None
    match order:
        case SignIn(token):
            _sign_in(SignedIn.by(token, room.tokens), socket, room)
            await socket.tell(type="signed_in")
        case Watch(topic):
            await watch(plain(topic), socket, room, find)
        case Follow(code):
            await follow(code, socket, room, find)
        case Unwatch(topic):
            kind, _, name = plain(topic).partition(":")
            if kind == "inbox" and not name and socket.signed_in is not None:
                name = str(room.tokens.as_now(socket.signed_in.who).id)
            socket.unwatch(f"{kind}:{name}", room.feed)
            if kind == "ticket":
                socket.unwatch(f"follower:{name}", room.feed)
        case Ping():
            await socket.tell(type="pong")


def _sign_in(new: SignedIn, socket: LiveSocket, room: Services) -> None:
    before, socket.signed_in = socket.signed_in, new
    if before is not None and room.tokens.as_now(before.who).id != new.who.id:
        socket.drop_tickets(room.feed)
