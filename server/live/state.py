"""The live state of a hall, as the worker writes it and every API process keeps it in memory."""

from datetime import datetime
from functools import cached_property
from typing import Literal
from uuid import UUID

import msgspec

from models.halls import Issuing
from models.proxies import ProxyKind
from models.tickets import Priority, TicketState
from scheduler.closing import HallState
from scheduler.travel import Travel

# What reading something that came from elsewhere raises when it is not what we write.
UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


class Wait(msgspec.Struct, frozen=True, gc=False):
    """A predicted wait in seconds, as an honest range: 10 %, 50 % and 90 % are shorter.

    `basis` is what it rests on: what happens in this line (`live`), or what is usual here or
    elsewhere (`usual`), with a wider range.
    """

    p10_s: int
    p50_s: int
    p90_s: int
    basis: Literal["live", "usual"] = "live"


class Leave(msgspec.Struct, frozen=True, gc=False):
    """When to set off so as to be at the hall just before her turn.

    `at` is the latest moment for it; once it has come, she should be on her way. `certainty` is how
    sure she then is to be there in time: 0.9, or less where it is late for that already. Her way
    takes `travel_s` by `travel`, as `travel_basis` knows it. `told_at`: when the moment was
    noted as come, once a ticket; from then on her ticket says so. `at` and `certainty` are null
    while her wait is not known.
    """

    at: datetime | None
    certainty: float | None
    travel: Travel
    travel_s: int
    travel_basis: Literal["estimate", "map"]
    told_at: datetime | None = None


class Gain(msgspec.Struct, frozen=True, gc=False):
    """How much earlier, in seconds: with 90 %, 50 % and 10 % certainty at least so much."""

    p10_s: int
    p50_s: int
    p90_s: int


class BetterHall(msgspec.Struct, frozen=True, gc=False):
    """Another hall that does what she wants, where it would be her turn clearly earlier.

    Her way there, as she comes, takes `travel_s`. `POST /tickets/{id}/move` takes her there, with
    the time that she has waited; `gain` does not reckon with that yet.
    """

    hall: str
    name: str
    name_en: str
    distance_m: int
    travel_s: int
    gain: Gain


class TakenFor(msgspec.Struct, frozen=True, gc=False):
    """Somebody for whom a ticket was taken: by whom is told by the proxy with this id.

    `name` is masked, a company's whole; null once she is erased.
    """

    id: UUID
    name: str | None
    relation: ProxyKind


class OfAppointment(msgspec.Struct, frozen=True, gc=False):
    """The appointment that a ticket came of, and when its slot begins."""

    id: UUID
    slot_start: datetime


class SentFrom(msgspec.Struct, frozen=True, gc=False):
    """The hall, line and number with which she waited before staff sent her on."""

    hall: str
    line: str
    number: str


class PriorityView(msgspec.Struct, frozen=True, gc=False):
    """A priority that she claimed; it counts once it is confirmed."""

    kind: Priority
    confirmed: bool


