"""Slots one after the other: in a row within a line, then soon after in the next."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from scheduler.legs import MOST_BETWEEN, Leg, following, in_a_row, run_at

TEN = datetime(2026, 11, 24, 10, tzinfo=ZoneInfo("Asia/Shanghai"))


class Slot(NamedTuple):
    starts_at: datetime
    ends_at: datetime
    open: bool = True
    room: int = 1


def has_room(slot: Slot) -> bool:
    return slot.room > 0


def day(length: int, rooms: list[int], *, gap: int = 0) -> list[Slot]:
    """Slots of so many minutes from ten o'clock on."""
    step = timedelta(minutes=length + gap)
    starts = [TEN + nth * step for nth in range(len(rooms))]
    return [
        Slot(at, at + timedelta(minutes=length), True, room)
        for at, room in zip(starts, rooms, strict=True)
    ]


def test_a_leg_takes_as_many_in_a_row_as_its_minutes() -> None:
    leg = Leg(day(30, [1, 1, 1]), 45)
    assert leg.many == 2
    assert run_at(leg, 1) == leg.slots[1:3]
    assert run_at(leg, 2) is None
    assert run_at(Leg(day(30, [1, 1], gap=10), 45), 0) is None


def test_the_next_leg_begins_when_the_one_before_is_over_where_there_is_room() -> None:
    first, second = Leg(day(30, [1] * 4), 30), Leg(day(20, [1, 1, 0, 1, 1, 1]), 20)
    found = following([first, second], first.slots[:1], has_room)
    assert found == [first.slots[0], second.slots[3]]


def test_nobody_waits_longer_than_an_hour_between() -> None:
    first = Leg(day(30, [1]), 30)
    assert following([first, Leg(day(30, [1, 0, 0, 0, 1]), 30)], first.slots, has_room) is None
    assert following([first, Leg([], 30)], first.slots, has_room) is None


rooms = st.lists(st.integers(0, 2), min_size=1, max_size=12)
legs = st.lists(
    st.tuples(st.sampled_from([10, 15, 30, 60]), rooms, st.integers(5, 90)), min_size=1, max_size=4
)


@given(legs)
def test_what_is_found_is_in_order_has_room_and_is_whole(
    said: list[tuple[int, list[int], int]],
) -> None:
    all_legs = [Leg(day(length, rooms), minutes) for length, rooms, minutes in said]
    run = run_at(all_legs[0], 0)
    found = following(all_legs, run, has_room) if run else None
    if found is None or run is None:
        return
    assert len(found) == sum(leg.many for leg in all_legs)
    assert all(a.ends_at <= b.starts_at for a, b in pairwise(found))
    assert all(b.starts_at - a.ends_at <= MOST_BETWEEN for a, b in pairwise(found))
    assert all(map(has_room, found[len(run) :]))
    at = 0
    for leg in all_legs:
        assert in_a_row(found[at : at + leg.many])
        at += leg.many
