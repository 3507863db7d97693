"""Predicting waits: nothing of the future is seen, and whatever comes in, ranges stay ranges."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.wait.city import ENOUGH_LABELS, Range
from scheduler.wait.events import KINDS, Event
from scheduler.wait.known import Known
from scheduler.wait.predictor import HORIZONS, Waits
from scheduler.wait.replaying import replayed
from scheduler.wait.snapshot import (
    NotASnapshot,
    city_as_data,
    city_from_data,
    hall_as_data,
    hall_from_data,
)
from tests.scheduler.wait.halls_made import a_predictor, heard, is_sound, some_days

SEEDS = (0, 1, 13)  # halls that tell their counters, and halls that tell only how many


def issue(line: str, ticket: str, t: float, detail: str = "", day: int = 1) -> Event:
    return Event(day, t, "H", line, "issue", ticket, "", detail)


def call(line: str, ticket: str, t: float, counter: str = "", day: int = 1) -> Event:
    return Event(day, t, "H", line, "call", ticket, counter)


def opened(counter: str, lines: str, t: float, day: int = 1) -> Event:
    return Event(day, t, "H", "", "counter_open", "", counter, lines)


@cache
def predicted(seed: int) -> list[tuple[Event, Range | None]]:
    return list(replayed(some_days(seed), a_predictor()))


@pytest.mark.parametrize("seed", SEEDS)
@settings(max_examples=2, deadline=None)
@given(share=st.floats(0.3, 1.0))
def test_a_trace_cut_off_anywhere_is_predicted_alike_up_to_the_cut(seed: int, share: float) -> None:
    events = some_days(seed)
    cut = int(len(events) * share)
    cut_off = [shown for _, shown in replayed(events[:cut], a_predictor())]
    assert cut_off == [shown for _, shown in predicted(seed)][:cut]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_promise_is_a_range_and_most_come_true_within_it(seed: int) -> None:
    within = []
    promised: dict[tuple[int, str, str], tuple[float, float, float]] = {}
    for event, shown in predicted(seed):
        assert is_sound(shown)
        key = (event.day, event.line, event.ticket)
        if shown:
            promised[key] = (event.t, shown.p10, shown.p90)
        elif event.kind == "call" and key in promised:
            t, p10, p90 = promised[key]
            within.append(p10 - 0.01 <= event.t - t <= p90 + 0.01)
    assert 0.65 < sum(within) / len(within) < 0.95


def test_who_knows_nothing_says_nothing() -> None:
    waits = a_predictor()
    promise = waits.hear(issue("A", "1", 540.0))
    assert promise is not None
    assert promise.shown is None
    assert waits.project("H", 541.0) == {("A", "1"): None}
    assert waits.on_arrival("H", 541.0) == {"A": [None] * len(HORIZONS)}


def test_a_new_line_borrows_from_its_hall_and_says_usual_and_then_live() -> None:
    waits = heard(list(some_days(0)))
    first = waits.hear(issue("new", "1", 700.0))
    assert first is not None
    assert first.shown is not None
    assert first.shown.basis == "usual"
    for at in range(25):
        waits.hear(issue("new", f"n{at}", 700.0 + at))
        waits.hear(call("new", f"n{at}", 703.0 + at))
    later = waits.hear(issue("new", "z", 730.0))
    assert later is not None
    assert later.shown is not None
    assert later.shown.basis == "live"


def test_a_range_is_wider_where_less_is_known() -> None:
    waits = heard(list(some_days(0)))
    line = waits.halls["H"].line("L0")
    known = waits.project("H", 900.0)
    waits.hear(issue("L0", "x", 900.0))
    well = waits.project("H", 900.0)["L0", "x"]
    line.labels = 0
    badly = waits.project("H", 900.0)["L0", "x"]
    assert well is not None
    assert badly is not None
    assert known is not None
    assert badly.p90 - badly.p10 > well.p90 - well.p10
    assert badly.basis == "usual"


KIND = st.sampled_from([*sorted(KINDS), "", "dance"])
TIMES = st.one_of(
    st.floats(0, 1500), st.sampled_from([math.nan, math.inf, -math.inf, -1e9, 1e12, 1e300])
)
DETAILS = """
, A+B, A, +, 0, -3, nan, 1e99, priority, appointment@600, appointment@, appointment@nan, rank@1,
rank@inf, unscored, again;priority, A+B;helps@B, A;helps@, B;helps@C+A;helps@, ;helps@A
""".replace("\n", "").split(", ")
ANY = st.builds(
    Event,
    st.integers(-1, 3),
    TIMES,
    st.just("H"),
    st.sampled_from(["", "A", "B", "A+B"]),
    KIND,
    st.sampled_from(["", "1", "2", "3", "4"]),
    st.sampled_from(["", "c1", "c2"]),
    st.sampled_from(DETAILS),
)


MINUTES = st.floats(-100, 1600)
SPANS = st.lists(st.tuples(MINUTES, st.one_of(MINUTES, st.just(math.inf))), max_size=3)
HOURS = st.lists(st.integers(0, 1439), max_size=6, unique=True).map(sorted)
BY_LINE = st.dictionaries(st.sampled_from("ABC"), st.lists(MINUTES, max_size=5), max_size=3)
KNOWN = st.builds(
    Known,
    open=HOURS.map(lambda at: tuple(zip(map(float, at[::2]), map(float, at[1::2]), strict=False))),
    bookings=BY_LINE,
    coming=BY_LINE,
    pauses=st.dictionaries(st.sampled_from(["c1", "c2", "c9"]), SPANS, max_size=2),
    no_show=st.dictionaries(st.sampled_from("AB"), st.floats(0, 1)),
    booked_first=st.booleans(),
    help_after=st.dictionaries(st.sampled_from("ABC"), st.floats(0, 100), max_size=2),
    let_go=st.one_of(st.none(), MINUTES),
)


@settings(max_examples=200, deadline=None)
@given(
    events=st.lists(ANY, max_size=60),
    known=st.lists(KNOWN, max_size=3),
    now=TIMES,
    numbers=st.booleans(),
    pooled=st.booleans(),
)
def test_whatever_comes_in_nothing_breaks_and_no_number_is_none(
    events: list[Event], known: list[Known], now: float, *, numbers: bool, pooled: bool
) -> None:
    waits = Waits(a_predictor().city, [["A", "B"]] if pooled else (), 15.0)
    if numbers:  # else nothing is known, and nothing may be said
        waits.city.known = 100
    for at, event in enumerate(events):
        if known and at % 10 == 0:
            waits.know("H", known[at // 10 % len(known)])
        promise = waits.hear(event)
        assert promise is None or is_sound(promise.shown)
    told = [*waits.project("H", now).values()]
    # A line without any history is asked after, too.
    for curve in waits.on_arrival("H", now, ["A", "never heard of"], [0, 15, 90, 600]).values():
        assert len(curve) == 4
        told += curve
    assert all(is_sound(shown) for shown in told)
    if waits.city.known < ENOUGH_LABELS:
        assert not any(told)
    else:
        assert all(shown is None or shown.basis in {"live", "usual"} for shown in told)


@settings(max_examples=40, deadline=None)
@given(
    events=st.lists(ANY, max_size=40), jumps=st.lists(st.floats(-900, 900), min_size=3, max_size=8)
)
def test_a_clock_that_jumps_stands_until_time_has_caught_up(
    events: list[Event], jumps: list[float]
) -> None:
    waits = heard(events)
    hall = waits.hall("H")
    before = hall.clock
    for jump in jumps:
        told = waits.project("H", 700.0 + jump)
        assert all(is_sound(shown) for shown in told.values())
        assert hall.clock >= before
        before = hall.clock


def test_what_comes_twice_or_of_nobody_changes_nothing_but_a_count() -> None:
    events = list(some_days(1, 1))
    plain, noisy = a_predictor(), a_predictor()
    for event in events:
        mine, theirs = plain.hear(event), noisy.hear(event)
        if event.kind in {"issue", "call", "leave"}:
            assert noisy.hear(event) is None
        noisy.hear(replace(event, kind="call", ticket="nobody's"))
        assert (mine and mine.shown) == (theirs and theirs.shown)
    assert noisy.halls["H"].refused > len(events) / 2


def test_an_event_of_yesterday_is_not_heard() -> None:
    waits = heard([issue("A", "1", 540.0, day=2)])
    assert waits.hear(issue("A", "9", 541.0, day=1)) is None
    assert list(waits.halls["H"].tickets) == [("A", "1")]


def test_whoever_comes_back_waits_again() -> None:
    waits = heard([issue("A", "1", 540.0), call("A", "1", 545.0)])
    assert waits.hear(issue("A", "1", 550.0)) is None
    assert waits.hear(issue("A", "1", 550.0, "again;rank@560")) is not None
    assert ("A", "1") in waits.halls["H"].tickets


def test_a_counter_that_lies_open_all_night_does_not_stop_the_morning() -> None:
    waits = heard(list(some_days(0)))
    waits.hear(opened("c0", "L0", 500.0, day=5))
    waits.hear(issue("L0", "a", 501.0, day=5))
    waits.hear(call("L0", "a", 501.0, "c0", day=5))
    waits.hear(issue("L0", "b", 1300.0, day=5))
    assert is_sound(waits.project("H", 1310.0)["L0", "b"])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", [0.35, 0.8])
def test_a_restored_predictor_goes_on_as_if_nothing_had_happened(seed: int, share: float) -> None:
    events = some_days(seed)
    cut = int(len(events) * share)
    waits = heard(list(events[:cut]))
    kept = json.loads(json.dumps([hall_as_data(waits.halls["H"]), city_as_data(waits.city)]))
    other = a_predictor()
    other.halls["H"] = hall_from_data(kept[0])
    city_from_data(kept[1], other.city)
    now = events[cut].t
    assert other.project("H", now) == waits.project("H", now)
    assert other.on_arrival("H", now) == waits.on_arrival("H", now)
    for event in events[cut : cut + 150]:
        mine, theirs = waits.hear(event), other.hear(event)
        assert (mine and mine.shown) == (theirs and theirs.shown)


@pytest.mark.parametrize("data", [{}, {"version": 0}, {"version": 1}, {"version": 1, "hall": 3}])
def test_what_is_no_snapshot_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(NotASnapshot):
        hall_from_data(data)
    with pytest.raises(NotASnapshot):
        city_from_data(data, a_predictor().city)


def test_a_break_at_noon_is_added_for_those_who_must_wait_through_it() -> None:
    waits = heard([event for event in some_days(0) if event.kind != "leave"])
    waits.know("H", Known(open=((500.0, 720.0), (800.0, 1020.0))))
    day = 9
    for at in range(12):
        waits.hear(issue("L0", f"{at}", 700.0 + at / 10, day=day))
    shown = waits.project("H", 719.0)
    last = shown["L0", "11"]
    assert last is not None
    assert last.p90 > 80.0
    assert all(each is None or not 1.01 < each.p50 < 80.99 for each in shown.values())


def test_in_a_break_nobody_is_told_that_she_is_called_before_its_end() -> None:
    waits = heard([event for event in some_days(0) if event.kind != "leave"])
    waits.know("H", Known(open=((500.0, 720.0), (800.0, 1020.0))))
    for at in range(3):
        waits.hear(issue("L0", f"{at}", 700.0 + at, day=9))
    for now in (720.0, 750.0, 799.0):
        told = [*waits.project("H", now).values(), waits.on_arrival("H", now, ["L1"])["L1"][0]]
        assert all(each is not None and each.p10 >= 800.0 - now for each in told)
    for in_min, each in zip(HORIZONS, waits.on_arrival("H", 799.0, ["L1"])["L1"], strict=True):
        assert each is not None
        assert each.p10 >= max(1.0 - in_min, 0.0)
        assert each.p10 < 60.0


@pytest.mark.parametrize(
    ("start", "work", "waited"),
    [(600, 30, 30), (600, 120, 120), (600, 121, 201), (720, 0, 80), (750, 0, 50), (750, 9, 59),
     (450, 0, 50), (450, 9, 59), (1020, 0, 0), (1030, 7, 7)],
)  # fmt: skip
def test_minutes_of_work_are_waited_out_on_the_clock(
    start: float, work: float, waited: float
) -> None:
    known = Known(open=((500.0, 720.0), (800.0, 1020.0)))
    assert known.waited(start, work) == pytest.approx(waited)
    assert known.working(start, waited) == pytest.approx(work)
    assert Known().waited(start, work) == Known().working(start, work) == work


def test_bookings_to_come_lengthen_the_wait_and_a_planned_return_shortens_it() -> None:
    def p50(known: Known, *, closed: bool = False) -> float:
        waits = a_predictor()
        waits.city.known = 100
        waits.hear(opened("c1", "A", 500.0))
        waits.hear(opened("c2", "A", 500.0))
        if closed:
            waits.hear(Event(1, 510.0, "H", "", "counter_close", "", "c2"))
        waits.know("H", known)
        for at in range(10):
            waits.hear(issue("A", f"{at}", 520.0))
        shown = waits.project("H", 520.0)["A", "9"]
        assert shown is not None
        return shown.p50

    assert p50(Known(bookings={"A": [530.0, 530.0, 540.0]}, booked_first=True)) > p50(Known())
    assert p50(Known(pauses={"c2": [(505.0, 525.0)]}), closed=True) < p50(Known(), closed=True)


def test_who_ranks_behind_a_slot_waits_for_who_is_to_come_by_it_and_nobody_else_does() -> None:
    def called(bookings: Sequence[float], mine: str, *, counters: bool = True) -> float:
        waits = a_predictor()
        waits.city.known = 100
        if counters:
            waits.hear(opened("c1", "A", 500.0))
        for at in range(4):
            waits.hear(issue("A", f"{at}", 520.0))
        waits.hear(Event(1, 520.0, "H", "A", "issue", "mine", "", mine))
        waits.know("H", Known(bookings={"A": bookings}))
        shown = waits.project("H", 521.0)["A", "mine"]
        assert shown is not None
        return shown.p50

    before, behind = [515.0, 518.0, 524.0, 525.0], [531.0] * 30
    booked, sent_back = "rank@530.0;appointment@530.0", "rank@530.0"
    for counters, mine in ((True, booked), (True, sent_back), (False, sent_back)):
        alone = called([], mine, counters=counters)
        assert called(before, mine, counters=counters) > alone + 5.0
        assert called(behind, mine, counters=counters) == alone


def test_who_joins_behind_those_who_are_late_for_their_slots_waits_for_them() -> None:
    waits = a_predictor()
    waits.city.known = 100
    waits.hear(opened("c1", "A", 500.0))
    waits.hear(issue("A", "1", 520.0))

    def joining(known: Known) -> float:
        waits.know("H", known)
        now = waits.on_arrival("H", 525.0, ["A"])["A"][0]
        assert now is not None
        return now.p50

    alone, late = joining(Known()), {"A": [518.0] * 4}
    assert joining(Known(bookings={"A": [526.0] * 30})) == alone
    assert joining(Known(bookings=late)) > alone
    assert alone < joining(Known(bookings=late, no_show={"A": 0.9})) < joining(Known(bookings=late))


def test_who_has_booked_is_not_counted_twice_as_usual_and_as_to_come() -> None:
    waits = heard([*some_days(0)])
    line = waits.halls["H"].line("L0")
    before = line.issued
    waits.hear(Event(9, 600.0, "H", "L0", "issue", "b", "", "rank@600.0;appointment@600.0"))
    assert line.issued == 0
    waits.hear(issue("L0", "w", 601.0, day=9))
    assert (line.issued, before > 0) == (1, True)


def test_a_day_far_ahead_is_a_clock_gone_wrong_and_is_not_heard() -> None:
    waits = heard([issue("A", "1", 540.0)])
    assert waits.hear(issue("A", "2", 540.0, day=9999)) is None
    assert waits.hear(issue("A", "3", 541.0)) is not None


def test_people_on_their_way_lengthen_the_wait_on_arrival() -> None:
    waits = heard([*some_days(0), issue("L0", "1", 700.0, day=9)])
    alone = waits.on_arrival("H", 700.0, ["L0"])["L0"][3]
    assert alone is not None
    for known in (Known(coming={"L0": [705.0] * 30}), Known(bookings={"L0": [730.0] * 30})):
        waits.know("H", known)
        crowded = waits.on_arrival("H", 700.0, ["L0"])["L0"][3]
        assert crowded is not None
        assert crowded.p50 > alone.p50


def test_a_better_place_is_a_shorter_wait() -> None:
    waits = heard([event for event in some_days(8) if event.t < 700 or event.day == 0])
    hall = waits.halls["H"]
    shown = waits.project("H", 700.0)
    for pool in hall.pools.values():
        line = [pool.waiting[seq] for _, seq in pool.order]
        p50s = [shown[each.line.code, each.ticket] for each in line if not each.appointment]
        middle = [each.p50 for each in p50s if each]
        rising = sum(a <= b + 0.5 for a, b in pairwise(middle))
        assert rising >= 0.9 * (len(middle) - 1)