class TicketView(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket as its holder sees it. `ahead` and `wait` are null once she is not waiting.

    `ahead` counts those who are called before her as things stand. Where a hall calls only people
    who have checked in, those who have not are passed over until they do, with their place kept:
    `check_in_required` says that she is one of them. `checked_in_at`: since when she is known to be
    at the hall.
    While she waits, `counter` is the one that she is sent to, if she was sent to one.
    `recalls` is how often she was called again.
    `for` says for whom it was taken, where that is not whoever took it.
    `visit` is the visit of several items that it belongs to, and `next_ticket` the number that she
    was given there when this one was over.
    `reason` is what else she must know of it: `day_ended`, it was ended by the end of its day;
    `line_stopped`, her line gives out no more numbers, and who waits in it is still called;
    `sent_on`, staff gave her another number, and she was at `sent_from` before. The words of staff
    for that, if they gave some, are `reason_text` and, in English, `reason_text_en`.
    `name` is what was given at the hall by somebody without an account, masked.
    `appointment` is the one with which she checked in, if she had booked.
    `pay_first` is said with the new number alone: its item's fee is to be paid before she is
    called (`POST /bills`, `POST /payments`).
    Who said where she is (`PUT /tickets/{id}/place`) is told when to `leave`, and of a
    `better_hall` while there is one.
    """

    id: UUID
    number: str
    state: TicketState
    hall: str
    line: str
    item: str
    issued_at: datetime
    called_at: datetime | None
    ahead: int | None
    wait: Wait | None
    counter: str | None
    version: int
    taken_for: TakenFor | None = msgspec.field(name="for", default=None)
    reason: Literal["day_ended", "line_stopped", "sent_on"] | None = None
    reason_text: str | None = None
    reason_text_en: str | None = None
    sent_from: SentFrom | None = None
    recalls: int = 0
    priority: PriorityView | None = None
    checked_in_at: datetime | None = None
    check_in_required: bool = False
    name: str | None = None
    visit: UUID | None = None
    next_ticket: UUID | None = None
    leave: Leave | None = None
    better_hall: BetterHall | None = None
    appointment: OfAppointment | None = None
    pay_first: bool = False

    def without_person(self) -> "TicketView":
        """The ticket for whoever follows it: nothing that says or hints who or where she is."""
        return msgspec.structs.replace(
            self,
            taken_for=None,
            priority=None,
            name=None,
            visit=None,
            next_ticket=None,
            leave=None,
            better_hall=None,
            appointment=None,
        )


class LiveTicket(msgspec.Struct, frozen=True, dict=True, omit_defaults=True):
    """A ticket, whose it is, who took it for her, and the version of the row it was read from."""

    view: TicketView
    citizen: UUID | None
    row_version: int
    acting: UUID | None = None

    def is_of(self, citizen_id: UUID) -> bool:
        """Whether she may see it: it is for her, or she took it."""
        return citizen_id in (self.citizen, self.acting)

    @cached_property
    def encoded(self) -> bytes:
        """The view as JSON: phones ask for it more often than it changes."""
        return encode(self.view)

    @cached_property
    def encoded_for_followers(self) -> bytes:
        """The same for whoever follows it and is not its holder."""
        return encode(self.view.without_person())


class LiveLine(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A line: how many wait in it; `wait` is for somebody joining now (null: not known).

    `left_today` is how many numbers it can still give today (null: no end in sight, or not known);
    when they are few, `stops_at` is about when the last will go. `reason_code` is why it gives none
    now, `reason` the same in words: `paused` and `stopped` by its manager (`reason` is then what
    staff said, if anything), `day_full`, the time left today is full, or `no_more_today`, its
    manager lets it give out no more. Null: it gives numbers.
    `issuing` is `open` or `stopped` where a manager decided so for today.
    `away` of those who wait have not checked in yet and are passed over until they do.
    `on_arrival` is the wait of somebody who gets there in 0, 15, 30, 60 and 90 minutes; empty where
    it is not known.
    """

    code: str
    name: str
    name_en: str
    state: str
    waiting: int
    wait: Wait | None
    reason_code: Literal["paused", "stopped", "day_full", "no_more_today"] | None = None
    reason: str | None = None
    reason_en: str | None = None
    issuing: Issuing = Issuing.AUTO
    left_today: int | None = None
    stops_at: datetime | None = None
    away: int = 0
    on_arrival: tuple[Wait, ...] = ()


class BoardCounter(msgspec.Struct, frozen=True, gc=False):
    """A counter on the board; `number` is who is at it, `reason` why it is paused.

    It means to go on at `paused_until`, where that was said. `lines` are those that it calls from
    unless it is closed, its own first.
    """

    code: str
    name: str
    state: str
    number: str | None
    reason: str | None
    lines: tuple[str, ...] = ()
    paused_until: datetime | None = None


class BoardAnnouncement(msgspec.Struct, frozen=True, gc=False):
    """What the hall tells everybody, or those in one of its parts, until a moment."""

    id: UUID
    text: str
    text_en: str | None
    zone: str | None
    until: datetime


class Call(msgspec.Struct, frozen=True, gc=False):
    """A number at a counter, and when she was called there, or called again.

    `serving` once she has come: nobody need be told any more.
    """

    number: str
    counter: str
    at: datetime
    state: Literal["called", "serving"] = "called"


class Board(msgspec.Struct, frozen=True, gc=False):
    """What the wall shows. `called` is who is at a counter: newest first, after them those
    who are being served, nobody else.

    `state` tells whether the hall is open, in a break until `resumes_at`, or closed.
    """

    hall: str
    name: str
    name_en: str
    version: int
    as_of: datetime
    counters: tuple[BoardCounter, ...]
    called: tuple[Call, ...]
    lines: tuple[LiveLine, ...]
    state: HallState = "closed"
    resumes_at: datetime | None = None
    announcements: tuple[BoardAnnouncement, ...] = ()


class LiveHall(msgspec.Struct, frozen=True, gc=False):
    """Everything the API answers about a hall without asking PostgreSQL."""

    board: Board
    tickets: tuple[LiveTicket, ...]

    @property
    def code(self) -> str:
        """The hall's code."""
        return self.board.hall

    @property
    def version(self) -> int:
        """Rises with every change of what can be seen."""
        return self.board.version


encode = msgspec.json.Encoder().encode
_decode_board = msgspec.json.Decoder(Board).decode
decode_tickets = msgspec.json.Decoder(tuple[LiveTicket, ...]).decode


def encode_hall(hall: LiveHall) -> bytes:
    """A hall as it is stored: its board, a line feed, its tickets.

    The two stand apart because every process needs the board of every change, and the tickets only
    when somebody asks for one.
    """
    return encode(hall.board) + b"\n" + encode(hall.tickets)


def decode_hall(stored: bytes) -> LiveHall:
    """A stored hall, whole. Raises one of UNREADABLE when it is not what `encode_hall` makes."""
    board, _, tickets = stored.partition(b"\n")
    return LiveHall(_decode_board(board), decode_tickets(tickets))


def above_rows(hall: LiveHall) -> LiveHall:
    """The hall with a version not below any ticket row that it was read from.

    A row may have been written after the projection took its version, or by a machine whose clock
    is ahead; whoever was answered with the row's version must not see the ticket's go backwards.
    """
    newest = max((ticket.row_version for ticket in hall.tickets), default=0)
    if newest <= hall.version:
        return hall
    return LiveHall(
        msgspec.structs.replace(hall.board, version=newest),
        tuple(
            _at_version(ticket, newest) if ticket.view.version == hall.version else ticket
            for ticket in hall.tickets
        ),
    )


def _at_version(ticket: LiveTicket, version: int) -> LiveTicket:
    view = msgspec.structs.replace(ticket.view, version=version)
    return msgspec.structs.replace(ticket, view=view)


class Kept:
    """A hall in an API process: its board, the encodings that many share, its tickets unread.

    Raises one of UNREADABLE when the board is not what `encode_hall` makes.
    """

    def __init__(self, stored: bytes) -> None:
        self.board_body, _, self.tickets = stored.partition(b"\n")
        self.board = _decode_board(self.board_body)
        # Strong comparison is not promised: `as_of` moves on while the version stands.
        self.etag = f'W/"{self.board.version}"'
        self.waiting = sum(line.waiting for line in self.board.lines)

    @cached_property
    def board_frame(self) -> bytes:
        """The board as a message on the socket, encoded once for all who watch it."""
        return frame(f"hall:{self.board.hall}", self.board.version, self.board_body)

    def stands_in(self, stored: bytes) -> bool:
        """Whether this is what is stored; told without reading it."""
        return stored.startswith(self.board_body)

    def is_news_after(self, before: "Kept") -> bool:
        """Whether this is later than what we had; the slow re-read mostly finds the same."""
        return (self.board.version, self.board.as_of) > (
            before.board.version,
            before.board.as_of,
        )


def fresh_frame(board: Board) -> bytes:
    """A socket message saying that a board still stands, and as of when."""
    fresh = {"type": "fresh", "topic": f"hall:{board.hall}", "version": board.version}
    return encode(fresh | {"as_of": board.as_of})


def frame(topic: str, version: int, data: bytes) -> bytes:
    """A socket message carrying the full present state of a topic."""
    return b'{"type":"state","topic":"%s","version":%d,"data":%s}' % (
        topic.encode(),
        version,
        data,
    )
