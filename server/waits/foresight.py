"""Foresight: what the worker says of the waits in the halls that it holds, and how it learns."""

import math
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from models.promises import Basis, NewPromise, Told
from models.tickets import TicketState
from scheduler.calendar import business_day
from scheduler.wait.city import City, Range
from scheduler.wait.predictor import HORIZONS, Waits
from scheduler.wait.prior import shipped_trees
from server.halls.directory import HallEntry
from server.live.departing import leaves_of
from server.live.foreseen import NOTHING_FORESEEN, HallWaits
from server.live.rows import HallRows, TicketRow
from server.live.state import Leave, Wait
from server.waits.hearing import day_of, minute_of_day, news
from server.waits.knowing import NoShow, as_usual, known_of

# When half of such people have so many seconds left, it is told once more, to be judged by it.
NEAR_S: Final = 600
# Who joined longer ago was not told by us what she was told when she joined.
JUST_JOINED_S: Final = 60
# Of a worker's time, so much goes into foreseeing at most. Where many halls are busy, each is then
# looked at less often; who is ahead of whom is told as soon as ever.
SHARE: Final = 0.25
# What is shown changes by so much at least, in seconds: who looks again should see what happened,
# not how we breathe.
_STEPS: Final = ((600, 30), (3600, 60), (86400, 300))

_Ranges = tuple[dict[UUID, Range], dict[str, Range], datetime]


class Foresight:
    """Hears what happens in halls, and says how long people will wait (`Foreseeing`).

    `share` is how much of its process's time it takes at most.
    """

    def __init__(self, *, share: float = SHARE) -> None:
        self._share = share
        self.waits = Waits(City(shipped_trees()))
        # What finds again what was known of halls; until somebody remembers, nothing was.
        self.recall: Callable[[Collection[str]], Awaitable[None]] = _nothing_known
        # How many of those who have booked stay away; until somebody has learned it, as usual.
        self.no_show: NoShow = as_usual
        self._day: int | None = None
        # What was told and is not stored yet.
        self._promises: list[NewPromise] = []
        # What was said of each hall last.
        self._said: dict[str, HallWaits] = {}
        # The ranges that it rests on: of who waits, of who joins, and as of when.
        self._ranges: dict[str, _Ranges] = {}
        # How long the last look at each hall took, and when (monotonic) the next may begin.
        self._took: dict[str, float] = {}
        self._all_took = 0.0
        self._next: dict[str, float] = {}
        self._told: dict[str, set[tuple[UUID, Told]]] = {}

    def look(self, hall: HallEntry, found: HallRows, now: datetime) -> HallWaits:
        """Hear what happened in a hall since the last look, and say how long its people wait.

        Looks that come faster than there is time for are answered with the waits said last; when to
        leave is told of the ways as they are.
        """
        began = time.monotonic()
        rest = self._next.get(hall.code, 0.0) - began
        if rest > 0:
            said = replace(self._said[hall.code], leaves=self._leaves(hall.code, found))
            self._said[hall.code] = said
            return replace(said, again_in_s=rest)
        said = self._look(hall, found, now)
        self._all_took -= self._took.get(hall.code, 0.0)
        self._took[hall.code] = time.monotonic() - began
        self._all_took += self._took[hall.code]
        self._next[hall.code] = began + self._all_took / self._share
        return said

    def _look(self, hall: HallEntry, found: HallRows, now: datetime) -> HallWaits:
        self._pass_to(day_of(now))
        hear(self.waits, hall, found, now, self.no_show)
        minute = minute_of_day(now)
        before = self._said.get(hall.code, NOTHING_FORESEEN)
        foreseen = self._foreseen(hall.code, found, minute)
        most_s = [60 * self.waits.hall(hall.code).known.left(minute, later) for later in HORIZONS]
        tickets = {
            each: steady(range_, before.tickets.get(each), most_s[0])
            for each, range_ in foreseen.items()
        }
        curves = self._curves(hall, minute)
        joining = {line: curve[0] for line, curve in curves.items()}
        self._ranges[hall.code] = foreseen, joining, now
        said = self._said[hall.code] = HallWaits(
            tickets,
            {
                line: _steadily(curve, before.arrivals.get(line), most_s)
                for line, curve in curves.items()
            },
            self._leaves(hall.code, found),
        )
        self._promise(hall, found, said, now)
        return said

    def _leaves(self, code: str, found: HallRows) -> dict[UUID, Leave]:
        """When to leave, by the ranges foreseen last and reckoned from their moment."""
        foreseen, joining, as_of = self._ranges[code]
        return leaves_of(found.tickets, foreseen, joining, self.said(code).leaves, as_of)

    def _pass_to(self, day: int) -> None:
        """Let what the halls share fade by a day, once for all of them."""
        if self._day is not None and day > self._day:
            self.waits.close_day()
        self._day = day

    def forget(self, code: str) -> None:
        """Forget a hall that another worker has now."""
        self.waits.halls.pop(code, None)
        self._all_took -= self._took.get(code, 0.0)
        for kept in (self._said, self._ranges, self._told, self._took, self._next):
            kept.pop(code, None)

    def drain_promises(self) -> list[NewPromise]:
        """What was told since the last time, to be stored."""
        promises, self._promises = self._promises, []
        return promises

    def take_back(self, promises: Iterable[NewPromise]) -> None:
        """Promises that could not be stored, to be stored later."""
        self._promises[:0] = promises

    def said(self, code: str) -> HallWaits:
        """What was said of a hall last."""
        return self._said.get(code, NOTHING_FORESEEN)

    def _foreseen(self, code: str, found: HallRows, minute: float) -> dict[UUID, Range]:
        foreseen = {}
        for (_, ticket), each in self.waits.project(code, minute).items():
            ticket_id = UUID(ticket)
            row = found.tickets.get(ticket_id)
            if each is not None and row is not None and row.state is TicketState.WAITING:
                foreseen[ticket_id] = each
        return foreseen

    def _curves(self, hall: HallEntry, minute: float) -> dict[str, list[Range]]:
        """The waits of who joins a line later, of the lines of which they are known."""
        curves = {}
        for line, curve in self.waits.on_arrival(hall.code, minute, list(hall.lines)).items():
            known = [each for each in curve if each is not None]
            if len(known) == len(HORIZONS):
                curves[line] = known
        return curves

    def _promise(self, hall: HallEntry, found: HallRows, said: HallWaits, now: datetime) -> None:
        told = self._told.get(hall.code, set())
        still: set[tuple[UUID, Told]] = set()
        ahead: dict[str, int] = {}
        for row in sorted(found.tickets.values(), key=lambda row: (row.rank_time, row.id)):
            nth, wait = ahead.get(row.line, 0), said.tickets.get(row.id)
            ahead[row.line] = nth + (wait is not None)
            if row.line not in hall.lines:
                continue  # it is newer than our directory, which follows
            for when, range_ in _due(row, wait, now):
                still.add((row.id, when))
                if (row.id, when) not in told:
                    self._promises.append(_new(hall, row, range_, when, ahead=nth, now=now))
        # A near end that moved away again was told all the same.
        here = found.tickets.keys()
        self._told[hall.code] = still | {one for one in told if one[0] in here}


