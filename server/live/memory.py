"""What an API process knows of the halls: boards at once, tickets when somebody asks for one."""

import time
from collections.abc import Iterable
from uuid import UUID

import msgspec

from server.clock import microseconds
from server.live.state import Kept, LiveTicket, decode_tickets

FORGET_AFTER_US = 15 * 60 * 1_000_000


class Change(msgspec.Struct, frozen=True):
    """That something in a hall changed; `ticket` names the ticket, when it was one."""

    hall: str
    ticket: UUID | None = None
    version: int = 0


class Memory:
    """The halls' live states, and which tickets have changed since they were projected."""

    def __init__(self) -> None:
        self.halls: dict[str, Kept] = {}
        # Rises whenever any hall's state is replaced.
        self.generation = 0
        self._heard_at: dict[str, float] = {}
        self._tickets: dict[UUID, LiveTicket] = {}
        self._of_hall: dict[str, tuple[LiveTicket, ...]] = {}
        # Halls whose newest tickets have not been read yet.
        self._unread: set[str] = set()
        # The version that a ticket has changed to, by its id.
        self._changed: dict[UUID, int] = {}

    def keep(self, stored: bytes) -> Kept | None:
        """Take a hall's stored state; answers it when it is news."""
        kept = Kept(stored)
        code = kept.board.hall
        before = self.halls.get(code)
        if before is not None and not kept.is_news_after(before):
            return None
        self.halls[code] = kept
        self.generation += 1
        self._heard_at[code] = time.monotonic()
        self._unread.add(code)
        return kept

    def mark(self, changes: Iterable[Change]) -> None:
        """Remember that tickets have changed: until a projection has caught up, ours are old."""
        for change in changes:
            if change.ticket is not None:
                self._changed[change.ticket] = change.version

    def ticket(self, ticket_id: UUID) -> LiveTicket | None:
        """A ticket as it is now, or None when PostgreSQL must be asked."""
        known = self._tickets.get(ticket_id)
        if known is None:
            for hall in list(self._unread):
                self._read_tickets(hall)
        elif known.view.hall in self._unread:
            self._read_tickets(known.view.hall)
        known = self._tickets.get(ticket_id)
        if known is None or known.row_version < self._changed.get(ticket_id, 0):
            return None
        return known

    def version_after(self, ticket_id: UUID, row_version: int) -> int:
        """The version to show for a ticket read from PostgreSQL: above all shown before."""
        known = self._tickets.get(ticket_id)
        return row_version if known is None else max(row_version, known.view.version + 1)

    def oldest_age_s(self) -> float:
        """Seconds since the hall heard of longest ago was projected; 0 before any was."""
        return time.monotonic() - min(self._heard_at.values(), default=time.monotonic())

    def forget_old_changes(self) -> None:
        """Drop what was remembered of tickets that no hall's live state holds any more."""
        old = microseconds() - FORGET_AFTER_US
        for ticket_id, version in list(self._changed.items()):
            if version < old and ticket_id not in self._tickets:
                del self._changed[ticket_id]

    def _read_tickets(self, hall: str) -> None:
        self._unread.discard(hall)
        for ticket in self._of_hall.get(hall, ()):
            self._tickets.pop(ticket.view.id, None)
        found = self._of_hall[hall] = decode_tickets(self.halls[hall].tickets)
        for ticket in found:
            self._tickets[ticket.view.id] = ticket
            if self._changed.get(ticket.view.id, 0) <= ticket.row_version:
                self._changed.pop(ticket.view.id, None)
