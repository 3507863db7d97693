"""Whatever happens to tickets in whatever order, PostgreSQL and a plain model agree on it.

Each example is a morning, or days, in two halls: fifty steps that a small model makes too. After
each step both refuse with the same code or stand alike; in the end `verify` finds nothing wrong.
Examples are drawn from a fixed seed, so a failure comes again. It is shown as it was found: add
`Phase.shrink` below to have it made short, which may take minutes.
"""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from integrations.stores import StoreUrls
from models.tickets import Move
from scheduler.calendar import is_open, last_close
from server.counters import attending, calling, opening, undoing
from server.counters.at import At
from server.counters.views import PauseCounter
from server.lines import arranging, stopping
from server.lines.views import OpenOverflow
from server.tickets import desk, leaving, moving
from server.tickets.day_end import lapse_after_closing, lapse_past_days
from tests.lifecycle import counters
from tests.lifecycle.model import City, Counter, Ticket
from tests.lifecycle.real import CLERKS, HALLS, PEOPLE, SKILLS, Real
from tests.sizes import size

EXAMPLES, STEPS = size(120, 300), 40
SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 23, 9, 30, tzinfo=SHANGHAI)

halls = st.sampled_from((HALLS[0], HALLS[0], HALLS[0], HALLS[1]))
codes = st.sampled_from(("01", "01", "02", "03"))
names = st.sampled_from(PEOPLE)
items = st.integers(0, 2)
claims = st.sampled_from([None, None, "pregnant", "with_infant"])
lines = st.sampled_from(["A", "E"])
wheres = st.sampled_from(["line", "hall", "nowhere"])
nth = st.integers(0, 30)
seconds = st.sampled_from([1, 5, 20, 40])
# What is done with a ticket, and the states in which it mostly is.
OF_HERS = {
    "gives_up": ("waiting", "called", "parked"),
    "moves": ("waiting",),
    "lets_pass": ("waiting",),
    "comes_back": ("missed",),
    "is_confirmed": ("waiting",),
    "is_refused": ("waiting",),
    "checks_in": ("waiting",),
}
# What a counter mostly does, with whom it has.
USUAL = {
    "nobody": ("call", "call", "call", "resume", "undo"),
    "called": ("start", "start", "start", "miss", "recall", "to_line", "to_counter", "undo"),
    "serving": ("finish", "park", "park", "to_line", "to_counter", "to_hall", "undo"),
}
ANYTHING = tuple(sorted({does for usual in USUAL.values() for does in usual}))
Thing = TypeVar("Thing")


def _one_of(wanted: Sequence[Thing], every: Sequence[Thing], at: int) -> Thing:
    return wanted[at % len(wanted)] if wanted else every[at % len(every)]


