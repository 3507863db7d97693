"""The topic of an inbox: what in it is unread and what came last, at once and at each change."""

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import UUID

import msgspec
import structlog

from models import notices
from server.clock import microseconds
from server.faults import is_store_fault
from server.halls.directory import Directory
from server.live.feed import Feed
from server.live.state import encode, frame
from server.live.topics import Watcher
from server.notices.templates import Templates
from server.notices.views import NoticeView, notice_view

log = structlog.get_logger()

# Those that are watched are looked at all together.
LOOK_EVERY_S: Final = 1.0


class InboxView(msgspec.Struct, frozen=True):
    """How many of all notices are unread, and the newest, in Chinese and in English."""

    unread: int
    newest: NoticeView | None
    newest_en: NoticeView | None


def inbox_topic(citizen_id: UUID) -> str:
    """The topic of a person's inbox."""
    return f"inbox:{citizen_id}"


class InboxWatch:
    """Shows inboxes to those of this process who watch their own."""

    def __init__(
        self, feed: Feed, templates: Templates, directory: Callable[[], Directory]
    ) -> None:
        self._feed = feed
        self._templates = templates
        self._directory = directory
        self._stamps: dict[UUID, notices.Standing] = {}
        self._version = 0

    async def watch(self, id: UUID, me: UUID, watcher: Watcher) -> bool:
        """Show the watcher her inbox now and at each change; False where it is not hers."""
        if id != me:
            return False
        topic = inbox_topic(me)
        # Watch first, then read, so that no change slips between.
        self._feed.topics.watch(topic, watcher)
        [standing] = await notices.standing([me])
        self._stamps[me] = standing
        # She may have been signed out while we looked.
        if self._feed.topics.is_watched(topic, by=watcher):
            version = self._next_version()
            watcher.show(topic, version, frame(topic, version, self._body(standing)))
        return True

    async def show_forever(self) -> None:
        """Show what changes, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._forget_unwatched()
            if not self._stamps:
                continue
            try:
                await self._templates.follow()
                await self._look()
            except Exception as fault:
                if not is_store_fault(fault):
                    raise
                log.warning("inboxes_not_read", fault=type(fault).__name__)

    async def _look(self) -> None:
        for found in await notices.standing(list(self._stamps)):
            if self._stamps.get(found.citizen_id) == found:
                continue
            self._stamps[found.citizen_id] = found
            topic, version = inbox_topic(found.citizen_id), self._next_version()
            self._feed.topics.show(topic, version, frame(topic, version, self._body(found)))

    def _body(self, standing: notices.Standing) -> bytes:
        row, directory = standing.newest, self._directory()
        if row is None:
            return encode(InboxView(standing.unread, None, None))
        zh, en = (
            notice_view(row, self._templates, directory, english=english)
            for english in (False, True)
        )
        return encode(InboxView(standing.unread, zh, en))

    def _forget_unwatched(self) -> None:
        for one in [id for id in self._stamps if not self._feed.topics.is_watched(inbox_topic(id))]:
            del self._stamps[one]

    def _next_version(self) -> int:
        self._version = max(microseconds(), self._version + 1)
        return self._version
