"""Whatever happens to bookings in whatever order, PostgreSQL and a plain model agree on it.

Each example is a day and a half of three slots with few places and five people: a small model does
what they do, too. After each step both refuse with the same code or stand alike: no slot has more
than its places, no place is lost, and no offer is made to two.
"""

import time as time_of_day
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
import redis.asyncio as aioredis
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
from models.database import rows, transaction
from scheduler.capacity import NoShows
from server.appointments import booking, changing, waitlist, wishes
from server.appointments.changing import Doing
from server.appointments.planning import plan_hall
from server.appointments.slot_book import SlotBook, Word
from server.appointments.tending import tend_appointments
from server.clock import Clock
from server.halls.directory import Directory
from server.http.idempotency import Once
from tests.lifecycle.real import HALLS, NO_KEY, PEOPLE, Real
from tests.sizes import size

EXAMPLES, STEPS = size(40, 70), 30
# So many are booked before the day comes on which they are.
MANY = 5
SHANGHAI = ZoneInfo("Asia/Shanghai")
HALL, DAY = HALLS[0], date(2026, 11, 24)
HALF = timedelta(minutes=30)
MONDAY = datetime(2026, 11, 23, 9, 30, tzinfo=SHANGHAI)
STARTS = tuple(datetime.combine(DAY, time(10), SHANGHAI) + nth * HALF for nth in range(3))
HOLDING = {"held", "offered", "booked"}

# What has to happen in some example, or the test tells nothing of it.
REACHED = {
    *((what, why) for what in ("hold", "book") for why in (None, "slot_full", "already_booked")),
    ("confirm again", None),
    *(("confirm", why) for why in (None, "hold_expired", "wrong_state")),
    *(("move", why) for why in (None, "slot_full", "same_slot", "wrong_state")),
    *(("cancel", why) for why in (None, "wrong_state")),
    *(("offer", after) for after in ("cancelled", "expired")),
    *((f"{was} cancelled", None) for was in sorted(HOLDING)),
    *((ended, None) for ended in ("held expired", "offered expired", "booked missed")),
}

names = st.sampled_from(PEOPLE)
items = st.sampled_from([0, 0, 1])
slots = st.integers(0, 2)
nth = st.integers(0, 40)


@dataclass
class Booked:
    """An appointment as the model has it."""

    name: str
    item: int
    slot: int
    state: str
    until: datetime | None = None
    booked_at: datetime | None = None
    wait: "Wait | None" = None


@dataclass
class Wait:
    """Somebody who waits, as the model has it; the slots that she would take."""

    name: str
    item: int
    wanted: frozenset[int]
    until: datetime
    state: str = "waiting"


@dataclass
class Model:
    """Three slots, who has booked them, and who waits."""

    places: tuple[int, int, int]
    now: datetime = MONDAY
    booked: dict[UUID, Booked] = field(default_factory=dict)
    waits: dict[UUID, Wait] = field(default_factory=dict)

    def room(self, slot: int) -> int:
        return self.places[slot] - sum(
            one.slot == slot and one.state in HOLDING for one in self.booked.values()
        )

    def has_one(self, name: str, item: int) -> bool:
        return any(
            (one.name, one.item) == (name, item) and one.state in HOLDING
            for one in self.booked.values()
        )

    def closed(self, slot: int) -> bool:
        return self.now > STARTS[slot] - HALF

    def too_late(self, one: Booked) -> bool:
        assert one.booked_at is not None
        soon = min(one.booked_at + timedelta(minutes=5), STARTS[one.slot])
        return self.now > max(STARTS[one.slot] - timedelta(hours=2), soon)

    def next_for(self, slot: int) -> Wait | None:
        """Who is offered what is free in a slot."""
        if self.room(slot) <= 0 or STARTS[slot] <= self.now:
            return None
        for wait in self.waits.values():
            fits = wait.state == "waiting" and slot in wait.wanted
            if fits and not self.has_one(wait.name, wait.item):
                return wait
        return None


class Quiet(SlotBook):
    """Nobody listens: what phones see is another test's matter."""

    def __init__(self, directory: Directory) -> None:
        """Without a store, and at first without slots: everybody is booked by herself."""
        clock = Clock(MONDAY, anchor=time_of_day.time())
        super().__init__(aioredis.Redis(), lambda: directory, lambda: clock)

    async def changed(self, slots: Any = (), halls: Any = ()) -> None:
        """Tell nobody."""

    def mention(self, slots: Any) -> None:
        """Tell nobody."""

    async def read(self, hall_id: UUID) -> None:
        """Know a hall's slots: plain bookings are decided together from now on."""
        await self._read(Word(halls=[hall_id]))