class Days(RuleBasedStateMachine):
    """Days in two halls."""

    real: ClassVar[Real]

    def __init__(self) -> None:
        super().__init__()
        self.city: City = self.real.begin(MONDAY, MONDAY.date())
        self._look_at_the_clock()

    # --- how a step is made ----------------------------------------------------------------

    def _pass(self, passed: timedelta) -> None:
        """Time goes by, but no day ends so."""
        midnight = datetime.combine(self.city.today, time(23, 59), SHANGHAI)
        self.city.now = min(self.city.now + passed, midnight)
        self._look_at_the_clock()

    def _look_at_the_clock(self) -> None:
        directory = self.real.directory
        self.city.open_halls = {
            hall for hall in HALLS if is_open(directory.hall(hall).timetable, self.city.now)
        }

    def _agree(
        self, expected: Callable[[], str | None], work: Coroutine[Any, Any, Any]
    ) -> str | None:
        """Both do it: they refuse alike, or both have done it."""
        refused, _ = self.real.refusal(work)
        assert refused == expected()
        return refused

    def _at(self, here: Counter, clerk: str) -> At:
        hall = self.real.directory.hall(here.hall)
        return At(hall, here.code, self.real.clerks[clerk], self.city.now)

    def _ticket(self, at: int, *states: str) -> Ticket:
        """A ticket in one of these states; each fourth time any ticket."""
        every = list(self.city.tickets.values())
        fitting = [ticket for ticket in every if ticket.state in states]
        return _one_of(fitting if at % 4 else every, every, at)

    def _any(self) -> bool:
        return bool(self.city.tickets)

    # --- time, halls, lines ----------------------------------------------------------------

    @initialize(first=st.lists(st.tuples(names, halls, items, claims), min_size=3, max_size=9))
    def the_day_begins(self, first: list[tuple[str, str, int, str | None]]) -> None:
        for hall, code in self.city.counters:
            self.a_counter_opens_or_closes(hall, code, "open", None, CLERKS[0])
        for name, hall, item, claim in first:
            self.somebody_takes_a_number(name, hall, item, claim)
            self._pass(timedelta(seconds=20))

    @rule(minutes=st.sampled_from([1, 4, 10, 29, 31, 300]))
    def time_goes_by(self, minutes: int) -> None:
        self._pass(timedelta(minutes=minutes))

    @rule(every=st.integers(0, 5))
    def a_day_ends(self, every: int) -> None:
        if every:  # now and then is enough
            return
        tomorrow = self.city.today + timedelta(days=1)
        self.city.now = datetime.combine(tomorrow, time(9, 30), SHANGHAI)
        self.city.today = tomorrow
        self._look_at_the_clock()
        self.real.run(lapse_past_days(now=self.city.now, feed=self.real.feed))
        self.city.end_day(self.city.tickets.values())

    @rule(
        hall=halls,
        line=lines,
        is_open=st.sampled_from([True, True, False]),
        limit=st.sampled_from([None, 3]),
    )
    def a_line_is_set(self, hall: str, line: str, is_open: bool, limit: int | None) -> None:
        self.real.set_line(hall, line, is_open=is_open, limit=limit)
        found = self.city.lines[hall, line]
        found.open, found.limit = is_open, limit

    @rule(every=st.integers(0, 6), minutes=st.sampled_from([1, 61]))
    def the_halls_close(self, every: int, minutes: int) -> None:
        # Both keep the same hours: to 17:00, on Wednesdays to 19:30, on Sundays none.
        closing = last_close(self.real.directory.hall(HALLS[0]).timetable, self.city.today)
        if every or closing is None:
            return
        self.city.now = max(self.city.now, closing + timedelta(minutes=minutes))
        self._look_at_the_clock()
        real = self.real
        real.run(lapse_after_closing(now=self.city.now, directory=real.directory, feed=real.feed))
        self.city.close_up(closing)

    @rule(hall=halls, line=lines, to=wheres, every=st.integers(0, 3))
    def a_line_is_stopped(self, hall: str, line: str, to: str, every: int) -> None:
        if every:  # seldom, or nobody would get a number any more
            return
        real, [other] = self.real, {"A", "E"} - {line}
        [elsewhere] = set(HALLS) - {hall}
        here = real.directory.hall(hall)
        order = stopping.StopOrder(
            here,
            here.lines[line],
            "系统故障",
            to_line=here.lines[other] if to == "line" else None,
            to_hall=real.directory.hall(elsewhere) if to == "hall" else None,
        )
        work = stopping.stop(order, real.clerks["chen"], now=self.city.now, feed=real.feed)
        to_line, to_hall = other if to == "line" else None, elsewhere if to == "hall" else None
        self._agree(lambda: self.city.stop(hall, line, "系统故障", to_line, to_hall), work)

    @rule(hall=halls, line=lines, code=codes, minutes=st.sampled_from([5, 60]))
    def other_counters_help_a_line(self, hall: str, line: str, code: str, minutes: int) -> None:
        until = self.city.now + timedelta(minutes=minutes)
        if until.date() != self.city.today:
            return
        real, here = self.real, self.real.directory.hall(hall)
        wanted = OpenOverflow(counters=[code], until=until)
        self.real.run(
            arranging.open_overflow(
                here,
                here.lines[line],
                wanted,
                real.clerks["chen"],
                now=self.city.now,
                feed=real.feed,
            )
        )
        found = self.city.lines[hall, line]
        found.overflow, found.overflow_until = (code,), until

    # --- citizens --------------------------------------------------------------------------

    @rule(name=names, hall=halls, item=items, claim=claims)
    def somebody_takes_a_number(self, name: str, hall: str, item: int, claim: str | None) -> None:
        code = self.real.items[item]
        expected = self.city.refuse_to_take(name, hall, code)
        refused, view = self.real.take(name, hall, code, claim, self.city.now)
        assert refused == expected
        if view is not None:
            self.city.take(view.id, name, hall, code, claim)
            assert view.number == self.city.tickets[view.id].number

    @precondition(_any)
    @rule(at=nth, does=st.sampled_from(sorted(OF_HERS)), hall=halls, people=st.integers(1, 3))
    def somebody_does_something_with_hers(self, at: int, does: str, hall: str, people: int) -> None:
        ticket = self._ticket(at, *OF_HERS[does])
        who, real, now = self.real.who(ticket.person), self.real, self.city.now
        here = real.directory.hall(ticket.hall)
        named, clerk = str(ticket.id), real.clerks["chen"]
        match does:
            case "gives_up":
                work = leaving.cancel(
                    ticket.id, who, now=now, directory=real.directory, feed=real.feed
                )
                self._agree(lambda: self.city.cancel(ticket), work)
            case "moves":
                work = moving.move(
                    ticket.id,
                    hall,
                    who,
                    fix=None,
                    sealer=real.sealer,
                    now=now,
                    directory=real.directory,
                    feed=real.feed,
                )
                self._agree(lambda: self.city.move(ticket, hall), work)
            case "lets_pass":
                work = moving.let_pass(
                    ticket.id, people, who, now=now, directory=real.directory, feed=real.feed
                )
                self._agree(lambda: self.city.let_pass(ticket, people), work)
            case "comes_back":
                work = desk.let_return(here, named, clerk, now=now, feed=real.feed)
                self._agree(lambda: self.city.let_return(ticket), work)
            case "is_confirmed":
                work = desk.confirm_priority(here, named, clerk, now=now, feed=real.feed)
                self._agree(lambda: self.city.confirm(ticket), work)
            case "is_refused":
                work = desk.refuse_priority(here, named, clerk, now=now, feed=real.feed)
                self._agree(lambda: self.city.refuse(ticket), work)
            case "checks_in":
                work = desk.check_in(here, named, clerk, now=now, feed=real.feed)
                self._agree(lambda: self.city.check_in(ticket), work)

    # --- counters --------------------------------------------------------------------------

    @rule(
        hall=halls,
        code=codes,
        does=st.sampled_from(["open", "open", "take_over", "pause", "close"]),
        some=st.sampled_from([None, None, ["E"], ["A"]]),
        clerk=st.sampled_from([CLERKS[0], *CLERKS]),
    )
    def a_counter_opens_or_closes(
        self, hall: str, code: str, does: str, some: list[str] | None, clerk: str
    ) -> None:
        here, feed = self.city.counters[hall, code], self.real.feed
        at, not_hers = self._at(here, clerk), counters.not_hers(here, clerk)
        match does:
            case "open":
                work = opening.open_counter(at, lines=some, take_over=False, feed=feed)
                self._agree(lambda: not_hers or counters.open_for(here, some, clerk), work)
            case "take_over":
                work = opening.open_counter(at, lines=some, take_over=True, feed=feed)
                self._agree(lambda: counters.open_for(here, some, clerk), work)
            case "pause":
                work = opening.pause_counter(at, PauseCounter("午休"), feed=feed)
                self._agree(lambda: not_hers or counters.pause(here), work)
            case "close":
                work = opening.close_counter(at, feed=feed)
                self._agree(lambda: not_hers or counters.close(self.city, here), work)

    @rule(hall=halls, code=codes, will=st.integers(0, 60), passed=seconds)
    def a_counter_works(self, hall: str, code: str, will: int, passed: int) -> None:
        here = self.city.counters[hall, code]
        self._pass(timedelta(seconds=passed))
        her = self.city.at(here)
        usual = USUAL[her.state if her else "nobody"]
        self._work(here, _one_of(usual if will % 6 else ANYTHING, ANYTHING, will), will)

    @rule(hall=halls, code=codes, will=st.integers(0, 60), passed=seconds)
    def and_another_does(self, hall: str, code: str, will: int, passed: int) -> None:
        self.a_counter_works(hall, code, will, passed)

    def _work(self, here: Counter, does: str, will: int) -> None:
        # Mostly she who works there; now and then somebody who may not.
        clerk = CLERKS[0] if here.staff is None else here.staff
        clerk = clerk if will % 7 else next(other for other in CLERKS if other != clerk)
        at, city, feed = self._at(here, clerk), self.city, self.real.feed
        not_hers = counters.not_hers(here, clerk)
        other = self.city.counters[here.hall, sorted(SKILLS)[will % len(SKILLS)]]
        line = "AE"[will % 2]
        [there] = set(HALLS) - {here.hall}
        match does:
            case "call":
                work = calling.call_next(at.hall, at.counter, at.who, now=at.now, feed=feed)
                self._agree(lambda: not_hers or counters.call(city, here), work)
            case "start" | "finish" | "miss" | "park":
                done = "done" if does == "finish" else None
                move, who, now = Move(does), at.who, at.now
                work = calling.move_current(
                    at.hall,
                    at.counter,
                    move,
                    who,
                    now=now,
                    feed=feed,
                    outcome=done,
                    directory=self.real.directory,
                )
                self._agree(lambda: not_hers or counters.step(city, here, does, done), work)
            case "recall":
                work = attending.recall(at, feed=feed)
                self._agree(lambda: not_hers or counters.recall(city, here), work)
            case "resume":
                number = self._ticket(will, "parked").number if will % 3 and self._any() else None
                work = attending.resume(at, number, feed=feed)
                self._agree(lambda: not_hers or counters.resume(city, here, number), work)
            case "to_line":
                work = attending.to_line(at, line, feed=feed)
                self._agree(lambda: not_hers or counters.to_line(city, here, line), work)
            case "to_counter":
                work = attending.to_counter(at, other.code, feed=feed)
                self._agree(lambda: not_hers or counters.to_counter(city, here, other), work)
            case "to_hall":
                work = attending.to_hall(at, self.real.directory.hall(there), feed=feed)
                self._agree(lambda: not_hers or counters.to_hall(city, here, there), work)
            case "undo":
                work = undoing.undo(at, feed=feed)
                self._agree(lambda: not_hers or counters.undo(city, here), work)

    # --- what always holds -----------------------------------------------------------------

    @invariant()
    def both_stand_alike(self) -> None:
        stands = self.real.stands()
        assert set(stands) == set(self.city.tickets)
        for ticket_id, ticket in self.city.tickets.items():
            told = {name: getattr(ticket, name) for name in stands[ticket_id]}
            assert stands[ticket_id] == told, ticket.number

    def teardown(self) -> None:
        assert self.real.faults() == []


@pytest.fixture
def real(store_urls: StoreUrls, tmp_path: Any) -> Iterator[Real]:
    with Real(store_urls, tmp_path) as real:
        yield real


@pytest.mark.timeout(900)  # a hundred seconds on a quiet machine
def test_the_model_and_postgresql_agree_whatever_happens(real: Real) -> None:
    Days.real = real
    run_state_machine_as_test(
        Days,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
