"""The worker's part: looks at the halls that it holds and writes what who waits is to be told.

It looks at what was projected, so it costs PostgreSQL nothing but the notices that it writes. Each
is written once, whoever looks: a worker that takes a hall over remembers nothing of it, and the
keys of the notices do.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from models import notices, promises, subscriptions
from models.notice_kinds import NoticeKind
from models.notices import New
from models.tickets import TicketState
from scheduler.calendar import business_day, closes_at
from scheduler.noticing import Known, News, Seen, look
from server.clock import Clock
from server.faults import is_store_fault
from server.halls.directory import Directory, HallEntry
from server.live.state import LiveHall, LiveTicket

log = structlog.get_logger()

LOOK_EVERY_S: Final = 0.5
WISHES_EVERY_S: Final = 10.0


class NoticeWatch:
    """Watches over who waits in the halls that this worker holds.

    `shown` gives a hall as it was projected last, None where it is not ours (any more).
    """

    def __init__(
        self,
        *,
        held: Callable[[], set[str]],
        shown: Callable[[str], LiveHall | None],
        directory: Callable[[], Directory],
        clock: Clock,
    ) -> None:
        self._held = held
        self._shown = shown
        self._directory = directory
        self._clock = clock
        self._known: dict[str, dict[UUID, Known]] = {}
        self._versions: dict[str, int] = {}
        # How many ahead those want to be told at who said so, and when that was read.
        self._wishes: Mapping[UUID, int] = {}
        self._wishes_at = float("-inf")

    async def run_forever(self) -> None:
        """Look twice a second until cancelled. No fault here ends the worker."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except Exception as fault:
                if is_store_fault(fault):
                    log.warning("waiting_not_told", fault=type(fault).__name__)
                else:
                    log.exception("waiting_not_told")

    async def look(self) -> int:
        """Look at every hall that has changed since the last time; how many notices that made."""
        await self._follow_wishes()
        made: list[New] = []
        for code in list(self._held()):
            hall = self._shown(code)
            if hall is None or self._versions.get(code) == hall.version:
                continue
            if code not in self._known:
                self._known[code] = await self._told_before(code)
            made += self._look_at(hall)
            self._versions[code] = hall.version
            await asyncio.sleep(0)  # the projector's news does not wait for all of them
        for code in self._known.keys() - self._held():
            del self._known[code]
            self._versions.pop(code, None)
        return await notices.write(made) if made else 0

    def _look_at(self, hall: LiveHall) -> list[New]:
        now, entry = self._clock.now(), self._directory().halls.get(hall.code)
        known = self._known[hall.code]
        waiting = [each for each in hall.tickets if each.view.state is TicketState.WAITING]
        for gone in known.keys() - {each.view.id for each in waiting}:
            del known[gone]
        if entry is None:
            return []
        closes = closes_at(entry.timetable, now)
        serving = _counters(hall)
        made = []
        for ticket in waiting:
            hers = known.setdefault(ticket.view.id, Known())
            seen = _seen(ticket, now, closes, serving)
            if seen is None:
                continue
            news = look(seen, hers, near=self._near(ticket, entry))
            if news is not None:
                made += _notices(news, ticket, seen, entry)
        return made

    def _near(self, ticket: LiveTicket, entry: HallEntry) -> int:
        people = (ticket.citizen, ticket.acting)
        wished = [self._wishes[each] for each in people if each and each in self._wishes]
        return max(wished, default=entry.rules.notice_ahead)

    async def _told_before(self, code: str) -> dict[UUID, Known]:
        """What those who wait in a hall were told when they took their numbers."""
        entry = self._directory().halls.get(code)
        if entry is None:
            return {}
        found = await promises.latest_told(entry.id, business_day(self._clock.now()))
        return {
            row["ticket_id"]: Known(told_latest=row["made_at"] + timedelta(seconds=row["p90_s"]))
            for row in found
        }

    async def _follow_wishes(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._wishes_at >= WISHES_EVERY_S:
            self._wishes = await subscriptions.wishes()
            self._wishes_at = now


def _counters(hall: LiveHall) -> Mapping[str, int]:
    """How many counters call from each line."""
    serving: dict[str, int] = {}
    for counter in hall.board.counters:
        if counter.state == "open":
            for line in counter.lines:
                serving[line] = serving.get(line, 0) + 1
    return serving


def _seen(
    ticket: LiveTicket, now: datetime, closes: datetime | None, serving: Mapping[str, int]
) -> Seen | None:
    view = ticket.view
    if view.ahead is None or (ticket.citizen is None and ticket.acting is None):
        return None
    wait = view.wait
    return Seen(
        at=now,
        issued_at=view.issued_at,
        ahead=view.ahead,
        soonest=timedelta(seconds=wait.p10_s) if wait else None,
        middle=timedelta(seconds=wait.p50_s) if wait else None,
        latest=timedelta(seconds=wait.p90_s) if wait else None,
        counters=serving.get(view.line, 0),
        closes_at=closes,
        better_by=timedelta(seconds=view.better_hall.gain.p50_s) if view.better_hall else None,
    )


def _notices(news: News, ticket: LiveTicket, seen: Seen, entry: HallEntry) -> list[New]:
    """The same for whoever holds the ticket and whoever took it for her."""
    view = ticket.view
    facts: dict[str, Any] = {"number": view.number}
    if line := entry.lines.get(view.line):
        facts["line"] = str(line.id)
    if seen.middle is not None:
        facts["minutes"] = max(1, round(seen.middle.total_seconds() / 60))
    if news == "turn_near":
        facts["ahead"] = seen.ahead
    if news == "hall_closing" and seen.closes_at is not None:
        facts["until"] = seen.closes_at.isoformat()
    if news == "better_hall" and view.better_hall is not None and seen.better_by is not None:
        facts["other_hall"] = view.better_hall.hall
        facts["minutes"] = round(seen.better_by.total_seconds() / 60)
    key = _key(news, view.id, seen, view.called_at, view.line)
    return [
        New(
            event_key=key,
            citizen_id=person,
            kind=NoticeKind(news),
            facts=msgspec.json.encode(facts).decode(),
            happened_at=seen.at,
            ticket_id=view.id,
            hall_id=entry.id,
        )
        for person in sorted({ticket.citizen, ticket.acting} - {None}, key=str)
        if person is not None
    ]


def _key(news: News, ticket_id: UUID, seen: Seen, called_at: datetime | None, line: str) -> str:
    """What happened, as others who look at it name it: once a ticket, or each time it is new.

    Her turn is near once in each line, and anew where she was missed and came back; of closing she
    is told anew where the hall now closes at another time.
    """
    if news == "turn_near":
        back = f"{called_at:%H%M%S}" if called_at else ""
        return f"near:{ticket_id}:{line}:{back}"
    if news == "hall_closing" and seen.closes_at is not None:
        return f"closing:{ticket_id}:{seen.closes_at.timestamp():.0f}"
    return f"{news}:{ticket_id}"
