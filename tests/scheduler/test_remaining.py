"""How many more numbers a hall's lines can give today."""

from datetime import datetime, timedelta
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.remaining import MOST_LEFT, LineToday, numbers_left, stops_at

HOUR = timedelta(hours=1)
NOON = datetime.fromisoformat("2026-11-23T11:00:00+08:00")
CODES = "ABCDE"


def a_line(code: str = "A", *, waiting: int = 0, mean_s: int = 600, served: int = 10) -> LineToday:
    return LineToday(code, waiting, served, float(mean_s * served))


def test_two_counters_of_ten_minutes_a_visit_serve_twelve_more_in_an_hour() -> None:
    assert numbers_left([a_line()], ["A", "A"], HOUR) == {"A": 12}


def test_those_who_wait_come_first() -> None:
    assert numbers_left([a_line(waiting=9)], ["A", "A"], HOUR) == {"A": 3}
    assert numbers_left([a_line(waiting=30)], ["A", "A"], HOUR) == {"A": 0}


@pytest.mark.parametrize("served", [0, 4])
def test_of_too_few_visits_nothing_is_said(served: int) -> None:
    assert numbers_left([a_line(served=served, waiting=50)], ["A"], HOUR) == {"A": None}


def test_until_enough_are_served_the_usual_time_stands_for_those_missing() -> None:
    nobody_yet = LineToday("A", waiting=2, served=0, service_s=0.0, usual_s=600.0)
    assert numbers_left([nobody_yet], ["A"], HOUR) == {"A": 4}
    quick = LineToday("A", waiting=2, served=4, service_s=4 * 75.0, usual_s=600.0)
    assert quick.mean_s == 180
    enough = LineToday("A", waiting=2, served=5, service_s=5 * 75.0, usual_s=600.0)
    assert enough.mean_s == 75


def test_a_line_that_no_open_counter_serves_has_no_figure() -> None:
    assert numbers_left([a_line(), a_line("B")], ["B"], HOUR) == {"A": None, "B": 6}
    assert numbers_left([a_line()], [], HOUR) == {"A": None}


def test_far_from_the_end_there_is_no_figure() -> None:
    assert numbers_left([a_line(mean_s=1)], ["A"], HOUR) == {"A": None}


def test_visits_of_no_time_at_all_do_not_divide_by_it() -> None:
    assert numbers_left([LineToday("A", 3, 5, 0.0)], ["A"], timedelta(seconds=10)) == {"A": 7}


def test_a_counter_of_two_lines_is_shared_fairly() -> None:
    assert numbers_left([a_line("A"), a_line("B")], ["AB"], HOUR) == {"A": 3, "B": 3}


def test_who_waits_in_the_other_line_takes_time_of_both() -> None:
    left = numbers_left([a_line("A"), a_line("B", waiting=4)], ["AB"], HOUR)
    assert left == {"A": 1, "B": 1}


def test_work_moves_to_the_counter_that_only_it_can_use() -> None:
    # Six wait in A: they belong to the counter of A alone, so that the other has an hour for B.
    left = numbers_left([a_line("A", waiting=6), a_line("B")], ["AB", "A"], HOUR)
    assert left == {"A": 3, "B": 3}
    left = numbers_left([a_line("A", waiting=12), a_line("B")], ["AB", "A"], HOUR)
    assert left == {"A": 0, "B": 0}


def test_a_full_line_does_not_stop_one_with_a_counter_of_its_own() -> None:
    left = numbers_left([a_line("A", waiting=99), a_line("B")], ["A", "B"], HOUR)
    assert left == {"A": 0, "B": 6}


def test_a_waiting_line_of_which_nothing_is_known_takes_an_equal_share() -> None:
    unknown = a_line("B", served=0, waiting=1)
    assert numbers_left([a_line("A"), unknown], ["AB"], HOUR) == {"A": 3, "B": None}
    empty = a_line("B", served=0)
    assert numbers_left([a_line("A"), empty], ["AB"], HOUR) == {"A": 6, "B": None}


