"""What a socket asks to be shown: halls to anybody, tickets to their own and to followers."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from models.following import Grant
from models.sessions import PersonKind
from scheduler.calendar import business_day
from server.auth import WATCHES_HALL
from server.errors import (
    InvalidRequest,
    NotFound,
    NotSignedIn,
)
from server.live.feed import Feed
from server.live.live_socket import LiveSocket, SignedIn
from server.live.state import LiveTicket
from server.live.topics import TICKET_FRAMES, OwnTopic, staff_topic
from server.services import Services

MOST_TOPICS = 20
FindTicket = Callable[[Feed, UUID], Awaitable[LiveTicket | None]]


def plain(topic: str) -> str:
    """The topic as we write it: one ticket's id can be written in many ways."""
    kind, _, name = topic.partition(":")
    if kind not in {"ticket", "appointment", "inbox"}:
        return topic
    try:
        return f"{kind}:{UUID(name)}"
    except ValueError:
        return topic


async def watch(topic: str, socket: LiveSocket, room: Services, find: FindTicket) -> None:
    """Show the socket a topic, now and at each change. Raises NotFound, NotSignedIn and others."""
    kind, _, name = topic.partition(":")
    if kind == "hall":
        room.directory.hall(name)
        # Watch first, then read, so that no change slips between.
        _add(topic, socket)
        room.feed.topics.watch_hall(name, socket)
        if kept := room.feed.memory.halls.get(name):
            socket.show(topic, kept.board.version, kept.board_frame)
    elif kind == "ticket":
        await _watch_ticket(name, socket, room, find)
    elif own := room.own_topics.get(kind):
        await _watch_own(own, kind, name, socket, room)
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


async def _watch_own(
    own: OwnTopic, kind: str, name: str, socket: LiveSocket, room: Services
) -> None:
    signed_in = _signed_in(socket, room)
    me = room.tokens.as_now(signed_in.who).id
    try:
        id = UUID(name) if name else me
    except ValueError:
        raise NotFound from None
    if signed_in.who.kind is not PersonKind.CITIZEN:
        raise NotFound
    _add(f"{kind}:{id}", socket)
    if not await own.watch(id, me, socket):
        socket.unwatch(f"{kind}:{id}", room.feed)
        raise NotFound


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


async def follow(code: str, socket: LiveSocket, room: Services, find: FindTicket) -> None:
    """Show the socket the ticket of a code; raises what `Grants.by_code` does."""
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
    room.feed.topics.watch_ticket(found.view, socket, as_holder=grant is None)
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
