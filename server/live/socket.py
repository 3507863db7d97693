"""`/api/v1/live`: one WebSocket for everything a phone or a board follows.

Each socket keeps, for each topic it watches, only the newest state not yet sent. A slow reader thus
skips states and never falls behind, and one that does not read at all is let go.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import jwt
import msgspec
import structlog
from sanic import Blueprint, Request
from sanic.exceptions import WebsocketClosed
from sanic.server.websockets.impl import WebsocketImplProtocol
from websockets.protocol import State

from models.following import Grant
from models.sessions import PersonKind
from scheduler.calendar import business_day
from server.alerts.watching import staff_topic
from server.auth import WATCHES_HALL, Principal, Tokens
from server.clock import microseconds
from server.endpoint import address_of, as_refusal
from server.errors import (
    InvalidRequest,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Refusal,
    wants_english,
)
from server.limits import ADDRESS
from server.live.feed import TICKET_FRAMES, Feed, ticket_topic
from server.live.sockets import Sockets
from server.live.state import LiveTicket
from server.services import Services, services

log = structlog.get_logger()
bp = Blueprint("live", url_prefix="/api/v1")

MOST_TOPICS = 20
MOST_MISTAKES = 10
SEND_TIMEOUT_S = 30.0
IDLE_S = 60.0
SIGNED_OUT, UNFOLLOWED = "signed_out", "unfollowed"
# Topics that only somebody signed in is shown.
PRIVATE = ("ticket:", "staff:")
_encode = msgspec.json.Encoder().encode

FindTicket = Callable[[Feed, UUID], Awaitable[LiveTicket | None]]


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


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in on a socket, and until when (Unix time) her token lasts."""

    who: Principal
    expires: float

    @classmethod
    def by(cls, token: str, tokens: Tokens) -> "SignedIn":
        """Whom a token is for. Raises NotSignedIn, or NotAllowed for a kiosk's."""
        who = tokens.read(token)
        if who.kind is PersonKind.KIOSK:
            raise NotAllowed
        # It has just been verified; what is still to be known is until when it holds.
        claims = jwt.decode(token, options={"verify_signature": False})
        return cls(who, float(claims["exp"]))

    def is_by(self, sign_in_id: UUID) -> bool:
        """Whether she signed in by this sign-in."""
        return self.who.sign_in_id == sign_in_id

    def is_over(self, tokens: Tokens) -> bool:
        """Whether the token expired or the sign-in ended meanwhile."""
        return self.expires <= time.time() or self.who.sign_in_id in tokens.ended


class TooSlow(Exception):
    """The other side does not take what is sent."""


class LiveSocket:
    """One connected socket; a `Watcher` of the feed."""

    def __init__(self, ws: WebsocketImplProtocol, *, address: str, english: bool) -> None:
        self._ws = ws
        self.address = address
        self._english = english
        self._newest: dict[str, tuple[int, bytes]] = {}
        self._sent: dict[str, int] = {}
        self._news = asyncio.Event()
        self.topics: set[str] = set()
        # By what it follows tickets that are not hers, and whether that is a citizen's or a code.
        self.grants: dict[str, Grant] = {}
        self.signed_in: SignedIn | None = None
        self.mistakes = 0
        # Monotonic seconds.
        self.heard_at = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Whether it has watched nothing and said nothing for long."""
        return not self.topics and time.monotonic() > self.heard_at + IDLE_S

    def let_go(self) -> None:
        """Close it, for it is idle."""
        self._ws.fail_connection(1001, "nothing watched")

    def show(self, topic: str, version: int, message: bytes) -> None:
        """Take the newest state of a topic; what was not sent yet is replaced."""
        waiting = self._newest.get(topic)
        # A state not sent yet says more than word that it still stands.
        if waiting is None or waiting[0] < version:
            self._newest[topic] = (version, message)
        self._news.set()

    def forget(self, topic: str) -> None:
        """Drop what was to be sent of a topic."""
        self._newest.pop(topic, None)
        self._sent.pop(topic, None)

    def drop_tickets(self, feed: Feed) -> None:
        """Stop watching tickets and what is for staff; halls go on."""
        for topic in [topic for topic in self.topics if topic.startswith(PRIVATE)]:
            self.unwatch(topic, feed)
        for topic in [topic for topic, grant in self.grants.items() if grant.is_citizens]:
            self.unwatch(topic, feed)

    def unwatch(self, topic: str, feed: Feed) -> None:
        """Stop watching a topic."""
        feed.unwatch(topic, self)
        self.topics.discard(topic)
        self.grants.pop(topic, None)
        self.forget(topic)

    def drop_ended(self, ended: AbstractSet[UUID], feed: Feed) -> None:
        """Stop following what may not be followed any more, and say so."""
        for topic, grant in list(self.grants.items()):
            if grant.id in ended:
                self.unwatch(topic, feed)
                said = {"type": UNFOLLOWED, "topic": ticket_topic(grant.ticket_id)}
                self.show(f"{UNFOLLOWED} {topic}", microseconds(), _encode(said))

    def sign_out(self, feed: Feed) -> None:
        """Her sign-in is over: drop her tickets, and say so when the socket takes it."""
        self.signed_in = None
        self.drop_tickets(feed)
        # Sent like a topic's news, because whoever signs her out must not wait for a slow reader.
        self.show(SIGNED_OUT, microseconds(), _encode({"type": SIGNED_OUT}))

    async def tell(self, **message: Any) -> None:
        """Send a message of its own, such as an error."""
        await self._send(_encode(message))

    async def refuse(self, refusal: Refusal) -> None:
        """Say why an operation was not done."""
        self.mistakes += 1
        detail = refusal.detail[self._english]
        await self.tell(type="error", code=refusal.code, detail=detail)

    async def send_forever(self) -> None:
        """Send news as it comes, until the socket closes or does not take it in time."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._newest:
                topic, (version, message) = self._newest.popitem()
                # Never backwards: a snapshot read slowly may be older than a change just sent.
                if version >= self._sent.get(topic, 0):
                    self._sent[topic] = version
                    await self._send(message)

    async def _send(self, message: bytes) -> None:
        try:
            # Not `wait_for`, which may lose that we are cancelled: nothing else ends a sender.
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._ws.send(message.decode())
        except TimeoutError:
            # Not a store's, which would be answered, and in vain wait as long again.
            raise TooSlow from None


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
                room.feed.unwatch(topic, socket)
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
            await _watch(_plain(topic), socket, room, find)
        case Follow(code):
            await _follow(code, socket, room, find)
        case Unwatch(topic):
            kind, _, name = _plain(topic).partition(":")
            socket.unwatch(f"{kind}:{name}", room.feed)
            if kind == "ticket":
                socket.unwatch(f"follower:{name}", room.feed)
        case Ping():
            await socket.tell(type="pong")


