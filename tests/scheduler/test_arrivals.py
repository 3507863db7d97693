"""Setting off now: breaks are waited out, closed halls serve nobody, and nothing is invented."""

import math
from datetime import date, datetime, time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.arrivals import (
    ARRIVAL_AT_S,
    Arrivals,
    arrive,
    hall_curve,
    hours_of,
    sure_range,
)
from scheduler.calendar import SHANGHAI, Opening, SpecialDay, Timetable
from scheduler.hall_table import HallFacts, HallTable
from scheduler.wait.known import Known

MONDAY = date(2026, 11, 23)
MINUTE = 60.0
WEEK = Timetable(
    tuple(
        Opening(day, start, end)
        for day in range(5)
        for start, end in ((time(9), time(12)), (time(13, 30), time(17)))
    )
)
# So many minutes whenever she arrives, and from ten minutes to an hour for who arrives later.
LEVEL = [[300.0, 600.0, 1200.0]] * 5
RISING = [[m * 30.0, m * 60.0, m * 120.0] for m in (10, 20, 30, 45, 60)]


def moment(clock: str) -> float:
    return datetime.combine(MONDAY, time.fromisoformat(clock), SHANGHAI).timestamp()


def going(
    clock: str,
    minutes: float,
    curve: list[list[float]] = LEVEL,
    *,
    timetable: Timetable = WEEK,
    after_close_min: int = 60,
    last_s: float = math.inf,
    people_coming: int = 0,
    foretold: str = "",
) -> Arrivals:
    """Somebody sets off at that time of Monday and is so many minutes on the way.

    Breaks are in the curve where it says when it was `foretold`.
    """
    hall = HallFacts(
        code="a", place=None, timetable=timetable, after_close_min=after_close_min, lines=["A"]
    )
    table = HallTable([hall], MONDAY)
    table.learn(0, curve, last_s=last_s, as_of_s=moment(foretold) if foretold else math.nan)
    table.expect(0, people_coming, 120.0)
    one = np.zeros(1, dtype=np.intp)
    return arrive(table.facts(one, one), moment(clock), np.array([minutes * MINUTE]))


def minutes(arrivals: Arrivals) -> list[float]:
    assert arrivals.served.tolist() == [True]
    shares: list[float] = (arrivals.wait_s[0] / MINUTE).tolist()
    return shares


def not_served(arrivals: Arrivals) -> bool:
    return not arrivals.served[0] and bool(np.isnan(arrivals.wait_s[0]).all())


@pytest.mark.parametrize(
    ("on_the_way", "median"),
    [(0, 20 / 2), (15, 20), (20, 70 / 3), (30, 30), (45, 37.5), (90, 60), (89.999, 60), (120, 60)],
)
def test_the_wait_on_arrival_lies_between_the_points_and_stays_after_the_last(
    on_the_way: float, median: float
) -> None:
    curve = [[m * 30.0, m * 60.0, m * 120.0] for m in (10, 20, 30, 45, 60)]
    assert minutes(going("09:00", on_the_way, curve))[1] == pytest.approx(median, abs=0.01)


def test_whoever_arrives_in_the_break_waits_for_its_end() -> None:
    # What is foretold at 11:50 for 13:20 has the ten minutes until 13:30 in it.
    curve = [[15 * 60.0, 20 * 60.0, 30 * 60.0]] * 5
    assert minutes(going("11:50", 15, curve, foretold="11:50")) == pytest.approx(
        [85 + 5, 85 + 10, 85 + 20]
    )


def test_after_the_break_her_wait_is_that_of_somebody_who_comes_at_its_end() -> None:
    # At 12:30 she is there at 12:40; at 13:30, an hour from now, one waits 45 minutes.
    assert minutes(going("12:30", 10, RISING))[1] == pytest.approx(50 + 45)


def test_whoever_comes_before_the_morning_waits_for_the_doors() -> None:
    assert minutes(going("08:30", 10))[1] == pytest.approx(20 + 10)


@pytest.mark.parametrize(
    ("clock", "on_the_way", "served"),
    [("16:30", 29, True), ("16:30", 30, False), ("16:59", 0, True), ("17:00", 0, False)],
)
def test_whoever_arrives_after_closing_is_not_served_today(
    clock: str, on_the_way: float, served: bool
) -> None:
    assert going(clock, on_the_way).served[0] == served
    assert not_served(going(clock, on_the_way)) != served


def test_a_hall_that_does_not_open_today_serves_nobody() -> None:
    closed = Timetable(WEEK.weekly, {MONDAY: SpecialDay(MONDAY)})
    assert not_served(going("10:00", 5, timetable=closed))
    assert not_served(going("10:00", 5, timetable=Timetable()))


def test_whoever_arrives_after_the_last_number_is_not_served_today() -> None:
    assert minutes(going("15:00", 20, last_s=moment("15:30")))[1] == pytest.approx(10)
    assert not_served(going("15:00", 31, last_s=moment("15:30")))
    assert not_served(going("15:00", 0, last_s=-math.inf))
    # In the break it is its end that counts: by then the last number has gone.
    assert not_served(going("12:30", 10, last_s=moment("13:00")))


def test_whoever_would_be_called_after_everybody_is_let_go_is_not_served() -> None:
    two_hours = [[3600.0, 7200.0, 9000.0]] * 5
    assert not_served(going("16:30", 0, two_hours))
    assert going("16:30", 0, two_hours, after_close_min=120).served[0]


