"""The open sockets of this process: how many there may be, and who hears what of her sign-in."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from sanic import Request

from server.auth import Tokens
from server.errors import TooManyRequests, Unavailable
from server.http.endpoint import address_of
from server.http.limits import ADDRESS
from server.live.feed import Feed
from server.running import metrics
from server.services import services

RETRY_AFTER_S = 5
LOOK_EVERY_S = 0.5
GOODBYE_WITHIN_S = 2.0


class Signed(Protocol):
    """Who signed in on a socket."""

    def is_by(self, sign_in_id: UUID) -> bool:
        """Whether she did by this sign-in."""

    def is_over(self, tokens: Tokens) -> bool:
        """Whether the token expired or the sign-in ended meanwhile."""


class OpenSocket(Protocol):
    """A socket as the rest of the process sees it."""

    @property
    def address(self) -> str:
        """Where it comes from."""

    @property
    def is_idle(self) -> bool:
        """Whether it has watched nothing and said nothing for long."""

    @property
    def signed_in(self) -> Signed | None:
        """Who signed in on it, if anybody did."""

    def sign_out(self, feed: Feed) -> None:
        """Her sign-in is over."""

    def drop_ended(self, ended: AbstractSet[UUID], feed: Feed) -> None:
        """Stop following tickets by what has ended."""

    def let_go(self) -> None:
        """Close it, for it is idle."""

    async def tell(self, **message: Any) -> None:
        """Send a message of its own."""


Socket = TypeVar("Socket", bound=OpenSocket)


class Sockets(Generic[Socket]):
    """The sockets that are open, and how many of them each address has."""

    def __init__(self) -> None:
        self._open: set[Socket] = set()
        self._of: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Socket]:
        return iter(tuple(self._open))

    def of(self, address: str) -> int:
        """How many an address has."""
        return self._of[address]

    def add(self, socket: Socket) -> None:
        """Count a socket that has opened."""
        self._open.add(socket)
        self._of[socket.address] += 1
        metrics.SOCKETS.inc()

    def discard(self, socket: Socket) -> None:
        """Forget a socket that has closed."""
        self._open.discard(socket)
        self._of[socket.address] -= 1
        if not self._of[socket.address]:
            del self._of[socket.address]
        metrics.SOCKETS.dec()

    def end_sign_in(self, sign_in_id: UUID, feed: Feed) -> None:
        """At once: who signed in by this sign-in hears of no ticket any more.

        Nor does whoever follows one by what has this id.
        """
        for socket in self:
            if socket.signed_in is not None and socket.signed_in.is_by(sign_in_id):
                socket.sign_out(feed)
            socket.drop_ended({sign_in_id}, feed)

    async def look_after_forever(self, tokens: Tokens, feed: Feed) -> None:
        """Until cancelled: whose token expired hears of no ticket any more; who is idle is let go.

        Whose sign-in ended neither, should word of that have been read in PostgreSQL.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for socket in self:
                if socket.signed_in is not None and socket.signed_in.is_over(tokens):
                    socket.sign_out(feed)
                socket.drop_ended(tokens.ended, feed)
                if socket.is_idle:
                    socket.let_go()

    async def say_goodbye(self) -> None:
        """Tell every socket that this process stops; phones then connect to another."""
        words = (socket.tell(type="bye", reconnect=True) for socket in self)
        with suppress(Exception):
            async with asyncio.timeout(GOODBYE_WITHIN_S):
                await asyncio.gather(*words, return_exceptions=True)


def admit(request: Request) -> None:
    """Refuse one socket more than this process, or one address, may have.

    Raises Unavailable, or TooManyRequests.
    """
    room, address = services(request), address_of(request)
    room.limits.check(ADDRESS, address)
    sockets: Sockets[Any] = request.app.ctx.sockets
    if room.settings.rate_limits and sockets.of(address) >= room.settings.most_sockets_of_one:
        raise TooManyRequests(RETRY_AFTER_S)
    if len(sockets) >= room.settings.most_sockets:
        raise Unavailable(RETRY_AFTER_S)
