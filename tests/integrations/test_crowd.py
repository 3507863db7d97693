"""The simulated crowd: plausible people, habits and times."""

import asyncio
import math
from dataclasses import fields
from datetime import date, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.sandbox.crowd import Figures, habits
from integrations.sandbox.crowd.agenda import Act, Agenda
from integrations.sandbox.crowd.pace import Gate, Tempo
from integrations.sandbox.crowd.people import MOST_PEOPLE, Strangers, invent, with_check_digit
from integrations.sandbox.crowd.rates import Rates

SEEDS = st.integers(0, 2**32)
HOURS = st.floats(0, 24, allow_nan=False)


class HandClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# --- people ---


@given(SEEDS, st.integers(0, MOST_PEOPLE - 1))
def test_an_invented_person_looks_real_and_cannot_be(seed: int, serial: int) -> None:
    person = invent(seed, serial)
    # GB 11643 from its definition: each digit times 2^(17 - i), the whole 1 modulo 11.
    digits = [10 if letter == "X" else int(letter) for letter in person.id_number]
    assert sum(digit << (17 - at) for at, digit in enumerate(digits)) % 11 == 1
    assert person.id_number.startswith("990000")
    born = datetime.strptime(person.id_number[6:14], "%Y%m%d").date()
    assert date(1941, 1, 1) <= born < date(2008, 1, 1)
    assert person.phone.startswith("1990000")
    assert len(person.phone) == 11
    assert 2 <= len(person.name) <= 3
    assert person == invent(seed, serial)


@settings(max_examples=5, deadline=None)
@given(SEEDS)
def test_no_two_people_share_an_id_number_or_a_phone(seed: int) -> None:
    people = [invent(seed, serial) for serial in range(0, MOST_PEOPLE, 7)]
    assert len({person.id_number for person in people}) == len(people)
    assert len({person.phone for person in people}) == len(people)


def test_the_standards_own_example_of_a_check_digit() -> None:
    assert with_check_digit("11010519491231002") == "11010519491231002X"
    assert with_check_digit("44052418800101001") == "440524188001010014"


def test_people_end_where_the_fictional_phones_end() -> None:
    with pytest.raises(ValueError, match="people 0 to"):
        invent(1, MOST_PEOPLE)


@given(SEEDS, st.integers(0, MOST_PEOPLE - 1))
def test_strangers_are_none_of_those_with_phones_and_never_run_out(seed: int, first: int) -> None:
    strangers = Strangers(seed, first)
    mine = {invent(seed, serial).id_number for serial in range(max(0, first - 50), first)}
    came = [strangers.anybody() for _ in range(50)]
    assert mine.isdisjoint(person.id_number for person in came)
    others = len({person.id_number for person in came})
    assert others == min(50, MOST_PEOPLE - first)


@given(SEEDS)
def test_a_parent_is_old_enough_to_be_come_for(seed: int) -> None:
    assert Strangers(seed, 4_000).parent().born < date(1962, 1, 1)


def test_a_person_is_not_written_into_logs() -> None:
    person = invent(1, 1)
    assert person.id_number not in repr(person)
    assert person.name not in repr(person)
    assert person.phone not in repr(person)


# --- arrivals ---


@given(HOURS)
def test_busyness_is_positive_and_never_above_the_busiest(hour: float) -> None:
    assert 0 < habits.busyness(hour) <= habits.BUSIEST


def test_a_day_has_two_peaks_and_the_mean_that_pace_promises() -> None:
    open_minutes = [*range(9 * 60, 12 * 60), *range(14 * 60, 17 * 60)]
    mean = sum(habits.busyness((minute + 0.5) / 60) for minute in open_minutes) / 360
    assert mean == pytest.approx(1.0, abs=0.02)
    assert habits.busyness(10) > habits.busyness(15) > habits.busyness(9)
    assert habits.busyness(15) > habits.busyness(11.9)
    assert habits.busyness(15) > habits.busyness(16.9)


@given(SEEDS, st.floats(0.1, 5), st.floats(0.2, 3), st.sampled_from([9.0, 10.0, 12.0, 15.0]))
def test_arrivals_come_at_the_pace_asked_for(
    seed: int, pace: float, size: float, hour: float
) -> None:
    dice = Random(seed)
    per_s = habits.busiest_per_s(pace, size)
    drawn = 2_000
    took_s = sum(habits.gap_s(dice, per_s) for _ in range(drawn))
    came = sum(habits.comes_now(dice, hour) for _ in range(drawn))
    expected = pace * size * habits.busyness(hour) * took_s / 60
    assert came == pytest.approx(expected, abs=8 * math.sqrt(drawn))


@given(st.integers(1, 60), st.floats(0.01, 20), HOURS)
def test_a_handful_waits_at_the_door_never_a_mob(counters: int, pace: float, hour: float) -> None:
    assert 3 <= habits.at_the_door(counters, pace, hour) <= 30


@given(st.integers(0, 500), st.integers(0, 60))
def test_a_long_line_puts_people_off_and_more_clerks_draw_them(waiting: int, clerks: int) -> None:
    if habits.puts_off(waiting, clerks + 1):
        assert habits.puts_off(waiting, clerks)
        assert habits.puts_off(waiting + 1, clerks + 1)
    assert not habits.puts_off(0, clerks)


@given(st.text(min_size=1), st.integers(0, 90))
def test_every_item_is_wanted_by_somebody(item: str, minutes: int) -> None:
    assert habits.popularity(item, minutes) > habits.popularity(item, max(minutes, 1) + 1) > 0