def _sign_in(new: SignedIn, socket: LiveSocket, room: Services) -> None:
    before, socket.signed_in = socket.signed_in, new
    if before is not None and room.tokens.as_now(before.who).id != new.who.id:
        socket.drop_tickets(room.feed)


def _plain(topic: str) -> str:
    """The topic as we write it: one ticket's id can be written in many ways."""
    kind, _, name = topic.partition(":")
    if kind != "ticket":
        return topic
    try:
        return ticket_topic(UUID(name))
    except ValueError:
        return topic


async def _watch(topic: str, socket: LiveSocket, room: Services, find: FindTicket) -> None:
    kind, _, name = topic.partition(":")
    if kind == "hall":
        room.directory.hall(name)
        # Watch first, then read, so that no change slips between.
        _add(topic, socket)
        room.feed.watch_hall(name, socket)
        if kept := room.feed.memory.halls.get(name):
            socket.show(topic, kept.board.version, kept.board_frame)
    elif kind == "ticket":
        await _watch_ticket(name, socket, room, find)
    elif kind == "staff":
        await _watch_staff(name, socket, room)
    else:
        raise NotFound(("没有这个主题。", "There is no such topic."))


def _signed_in(socket: LiveSocket, room: Services) -> SignedIn:
    """Who signed in on a socket. Raises NotSignedIn."""
    signed_in = socket.signed_in
    if signed_in is None or signed_in.is_over(room.tokens):
        raise NotSignedIn
    return signed_in


async def _watch_staff(hall: str, socket: LiveSocket, room: Services) -> None:
    WATCHES_HALL.admit(_signed_in(socket, room).who, hall, room.directory.halls)
    room.directory.hall(hall)
    _add(staff_topic(hall), socket)
    await room.alerts.watch(hall, socket)


async def _watch_ticket(name: str, socket: LiveSocket, room: Services, find: FindTicket) -> None:
    signed_in = _signed_in(socket, room)
    try:
        ticket_id = UUID(name)
    except ValueError:
        raise NotFound from None
    if signed_in.who.kind is not PersonKind.CITIZEN:
        raise NotFound
    found = await find(room.feed, ticket_id)
    me, grant = room.tokens.as_now(signed_in.who).id, None
    if found is not None and not found.is_of(me):
        today = business_day(room.clock.now())
        grant = await room.grants.by_citizen(me, ticket_id, today=today)
    if socket.signed_in is not signed_in:
        raise NotSignedIn  # signed out while we looked
    if found is None or not (found.is_of(me) or grant):
        raise NotFound
    await _show_ticket(found, grant, socket, room, find)


async def _follow(code: str, socket: LiveSocket, room: Services, find: FindTicket) -> None:
    today = business_day(room.clock.now())
    grant = await room.grants.by_code(code, today=today, address=socket.address)
    found = await find(room.feed, grant.ticket_id)
    if found is None:
        raise NotFound
    await _show_ticket(found, grant, socket, room, find)


async def _show_ticket(
    found: LiveTicket, grant: Grant | None, socket: LiveSocket, room: Services, find: FindTicket
) -> None:
    """Show a ticket from now on: to its holder, or to whoever follows it by this grant."""
    topic_of, framed = TICKET_FRAMES[grant is not None]
    topic = topic_of(found.view.id)
    _add(topic, socket)
    if grant is not None:
        socket.grants[topic] = grant
    room.feed.watch_ticket(found.view, socket, as_holder=grant is None)
    now = await find(room.feed, found.view.id) or found
    if grant is not None:
        # What ended while we looked ends like what ends later.
        socket.drop_ended(room.tokens.ended, room.feed)
    if topic in socket.topics:
        socket.show(topic, now.view.version, framed(now.view))


def _add(topic: str, socket: LiveSocket) -> None:
    if topic not in socket.topics and len(socket.topics) >= MOST_TOPICS:
        raise InvalidRequest(
            (f"最多同时关注 {MOST_TOPICS} 个主题。", f"At most {MOST_TOPICS} topics at once.")
        )
    socket.topics.add(topic)
    # Watching again asks for the state again.
    socket.forget(topic)
