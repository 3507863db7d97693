"""A ticket as it is shown to whoever follows it: without the person, with names to read."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from models.database import Transaction
from server.errors import NotFound
from server.halls.directory import Directory
from server.live.current import current_ticket
from server.live.feed import Feed
from server.live.state import LiveTicket, TicketView


class FollowCode(msgspec.Struct, frozen=True):
    """A code by which others may follow my ticket; `url` is the page that it opens, for a QR code.

    `followers` is how many keep it on their phones already.
    """

    code: str
    url: str
    expires_at: datetime
    followers: int


class FollowView(msgspec.Struct, frozen=True):
    """A ticket that somebody follows: nothing in it says who its holder is.

    `counter_name` is null while she is at no counter.
    """

    ticket: TicketView
    hall_name: str
    hall_name_en: str
    line_name: str
    line_name_en: str
    item_name: str
    item_name_en: str
    counter_name: str | None


class FollowList(msgspec.Struct, frozen=True):
    """All of them, newest first."""

    data: list[FollowView]
    next_cursor: None = None


@dataclass(frozen=True, slots=True)
class Viewer:
    """Shows tickets as they are now."""

    feed: Feed
    directory: Directory

    async def ticket(self, ticket_id: UUID, *, tx: Transaction | None = None) -> FollowView:
        """A ticket, read in a transaction where it must be read. Raises NotFound."""
        found = await current_ticket(self.feed, ticket_id, tx=tx)
        if found is None:
            raise NotFound
        return self.view(found)

    def view(self, found: LiveTicket) -> FollowView:
        """A ticket as those see it who follow it."""
        ticket = found.view.without_person()
        hall, item = self.directory.hall(ticket.hall), self.directory.item(ticket.item)
        line = hall.lines[ticket.line]
        return FollowView(
            ticket,
            hall.name,
            hall.name_en,
            line.name,
            line.name_en,
            item.name,
            item.name_en,
            self._counter_name(ticket),
        )

    def _counter_name(self, ticket: TicketView) -> str | None:
        kept = self.feed.memory.halls.get(ticket.hall)
        counters = kept.board.counters if kept else ()
        return next((one.name for one in counters if one.code == ticket.counter), None)