def test_after_the_last_closing_nothing_is_left() -> None:
    assert numbers_left([a_line()], ["A"], timedelta()) == {"A": 0}


halls = st.tuples(
    st.lists(
        st.builds(
            a_line,
            st.sampled_from(CODES),
            waiting=st.integers(0, 12),
            mean_s=st.integers(60, 1800),
            served=st.integers(5, 9),
        ),
        min_size=1,
        unique_by=lambda line: line.code,
    ),
    st.lists(st.sets(st.sampled_from(CODES), min_size=1), max_size=5),
    st.integers(0, 4 * 3600),
)
Hall = tuple[list[LineToday], list[set[str]], int]


def fits(work: dict[str, int], counters: list[set[str]], open_s: int) -> bool:
    """Hall's theorem: no lines have more work than the counters that serve any of them have time.

    It knows nothing of how the work is handed out.
    """
    some = chain.from_iterable(combinations(work, size) for size in range(1, len(work) + 1))
    return all(
        sum(work[code] for code in lines)
        <= open_s * sum(not served.isdisjoint(lines) for served in counters)
        for lines in some
    )


@given(halls)
def test_whoever_gets_a_number_is_served_and_not_one_more_could_be(hall: Hall) -> None:
    lines, counters, open_s = hall
    counters = [served & {line.code for line in lines} for served in counters]
    means = {line.code: line.mean_s or 0 for line in lines}
    left = numbers_left(lines, counters, timedelta(seconds=open_s))
    served = {line.code for line in lines if any(line.code in each for each in counters)}
    assert {code for code in left if left[code] is None} >= means.keys() - served
    work = {
        line.code: means[line.code] * (line.waiting + (left[line.code] or 0))
        for line in lines
        if line.code in served
    }
    waiting = {line.code: means[line.code] * line.waiting for line in lines if line.code in served}
    if not fits(waiting, counters, open_s):
        return  # some of those who wait will not be served whatever we do
    if any(left[code] is None for code in served):
        return  # no end in sight
    assert fits(work, counters, open_s)
    for code in served:
        assert not fits({**work, code: work[code] + means[code]}, counters, open_s)


@given(halls)
def test_a_line_whose_own_people_will_not_all_be_served_gives_no_numbers(hall: Hall) -> None:
    lines, counters, open_s = hall
    left = numbers_left(lines, counters, timedelta(seconds=open_s))
    for line in lines:
        able = sum(line.code in each for each in counters)
        if able and line.waiting * (line.mean_s or 0) > able * open_s:
            assert left[line.code] == 0


@given(halls, st.integers(1, 5))
def test_more_people_in_the_only_line_never_leave_it_more_numbers(hall: Hall, more: int) -> None:
    # Among several they may: numbers are given in turn, and a line of long visits drops out sooner.
    [first, *_], counters, open_s = hall
    longer = LineToday(first.code, first.waiting + more, first.served, first.service_s)
    before = numbers_left([first], counters, timedelta(seconds=open_s))[first.code]
    after = numbers_left([longer], counters, timedelta(seconds=open_s))[first.code]
    assert (MOST_LEFT if after is None else after) <= (MOST_LEFT if before is None else before)


@pytest.mark.parametrize(
    ("lately", "left", "expected"),
    [(12, 6, "11:30"), (12, 5, "11:25"), (60, 7, "11:05"), (4, 1, "11:50"), (12, 13, "11:50")],
)
def test_when_a_line_stops_is_told_by_the_pace_of_the_last_hour_and_by_the_closing(
    lately: int, left: int, expected: str
) -> None:
    line = LineToday("A", 0, 10, 6000.0, issued_lately=lately)
    found = stops_at(line, left, NOON, NOON + HOUR)
    assert found is not None
    assert f"{found:%H:%M}" == expected


def test_when_a_line_stops_is_not_told_where_nothing_tells_how_long_a_visit_takes() -> None:
    assert stops_at(LineToday("A", 0, 0, 0.0, issued_lately=9), 3, NOON, NOON + HOUR) is None
