"""The day's end: no wait lasts longer than anybody is served, and what says nothing is not said."""

import math

import pytest

from scheduler.wait.city import Range
from scheduler.wait.events import Event
from scheduler.wait.known import Known
from scheduler.wait.predictor import HORIZONS, Waits
from tests.scheduler.wait.halls_made import heard, some_days

# Closed at five, and whoever still waits is let go at half past.
HOURS = Known(open=((540.0, 720.0), (810.0, 1020.0)), let_go=1050.0)


def crowded(at: float, known: Known = HOURS) -> Waits:
    """Fifty people came at that minute to a line that is served slowly."""
    waits = heard(list(some_days(0)))
    waits.know("H", known)
    for nth in range(50):
        waits.hear(Event(9, at, "H", "L0", "issue", f"{nth}"))
    return waits


@pytest.mark.parametrize("now", [905.0, 980.0, 1019.0, 1045.0])
def test_nobody_is_said_to_wait_for_longer_than_anybody_is_served(now: float) -> None:
    shown = crowded(900.0).project("H", now).values()
    told = [each for each in shown if each]
    assert len(told) == 50
    assert all(now + each.p90 <= 1050.0 for each in told)
    assert max(each.p50 for each in told) == 1050.0 - now, (
        "it is a long line, else nothing is shown"
    )
    assert all(0 <= each.p10 <= each.p50 <= each.p90 for each in told)


def test_who_comes_later_has_less_time_left_and_who_comes_after_closing_none_that_is_told() -> None:
    told = crowded(900.0).on_arrival("H", 990.0, ["L0"])["L0"]
    most = [None if each is None else each.p90 for each in told]
    assert most == [60.0, 45.0, 30.0, 30.0, 30.0]
    assert len(most) == len(HORIZONS)


def test_once_all_are_let_go_nothing_is_said() -> None:
    waits = crowded(1000.0)
    assert set(waits.project("H", 1050.0).values()) == {None}
    assert waits.on_arrival("H", 1050.0, ["L0"]) == {"L0": [None] * len(HORIZONS)}


def test_where_nobody_knows_when_people_are_let_go_they_wait_as_long_as_foretold() -> None:
    waits = crowded(900.0, Known(open=HOURS.open))
    last = waits.project("H", 980.0)["L0", "49"]
    assert last is not None
    assert last.p90 > 70.0
    assert HOURS.left(1000.0) == 50.0
    assert Known(open=HOURS.open).left(1000.0) == Known(let_go=1050.0).left(1000.0) == math.inf


@pytest.mark.parametrize(
    ("range_", "left", "says"),
    [
        (Range(5.0, 40.0, 240.0, "usual"), 300.0, False),
        (Range(5.0, 40.0, 240.0, "usual"), 100.0, True),  # an hour and a half at most: that is some
        (Range(30.0, 60.0, 240.0, "usual"), 300.0, True),
        (Range(5.0, 40.0, 240.0, "live"), 300.0, True),
        (Range(0.0, 2.0, 119.0, "usual"), 300.0, True),
        (Range(0.0, 2.0, 121.0, "usual"), 300.0, False),
        (Range(0.0, 2.0, 121.0, "usual"), math.inf, True),  # as in a trace, which has no hours
    ],
)
def test_what_is_borrowed_and_could_be_any_time_says_nothing(
    range_: Range, left: float, *, says: bool
) -> None:
    assert range_.says_something(left) == says


def test_of_a_line_where_it_could_be_any_time_nothing_is_said_now_or_later() -> None:
    waits = heard(list(some_days(0)))
    waits.know("H", Known(open=((0.0, 1440.0),), let_go=1440.0))
    line = waits.hall("H").line("L0")
    line.labels, line.tails[0] = 0, [-3.0, 3.0]
    promise = waits.hear(Event(9, 600.0, "H", "L0", "issue", "a"))
    assert promise is not None
    assert promise.shown is None
    assert waits.on_arrival("H", 600.0, ["L0"]) == {"L0": [None] * len(HORIZONS)}
