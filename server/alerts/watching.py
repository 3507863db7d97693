"""The staff topic of a hall: its open emergency calls, at once, to whoever may watch them."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from server.alerts.looking import open_alerts
from server.clock import microseconds
from server.faults import is_store_fault
from server.live.feed import Feed
from server.live.state import encode, frame
from server.live.topics import Watcher, staff_topic

log = structlog.get_logger()

# Word may get lost; a cry for help must not.
LOOK_EVERY_S: Final = 2.0


class AlertWatch:
    """Shows the open calls of halls to those of this process who watch them."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._due: set[str] = set()
        self._watched: set[str] = set()
        self._shown: dict[str, bytes] = {}
        self._version = 0
        self._woken = asyncio.Event()
        # One look at a time: what was read later is also shown later.
        self._looking = asyncio.Lock()

    def told(self, hall: str) -> None:
        """Word came that a hall's calls have changed."""
        self._due.add(hall)
        self._woken.set()

    async def watch(self, hall: str, watcher: Watcher) -> None:
        """Show the watcher what is open now, and every change from now on."""
        # Watch first, then read, so that no change slips between.
        self._feed.topics.watch(staff_topic(hall), watcher)
        self._watched.add(hall)
        await self._show([hall], newcomer=watcher)

    async def show_forever(self) -> None:
        """Show what changes, as word of it comes and now and then anyway, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._woken.wait()
            self._woken.clear()
            due, self._due = self._due, set()
            self._watched = {hall for hall in self._watched if self._is_watched(hall)}
            halls = sorted(due & self._watched or self._watched)
            if not halls:
                continue
            try:
                await self._show(halls)
            except Exception as fault:
                if not is_store_fault(fault):
                    raise
                log.warning("alerts_not_read", fault=type(fault).__name__)
                self._due |= due

    async def _show(self, halls: list[str], newcomer: Watcher | None = None) -> None:
        """Show what has changed to all who watch, and what there is to a newcomer anyway."""
        async with self._looking:
            for hall, alerts in (await open_alerts(halls)).items():
                body = encode({"alerts": alerts})
                topic, version = staff_topic(hall), self._next_version()
                message = frame(topic, version, body)
                if self._shown.get(hall) != body:
                    self._shown[hall] = body
                    self._feed.topics.show(topic, version, message)
                # She may have been signed out while we looked.
                elif newcomer is not None and self._feed.topics.is_watched(topic, by=newcomer):
                    newcomer.show(topic, version, message)

    def _is_watched(self, hall: str) -> bool:
        return self._feed.topics.is_watched(staff_topic(hall))

    def _next_version(self) -> int:
        self._version = max(microseconds(), self._version + 1)
        return self._version
