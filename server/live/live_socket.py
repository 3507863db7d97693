"""One connected socket: what it watches, and the newest state of each topic not yet sent."""

import asyncio
import time
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt
import msgspec
from sanic.server.websockets.impl import WebsocketImplProtocol

from models.following import Grant
from models.sessions import PersonKind
from server.auth import Principal, Tokens
from server.clock import microseconds
from server.errors import (
    NotAllowed,
    Refusal,
)
from server.live.feed import Feed
from server.live.topics import ticket_topic

SEND_TIMEOUT_S = 30.0
IDLE_S = 60.0
SIGNED_OUT, UNFOLLOWED = "signed_out", "unfollowed"
# Topics that only somebody signed in is shown.
PRIVATE = ("ticket:", "appointment:", "inbox:", "staff:")
_encode = msgspec.json.Encoder().encode


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
    """One connected socket; a `Watcher` of the feed's topics."""

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
        feed.topics.unwatch(topic, self)
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
