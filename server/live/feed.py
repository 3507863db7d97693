"""The feed: how processes tell each other that a hall changed, and what each keeps in memory.

Operations call `changed` on the line after their transaction. The worker projects the hall again,
stores its live state and publishes the version; every API process then fetches that state, and
answers boards, positions and rankings from memory.
"""

import asyncio
import itertools
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import msgspec
import redis.asyncio as aioredis
import structlog
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from server.live.memory import SETTLE_S, Change, Memory
from server.live.state import UNREADABLE
from server.live.topics import Topics

log = structlog.get_logger()

CHANGED = "yiting:changed"
LIVE = "yiting:live"
ENDED = "yiting:ended"
JOINED = "yiting:joined"
ALERTED = "yiting:alerted"
REREAD_EVERY_S = 15.0
# Those of a whole country at once would keep this process from everything else.
REREAD_TOGETHER = 50
RECONNECT_AFTER_S = 0.5
# Nobody waits longer than this for word to be sent: what changed is committed.
PUBLISH_WITHIN_S = 1.0
# Connecting, too: a machine that is gone may never refuse.
SUBSCRIBE_WITHIN_S = 5.0
# A quiet subscription is asked after so long whether it still stands, and given as long to answer.
PING_AFTER_S = 2.0
# A busy process sends word so often at most: a message costs more than it holds, here and wherever
# it is heard.
GATHER_S = 0.004


def batched(codes: Sequence[str], size: int) -> list[Sequence[str]]:
    """The codes in order, so many at a time."""
    return [codes[start : start + size] for start in range(0, len(codes), size)]


def live_key(hall: str) -> str:
    """Where a hall's live state is stored."""
    return f"yiting:hall:{hall}"


encode_changes = msgspec.json.Encoder().encode
decode_changes = msgspec.json.Decoder(tuple[Change, ...]).decode