# --- clerks ---


@given(SEEDS, st.integers(1, 60))
def test_service_stays_around_the_items_minutes(seed: int, minutes: int) -> None:
    dice = Random(seed)
    times = [habits.service_s(dice, minutes) / (minutes * 60) for _ in range(300)]
    assert min(times) >= 0.5
    assert max(times) <= 1.6
    assert 0.85 < sorted(times)[150] < 1.15


@given(SEEDS)
def test_some_give_up_and_only_after_a_while(seed: int) -> None:
    dice = Random(seed)
    patience = [habits.patience_s(dice, 0.06) for _ in range(1_000)]
    left = [seconds for seconds in patience if seconds is not None]
    assert 20 <= len(left) <= 110
    assert all(240 <= seconds <= 1_200 for seconds in left)


@given(st.integers(1, 60), st.integers(0, 500))
def test_more_people_bring_more_clerks_within_the_share(counters: int, waiting: int) -> None:
    wanted = habits.clerks_wanted(counters, waiting)
    assert wanted <= habits.clerks_wanted(counters, waiting + 1) <= counters
    assert wanted >= 1
    if counters >= 10:
        assert 0.55 <= wanted / counters <= 0.85


@given(
    st.dictionaries(
        st.integers(1, 30).map(lambda number: f"{number:02d}"),
        st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=5, unique=True),
        min_size=1,
    )
)
def test_manning_takes_every_counter_once(skills: dict[str, list[str]]) -> None:
    assert sorted(habits.manning_order(skills)) == sorted(skills)


def test_the_first_counters_manned_serve_every_line() -> None:
    skills = {"01": "A", "02": "A", "03": "AE", "04": "B", "05": "BE", "06": "D", "07": "EA"}
    order = habits.manning_order({code: list(lines) for code, lines in skills.items()})
    assert {line for code in order[:3] for line in skills[code]} == set("ABDE")


@given(SEEDS)
def test_most_visits_end_well_and_some_do_not(seed: int) -> None:
    dice = Random(seed)
    ends = [habits.outcome(dice) for _ in range(1_000)]
    assert 700 <= ends.count("done") <= 900
    assert len(set(ends)) > 2


@given(st.integers(1, 60))
def test_help_comes_before_people_are_put_off(clerks: int) -> None:
    assert not habits.puts_off(habits.long_line(clerks), clerks)


def test_shares_are_shares_and_nine_visits_of_ten_are_plain() -> None:
    rates = Rates()
    shares = {
        one.name: getattr(rates, one.name)
        for one in fields(rates)
        if not one.name.endswith("_per_hour")
    }
    assert all(0 <= share <= 1 for share in shares.values())
    unusual = ("parks", "sent_to_line", "sent_to_counter", "sent_to_hall", "closes_early")
    assert sum(shares[name] for name in unusual) < 0.1


# --- plans ---


async def test_what_is_put_off_is_done_in_its_time_and_order() -> None:
    done: list[str] = []

    def act(name: str) -> Act:
        async def do() -> None:
            done.append(name)

        return do

    agenda = Agenda(Tempo(600))
    agenda.put(600, act("later"))
    agenda.put(0, act("now"))
    agenda.put(60_000, act("tomorrow"))
    agenda.put(300, act("soon"))
    keeping = asyncio.create_task(agenda.keep_forever())
    await asyncio.sleep(0.1)
    assert done == ["now"]
    await asyncio.sleep(1.5)
    keeping.cancel()
    assert done == ["now", "soon", "later"]


# --- figures ---


def test_figures_of_a_minute_are_what_was_added_in_it() -> None:
    figures = Figures(served=3)
    figures.refused["line_full"] = 2
    before = figures.copy()
    figures.served += 4
    figures.refused["line_full"] += 1
    figures.refused["nobody_behind"] += 1
    added = figures.since(before)
    assert (added.served, added.called) == (4, 0)
    assert added.as_dict()["refused"] == {"line_full": 1, "nobody_behind": 1}
    assert before.served == 3
    assert "错误 0 errors" in str(figures)


# --- time ---


@given(st.floats(0.01, 3600), st.floats(0, 1e5))
def test_business_time_runs_at_the_citys_speed(speed: float, passed: float) -> None:
    real = HandClock()
    tempo = Tempo(speed, real)
    tempo.read("2026-11-23T09:30:00+08:00")
    began_s, began = tempo.business_s(), tempo.now()
    assert tempo.hour() == pytest.approx(9.5, abs=0.01)
    real.now += passed
    assert (tempo.now() - began) == pytest.approx(
        timedelta(seconds=passed * speed), abs=timedelta(seconds=1)
    )
    assert tempo.business_s() - began_s == pytest.approx(passed * speed, rel=1e-6, abs=1e-3)
    assert tempo.real_s(60) == pytest.approx(60 / speed)
    assert tempo.real_s(60, least=4) >= 4


@given(st.lists(st.floats(0, 0.5), max_size=200))
def test_the_gate_never_lets_more_through_than_it_says(gaps: list[float]) -> None:
    real = HandClock()
    gate = Gate(first_per_s=40, first_for_s=2, per_s=300, real=real)
    passed = []
    for gap in gaps:
        real.now += gap
        passed.append(real.now + gate.take())
    for before, after in pairwise(passed):
        assert after - before >= (1 / 40 if before < 102 else 1 / 300) - 1e-9
