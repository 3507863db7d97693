"""What is said of waits: to whom, how steadily, and that it outlives the process that says it."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from models.database import rows
from models.promises import Told
from models.tickets import TicketState
from models.waits import CITY
from scheduler.closing import let_go_at
from scheduler.wait.city import Range
from server.halls.directory import HallEntry
from server.live.foreseen import HallWaits
from server.live.rows import BookedRow, HallRows, TicketRow, WayRow
from server.live.state import BoardCounter, Wait
from server.waits.foresight import Foresight, steady
from server.waits.growing import grow_of
from server.waits.hearing import minute_of_day
from server.waits.packing import pack_hall, pack_lessons, unpack_hall, unpack_lessons
from server.waits.remembering import Remembering
from tests.conftest import MONDAY_MORNING, Api
from tests.waits.learned import forget_what_was_learned

SERVICE = timedelta(minutes=4)
EVERY = timedelta(minutes=2)


def unhurried() -> Foresight:
    """One that looks whenever it is asked to."""
    return Foresight(share=math.inf)


class Day:
    """A hall where somebody comes every two minutes and two counters serve her in four, in rows."""

    def __init__(self, hall: HallEntry, start: datetime = MONDAY_MORNING) -> None:
        self.hall, self.now = hall, start
        self.tickets: dict[UUID, TicketRow] = {}
        self.counters = {"01": start, "02": start}
        self.booked: tuple[BookedRow, ...] = ()

    @property
    def rows(self) -> HallRows:
        serving = tuple(
            BoardCounter(code, code, "open", None, None, ("A", "E")) for code in self.counters
        )
        return HallRows((), serving, (), dict(self.tickets), 0, booked=self.booked)

    def come(self, line: str = "E") -> UUID:
        row = a_row(line, self.now, nth=len(self.tickets) + 1)
        self.tickets[row.id] = row
        return row.id

    def pass_by(self, time: timedelta) -> None:
        """Whoever is first is called whenever a counter is free."""
        self.now += time
        for counter, free_at in list(self.counters.items()):
            if free_at > self.now:
                continue
            for row in list(self.tickets.values()):
                if row.counter == counter and row.state is TicketState.SERVING:
                    self.change(row, state=TicketState.FINISHED, ended_at=free_at)
            waiting = [row for row in self.tickets.values() if row.state is TicketState.WAITING]
            if waiting:
                first = min(waiting, key=lambda row: row.rank_time)
                self.change(first, state=TicketState.SERVING, called_at=self.now, counter=counter)
                self.counters[counter] = self.now + SERVICE

    def change(self, row: TicketRow, **what: Any) -> None:
        values = {name: getattr(row, name) for name in row.__struct_fields__} | what
        self.tickets[row.id] = TicketRow(**values)


def a_row(line: str, at: datetime, *, nth: int) -> TicketRow:
    """Somebody who has just joined."""
    blank: dict[str, Any] = dict.fromkeys(TicketRow.__struct_fields__)
    return TicketRow(
        **blank
        | {
            "id": uuid7(),
            "number": f"{line}{nth:03d}",
            "state": TicketState.WAITING,
            "line": line,
            "item": "x",
            "issued_at": at,
            "rank_time": at,
            "version": nth,
            "recalls": 0,
            "away": False,
        }
    )


def lived(foresight: Foresight, day: Day, people: int) -> Iterator[HallWaits]:
    """Look at each step of a day on which so many come."""
    for _ in range(people):
        day.come()
        for _ in range(2):
            yield foresight.look(day.hall, day.rows, day.now)
            day.pass_by(EVERY / 2)


@pytest.fixture
def hall(api: Api) -> HallEntry:
    return api.services.directory.hall("dg-24")


def test_nothing_is_said_before_anything_is_known(hall: HallEntry) -> None:
    foresight, day = unhurried(), Day(hall)
    said = next(lived(foresight, day, 1))
    assert said == HallWaits({}, {})
    assert foresight.drain_promises() == []


def test_who_joins_a_line_newer_than_our_catalogue_is_passed_over_until_we_know_it(
    hall: HallEntry,
) -> None:
    foresight, day = unhurried(), Day(hall)
    new = day.come("Ω")
    for _ in lived(foresight, day, 40):
        pass
    assert new not in {each.ticket_id for each in foresight.drain_promises()}


def test_when_to_leave_follows_her_way_also_between_two_looks(hall: HallEntry) -> None:
    foresight, day = unhurried(), Day(hall)
    for _ in lived(foresight, day, 40):
        pass
    her = day.come()
    foresight.look(day.hall, day.rows, day.now)
    foresight._next[hall.code] = math.inf
    for travel_s in (600, 1200):
        day.change(day.tickets[her], way=WayRow("walk", travel_s, "estimate", None))
        said = foresight.look(day.hall, day.rows, day.now)
        assert said.again_in_s is not None
        assert said.leaves[her].travel_s == travel_s
        assert said.leaves[her].at is not None
        assert foresight.said(hall.code).leaves == said.leaves
    day.change(day.tickets[her], way=None)
    assert her not in foresight.look(day.hall, day.rows, day.now).leaves


def test_once_people_were_called_everybody_who_waits_is_told_an_ordered_range(
    hall: HallEntry,
) -> None:
    foresight, day = unhurried(), Day(hall)
    for _ in lived(foresight, day, 40):
        pass
    for _ in range(12):
        day.come()
    said = foresight.look(hall, day.rows, day.now)
    waiting = [row for row in day.tickets.values() if row.state is TicketState.WAITING]
    assert said.tickets.keys() == {row.id for row in waiting}
    for wait in (*said.tickets.values(), *said.arrivals["E"]):
        assert 0 <= wait.p10_s <= wait.p50_s <= wait.p90_s < 86_400
    first, *_, last = sorted(waiting, key=lambda row: row.rank_time)
    assert said.tickets[first.id].p50_s < said.tickets[last.id].p50_s
    # Two counters, four minutes each: two minutes a position, give or take.
    assert 600 <= said.tickets[last.id].p50_s <= 3_000
    assert len(said.arrivals["E"]) == 5


def test_what_is_told_at_the_number_and_near_the_call_is_kept_once(hall: HallEntry) -> None:
    foresight, day = unhurried(), Day(hall)
    for _ in lived(foresight, day, 60):
        pass
    promises = foresight.drain_promises()
    once = [(promise.ticket_id, promise.told) for promise in promises]
    assert len(once) == len(set(once))
    told = {promise.ticket_id for promise in promises if promise.told is Told.ISSUE}
    assert len(told) >= 30
    near = [promise.p50_s for promise in promises if promise.told is Told.NEAR]
    assert all(p50_s is not None and p50_s <= 600 for p50_s in near)
    assert all(promise.hall_id == hall.id for promise in promises)


def test_a_worker_with_too_much_to_do_says_for_a_while_what_it_said_last(hall: HallEntry) -> None:
    foresight, day = Foresight(share=1e-6), Day(hall)
    day.come()
    first = foresight.look(hall, day.rows, day.now)
    day.come()
    again = foresight.look(hall, day.rows, day.now)
    assert first.again_in_s is None
    assert again.again_in_s is not None
    assert again.again_in_s > 0
    assert again.tickets == first.tickets
    assert len(foresight.waits.halls[hall.code].tickets) == 1


def test_who_looks_again_sees_what_happened_and_not_how_we_breathe() -> None:
    before = steady(Range(5.0, 10.2, 20.0), None)
    assert (before.p10_s, before.p50_s, before.p90_s) == (300, 600, 1200)
    assert steady(Range(5.1, 10.5, 19.6), before) is before
    assert steady(Range(5.1, 11.1, 19.6), before).p50_s == 660
    assert steady(Range(5.0, 10.2, 20.0, "usual"), before).basis == "usual"
    assert steady(Range(0.0, 0.1, 0.2), None) == Wait(0, 0, 0)


def test_nothing_is_rounded_beyond_the_moment_when_all_are_let_go() -> None:
    before = steady(Range(50.0, 119.0, 119.0), None, 7_140)
    assert (before.p10_s, before.p50_s, before.p90_s) == (3000, 6900, 6900)
    assert steady(Range(50.0, 118.0, 118.0), before, 7_080) is before
    assert steady(Range(50.0, 114.0, 114.0), before, 6_840).p90_s == 6_600
    assert steady(Range(1.0, 1.0, 1.0), None, 60) == Wait(60, 60, 60)


def test_in_the_evening_people_are_told_no_longer_wait_than_anybody_is_served(
    hall: HallEntry,
) -> None:
    foresight, day = unhurried(), Day(hall)
    for _ in lived(foresight, day, 40):
        pass
    day.now = day.now.replace(hour=16, minute=45)
    for _ in range(60):
        day.come()
    let_go = let_go_at(hall.timetable, day.now.date(), hall.rules)
    assert let_go is not None
    day.counters.clear()
    said = foresight.look(hall, day.rows, day.now)
    told = [*said.tickets.values(), *said.arrivals["E"]]
    assert max(each.p90_s for each in said.tickets.values()) > 3600
    assert all(day.now + timedelta(seconds=each.p90_s) <= let_go for each in told)


def test_a_hall_and_its_lessons_are_the_same_after_they_were_stored(hall: HallEntry) -> None:
    foresight, day = unhurried(), Day(hall)
    for _ in lived(foresight, day, 40):
        pass
    day.come()
    foresight.look(hall, day.rows, day.now)
    waits = foresight.waits
    lessons = waits.drain_rows()
    again = unpack_lessons(pack_lessons(lessons))
    assert [(row.kind, row.y, row.ref, row.x.tolist()) for row in again] == [
        (row.kind, row.y, row.ref, row.x.tolist()) for row in lessons
    ]
    waits.halls[hall.code] = unpack_hall(pack_hall(waits.halls[hall.code]))
    before = foresight.look(hall, day.rows, day.now)
    assert foresight.look(hall, day.rows, day.now) == before
    assert grow_of([pack_lessons(lessons), b"rubbish"], seed=1) == {}  # too few to learn from


async def test_the_next_process_goes_on_where_the_last_one_stopped(
    api: Api, hall: HallEntry
) -> None:
    day = Day(hall)
    was, is_now = unhurried(), unhurried()
    for _ in lived(was, day, 40):
        pass
    memories = [
        Remembering(
            each,
            held=lambda: [hall.code],
            directory=lambda: api.services.directory,
            now=lambda: day.now,
        )
        for each in (was, is_now)
    ]
    try:
        await memories[0].say_farewell()
        await is_now.recall([hall.code])
        for _ in range(8):
            day.come()
        assert is_now.look(hall, day.rows, day.now).tickets
        was.look(hall, day.rows, day.now)
        minute = minute_of_day(day.now)
        again, before = (each.waits.project(hall.code, minute) for each in (is_now, was))
        assert again == before
    finally:
        await forget_what_was_learned(hall.code)
        await rows("DELETE FROM promise WHERE hall_id = $1", hall.id)


async def test_rubbish_in_the_store_is_passed_over(api: Api, hall: HallEntry) -> None:
    day, foresight = Day(hall), unhurried()
    memory = Remembering(
        foresight,
        held=lambda: [hall.code],
        directory=lambda: api.services.directory,
        now=lambda: day.now,
    )
    try:
        for code in (hall.code, CITY):
            await rows(
                "INSERT INTO wait_state (code, taken_at, state) VALUES ($1, now(), 'rubbish')",
                code,
            )
        await rows(
            "INSERT INTO wait_trees (kind, grown_at, learned_from, trees)"
            " VALUES ('line', now(), 9, 'rubbish')"
        )
        await memory.recall([hall.code])
        assert foresight.look(hall, day.rows, day.now) == HallWaits({}, {})
    finally:
        await forget_what_was_learned(hall.code)
