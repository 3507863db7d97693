"""The feed: how processes tell each other that a hall changed, and what each keeps in memory.

Operations call `changed` on the line after their transaction. The worker projects the hall again,
stores its live state and publishes the version; every API process then fetches that state, and
answers boards, positions and rankings from memory.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import msgspec
import redis.asyncio as aioredis
import structlog

from server.live.state import Kept, LiveTicket, TicketView, decode_hall, encode, frame, fresh_frame

log = structlog.get_logger()

CHANGED = "yiting:changed"
LIVE = "yiting:live"
ENDED = "yiting:ended"
REREAD_EVERY_S = 15.0
RECONNECT_AFTER_S = 0.5


def live_key(hall: str) -> str:
    """Where a hall's live state is stored."""
    return f"yiting:hall:{hall}"


class Change(msgspec.Struct, frozen=True):
    """That something in a hall changed; `ticket` names the ticket, when it was one."""

    hall: str
    ticket: UUID | None = None
    version: int = 0


encode_changes = msgspec.json.Encoder().encode
decode_changes = msgspec.json.Decoder(tuple[Change, ...]).decode


class Watcher(Protocol):
    """Who wants to hear about topics: a socket. Must not block."""

    def show(self, topic: str, version: int, message: bytes) -> None:
        """Take the newest state of a topic; an older one not yet sent may be dropped."""