class Bookings(RuleBasedStateMachine):
    """A day's bookings."""

    real: ClassVar[Real]
    # What was tried and how it ended, over all examples: what never happens proves nothing.
    reached: ClassVar[Counter[tuple[str, str | None]]] = Counter()

    @initialize(
        places=st.sampled_from([(1, 1, 1), (1, 2, 1), (2, 2, 2)]),
        begun=st.lists(st.tuples(names, items, slots, st.booleans()), min_size=4, max_size=8),
        waiting=st.lists(st.tuples(names, items, slots), min_size=2, max_size=5),
    )
    def the_day_is_planned_and_mostly_booked(
        self,
        places: tuple[int, int, int],
        begun: list[tuple[str, int, int, bool]],
        waiting: list[tuple[str, int, int]],
    ) -> None:
        self.model = Model(places)
        real = self.real
        hall = real.directory.hall(HALL)
        rules = replace(hall.booking, book_per_week=0, book_per_month=0, no_shows_to_block=0)
        halls = {**real.directory.halls, HALL: replace(hall, booking=rules)}
        self.directory = replace(real.directory, halls=halls)
        self.slots = Quiet(self.directory)
        real.run(self._plan(places))
        if len(begun) % 2:
            real.run(self.slots.read(hall.id))
        for name, item, slot, hold in begun:
            self.somebody_books(name, item, slot, hold)
        for name, item, first in waiting:
            self.somebody_waits(name, item, first)

    async def _plan(self, places: tuple[int, int, int]) -> None:
        hall = self.directory.hall(HALL)
        async with transaction() as tx:
            for table in ("appointment_place", "appointment_once", "appointment_event"):
                await tx.run(f"DELETE FROM {table}")
            for table in ("waitlist", "appointment", "slot", "slot_plan", "channel_link"):
                await tx.run(f"DELETE FROM {table}")
            for name in PEOPLE:
                await tx.run(
                    "INSERT INTO channel_link (id, citizen_id, platform, app_id, subject,"
                    " created_at) VALUES ($1, $2, 'wechat', 'app', $3, now())",
                    uuid4(),
                    self.real.ids[name],
                    name,
                )
            # Who waits is offered no more than that either, as the row says.
            await tx.run(
                "UPDATE hall SET rules = rules || $2::jsonb WHERE id = $1",
                hall.id,
                '{"book_per_week": 0, "book_per_month": 0}',
            )
        await plan_hall(hall, now=MONDAY, directory=self.directory, no_shows=NoShows({}))
        line = hall.lines["E"].id
        for start, many in zip(STARTS, places, strict=True):
            await rows(
                "UPDATE slot SET planned = $3, capacity = $3, overbooking = 0"
                " WHERE line_id = $1 AND starts_at = $2",
                line,
                start,
                many,
            )

    # --- how a step is made ----------------------------------------------------------------

    def _item(self, item: int) -> str:
        offers = self.directory.hall(HALL).offers
        able = [
            code
            for code, line in offers.items()
            if line == "E"
            and (entry := self.directory.item(code)).bookable
            and (entry.level_required, entry.residents_of) == (0, "anywhere")
        ]
        return able[item]

    def _doing(self, name: str) -> Doing:
        return Doing(self.real.who(name), self.model.now, self.directory)

    def _agree(
        self,
        what: str,
        work: Coroutine[Any, Any, Any],
        expected: str | None,
        then: Callable[[Any], None],
    ) -> None:
        """Both do it: they refuse alike, or both have done it."""
        self.reached[what, expected] += 1
        refused, answer = self.real.refusal(work)
        assert refused == expected
        if refused is None:
            then(answer)
        self._take_over_offers()

    def _take_over_offers(self) -> None:
        """Offers have ids that only PostgreSQL knows: whom they were made to, the model knows."""
        found = self.real.run(
            rows("SELECT id, waitlist_id FROM appointment WHERE waitlist_id IS NOT NULL")
        )
        booked = self.model.booked
        known = {row["waitlist_id"]: row["id"] for row in found if row["id"] not in booked}
        for temporary in [key for key in self.model.booked if key.int < 1 << 32]:
            made = self.model.booked[temporary]
            wait_id = next(key for key, wait in self.model.waits.items() if wait is made.wait)
            assert wait_id in known, "the model made an offer that PostgreSQL did not"
            self.model.booked[known.pop(wait_id)] = self.model.booked.pop(temporary)
        assert known == {}, "PostgreSQL made an offer that the model did not"

    def _pass_on(self, *freed: int, after: str = "") -> None:
        for slot in freed:
            while wait := self.model.next_for(slot):
                wait.state = "offered"
                self.reached["offer", after] += 1
                until = min(self.model.now + timedelta(minutes=10), STARTS[slot])
                offer = Booked(wait.name, wait.item, slot, "offered", until, wait=wait)
                self.model.booked[UUID(int=len(self.model.booked) + 1)] = offer

    def _one(self, at: int, *states: str) -> tuple[UUID, Booked] | None:
        """One of all there are, mostly one in such a state."""
        every = list(self.model.booked.items())
        likely = [each for each in every if each[1].state in states]
        chosen = likely if likely and at % 8 else every
        return chosen[at % len(chosen)] if chosen else None

    # --- what people do --------------------------------------------------------------------

    @rule(name=names, item=items, slot=slots, hold=st.booleans())
    def somebody_books(self, name: str, item: int, slot: int, hold: bool) -> None:
        model = self.model
        expected = None
        if model.closed(slot):
            expected = "slot_closed"
        elif model.has_one(name, item):
            expected = "already_booked"
        elif model.room(slot) <= 0:
            expected = "slot_full"
        work = booking.book(
            wishes.Wish(HALL, [self._item(item)], STARTS[slot], hold),
            self.real.who(name),
            Once(NO_KEY, None, ""),
            sealer=self.real.sealer,
            now=model.now,
            directory=self.directory,
            slots=self.slots,
        )

        def made(view: Any) -> None:
            until = model.now + timedelta(minutes=5) if hold else None
            state, at = ("held", None) if hold else ("booked", model.now)
            model.booked[view.id] = Booked(name, item, slot, state, until, at)

        self._agree("hold" if hold else "book", work, expected, made)

    @rule(at=nth)
    def somebody_confirms(self, at: int) -> None:
        if (found := self._one(at, "held", "offered")) is not None:
            self._confirm(*found)

    @rule(at=nth, late=st.sampled_from([0, 0, 1]))
    def somebody_confirms_too_late(self, at: int, late: int) -> None:
        found = self._one(at, "held", "offered")
        if found is None or found[1].until is None:
            return
        self.model.now = max(self.model.now, found[1].until + timedelta(minutes=late))
        self._confirm(*found)

    def _confirm(self, id_: UUID, one: Booked) -> None:
        expected = None
        if one.state == "booked":
            work = changing.confirm(id_, self._doing(one.name), self.slots)
            self._agree("confirm again", work, None, lambda _: None)
            return
        if one.state == "expired":
            expected = "hold_expired"
        elif one.state not in {"held", "offered"}:
            expected = "wrong_state"
        elif one.until is not None and self.model.now >= one.until:
            expected = "hold_expired"

        def done(_: Any) -> None:
            one.state, one.booked_at = "booked", self.model.now
            if one.wait is not None:
                one.wait.state = "booked"

        work = changing.confirm(id_, self._doing(one.name), self.slots)
        self._agree("confirm", work, expected, done)

    @rule(at=nth)
    def somebody_gives_up(self, at: int) -> None:
        if (found := self._one(at, *HOLDING)) is None:
            return
        id_, one = found
        expected = None
        if one.state not in HOLDING:
            expected = "wrong_state"
        elif one.state == "booked" and self.model.too_late(one):
            expected = "too_late_to_cancel"
        self._agree(
            "cancel",
            changing.cancel(id_, self._doing(one.name), self.slots),
            expected,
            lambda _: self._end(one, "cancelled"),
        )

    @rule(at=nth, slot=slots)
    def somebody_moves(self, at: int, slot: int) -> None:
        if (found := self._one(at, "booked")) is None:
            return
        id_, one = found
        model, expected = self.model, None
        if one.state != "booked":
            expected = "wrong_state"
        elif model.too_late(one):
            expected = "too_late_to_cancel"
        elif one.slot == slot:
            expected = "same_slot"
        elif model.closed(slot):
            expected = "slot_closed"
        elif model.room(slot) <= 0:
            expected = "slot_full"
        work = changing.reschedule(
            id_, STARTS[slot], self._doing(one.name), self.slots, sealer=self.real.sealer
        )

        def moved(_: Any) -> None:
            was, one.slot = one.slot, slot
            self._pass_on(was, after="moved")

        self._agree("move", work, expected, moved)

    @rule(name=names, item=items, first=slots)
    def somebody_waits(self, name: str, item: int, first: int) -> None:
        model, end = self.model, STARTS[2] + HALF
        starts_from = max(STARTS[first], model.now)
        wanted = frozenset(n for n in range(first, 3) if STARTS[n] >= starts_from)
        expected = None
        if starts_from >= end:
            expected = "slot_closed"
        elif model.has_one(name, item):
            expected = "already_booked"
        elif not wanted:
            expected = "slot_closed"
        elif any(
            (w.name, w.item) == (name, item) and w.state in {"waiting", "offered"}
            for w in model.waits.values()
        ):
            expected = "already_waiting"
        work = waitlist.join(
            waitlist.Wish(HALL, self._item(item), DAY, STARTS[first].time(), end.time()),
            self.real.who(name),
            Once(NO_KEY, None, ""),
            sealer=self.real.sealer,
            now=model.now,
            directory=self.directory,
            slots=self.slots,
        )

        def joined(view: Any) -> None:
            model.waits[view.id] = Wait(name, item, wanted, end)
            self._pass_on(*sorted(wanted))

        self._agree("wait", work, expected, joined)

    @rule(at=nth)
    def somebody_waits_no_more(self, at: int) -> None:
        if not self.model.waits:
            return
        id_, wait = list(self.model.waits.items())[at % len(self.model.waits)]

        def left(_: Any) -> None:
            if wait.state == "waiting":
                wait.state = "left"

        self._agree("leave", waitlist.leave(id_, self.real.who(wait.name)), None, left)

    @rule(minutes=st.sampled_from([1, 4, 6, 11]))
    def time_passes(self, minutes: int) -> None:
        self.model.now += timedelta(minutes=minutes)

    @precondition(lambda self: len(self.model.booked) > MANY)
    @rule(slot=slots, before=st.sampled_from([150, 60, 20, -31]))
    def the_day_comes(self, slot: int, before: int) -> None:
        to = STARTS[slot] - timedelta(minutes=before)
        self.model.now = max(self.model.now, to)

    @precondition(lambda self: len(self.model.booked) > MANY)
    @rule(slot=slots)
    def nobody_comes_to_a_slot(self, slot: int) -> None:
        self.model.now = max(self.model.now, STARTS[slot] + HALF + timedelta(minutes=1))
        self.the_worker_looks()

    @rule()
    def the_worker_looks(self) -> None:
        model = self.model
        self.real.run(tend_appointments(model.now, self.directory, self.slots))
        due = [b for b in model.booked.values() if b.state in {"held", "offered"}]
        for one in sorted(due, key=lambda b: b.until or MONDAY):
            if one.until is not None and one.until <= model.now:
                self._end(one, "expired")
        for one in sorted(model.booked.values(), key=lambda b: b.slot):
            if one.state == "booked" and model.now > STARTS[one.slot] + HALF:
                self._end(one, "missed")
        for wait in model.waits.values():
            if wait.state == "waiting" and wait.until <= model.now:
                wait.state = "over"
        self._pass_on(0, 1, 2)
        self._take_over_offers()

    def _end(self, one: Booked, state: str) -> None:
        was, one.state = one.state, state
        self.reached[f"{was} {state}", None] += 1
        if was == "offered" and one.wait is not None:
            one.wait.state = "passed"
        self._pass_on(one.slot, after=state)

    # --- what always holds -----------------------------------------------------------------

    @invariant()
    def both_stand_alike(self) -> None:
        if not hasattr(self, "model"):
            return
        found = self.real.run(rows("SELECT id, state, slot_start FROM appointment"))
        told = {row["id"]: (row["state"], row["slot_start"]) for row in found}
        assert told == {
            id_: (one.state, STARTS[one.slot]) for id_, one in self.model.booked.items()
        }
        waits = self.real.run(rows("SELECT id, state FROM waitlist"))
        assert {row["id"]: row["state"] for row in waits} == {
            id_: wait.state for id_, wait in self.model.waits.items()
        }

    @invariant()
    def no_place_is_sold_twice_and_none_is_lost(self) -> None:
        if not hasattr(self, "model"):
            return
        line = self.directory.hall(HALL).lines["E"].id
        found = self.real.run(
            rows(
                "SELECT starts_at, taken, capacity, (SELECT count(*) FROM appointment_place p"
                " WHERE p.slot_id = slot.id) AS there FROM slot"
                " WHERE line_id = $1 AND starts_at = ANY($2) ORDER BY starts_at",
                line,
                list(STARTS),
            )
        )
        for at, row in enumerate(found):
            assert row["taken"] == row["there"] <= row["capacity"]
            assert row["capacity"] - row["taken"] == self.model.room(at)


@pytest.fixture
def real(store_urls: StoreUrls, tmp_path: Any) -> Iterator[Real]:
    with Real(store_urls, tmp_path) as real:
        yield real


def test_the_model_and_postgresql_agree_on_bookings(real: Real) -> None:
    Bookings.real = real
    Bookings.reached.clear()
    run_state_machine_as_test(
        Bookings,
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
    assert Bookings.reached.keys() >= REACHED