def test_a_wait_that_is_cut_off_where_everybody_is_let_go_serves_nobody() -> None:
    # Let go at 18:00; the last five minutes are as good as none.
    until_then = [[600.0, 60.0 * left, 60.0 * left] for left in (85, 70, 60, 60, 60)]
    assert not_served(going("16:34", 0, until_then))
    assert not_served(going("16:34", 10, until_then))
    assert going("16:29", 0, until_then).served[0]


def test_people_on_their_way_lengthen_the_wait() -> None:
    assert minutes(going("09:30", 10, people_coming=2)) == pytest.approx([9, 14, 24])


def test_a_wait_that_nobody_knows_is_not_known_yet_served() -> None:
    arrivals = going("10:00", 5, [])
    assert arrivals.served[0]
    assert np.isnan(arrivals.wait_s).all()
    # A curve of another shape than ours is none.
    assert np.isnan(going("10:00", 5, LEVEL[:3]).wait_s).all()


@given(
    st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=5, max_size=5),
    st.integers(0, 24 * 60 - 1),
    st.floats(0, 1e7),
)
def test_whatever_was_foretold_the_range_is_in_order_and_nothing_negative(
    curve: list[list[float]], minute: int, travel_min: float
) -> None:
    arrivals = going(str(time(minute // 60, minute % 60)), travel_min, curve)
    if arrivals.served[0]:
        p10, p50, p90 = arrivals.wait_s[0].tolist()
        assert 0 <= p10 <= p50 <= p90 < math.inf
    else:
        assert np.isnan(arrivals.wait_s).all()


@given(st.floats(0, 300), st.floats(0, 300))
def test_in_an_open_hall_setting_off_from_farther_never_means_being_called_earlier(
    a: float, b: float
) -> None:
    near, far = sorted((a, b))
    first, second = going("09:00", near, LEVEL), going("09:00", far, LEVEL)
    called = [
        on_the_way * MINUTE + arrivals.wait_s[0, 1]
        for on_the_way, arrivals in ((near, first), (far, second))
    ]
    assert called[0] <= called[1] + 1e-6


def test_hours_know_midnight_and_days_without_openings() -> None:
    all_day = Timetable(tuple(Opening(day, time(0), time(0)) for day in range(7)))
    hours = hours_of(MONDAY, [(all_day, 0), (Timetable(), 30)])
    assert hours.ends_s[0, 0] - hours.starts_s[0, 0] == 24 * 3600
    assert hours.latest_s == hours.ends_s[0, 0]
    assert hours.let_go_s[1] == -math.inf


def test_a_hall_without_lines_named_waits_between_its_lines() -> None:
    short, long = [[0.0, 60.0, 120.0]], [[300.0, 600.0, 900.0]]
    [[p10, p50, p90]] = hall_curve([(1, short), (3, long), (9, [])])
    assert (p10, p90) == (0.0, 900.0)
    assert p50 == pytest.approx((2 * 60 + 4 * 600) / 6)
    assert hall_curve([(4, [])]) == []
    assert hall_curve([]) == []


def test_a_range_is_put_in_order() -> None:
    assert sure_range([-5.0, 10.0, 3.0]) == [0.0, 10.0, 10.0]


def test_the_points_of_a_curve_are_those_of_the_live_state() -> None:
    assert [at / 60 for at in ARRIVAL_AT_S] == [0, 15, 30, 60, 90]


@pytest.mark.parametrize(
    ("on_the_way", "median"),
    [
        (0, 5),
        (77, 47 + 5),  # 12:43, in the break: until 13:30, and then as somebody who comes then
        (90, 34 + 5),
        (124, 5),  # 13:30
        (150, 5),
    ],
)
def test_a_break_is_waited_out_once_though_the_curve_ends_in_it(
    on_the_way: float, median: float
) -> None:
    # What is foretold at 11:26 for 12:26 and 12:56 has the rest of the break in it.
    medians = (5, 5, 5, 64 + 5, 34 + 5)
    curve = [[max(0, m - 4) * 60.0, m * 60.0, (m + 9) * 60.0] for m in medians]
    arrivals = going("11:26", on_the_way, curve, foretold="11:26")
    assert minutes(arrivals)[1] == pytest.approx(median, abs=0.01)


@pytest.mark.parametrize(
    ("clock", "work", "on_the_way", "waits"),
    [
        ("11:10", 5, 40, 5),  # 11:50: called at 11:55, though who comes at 12:10 waits for hours
        ("11:10", 5, 47, 5),
        ("11:10", 40, 20, 40 + 90),  # 11:30: at noon ten minutes are left
        ("11:10", 40, 47, 40 + 90),
        ("11:10", 5, 140 + 1, 5),  # 13:31, beyond the curve
        ("10:20", 20, 90, 20 + 90),  # 11:50, the last point
        ("10:20", 20, 200, 20),  # 13:40: the break is over
        ("10:20", 5, 200, 5),
        ("12:50", 5, 40, 5),  # 13:30, between a point in the break and one after it
        ("12:50", 5, 50, 5),
        ("08:40", 5, 20, 5),  # 09:00
    ],
)
def test_a_break_is_in_nobodys_wait_who_need_not_wait_through_it(
    clock: str, work: float, on_the_way: float, waits: float
) -> None:
    known = Known(open=((540.0, 720.0), (810.0, 1020.0)))
    now = 60.0 * int(clock[:2]) + int(clock[3:])
    shares = (work - 2, work, work + 9)
    curve = [
        [60 * known.waited(now + at / 60, minutes) for minutes in shares] for at in ARRIVAL_AT_S
    ]
    told = minutes(going(clock, on_the_way, curve, foretold=clock))
    assert told[1] == pytest.approx(waits, abs=0.01)
    assert told[0] <= told[1] <= told[2]
