"""A hall as its events tell it: who waits in which order, which counter serves whom since when."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from scheduler.wait.events import Event, Marks, lines_of, marks_of, minute_of
from scheduler.wait.known import NOTHING
from scheduler.wait.lines import FADE, Line
from scheduler.wait.pools import Pool, Waiting

BOOKED_FIRST: Final = 100_000.0  # an appointment without a rank of its own goes before walk-ins
SEEN_FOR: Final = 10.0  # a counter without open and close is taken for open so long
PRIOR_PEOPLE: Final = 20.0
LATE: Final = 15.0  # minutes after its usual time at which a counter is still awaited
LATEST: Final = 4320.0  # minutes; no business day has more, a clock that says so is wrong
FARTHEST_DAY: Final = 400  # a hall that hears of a later one hears of a clock gone wrong
FEW_SERVED: Final = 20
LONGEST_SERVICE: Final = 240.0  # a counter busy for longer was forgotten


class Counter:
    """A counter: the lines it serves while it is open, whom it serves, its pace (1 = usual).

    `helps` are those of its lines from which it calls only when nobody waits in the others;
    `numbers` are the numbers of the others and of these.
    """

    __slots__ = (
        "alive",
        "came",
        "helps",
        "last_lines",
        "lines",
        "numbers",
        "serving",
        "since",
        "speed",
    )

    def __init__(self) -> None:
        self.last_lines: tuple[str, ...] = ()
        self.helps: tuple[str, ...] = ()
        self.numbers: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        self.came = False
        self.lines: tuple[str, ...] | None = None
        self.serving: tuple[str, str] | None = None
        self.since = 0.0
        self.alive = -math.inf
        self.speed = 1.0


class Habit:
    """When a counter usually opens first, with which lines, and on what share of days."""

    __slots__ = ("lines", "opens", "share")

    def __init__(self, opens: float) -> None:
        self.opens, self.share = opens, 0.7
        self.lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Called:
    """What a call tells: somebody's wait came true.

    It would have now of those who are `overtaken`: they were ahead, and left.
    """

    waiting: Waiting
    wait: float
    overtaken: Sequence[Waiting] = ()


class Hall:
    """Everything of one hall; `pools` names lines that wait for the same counters."""

    def __init__(self, code: str, pools: Iterable[Iterable[str]] = (), credit: float = 0.0) -> None:
        self.code, self.credit = code, credit
        self.pool_of = {line: "+".join(sorted(pool)) for pool in map(tuple, pools) for line in pool}
        self.lines: dict[str, Line] = {}
        self.pools: dict[str, Pool] = {}
        self.speeds: dict[str, float] = {}
        self.day: int | None = None
        self.refused = 0  # events that told nothing, came twice or too late
        self.scale = 1.0
        self.known = NOTHING
        self.means: dict[str, float] | None = None
        self.waits = self.people = 0.0
        self.habits: dict[str, Habit] = {}
        self.numbers: dict[str, int] = {}  # of lines that tickets or counters named
        self.has_capabilities = False
        self._forget_today()

    def _forget_today(self) -> None:
        self.t = self.clock = 0.0  # minutes of work, and of the clock
        self.seq = 0
        self.tickets: dict[tuple[str, str], Waiting] = {}
        self.seen: set[tuple[str, str]] = set()
        self.at_counter: dict[tuple[str, str], tuple[str, float]] = {}
        self.counters: dict[str, Counter] = {}
        self.serving: dict[str, list[Counter]] = {}  # by line, as long as no counter changes
        self.ys = [0.0, 0.0]  # of all lines: sum of y, weight
        self.asks_at: float | None = None  # when it next looks at its own future, to learn
        self.asks = 0

    def line(self, code: str) -> Line:
        """The line, made when first heard of."""
        found = self.lines.get(code)
        if found is None:
            found = self.lines[code] = Line(code)
            self.number(code)
            self.means = None
        return found

    def number(self, line: str) -> int:
        """A number for a line, the same ever after."""
        return self.numbers.setdefault(line, len(self.numbers))

    def pool(self, line: str) -> Pool:
        """The pool of a line."""
        name = self.pool_of.get(line, line)
        found = self.pools.get(name)
        if found is None:
            found = self.pools[name] = Pool()
            found.begin(self.scale)
        return found

    def pooled(self, line: str) -> list[Line]:
        """The lines that share a line's pool, itself among them."""
        name = self.pool_of.get(line)
        if name is None:
            return [self.line(line)]
        return [each for code, each in self.lines.items() if self.pool_of.get(code) == name]

    def close_day(self) -> None:
        """Fold today into what is known."""
        for code, habit in self.habits.items():
            counter = self.counters.get(code)
            habit.share += 0.2 * (bool(counter and counter.came) - habit.share)
        for line in self.lines.values():
            line.close_day()
        self.waits *= FADE
        self.people *= FADE
        for pool in self.pools.values():
            pool.busy_by_slot.fade()
            pool.new_day()
        self._forget_today()

    def accepts(self, event: Event) -> bool:
        """Whether an event may be heard: it tells a moment of today or of a later day."""
        if self.day is not None and not self.day <= event.day <= self.day + FARTHEST_DAY:
            return False
        return abs(event.t) <= LATEST

    def begin_day(self, day: int, scale: float = 1.0) -> None:
        """Today is another day; `scale` is 1 for halls and less where all goes quicker."""
        if self.day is not None:
            self.close_day()
        self.day, self.scale = day, scale
        for pool in self.pools.values():
            pool.begin(scale)

    def hear(self, event: Event) -> Waiting | Called | None:
        """Let one event of today change the hall: who joins, or whose wait came true.

        An event that is older than what was heard counts as of now. One that comes twice, or is of
        a ticket nobody knows, is counted in `refused` and changes nothing.
        """
        t = self.pass_to(event.t)
        kind = event.kind
        if kind == "issue":
            return self._issue(event, t)
        if kind in ("call", "leave"):
            return self._out_of_line(event, t, called=kind == "call")
        if kind in ("finish", "miss"):
            self._served(event, t, missed=kind == "miss")
        elif kind == "counters":
            count = minute_of(event.detail)
            if count is not None and count >= 0:
                self.line(event.line).counters = int(min(count, 1000))
            else:
                self.refused += 1
        elif kind == "counter_open":
            self._opens(event, t)
        elif kind == "counter_close":
            self._counter(event.counter).lines = None
            self.serving.clear()
        elif kind == "rank":
            self._rank(event)
        else:
            self.refused += 1
        return None

    def pass_to(self, clock: float) -> float:
        """Let time go by; a clock that runs backwards stands. Answers the minutes of work."""
        if abs(clock) <= LATEST:
            self.clock = max(self.clock, clock)
        self.t = max(self.t, self.known.worked(self.clock))
        return self.t

    def tau(self, city: float) -> float:
        """Minutes for each position over the hall's lines, drawn to the city's."""
        return (self.waits + PRIOR_PEOPLE * city) / (self.people + PRIOR_PEOPLE)

    def _opens(self, event: Event, t: float) -> None:
        self.has_capabilities = True
        counter = self._counter(event.counter)
        self.serving.clear()
        counter.lines, counter.helps = lines_of(event.detail)
        counter.last_lines = counter.lines
        own = tuple(self.number(code) for code in counter.lines if code not in counter.helps)
        counter.numbers = own, tuple(self.number(code) for code in counter.helps)
        habit = self.habits.get(event.counter)
        if habit is None:
            habit = self.habits[event.counter] = Habit(t)
        if not counter.came:
            counter.came = True
            habit.opens += 0.2 * (t - habit.opens)
            habit.lines = counter.lines

    def yet_to_open(self, t: float) -> Iterator[tuple[str, Habit]]:
        """The counters that usually open about now or soon, and have not come today."""
        for code, habit in self.habits.items():
            counter = self.counters.get(code)
            if habit.share >= 0.5 and habit.opens >= t - LATE and not (counter and counter.came):
                yield code, habit

    def _counter(self, code: str) -> Counter:
        found = self.counters.get(code)
        if found is None:
            found = self.counters[code] = Counter()
            found.speed = self.speeds.get(code, 1.0)
        return found

    def _issue(self, event: Event, t: float) -> Waiting | None:
        key = (event.line, event.ticket)
        marks = marks_of(event.detail)
        if key in self.tickets or not event.line or (key in self.seen and not marks.again):
            self.refused += 1
            return None
        self.seen.add(key)
        line, pool = self.line(event.line), self.pool(event.line)
        pool.pass_to(t)
        self.seq += 1
        rank = self._rank_of(marks, self.clock)
        waiting = Waiting(line, event.ticket, issued=t, rank=rank, seq=self.seq, marks=marks)
        # Whose slot is her rank is told of before she comes, so she is none of those who just do.
        if waiting.slot is None or waiting.goes_first:
            line.issue(t)
        pool.add(waiting)
        self.tickets[key] = waiting
        return waiting

    def _rank_of(self, marks: Marks, t: float) -> float:
        if marks.rank is not None:
            return marks.rank
        if marks.slot is not None:
            return marks.slot - BOOKED_FIRST
        return t - self.credit if marks.priority else t

    def _rank(self, event: Event) -> None:
        waiting, rank = self.tickets.get((event.line, event.ticket)), marks_of(event.detail).rank
        if waiting is None or rank is None:
            self.refused += 1
            return
        pool = self.pool(event.line)
        pool.remove(waiting)
        n, waiting.rank = waiting.n, rank
        pool.insert(waiting)
        waiting.n = n  # as promised; the label is of that place

    def _out_of_line(self, event: Event, t: float, *, called: bool) -> Called | None:
        key = (event.line, event.ticket)
        waiting = self.tickets.pop(key, None)
        if waiting is None:
            self.refused += 1
            return None
        pool = self.pool(event.line)
        pool.pass_to(t)
        pool.remove(waiting)
        if not called:
            pool.left(waiting, t)
            return None
        pool.called(t)
        waiting.line.called += 1.0
        if event.counter:
            counter = self._counter(event.counter)
            counter.alive = counter.since = t
            counter.serving = key
            self.at_counter[key] = (event.counter, t)
        wait = t - waiting.issued
        if waiting.scored and not waiting.appointment:
            pool.last_wait, pool.last_n = wait, waiting.n
        overtaken = () if waiting.goes_first else pool.overtaken(waiting)
        return Called(waiting, wait, overtaken)

    def _served(self, event: Event, t: float, *, missed: bool) -> None:
        key = (event.line, event.ticket)
        began = self.at_counter.pop(key, None)
        code = event.counter or (began[0] if began else "")
        if code:
            counter = self._counter(code)
            counter.alive = t
            if counter.serving == key or not began:
                counter.serving = None
        if began is None:
            self.refused += 1
            return
        line, minutes = self.line(event.line), t - began[1]
        line.misses.add(1.0 if missed else 0.0)
        if missed or minutes > LONGEST_SERVICE:
            return
        if line.service.count >= 5 and line.service.value > 0:
            pace = min(max(minutes / line.service.value, 0.1), 10.0)
            speed = self.speeds.get(code, 1.0)
            self.speeds[code] = counter.speed = speed + 0.02 * (pace - speed)
        self.means = None
        line.service.add(minutes)
        self.pool(event.line).service.add(minutes)

    def service_means(self) -> dict[str, float]:
        """Minutes that a service takes, for each line, drawn to the hall's."""
        if self.means is None:
            lasting = self._lasting()
            known = [line.service for line in self.lines.values()]
            count = sum(each.count for each in known)
            minutes = sum(each.value * each.count for each in known) + sum(lasting.values())
            usual = (minutes + 25.0) / (count + 5.0)
            self.means = {
                code: line.service.shrunk(usual, 3.0)
                + lasting.get(code, 0.0) / (line.service.count + 3.0)
                for code, line in self.lines.items()
            }
        return self.means

    def _lasting(self) -> dict[str, float]:
        """Minutes that services have lasted so far, of lines of which few have ended.

        Quick services end first: the mean of those alone would be too short.
        """
        lasting: dict[str, float] = {}
        for counter in self.counters.values():
            if counter.serving is None:
                continue
            code, age = counter.serving[0], self.t - counter.since
            line = self.lines.get(code)
            if line and line.service.count < FEW_SERVED and age <= LONGEST_SERVICE:
                lasting[code] = lasting.get(code, 0.0) + age
        return lasting

    def able(self, line: str) -> list[Counter]:
        """The open counters that serve a line, where such things are known."""
        found = self.serving.get(line)
        if found is None:
            found = self.serving[line] = [
                each for each in self.counters.values() if each.lines and line in each.lines
            ]
        return found

    def working_for(self, line: str) -> list[Counter]:
        """Of the counters that serve a line, those that do so as things are."""
        able = self.able(line)
        if any(line in each.helps for each in able):
            return [each for each in able if line not in each.helps or self._has_time(each)]
        return able

    def _has_time(self, counter: Counter) -> bool:
        """Whether nobody waits in a counter's own lines, so that it may help."""
        lines = self.lines
        return not any(
            code not in counter.helps and code in lines and (lines[code].walk or lines[code].booked)
            for code in counter.lines or ()
        )

    def open_for(self, line: Line, t: float) -> int | None:
        """How many counters are open for a line, however that is known."""
        if self.has_capabilities:
            return len(self.working_for(line.code))
        if line.counters is not None:
            return line.counters
        seen = sum(
            1
            for each in self.counters.values()
            if each.serving is not None or t - each.alive <= SEEN_FOR
        )
        return seen or None
