"""The edges of a hall's day."""

from datetime import datetime, time, timedelta

import pytest

from scheduler.calendar import Opening, Timetable
from scheduler.closing import Now, gives_numbers, is_over, open_left, state_at
from scheduler.discipline import Rules

WEEK = Timetable(
    tuple(
        Opening(day, start, end)
        for day in range(5)
        for start, end in ((time(9), time(12)), (time(14), time(17)))
    )
)
USUAL = Rules()


def on_monday(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23T{clock}:00+08:00")


@pytest.mark.parametrize(
    ("at", "state", "resumes"),
    [
        ("08:59", "closed", None),
        ("09:00", "open", None),
        ("11:59", "open", None),
        ("12:00", "break", "14:00"),
        ("13:59", "break", "14:00"),
        ("14:00", "open", None),
        ("17:00", "closed", None),
    ],
)
def test_a_gap_between_two_openings_is_a_break(at: str, state: str, resumes: str | None) -> None:
    found = state_at(WEEK, on_monday(at))
    assert found == Now(state, on_monday(resumes) if resumes else None)  # type: ignore[arg-type]


def test_a_day_without_openings_is_closed_all_day() -> None:
    sunday = datetime.fromisoformat("2026-11-22T12:30:00+08:00")
    assert state_at(WEEK, sunday) == Now("closed")
    assert open_left(WEEK, sunday) == timedelta()
    assert not gives_numbers(WEEK, sunday, Rules(issue_before_open_min=240))


@pytest.mark.parametrize(
    ("at", "minutes", "given"),
    [
        ("13:30", 0, False),
        ("13:30", 29, False),
        ("13:30", 30, True),
        ("12:00", 120, True),
        ("08:30", 30, True),
        ("08:29", 30, False),
        ("16:59", 0, True),
        ("17:00", 240, False),
    ],
)
def test_numbers_are_given_while_open_and_so_long_before(
    at: str, minutes: int, given: bool
) -> None:
    assert gives_numbers(WEEK, on_monday(at), Rules(issue_before_open_min=minutes)) is given


@pytest.mark.parametrize(
    ("at", "minutes"),
    [("08:00", 360), ("11:00", 240), ("12:30", 180), ("16:45", 15), ("17:00", 0), ("23:00", 0)],
)
def test_the_open_time_left_leaves_the_break_out(at: str, minutes: int) -> None:
    assert open_left(WEEK, on_monday(at)) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("at", "staffed", "over"),
    [
        ("08:00", False, False),
        ("12:30", False, False),
        ("16:59", False, False),
        ("17:00", False, True),
        ("17:00", True, False),
        ("17:59", True, False),
        ("18:00", True, True),
    ],
)
def test_a_day_is_over_with_its_counters_or_when_its_hour_is_up(
    at: str, staffed: bool, over: bool
) -> None:
    assert is_over(WEEK, on_monday(at), staffed=staffed, rules=USUAL) is over


def test_on_a_day_without_openings_the_counters_tell() -> None:
    sunday = datetime.fromisoformat("2026-11-22T12:30:00+08:00")
    assert is_over(WEEK, sunday, staffed=False, rules=USUAL)
    assert not is_over(WEEK, sunday, staffed=True, rules=USUAL)
