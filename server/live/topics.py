"""Who watches what: topics, those who want to hear of them, and what they are shown."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, Protocol
from uuid import UUID

from server.live.memory import Change, Memory
from server.live.state import Kept, TicketView, encode, frame, fresh_frame


class Watcher(Protocol):
    """Who wants to hear about topics: a socket. Must not block."""

    def show(self, topic: str, version: int, message: bytes) -> None:
        """Take the newest state of a topic; an older one not yet sent may be dropped."""


class OwnTopic(Protocol):
    """A kind of topic of which each is shown to its own people alone."""

    async def watch(self, id: UUID, me: UUID, watcher: Watcher) -> bool:
        """Show it now and at each change; False, and nothing is shown, where it is not hers."""


class Topics:
    """What this process's sockets watch, and what of it was shown last."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._watchers: defaultdict[str, set[Watcher]] = defaultdict(set)
        # Watched tickets by hall, each with the version last shown.
        self._followed: defaultdict[str, dict[UUID, int]] = defaultdict(dict)
        self._shown: dict[str, int] = {}

    def watch_hall(self, hall: str, watcher: Watcher) -> None:
        """Show the watcher every change of the hall's board from now on."""
        self.watch(hall_topic(hall), watcher)

    def watch(self, topic: str, watcher: Watcher) -> None:
        """Show the watcher what is shown of a topic from now on."""
        self._watchers[topic].add(watcher)

    def is_watched(self, topic: str, *, by: Watcher | None = None) -> bool:
        """Whether anybody of this process, or just this one, watches it."""
        watchers = self._watchers.get(topic, ())
        return bool(watchers) if by is None else by in watchers

    def show(self, topic: str, version: int, message: bytes) -> None:
        """Show the newest state of a topic to all who watch it."""
        for watcher in self._watchers.get(topic, ()):
            watcher.show(topic, version, message)

    def watch_ticket(self, view: TicketView, watcher: Watcher, *, as_holder: bool) -> None:
        """Show the watcher every change of the ticket from now on.

        Who is not its holder is shown it under another topic, and without the person.
        """
        topic = ticket_topic(view.id) if as_holder else follower_topic(view.id)
        self._watchers[topic].add(watcher)
        followed = self._followed[view.hall]
        followed[view.id] = max(view.version, followed.get(view.id, 0))

    def unwatch(self, topic: str, watcher: Watcher) -> None:
        """Stop showing."""
        self._watchers[topic].discard(watcher)
        if not self._watchers[topic]:
            del self._watchers[topic]

    def follow(self, changes: Iterable[Change]) -> None:
        """A watched ticket may have moved to the hall that changed: follow it there from now on."""
        for change in changes:
            if change.ticket is not None and self._is_watched(change.ticket):
                self._followed[change.hall].setdefault(change.ticket, 0)

    def show_hall(self, kept: Kept) -> None:
        """Show a hall's board and its tickets, newly projected, to all who watch them."""
        code = kept.board.hall
        unchanged = self._shown.get(code) == kept.board.version
        self._shown[code] = kept.board.version
        message = fresh_frame(kept.board) if unchanged else kept.board_frame
        self.show(hall_topic(code), kept.board.version, message)
        if not unchanged:
            self._show_tickets(code)

    def _show_tickets(self, hall: str) -> None:
        followed = self._followed.get(hall)
        for ticket_id, shown in list(followed.items()) if followed else ():
            if not self._is_watched(ticket_id):
                del self._followed[hall][ticket_id]
                continue
            found = self._memory.projected(ticket_id)
            if found is None:
                continue  # the next projection has it
            there, before = self._followed[found.view.hall], shown
            if found.view.hall != hall:  # it has moved, and is followed there from now on
                del self._followed[hall][ticket_id]
                before = max(before, there.get(ticket_id, 0))
            there[ticket_id] = max(before, found.view.version)
            if found.view.version <= before:
                continue
            for topic, framed in TICKET_FRAMES:
                watchers = self._watchers.get(topic(ticket_id))
                message = framed(found.view) if watchers else b""
                for watcher in watchers or ():
                    watcher.show(topic(ticket_id), found.view.version, message)

    def _is_watched(self, ticket_id: UUID) -> bool:
        topics = ticket_topic(ticket_id), follower_topic(ticket_id)
        return any(self._watchers.get(topic) for topic in topics)


def hall_topic(hall: str) -> str:
    """The topic of a hall's board."""
    return f"hall:{hall}"


def ticket_topic(ticket_id: UUID) -> str:
    """The topic of a ticket."""
    return f"ticket:{ticket_id}"


def appointment_topic(appointment_id: UUID) -> str:
    """The topic of an appointment."""
    return f"appointment:{appointment_id}"


def follower_topic(ticket_id: UUID) -> str:
    """Under which those hear of a ticket who follow it and are not its holder."""
    return f"follower:{ticket_id}"


def staff_topic(hall: str) -> str:
    """The topic of what concerns a hall's managers."""
    return f"staff:{hall}"


def ticket_frame(view: TicketView) -> bytes:
    """A ticket as a message on the socket."""
    return frame(ticket_topic(view.id), view.version, encode(view))


def follower_frame(view: TicketView) -> bytes:
    """The same for those who follow it; to them, too, its topic is `ticket:<id>`."""
    return ticket_frame(view.without_person())


TICKET_FRAMES: Final = ((ticket_topic, ticket_frame), (follower_topic, follower_frame))
