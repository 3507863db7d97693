"""Of what somebody who waits is told: facts in, at most one piece of news out."""

from dataclasses import replace
from datetime import datetime, timedelta

from scheduler.noticing import Known, News, Seen, look

NINE = datetime.fromisoformat("2026-11-23T09:00:00+08:00")


def minutes(many: float) -> timedelta:
    return timedelta(minutes=many)


def waits(ahead: int, *, at: float = 10, middle: float = 40, **more: object) -> Seen:
    """Somebody who took her number at nine and stands so `at` minutes later."""
    seen = Seen(
        at=NINE + minutes(at),
        issued_at=NINE,
        ahead=ahead,
        soonest=minutes(middle * 0.7),
        middle=minutes(middle),
        latest=minutes(middle * 1.5),
        counters=1,
        closes_at=None,
    )
    return replace(seen, **more)  # type: ignore[arg-type]


def told(*moments: Seen, near: int = 3, known: Known | None = None) -> list[News | None]:
    known = known or Known()
    return [look(seen, known, near=near) for seen in moments]


def test_her_turn_is_near_when_so_many_are_ahead_and_that_is_said_once() -> None:
    assert told(waits(5), waits(3), waits(2), waits(1)) == [None, "turn_near", None, None]


def test_a_line_that_jumps_from_eight_to_two_is_one_piece_of_news() -> None:
    assert told(waits(8), waits(2), waits(0)) == [None, "turn_near", None]


def test_her_turn_is_near_too_when_little_time_is_left_however_many_are_ahead() -> None:
    assert told(waits(9), waits(8, middle=6)) == [None, "turn_near"]
    assert told(waits(9), waits(8, middle=6), near=0) == [None, "turn_near"]
    assert told(waits(9), waits(2), near=0) == [None, None]


def test_who_takes_a_number_with_two_ahead_knows_that() -> None:
    assert told(waits(2, at=0.5), waits(1, at=5)) == [None, None]


def test_a_worker_that_takes_the_hall_over_tells_who_is_near_already() -> None:
    assert told(waits(2, at=20)) == ["turn_near"]


def test_who_asked_to_hear_of_it_earlier_hears_earlier() -> None:
    assert told(waits(12), waits(10), near=10) == [None, "turn_near"]


def test_a_wait_that_is_longer_than_the_latest_she_was_told_is_said_once() -> None:
    known = Known(told_latest=NINE + minutes(60))
    moments = [
        waits(9, at=10, middle=55),
        waits(9, at=20, middle=49),
        waits(9, at=20, middle=50),
        waits(9, at=60, middle=90),
    ]
    assert told(*moments, known=known) == [None, None, "line_delayed", None]


def test_a_counter_that_opens_is_news_where_it_makes_her_wait_clearly_shorter() -> None:
    assert told(waits(9), waits(9, middle=20, counters=2)) == [None, "counter_opened"]
    assert told(waits(9), waits(9, middle=35, counters=2)) == [None, None]
    assert told(waits(9), waits(9, middle=20)) == [None, None]


def test_who_will_not_be_reached_before_closing_is_warned_anew_where_it_closes_earlier() -> None:
    noon, earlier = NINE + minutes(180), NINE + minutes(150)
    moments = [
        waits(9, at=100, middle=100, closes_at=noon),
        waits(9, at=130, middle=60, closes_at=noon),
        waits(9, at=131, middle=60, closes_at=noon),
        waits(9, at=132, middle=60, closes_at=earlier),
        waits(9, at=133, middle=5, soonest=minutes(6), closes_at=earlier),
    ]
    known = Known(told_latest=NINE + minutes(300))
    assert told(*moments, known=known) == [None, "hall_closing", None, "hall_closing", None]


def test_what_matters_a_little_is_not_said_soon_after_another() -> None:
    known = Known(told_latest=NINE + minutes(60))
    better = minutes(15)
    moments = [
        waits(9, at=20, middle=50),
        waits(9, at=25, middle=50, better_by=better),
        waits(9, at=31, middle=50, better_by=better),
        waits(9, at=45, middle=50, better_by=better),
    ]
    assert told(*moments, known=known) == ["line_delayed", None, "better_hall", None]


def test_while_nothing_is_foreseen_only_those_ahead_count() -> None:
    moments = [replace(waits(ahead), soonest=None, middle=None, latest=None) for ahead in (5, 3)]
    assert told(*moments) == [None, "turn_near"]
