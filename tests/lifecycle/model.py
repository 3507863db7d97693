"""The life of tickets told once more, small and plain: what the real thing must agree with.

No database, no locks, no statements, and none of our rules' code: dictionaries and one `if` after
another. Every move answers None, or the code by which it is refused; then nothing has changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import UUID

UNDOABLE = {"call", "start", "finish", "miss", "park", "resume", "transfer"}
CREDIT = {"pregnant": timedelta(minutes=30), "with_infant": timedelta(minutes=20)}
GRACE, PENALTY, UNDO_WITHIN = timedelta(minutes=30), timedelta(minutes=5), timedelta(seconds=30)
MOST_RECALLS, AFTER_CLOSE = 2, timedelta(minutes=60)
CAP_LINE, CAP_HALL = 5, 10
HELP_AFTER = timedelta(minutes=10)
OPEN = {"waiting", "called", "serving", "parked"}


@dataclass
class Line:
    hall: str
    code: str
    open: bool = True
    limit: int | None = None
    # Counters that serve it too, until when.
    overflow: tuple[str, ...] = ()
    overflow_until: datetime | None = None
    # Its last number today, and when it issued one.
    last: int = 0
    issued_at: datetime | None = None


@dataclass
class Counter:
    hall: str
    code: str
    skills: list[str]
    helps: list[str]
    serving: list[str]
    state: str = "closed"
    # The clerk who works there.
    staff: str | None = None
    # What it did last: the event's place among all, the move, the ticket and when.
    did: tuple[int, str, UUID, datetime] | None = None


@dataclass
class Ticket:
    id: UUID
    person: str
    item: str
    day: date
    issued_at: datetime
    hall: str
    line: str
    number: str
    rank: datetime
    state: str = "waiting"
    counter: str | None = None
    called_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str | None = None
    recalls: int = 0
    priority: str | None = None
    priority_at: datetime | None = None
    returned_at: datetime | None = None
    lapsed: bool = False
    # The number, and hall, from which staff sent her on.
    sent_from: str | None = None
    # These halls do not ask anybody to check in before she is called; she may all the same.
    checked_in_at: datetime | None = None
    away: bool = False

    @property
    def key(self) -> tuple[datetime, UUID]:
        return self.rank, self.id


@dataclass
class City:
    """Halls with their lines and counters, everybody's tickets, and the time."""

    lines: dict[tuple[str, str], Line]
    counters: dict[tuple[str, str], Counter]
    offers: dict[tuple[str, str], str]
    now: datetime
    today: date
    tickets: dict[UUID, Ticket] = field(default_factory=dict)
    # Of each ticket its last event, and how it stood before it.
    last: dict[UUID, tuple[int, Ticket]] = field(default_factory=dict)
    events: int = 0
    open_halls: set[str] = field(default_factory=set)
    # Who took a number when, and where: so many a day are allowed.
    taken: list[tuple[str, date, str, str]] = field(default_factory=list)

    # --- what is there ---------------------------------------------------------------------

    def waiting(self, hall: str, line: str) -> list[Ticket]:
        """Who waits in a line, in its order."""
        found = [t for t in self.tickets.values() if (t.hall, t.line) == (hall, line)]
        return sorted((t for t in found if t.state == "waiting"), key=lambda t: t.key)

    def at(self, counter: Counter) -> Ticket | None:
        """Who is at a counter."""
        here = [
            t
            for t in self.tickets.values()
            if (t.hall, t.counter) == (counter.hall, counter.code)
            and t.state in {"called", "serving"}
        ]
        assert len(here) <= 1
        return here[0] if here else None

    def first_for(self, counter: Counter) -> Ticket | None:
        """Whom a counter would call: of the first in each line, those of its own before others."""
        lines = [
            [t for t in self.waiting(counter.hall, line) if not self.is_kept_from(t, counter)]
            for hall, line in self.lines
            if hall == counter.hall and (line in counter.serving or self.is_overflow(counter, line))
        ]
        heads = [line[0] for line in lines if line]
        return min(heads, key=lambda t: (self.is_only_helped(t, counter), t.key), default=None)

    def is_only_helped(self, ticket: Ticket, counter: Counter) -> bool:
        """Whether a counter calls her only when nobody waits in its own lines."""
        if ticket.line not in counter.helps or ticket.counter == counter.code:
            return False
        if self.is_overflow(counter, ticket.line):
            return False
        return self.now - ticket.rank <= HELP_AFTER

    def is_overflow(self, counter: Counter, code: str) -> bool:
        """Whether a counter serves a line because its manager let it help out."""
        line = self.lines[counter.hall, code]
        until = line.overflow_until
        return counter.code in line.overflow and until is not None and self.now < until

    def is_kept_from(self, ticket: Ticket, counter: Counter) -> bool:
        """Whether she was sent to another counter, which is open for her line."""
        if ticket.counter in {None, counter.code}:
            return False
        other = self.counters[ticket.hall, ticket.counter or ""]
        return other.state == "open" and ticket.line in other.serving

    def holds_another(self, person: str, item: str, but: UUID | None = None) -> bool:
        """Whether somebody has an open ticket for an item."""
        return any(
            t.state in OPEN and t.id != but and (t.person, t.item) == (person, item)
            for t in self.tickets.values()
        )

    def missed_one(self, person: str, item: str | None, hall: str, line: str) -> bool:
        """Whether a number of hers for an item or in a line was missed, and may still come back.

        Or did, and was given up before its turn could have come.
        """

        def kept(t: Ticket) -> bool:
            if t.state == "missed":
                return t.ended_at is not None and self.now <= t.ended_at + GRACE
            return t.state == "cancelled" and t.returned_at is not None and self.now <= t.rank

        hers = [t for t in self.tickets.values() if (t.person, t.day) == (person, self.today)]
        return any(kept(t) for t in hers if t.item == item or (t.hall, t.line) == (hall, line))

    # --- what is done to all ---------------------------------------------------------------

    def write(self, ticket: Ticket, move: str, by: Counter | None, **now: object) -> str | None:
        """Something has happened to a ticket; nothing stood against it, so None."""
        before = replace(ticket)
        for name, value in now.items():
            setattr(ticket, name, value)
        if ticket.state in OPEN:
            ticket.ended_at = None
        elif before.state in OPEN:
            ticket.ended_at = self.now
        self.events += 1
        self.last[ticket.id] = (self.events, before)
        if by is not None:
            by.did = (self.events, move, ticket.id, self.now)
        return None

    def back_in_line(
        self, ticket: Ticket, move: str, by: Counter | None, **now: object
    ) -> str | None:
        """She waits as somebody who was never called."""
        fresh = {"called_at": None, "started_at": None, "recalls": 0, "counter": None}
        return self.write(ticket, move, by, **{**fresh, "state": "waiting", **now})

    def number_in(self, hall: str, line: str) -> str:
        """A line's next number."""
        found = self.lines[hall, line]
        found.last += 1
        found.issued_at = found.issued_at or self.now
        return f"{line}{found.last:03d}"

    def is_full(self, hall: str, line: str) -> bool:
        """Whether as many wait as a line takes."""
        limit = self.lines[hall, line].limit
        return limit is not None and len(self.waiting(hall, line)) >= limit

    # --- her own moves ---------------------------------------------------------------------

    def refuse_to_take(self, person: str, hall: str, item: str) -> str | None:
        """Why she gets no number."""
        if hall not in self.open_halls:
            return "hall_closed"
        if self.holds_another(person, item):
            return "already_in_line"
        line = self.offers[hall, item]
        if self.missed_one(person, item, hall, line):
            return "missed_number_kept"
        if not self.lines[hall, line].open:
            return "line_closed"
        if self.is_full(hall, line):
            return "line_full"
        taken = [at for who, day, *at in self.taken if (who, day) == (person, self.today)]
        in_line, in_hall = taken.count([hall, line]), sum(at[0] == hall for at in taken)
        return "daily_cap_reached" if in_line >= CAP_LINE or in_hall >= CAP_HALL else None

    def take(self, id: UUID, person: str, hall: str, item: str, claim: str | None) -> None:
        """She has got the number that the answer names by this id."""
        line = self.offers[hall, item]
        # Of several in one moment, each is a microsecond later.
        before = self.lines[hall, line].issued_at
        at = self.now if before is None else max(self.now, before + timedelta(microseconds=1))
        number = self.number_in(hall, line)
        self.lines[hall, line].issued_at = at
        self.taken.append((person, self.today, hall, line))
        self.tickets[id] = Ticket(id, person, item, self.today, at, hall, line, number, rank=at)
        self.events += 1
        if claim:
            self.write(self.tickets[id], "claim", None, priority=claim)

    def cancel(self, ticket: Ticket) -> str | None:
        """She gives up."""
        if ticket.state not in {"waiting", "called", "parked"}:
            return "wrong_state"
        return self.write(ticket, "cancel", None, state="cancelled")

    def move(self, ticket: Ticket, hall: str) -> str | None:
        """She goes to another hall."""
        if ticket.state != "waiting":
            return "wrong_state"
        if ticket.hall == hall:
            return "already_there"
        if refused := self.refuse_to_come(ticket, hall):
            return refused
        if self.missed_one(ticket.person, None, hall, self.offers[hall, ticket.item]):
            return "missed_number_kept"
        return self.come(ticket, "move", hall, None)

    def refuse_to_come(self, ticket: Ticket, hall: str) -> str | None:
        """Why she cannot come to another hall."""
        line = self.offers[hall, ticket.item]
        if hall not in self.open_halls:
            return "hall_closed"
        if self.is_full(hall, line):
            return "line_full"
        return None if self.lines[hall, line].open else "line_closed"

    def come(self, ticket: Ticket, move: str, hall: str, by: Counter | None) -> str | None:
        """She comes to another hall, her place in time kept."""
        line = self.offers[hall, ticket.item]
        number = self.number_in(hall, line)
        there: dict[str, object] = {
            "checked_in_at": None,
            "sent_from": f"{ticket.number}@{ticket.hall}" if move == "transfer" else None,
            "hall": hall,
            "line": line,
            "number": number,
        }
        return self.back_in_line(ticket, move, by, **there)

    def let_pass(self, ticket: Ticket, people: int) -> str | None:
        """She keeps her place behind so many more."""
        if ticket.state != "waiting":
            return "wrong_state"
        behind = [t for t in self.waiting(ticket.hall, ticket.line) if t.key > ticket.key]
        if not behind:
            return "nobody_behind"
        last = behind[:people][-1]
        moment = timedelta(microseconds=0 if ticket.id > last.id else 1)
        return self.write(ticket, "let_pass", None, rank=last.rank + moment)

    # --- what staff do with a ticket -------------------------------------------------------

    def let_return(self, ticket: Ticket) -> str | None:
        """Somebody who was missed has come."""
        if ticket.state != "missed":
            return "wrong_state"
        assert ticket.ended_at
        if ticket.day != self.today or self.now > ticket.ended_at + GRACE:
            return "grace_over"
        if self.holds_another(ticket.person, ticket.item):
            return "already_in_line"
        back: dict[str, object] = {"rank": self.now + PENALTY, "returned_at": self.now}
        seen: dict[str, object] = {"checked_in_at": self.now, "lapsed": False}
        return self.back_in_line(ticket, "return", None, **back, **seen)

    def check_in(self, ticket: Ticket) -> str | None:
        """She is seen to be there."""
        if ticket.state != "waiting":
            return "wrong_state"
        if ticket.checked_in_at is not None:
            return "already_checked_in"
        return self.write(ticket, "check_in", None, checked_in_at=self.now)

    def confirm(self, ticket: Ticket) -> str | None:
        """Her priority counts."""
        if ticket.state != "waiting":
            return "wrong_state"
        if ticket.priority is None or ticket.priority_at is not None:
            return "no_priority_claim"
        earlier = ticket.rank - CREDIT[ticket.priority]
        return self.write(ticket, "confirm", None, rank=earlier, priority_at=self.now)

    def refuse(self, ticket: Ticket) -> str | None:
        """Her priority does not count."""
        if ticket.state != "waiting":
            return "wrong_state"
        if ticket.priority is None or ticket.priority_at is not None:
            return "no_priority_claim"
        return self.write(ticket, "refuse", None, priority=None)

    def stop(self, hall: str, code: str, why: str, line: str | None, to: str | None) -> str | None:
        """A line stops; who waits in it is sent to another, to another hall, or stays."""
        if to is not None and to not in self.open_halls:
            return "hall_closed"
        waiting = self.waiting(hall, code)
        if line is not None and waiting and not (line != code and self.lines[hall, line].open):
            return "line_closed"
        self.lines[hall, code].open = False
        for ticket in waiting:
            there = to or hall
            goes_to = line or (to and self.offers[to, ticket.item])
            if goes_to is None or not self.lines[there, goes_to].open:
                self.write(ticket, "stay", None)
                continue
            sent: dict[str, object] = {"hall": there, "line": goes_to}
            sent["sent_from"] = f"{ticket.number}@{hall} {why}"
            if there != hall:
                sent["checked_in_at"] = None
            number = self.number_in(there, goes_to)
            self.back_in_line(ticket, "reroute", None, number=number, **sent)
        return None

    def close_up(self, closed: datetime) -> None:
        """It is after closing: who has not begun is let go, once nobody works or time is up."""
        for hall in {counter.hall for counter in self.counters.values()}:
            works = any(c.state != "closed" for c in self.counters.values() if c.hall == hall)
            if works and self.now < closed + AFTER_CLOSE:
                continue
            for ticket in [t for t in self.tickets.values() if t.hall == hall]:
                if ticket.state in {"waiting", "called", "parked"}:
                    state = "missed" if ticket.state == "called" else "cancelled"
                    self.write(ticket, "lapse", None, state=state, lapsed=True)

    def end_day(self, tickets: Iterable[Ticket]) -> None:
        """A day is over: whoever is still there gets an outcome."""
        outcome = {"called": "missed", "serving": "finished"}
        for ticket in [t for t in tickets if t.state in OPEN]:
            state = outcome.get(ticket.state, "cancelled")
            self.write(ticket, "lapse", None, state=state, lapsed=True)
        for counter in self.counters.values():
            counter.state, counter.serving, counter.staff = "closed", counter.skills, None
        for line in self.lines.values():
            line.last, line.issued_at = 0, None