class Feed:
    """One process's view of all halls, and its voice to the others."""

    def __init__(self, valkey: aioredis.Redis, hall_codes: Iterable[str]) -> None:
        self._valkey = valkey
        self._codes = list(hall_codes)
        self.halls: dict[str, Kept] = {}
        # Rises whenever any hall's state is replaced.
        self.generation = 0
        self._heard_at: dict[str, float] = {}
        self._tickets: dict[UUID, LiveTicket] = {}
        # Tickets changed since their hall was last projected, by the version they changed to.
        self._stale: dict[UUID, int] = {}
        self._watchers: defaultdict[str, set[Watcher]] = defaultdict(set)
        self._outbox: list[Change] = []
        self._publishing: asyncio.Future[None] | None = None
        self.on_ended: Callable[[UUID], None] = lambda _: None
        self.on_connected: Callable[[], None] = lambda: None

    # --- telling ---------------------------------------------------------------------------

    async def changed(self, *changes: Change) -> None:
        """Say that halls changed; returns when every process has been sent word of it.

        Never raises: the change is committed, and the worker finds it by itself within 15 s.
        Changes of one moment travel together, so many at once cost one message.
        """
        self._mark(changes)
        self._outbox.extend(changes)
        if self._publishing is None:
            self._publishing = asyncio.ensure_future(self._publish())
        await asyncio.shield(self._publishing)

    async def _publish(self) -> None:
        await asyncio.sleep(0)
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

    # --- answering -------------------------------------------------------------------------

    def ticket(self, ticket_id: UUID) -> LiveTicket | None:
        """A ticket as it is now, or None when PostgreSQL must be asked."""
        return None if ticket_id in self._stale else self._tickets.get(ticket_id)

    def version_after(self, ticket_id: UUID, row_version: int) -> int:
        """The version to show for a ticket read from PostgreSQL: above all shown before."""
        known = self._tickets.get(ticket_id)
        return row_version if known is None else max(row_version, known.view.version + 1)

    def oldest_age_s(self) -> float:
        """Seconds since the hall heard of longest ago was projected; 0 before any was."""
        return time.monotonic() - min(self._heard_at.values(), default=time.monotonic())

    # --- watching --------------------------------------------------------------------------

    def watch(self, topic: str, watcher: Watcher) -> None:
        """Show the watcher every change of the topic from now on."""
        self._watchers[topic].add(watcher)

    def unwatch(self, topic: str, watcher: Watcher) -> None:
        """Stop showing."""
        self._watchers[topic].discard(watcher)
        if not self._watchers[topic]:
            del self._watchers[topic]

    # --- listening -------------------------------------------------------------------------

    async def listen_forever(self) -> None:
        """Keep the halls in memory up to date until cancelled."""
        while True:
            try:
                await self._listen()
            except (aioredis.RedisError, OSError) as fault:
                log.warning("feed_lost", fault=type(fault).__name__)
                await asyncio.sleep(RECONNECT_AFTER_S)

    async def _listen(self) -> None:
        async with self._valkey.pubsub() as channel:
            await channel.subscribe(CHANGED, LIVE, ENDED)
            # Subscribe first, then read: nothing slips between.
            self.on_connected()
            await self._read_all()
            reread = asyncio.create_task(self._reread_forever())
            try:
                async for message in channel.listen():
                    if message["type"] == "message":
                        await self._hear(message["channel"].decode(), message["data"])
            finally:
                reread.cancel()
                with suppress(asyncio.CancelledError, aioredis.RedisError, OSError):
                    await reread

    async def _hear(self, channel: str, data: bytes) -> None:
        if channel == CHANGED:
            self._mark(decode_changes(data))
        elif channel == LIVE:
            await self._read([data.decode()])
        else:
            self.on_ended(UUID(data.decode()))

    async def _reread_forever(self) -> None:
        """Publish/subscribe may lose a message; a slow re-read finds what it lost."""
        while True:
            await asyncio.sleep(REREAD_EVERY_S)
            await self._read_all()

    async def _read_all(self) -> None:
        await self._read(self._codes)
        # A ticket that is in no hall's live state any more is read from PostgreSQL anyway.
        for ticket_id in [known for known in self._stale if known not in self._tickets]:
            del self._stale[ticket_id]

    async def _read(self, codes: list[str]) -> None:
        found = await self._valkey.mget([live_key(code) for code in codes])
        for raw in found:
            if raw is not None:
                self._keep(Kept(decode_hall(raw)))

    def _mark(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.ticket is not None:
                known = self._tickets.get(change.ticket)
                if known is None or known.row_version < change.version:
                    self._stale[change.ticket] = change.version

    def _keep(self, kept: Kept) -> None:
        before = self.halls.get(kept.hall.code)
        if before is not None and not _is_news(kept, before):
            return
        self.halls[kept.hall.code] = kept
        self.generation += 1
        self._heard_at[kept.hall.code] = time.monotonic()
        if before is not None:
            for ticket in before.hall.tickets:
                self._tickets.pop(ticket.view.id, None)
        for ticket in kept.hall.tickets:
            self._tickets[ticket.view.id] = ticket
            if self._stale.get(ticket.view.id, 0) <= ticket.row_version:
                self._stale.pop(ticket.view.id, None)
        if before is None or before.hall.version < kept.hall.version:
            self._show(kept, before)
        else:
            self._refresh(kept)

    def _refresh(self, kept: Kept) -> None:
        """Nothing changed: let watchers know that this is news, and not silence."""
        topic = f"hall:{kept.hall.code}"
        if watchers := self._watchers.get(topic):
            message = fresh_frame(kept.hall.board)
            for watcher in watchers:
                watcher.show(topic, kept.hall.version, message)

    def _show(self, kept: Kept, before: Kept | None) -> None:
        topic = f"hall:{kept.hall.code}"
        for watcher in self._watchers.get(topic, ()):
            watcher.show(topic, kept.hall.version, kept.board_frame)
        earlier = (
            {ticket.view.id: ticket.view.version for ticket in before.hall.tickets}
            if before
            else {}
        )
        for ticket in kept.hall.tickets:
            view = ticket.view
            watchers = self._watchers.get(f"ticket:{view.id}")
            if watchers and earlier.get(view.id) != view.version:
                message = ticket_frame(view)
                for watcher in watchers:
                    watcher.show(f"ticket:{view.id}", view.version, message)


def _is_news(kept: Kept, before: Kept) -> bool:
    """Whether a state is later than the one we have; the slow re-read mostly finds the same."""
    return (kept.hall.version, kept.hall.board.as_of) > (
        before.hall.version,
        before.hall.board.as_of,
    )


def ticket_frame(view: TicketView) -> bytes:
    """A ticket as a message on the socket."""
    return frame(f"ticket:{view.id}", view.version, encode(view))