def hear(
    waits: Waits,
    hall: HallEntry,
    found: HallRows,
    now: datetime,
    no_show: NoShow = as_usual,
) -> None:
    """Tell a predictor what has happened in a hall, and what is known of its day."""
    known, day = waits.hall(hall.code), day_of(now)
    if known.day is not None and known.day < day:
        known.begin_day(day, waits.city.scale)
    waits.know(hall.code, known_of(hall, found, now, no_show))
    for event in news(known, found, now):
        waits.hear(event)


async def _nothing_known(_codes: Collection[str]) -> None:
    """There is nothing to find again."""


def _due(row: TicketRow, wait: Wait | None, now: datetime) -> list[tuple[Told, Wait | None]]:
    """What she is told now, if she was not before.

    At issue None is what was told with her number alone, as to whoever was called before we looked.
    """
    in_line = row.state is TicketState.WAITING
    just_joined = in_line and (now - row.issued_at).total_seconds() <= JUST_JOINED_S
    due: list[tuple[Told, Wait | None]] = []
    if not (just_joined and wait is None):
        due.append((Told.ISSUE, wait if just_joined else None))
    if wait is not None and wait.p50_s <= NEAR_S:
        due.append((Told.NEAR, wait))
    return due


def _new(
    hall: HallEntry, row: TicketRow, wait: Wait | None, when: Told, *, ahead: int, now: datetime
) -> NewPromise:
    new = NewPromise(
        ticket_id=row.id,
        hall_id=hall.id,
        line_id=hall.lines[row.line].id,
        day=business_day(now),
        told=when,
        made_at=now,
        ahead=ahead,
    )
    if wait is None:
        return new
    p10, p50, p90 = wait.p10_s, wait.p50_s, wait.p90_s
    return replace(new, p10_s=p10, p50_s=p50, p90_s=p90, basis=Basis(wait.basis))


def _steadily(
    curve: Sequence[Range], before: tuple[Wait, ...] | None, most_s: Sequence[float]
) -> tuple[Wait, ...]:
    last: Sequence[Wait | None] = before or [None] * len(curve)
    return tuple(map(steady, curve, last, most_s))


def steady(now: Range, before: Wait | None, most_s: float = math.inf) -> Wait:
    """A range in whole steps of seconds, the one said before where nothing much has changed.

    Nothing in it is above `most_s`.
    """
    p10, p50, p90 = (_stepped(each * 60, most_s) for each in (now.p10, now.p50, now.p90))
    basis: Literal["live", "usual"] = "usual" if now.basis == "usual" else "live"
    if before is not None and before.basis == basis and before.p90_s <= most_s:
        exact = (now.p10 * 60, now.p50 * 60, now.p90 * 60)
        was = (before.p10_s, before.p50_s, before.p90_s)
        if all(abs(a - b) <= 0.75 * _step(b) for a, b in zip(exact, was, strict=True)):
            return before
    return Wait(p10, p50, p90, basis)


def _step(seconds: float) -> int:
    return next((step for below, step in _STEPS if seconds < below), _STEPS[-1][1])


def _stepped(seconds: float, most_s: float) -> int:
    step = _step(seconds)
    stepped = round(seconds / step) * step
    return stepped if stepped <= most_s else int(most_s / step) * step
