"""The topic of an appointment: how it stands and when to leave, at once and at each change."""

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog

from models.database import rows
from server.appointments.leaving import as_of
from server.appointments.views import own_appointment
from server.clock import Clock, microseconds
from server.faults import is_store_fault
from server.halls.directory import Directory
from server.live.feed import Feed
from server.live.state import encode, frame
from server.live.topics import Watcher, appointment_topic

log = structlog.get_logger()

# Those that are watched are looked at all together, as their rows say whether they have changed.
LOOK_EVERY_S: Final = 1.0
_CHANGED: Final = """
    SELECT a.id, a.version::text || coalesce(d.kept_at::text, '') || coalesce(d.told_at::text, '')
        || (d.place IS NOT NULL)::text AS stamp
    FROM appointment a LEFT JOIN departure d ON d.id = a.id WHERE a.id = ANY($1::uuid[])
"""


class AppointmentWatch:
    """Shows appointments to those of this process who watch them: each to its own people."""

    def __init__(
        self, feed: Feed, directory: Callable[[], Directory], clock: Callable[[], Clock]
    ) -> None:
        self._feed = feed
        self._directory = directory
        self._clock = clock
        # Whose they are, how their rows stood, and what was shown last.
        self._whose: dict[UUID, UUID] = {}
        self._stamps: dict[UUID, str] = {}
        self._shown: dict[UUID, bytes] = {}
        # Those whose moment to leave has come: how sure they still are falls by the second.
        self._late: set[UUID] = set()
        self._version = 0

    async def watch(self, appointment_id: UUID, me: UUID, watcher: Watcher) -> bool:
        """Show the watcher the appointment now and at each change; False where it is not hers."""
        topic = appointment_topic(appointment_id)
        # Watch first, then read, so that no change slips between.
        self._feed.topics.watch(topic, watcher)
        body = await self._read(appointment_id, me)
        if body is None:
            self._feed.topics.unwatch(topic, watcher)
            return False
        self._whose[appointment_id], self._shown[appointment_id] = me, body
        # She may have been signed out while we looked.
        if self._feed.topics.is_watched(topic, by=watcher):
            version = self._next_version()
            watcher.show(topic, version, frame(topic, version, body))
        return True

    async def show_forever(self) -> None:
        """Show what changes, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._forget_unwatched()
            if not self._whose:
                continue
            try:
                await self._look()
            except Exception as fault:
                if not is_store_fault(fault):
                    raise
                log.warning("appointments_not_read", fault=type(fault).__name__)

    async def _look(self) -> None:
        for row in await rows(_CHANGED, list(self._whose)):
            if self._stamps.get(row["id"]) != row["stamp"] or row["id"] in self._late:
                await self._show(row["id"])
                self._stamps[row["id"]] = row["stamp"]

    async def _show(self, appointment_id: UUID) -> None:
        me = self._whose.get(appointment_id)
        body = await self._read(appointment_id, me) if me is not None else None
        if body is None or self._shown.get(appointment_id) == body:
            return
        self._shown[appointment_id] = body
        topic, version = appointment_topic(appointment_id), self._next_version()
        self._feed.topics.show(topic, version, frame(topic, version, body))

    async def _read(self, appointment_id: UUID, me: UUID) -> bytes | None:
        found = await own_appointment(appointment_id, me, self._directory())
        if found is None:
            return None
        now = self._clock().now()
        if found.leave is not None and found.leave.at is not None and found.leave.at <= now:
            self._late.add(appointment_id)
        else:
            self._late.discard(appointment_id)
        return encode(as_of(found, now))

    def _forget_unwatched(self) -> None:
        for one in [id for id in self._whose if not self._is_watched(id)]:
            for kept in (self._whose, self._stamps, self._shown):
                kept.pop(one, None)
            self._late.discard(one)

    def _is_watched(self, appointment_id: UUID) -> bool:
        return self._feed.topics.is_watched(appointment_topic(appointment_id))

    def _next_version(self) -> int:
        self._version = max(microseconds(), self._version + 1)
        return self._version
