"""The feed: how processes tell each other that a hall changed, and what each keeps in memory.

Operations call `changed` on the line after their transaction. The worker projects the hall again,
stores its live state and publishes the version; every API process then fetches that state, and
answers boards, positions and rankings from memory.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Protocol
from uuid import UUID

import msgspec
import redis.asyncio as aioredis
import structlog

from server.live.memory import Change, Memory
from server.live.state import TicketView, encode, frame, fresh_frame

log = structlog.get_logger()

CHANGED = "yiting:changed"
LIVE = "yiting:live"
ENDED = "yiting:ended"
REREAD_EVERY_S = 15.0
RECONNECT_AFTER_S = 0.5
# Changes of so short a time travel together: a message costs more than it holds.
GATHER_S = 0.004


def live_key(hall: str) -> str:
    """Where a hall's live state is stored."""
    return f"yiting:hall:{hall}"


encode_changes = msgspec.json.Encoder().encode
decode_changes = msgspec.json.Decoder(tuple[Change, ...]).decode


class Watcher(Protocol):
    """Who wants to hear about topics: a socket. Must not block."""

    def show(self, topic: str, version: int, message: bytes) -> None:
        """Take the newest state of a topic; an older one not yet sent may be dropped."""


class Feed:
    """One process's voice to the others, and its ear; what it hears goes into its memory."""

    def __init__(self, valkey: aioredis.Redis, hall_codes: Iterable[str]) -> None:
        self._valkey = valkey
        self._codes = list(hall_codes)
        self.memory = Memory()
        self._watchers: defaultdict[str, set[Watcher]] = defaultdict(set)
        # Watched tickets by hall, each with the version last shown.
        self._followed: defaultdict[str, dict[UUID, int]] = defaultdict(dict)
        self._shown: dict[str, int] = {}
        self._outbox: list[Change] = []
        self._publishing: asyncio.Future[None] | None = None
        self._news: set[str] = set()
        self._woken = asyncio.Event()
        self.on_ended: Callable[[UUID], None] = lambda _: None

    # --- telling ---------------------------------------------------------------------------

    async def changed(self, *changes: Change) -> None:
        """Say that halls changed; returns when every process has been sent word of it.

        Never raises: the change is committed, and the worker finds it by itself within 15 s.
        Changes of one moment travel together, so many at once cost one message.
        """
        self.memory.mark(changes)
        self._outbox.extend(changes)
        if self._publishing is None:
            self._publishing = asyncio.ensure_future(self._publish())
        await asyncio.shield(self._publishing)

    async def _publish(self) -> None:
        await asyncio.sleep(GATHER_S)
        self._publishing, changes = None, tuple(self._outbox)
        self._outbox.clear()
        try:
            await self._valkey.publish(CHANGED, encode_changes(changes))
        except (aioredis.RedisError, OSError) as fault:
            log.warning("change_not_published", fault=type(fault).__name__)

    async def sign_in_ended(self, sign_in_id: UUID) -> None:
        """Say that a sign-in is over, so that every process refuses its tokens."""
        self.on_ended(sign_in_id)
        try:
            await self._valkey.publish(ENDED, str(sign_in_id))
        except (aioredis.RedisError, OSError) as fault:
            log.warning("end_not_published", fault=type(fault).__name__)

    # --- watching --------------------------------------------------------------------------

    def watch_hall(self, hall: str, watcher: Watcher) -> None:
        """Show the watcher every change of the hall's board from now on."""
        self._watchers[hall_topic(hall)].add(watcher)

    def watch_ticket(self, view: TicketView, watcher: Watcher) -> None:
        """Show the watcher every change of the ticket from now on."""
        self._watchers[ticket_topic(view.id)].add(watcher)
        followed = self._followed[view.hall]
        followed[view.id] = max(view.version, followed.get(view.id, 0))

    def unwatch(self, topic: str, watcher: Watcher) -> None:
        """Stop showing."""
        self._watchers[topic].discard(watcher)
        if not self._watchers[topic]:
            del self._watchers[topic]

    # --- listening -------------------------------------------------------------------------

    async def listen_forever(self) -> None:
        """Keep the memory up to date until cancelled."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._listen())
                    group.create_task(self._read_news())
            except* (aioredis.RedisError, OSError) as faults:
                log.warning("feed_lost", fault=type(faults.exceptions[0]).__name__)
                await asyncio.sleep(RECONNECT_AFTER_S)

    async def _listen(self) -> None:
        async with self._valkey.pubsub() as channel:
            await channel.subscribe(CHANGED, LIVE, ENDED)
            # Subscribe first, then read: nothing slips between.
            self._ask_for(self._codes)
            async for message in channel.listen():
                if message["type"] == "message":
                    self._hear(message["channel"].decode(), message["data"])
            raise ConnectionError("the subscription ended")

    def _hear(self, channel: str, data: bytes) -> None:
        if channel == CHANGED:
            self.memory.mark(decode_changes(data))
        elif channel == LIVE:
            self._ask_for([data.decode()])
        else:
            self.on_ended(UUID(data.decode()))

    def _ask_for(self, codes: Iterable[str]) -> None:
        self._news.update(codes)
        self._woken.set()

    async def _read_news(self) -> None:
        """Fetch what was heard of, together; now and then everything, as a word may get lost."""
        while True:
            try:
                await asyncio.wait_for(self._woken.wait(), REREAD_EVERY_S)
                await asyncio.sleep(GATHER_S)
            except TimeoutError:
                self._news.update(self._codes)
                self.memory.forget_old_changes()
            self._woken.clear()
            codes = sorted(self._news)
            self._news.clear()
            for stored in await self._valkey.mget([live_key(code) for code in codes]):
                if isinstance(stored, bytes):
                    self._take(stored)

    def _take(self, stored: bytes) -> None:
        kept = self.memory.keep(stored)
        if kept is None:
            return
        code = kept.board.hall
        unchanged = self._shown.get(code) == kept.board.version
        self._shown[code] = kept.board.version
        message = fresh_frame(kept.board) if unchanged else kept.board_frame
        topic = hall_topic(code)
        for watcher in self._watchers.get(topic, ()):
            watcher.show(topic, kept.board.version, message)
        if not unchanged:
            self._show_tickets(code)

    def _show_tickets(self, hall: str) -> None:
        followed = self._followed.get(hall)
        for ticket_id, shown in list(followed.items()) if followed else ():
            topic = ticket_topic(ticket_id)
            watchers = self._watchers.get(topic)
            if not watchers:
                del self._followed[hall][ticket_id]
                continue
            found = self.memory.ticket(ticket_id)
            if found is None or found.view.version <= shown:
                continue  # the next projection has it
            self._followed[hall][ticket_id] = found.view.version
            message = ticket_frame(found.view)
            for watcher in watchers:
                watcher.show(topic, found.view.version, message)


def hall_topic(hall: str) -> str:
    """The topic of a hall's board."""
    return f"hall:{hall}"


def ticket_topic(ticket_id: UUID) -> str:
    """The topic of a ticket."""
    return f"ticket:{ticket_id}"


def ticket_frame(view: TicketView) -> bytes:
    """A ticket as a message on the socket."""
    return frame(ticket_topic(view.id), view.version, encode(view))