def is_cancelled() -> bool:
    """Whether the task that asks was cancelled, also when it was not told.

    Under Python 3.11 `wait_for`, which the client uses when it sends, may lose a cancellation; and
    where cleaning up fails, that fault is raised in its place. Whoever loops for ever asks.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@asynccontextmanager
async def subscribed(
    valkey: aioredis.Redis, *channels: str
) -> AsyncIterator[AsyncIterator[tuple[str, bytes]]]:
    """What is said on channels from now on, as (channel, data).

    Listening raises ConnectionError when the connection is lost, also silently: the client would
    reconnect by itself and not tell that something may have been missed.
    """
    pool = valkey.connection_pool
    # Without a timeout the client sends without `wait_for`, see `is_cancelled`; we ping instead.
    ours = {"retry": Retry(NoBackoff(), 0), "socket_timeout": None}
    own = aioredis.ConnectionPool(pool.connection_class, **(pool.connection_kwargs | ours))
    async with aioredis.Redis.from_pool(own) as client, client.pubsub() as subscription:
        async with asyncio.timeout(SUBSCRIBE_WITHIN_S):
            await subscription.subscribe(*channels)
            for _ in channels:  # each is confirmed; only then nothing is missed
                if await subscription.get_message(timeout=PING_AFTER_S) is None:
                    raise aioredis.ConnectionError("the subscription was not confirmed")
        yield _messages(subscription)


async def _messages(subscription: PubSub) -> AsyncIterator[tuple[str, bytes]]:
    asked = False
    while True:
        message = await subscription.get_message(timeout=PING_AFTER_S)
        if message is None:
            if asked:
                raise aioredis.ConnectionError("the subscription went silent")
            await subscription.ping()
        elif message["type"] == "message":
            yield message["channel"].decode(), message["data"]
        asked = message is None


class Feed:
    """One process's voice to the others, and its ear; what it hears goes into its memory."""

    def __init__(self, valkey: aioredis.Redis, hall_codes: Iterable[str]) -> None:
        self._valkey = valkey
        # The halls to keep in memory; replaced when the catalogue changes.
        self.codes = list(hall_codes)
        self.memory = Memory()
        self.topics = Topics(self.memory)
        self._outbox: list[Change] = []
        self._publishing: asyncio.Future[None] | None = None
        # When (monotonic) word was sent last.
        self._published_at = -math.inf
        # Halls that word came of and that are to be fetched; others that are, too; or all of them.
        self._news: set[str] = set()
        self._due: set[str] = set()
        self._all_due = False
        self._unreadable: set[str] = set()
        self._woken = asyncio.Event()
        self.on_ended: Callable[[UUID], None] = lambda _: None
        self.on_joined: Callable[[UUID, UUID], None] = lambda _was, _now: None
        self.on_alerted: Callable[[str], None] = lambda _: None
        # Which subscription we hear by, another number each time; None while we hear nothing.
        self.hears_by: int | None = None
        # Whether all that was stored when we began to listen is in memory.
        self.has_read = False
        self._subscriptions = itertools.count(1)

    # --- telling ---------------------------------------------------------------------------

    async def changed(self, *changes: Change) -> None:
        """Say that halls changed; returns when word of it was sent, or could not be in a second.

        Never raises: the change is committed, and the worker finds it by itself within 15 s.
        Changes of one moment travel together, so many at once cost one message.
        """
        self._mark(changes)
        self._outbox.extend(changes)
        if self._publishing is None:
            self._publishing = asyncio.ensure_future(self._publish())
        await asyncio.shield(self._publishing)

    async def _publish(self) -> None:
        # What changes in a quiet moment is told at once.
        await asyncio.sleep(max(0.0, self._published_at + GATHER_S - time.monotonic()))
        self._published_at = time.monotonic()
        self._publishing, changes = None, tuple(self._outbox)
        self._outbox.clear()
        try:
            await asyncio.wait_for(
                self._valkey.publish(CHANGED, encode_changes(changes)), PUBLISH_WITHIN_S
            )
        except (aioredis.RedisError, OSError) as fault:
            log.warning("change_not_published", fault=type(fault).__name__)

    async def sign_ins_ended(self, *sign_in_ids: UUID) -> None:
        """Say that sign-ins are over, so that every process refuses their tokens.

        Never raises: processes that do not hear of it find it in PostgreSQL.
        """
        for sign_in_id in sign_in_ids:
            self.on_ended(sign_in_id)
        try:
            async with self._valkey.pipeline(transaction=False) as pipe:
                for sign_in_id in sign_in_ids:
                    pipe.publish(ENDED, str(sign_in_id))
                await asyncio.wait_for(pipe.execute(), PUBLISH_WITHIN_S)
        except (aioredis.RedisError, OSError) as fault:
            log.warning("end_not_published", fault=type(fault).__name__)

    def live_age_s(self) -> float:
        """Seconds since the hall heard of longest ago was projected, at least."""
        return self.memory.oldest_age_s(self.codes)

    async def identified(self, was: UUID | None, now: UUID, changes: Sequence[Change]) -> None:
        """Say that a citizen's accounts were joined: her old id `was` stands for `now`."""
        if was is not None:
            self.on_joined(was, now)
            await self._say(JOINED, f"{was} {now}", else_log="join_not_published")
        if changes:
            await self.changed(*changes)

    async def alerted(self, hall: str) -> None:
        """Say that a hall's emergency calls changed.

        Never raises: whoever watches them looks in PostgreSQL now and then.
        """
        self.on_alerted(hall)
        await self._say(ALERTED, hall, else_log="alert_not_published")

    async def _say(self, channel: str, word: str, *, else_log: str) -> None:
        try:
            await asyncio.wait_for(self._valkey.publish(channel, word), PUBLISH_WITHIN_S)
        except (aioredis.RedisError, OSError) as fault:
            log.warning(else_log, fault=type(fault).__name__)

    # --- listening -------------------------------------------------------------------------

    async def listen_forever(self) -> None:
        """Keep the memory up to date until cancelled."""
        while True:
            try:
                # A task of its own: a group whose member failed leaves its task marked cancelled.
                await asyncio.create_task(self._listen())
            except* (aioredis.RedisError, OSError) as faults:
                if is_cancelled():
                    raise
                log.warning("feed_lost", fault=type(faults.exceptions[0]).__name__)
                await asyncio.sleep(RECONNECT_AFTER_S)

    async def _listen(self) -> None:
        async with subscribed(self._valkey, CHANGED, LIVE, ENDED, JOINED, ALERTED) as words:
            # Subscribe first, then read: nothing slips between.
            self.memory.hearing()
            self.hears_by = next(self._subscriptions)
            self._ask_for_all()
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._hear_all(words))
                    group.create_task(self._read_news())
                    group.create_task(self._look_after_memory())
                    group.create_task(self._have_all_projected())
            finally:
                self.memory.deaf()
                self.hears_by = None

    async def _hear_all(self, words: AsyncIterator[tuple[str, bytes]]) -> None:
        async for channel, data in words:
            try:
                self._hear(channel, data)
            except UNREADABLE as fault:
                log.warning("word_not_understood", channel=channel, fault=type(fault).__name__)

    def _hear(self, channel: str, data: bytes) -> None:
        if channel == CHANGED:
            self._mark(decode_changes(data))
        elif channel == LIVE:
            self._news.update(data.decode().split(","))
            self._woken.set()
        elif channel == ALERTED:
            self.on_alerted(data.decode())
        elif channel == JOINED:
            was, _, now = data.decode().partition(" ")
            self.on_joined(UUID(was), UUID(now))
        else:
            self.on_ended(UUID(data.decode()))

    def _mark(self, changes: Iterable[Change]) -> None:
        changes = tuple(changes)
        self.memory.mark(changes)
        self.topics.follow(changes)

    def _ask_for_all(self) -> None:
        self._all_due = True
        self._woken.set()

    async def _have_all_projected(self) -> None:
        """Have every hall projected once: what we have may lack changes from before we listened."""
        await asyncio.sleep(SETTLE_S)
        changes = tuple(Change(code) for code in self.codes)
        await self._valkey.publish(CHANGED, encode_changes(changes))

    async def _look_after_memory(self) -> None:
        """Fetch everything in turn, as a word may get lost, and forget what is over."""
        while True:
            parts = batched(self.codes, REREAD_TOGETHER) or [()]
            for part in parts:
                await asyncio.sleep(REREAD_EVERY_S / len(parts))
                self._due.update(part)
                self._woken.set()
            self.memory.forget_old_changes()

    async def _read_news(self) -> None:
        """Fetch what was heard of, together."""
        while not is_cancelled():
            await self._woken.wait()
            await asyncio.sleep(GATHER_S)
            self._woken.clear()
            spoken_of, self._news = self._news, set()
            due, self._due = self._due, set()
            all_due, self._all_due = self._all_due, False
            codes = spoken_of.union(due, self.codes if all_due else ())
            for part in batched(sorted(codes), REREAD_TOGETHER):
                found = await self._valkey.mget([live_key(code) for code in part])
                for code, stored in zip(part, found, strict=True):
                    if isinstance(stored, bytes) and self._take(code, stored) and code in spoken_of:
                        self.memory.heard(code)
            self.has_read = self.has_read or all_due

    def _take(self, code: str, stored: bytes) -> bool:
        """Keep a stored state and show what is news in it; False when it cannot be read."""
        before = self.memory.halls.get(code)
        if before is not None and before.stands_in(stored):
            return True
        try:
            kept = self.memory.keep(stored)
        except UNREADABLE as fault:
            # Once: the worker of another version may write many before this process is replaced.
            if code not in self._unreadable:
                log.warning("live_state_unreadable", hall=code, fault=type(fault).__name__)
            self._unreadable.add(code)
            return False
        self._unreadable.discard(code)
        if kept is not None:
            self.topics.show_hall(kept)
        return True
