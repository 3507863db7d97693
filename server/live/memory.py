"""What an API process knows of the halls: boards at once, tickets when somebody asks for one."""

import math
import time
from collections.abc import Iterable, Iterator
from uuid import UUID

import msgspec
import structlog

from server.clock import microseconds
from server.live.state import UNREADABLE, Kept, LiveTicket, decode_tickets

log = structlog.get_logger()

FORGET_AFTER_US = 15 * 60 * 1_000_000
# Longer than reading and writing a hall takes: what is heard of later was read after we listened.
SETTLE_S = 0.5
# Halls are projected every 15 s; one not heard of for so long has nobody who projects it.
STALE_AFTER_S = 60.0


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
        # Which rise was each hall's own, the latest last.
        self._replaced_at: dict[str, int] = {}
        # Monotonic seconds: when word of a hall's projection last came, and when we began to wait.
        self._heard_at: dict[str, float] = {}
        self._began = time.monotonic()
        # Tickets of halls projected before this may have changed without our hearing of it.
        self._trusted_from = math.inf
        self._tickets: dict[UUID, LiveTicket] = {}
        self._of_hall: dict[str, tuple[LiveTicket, ...]] = {}
        # Halls whose newest tickets have not been read yet.
        self._unread: set[str] = set()
        # The last change heard of each ticket that a projection has not caught up with.
        self._changed: dict[UUID, Change] = {}

    # --- hearing ---------------------------------------------------------------------------

    def hearing(self) -> None:
        """Changes are heard of from now on: a hall projected from here on can be trusted."""
        self._trusted_from = time.monotonic() + SETTLE_S

    def deaf(self) -> None:
        """Changes elsewhere are not heard of any more: no ticket is known to be as it is now."""
        self._trusted_from = math.inf

    def heard(self, code: str) -> None:
        """Word came that a hall was projected, and what we keep of it is at least as new."""
        self._heard_at[code] = time.monotonic()

    def keep(self, stored: bytes) -> Kept | None:
        """Take a hall's stored state; answers it when it is news.

        Raises one of UNREADABLE when it is none.
        """
        kept = Kept(stored)
        code = kept.board.hall
        before = self.halls.get(code)
        if before is not None and not kept.is_news_after(before):
            return None
        self.halls[code] = kept
        self.generation += 1
        self._replaced_at.pop(code, None)
        self._replaced_at[code] = self.generation
        self._unread.add(code)
        return kept

    def changed_since(self, generation: int) -> Iterator[str]:
        """The halls whose state was replaced after `generation` was what it is called."""
        for code, replaced_at in reversed(self._replaced_at.items()):
            if replaced_at <= generation:
                return
            yield code

    def mark(self, changes: Iterable[Change]) -> None:
        """Remember that tickets have changed: until a projection has caught up, ours are old."""
        for change in changes:
            if change.ticket is not None and change.version > self._changed_to(change.ticket):
                self._changed[change.ticket] = change

    # --- tickets ---------------------------------------------------------------------------

    def ticket(self, ticket_id: UUID) -> LiveTicket | None:
        """A ticket as it is now, or None when PostgreSQL must be asked."""
        found = self.projected(ticket_id)
        if found is None or self._heard_at.get(found.view.hall, 0.0) < self._trusted_from:
            return None
        return found

    def projected(self, ticket_id: UUID) -> LiveTicket | None:
        """A ticket as last projected; None when it is unknown or known to have changed since."""
        known = self._tickets.get(ticket_id)
        if known is None:
            for hall in list(self._unread):
                self._read_tickets(hall)
        else:
            change = self._changed.get(ticket_id)
            # It may have moved: then it is the other hall that has it now.
            for hall in {known.view.hall, change.hall if change else known.view.hall}:
                if hall in self._unread:
                    self._read_tickets(hall)
        known = self._tickets.get(ticket_id)
        if known is None or known.row_version < self._changed_to(ticket_id):
            return None
        return known

    def shown_last(self, ticket_id: UUID) -> LiveTicket | None:
        """A ticket as last projected, though it may have changed since."""
        return self._tickets.get(ticket_id)

    def version_after(self, ticket_id: UUID, row_version: int) -> int:
        """The version to show for a ticket read from PostgreSQL: above all shown before."""
        known = self._tickets.get(ticket_id)
        return row_version if known is None else max(row_version, known.view.version + 1)

    # --- age -------------------------------------------------------------------------------

    def oldest_age_s(self, codes: Iterable[str]) -> float:
        """Seconds since the hall heard of longest ago was projected; 0 without halls.

        A hall never heard of counts from when this memory began: it is at least so old.
        """
        now = time.monotonic()
        return max((now - self._heard_at.get(code, self._began) for code in codes), default=0.0)

    def forget_old_changes(self) -> None:
        """Drop what was remembered of tickets that no hall's live state holds any more."""
        old = microseconds() - FORGET_AFTER_US
        for ticket_id, change in list(self._changed.items()):
            if change.version < old and ticket_id not in self._tickets and self._is_past(change):
                del self._changed[ticket_id]

    def _is_past(self, change: Change) -> bool:
        """Whether what we keep of its hall is newer than an old change, if we keep anything."""
        age_s = self.oldest_age_s([change.hall])
        return change.hall not in self.halls or age_s < STALE_AFTER_S

    def _changed_to(self, ticket_id: UUID) -> int:
        change = self._changed.get(ticket_id)
        return change.version if change else 0

    def _read_tickets(self, hall: str) -> None:
        self._unread.discard(hall)
        for ticket in self._of_hall.get(hall, ()):
            known = self._tickets.get(ticket.view.id)
            if known is not None and known.view.hall == hall:  # else it has moved to another
                del self._tickets[ticket.view.id]
        found = self._of_hall[hall] = self._decoded(hall)
        for ticket in found:
            known = self._tickets.get(ticket.view.id)
            if known is not None and known.row_version > ticket.row_version:
                continue  # it has moved to another hall, and this one was projected before
            self._tickets[ticket.view.id] = ticket
            if self._changed_to(ticket.view.id) <= ticket.row_version:
                self._changed.pop(ticket.view.id, None)

    def _decoded(self, hall: str) -> tuple[LiveTicket, ...]:
        try:
            return decode_tickets(self.halls[hall].tickets)
        except UNREADABLE as fault:
            log.warning("live_tickets_unreadable", hall=hall, fault=type(fault).__name__)
            return ()  # PostgreSQL is asked for each of them
