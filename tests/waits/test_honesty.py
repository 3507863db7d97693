"""What is said of a wait says what it rests on, and is the wider the less that is."""

from types import SimpleNamespace

import pytest

from server.halls.directory import HallEntry
from server.live.state import Wait
from server.waits.foresight import Foresight
from tests.conftest import Api
from tests.waits.test_foresight import Day, lived, unhurried

BADLY_WRONG = 40


@pytest.fixture
def hall(api: Api) -> HallEntry:
    return api.services.directory.hall("dg-24")


def after(people: int, hall: HallEntry) -> tuple[Foresight, Day]:
    """What is foreseen after so many have come and been served, and ten more who wait."""
    foresight, day = unhurried(), Day(hall)
    for _ in lived(foresight, day, people):
        pass
    for _ in range(10):
        day.come()
    return foresight, day


def said(foresight: Foresight, day: Day) -> list[Wait]:
    """What they are told, anew and not as it was said before."""
    foresight._said.clear()
    return list(foresight.look(day.hall, day.rows, day.now).tickets.values())


def widths(waits: list[Wait]) -> list[int]:
    return [wait.p90_s - wait.p10_s for wait in waits]


def test_of_a_few_waits_nothing_is_said_then_what_is_usual_then_what_happens_here(
    hall: HallEntry,
) -> None:
    assert said(*after(10, hall)) == []
    usual, live = said(*after(30, hall)), said(*after(60, hall))
    assert {wait.basis for wait in usual} == {"usual"}
    assert {wait.basis for wait in live} == {"live"}
    assert sum(widths(usual)) / len(usual) > sum(widths(live)) / len(live)


def test_what_has_been_wrong_of_late_is_said_more_widely_and_not_as_live(hall: HallEntry) -> None:
    foresight, day = after(60, hall)
    before = said(foresight, day)
    calibration = foresight.waits.city.calibration["rolled"]  # as counters are known
    shifts = [scores.shift[:] for scores in (calibration.pooled, *calibration.bins)]
    for _ in range(10 * BADLY_WRONG):
        # Neither the middle nor the ends are to blame, only that so much fell outside.
        calibration.met += 0.005 * (0 - calibration.met)
    assert [scores.shift for scores in (calibration.pooled, *calibration.bins)] == shifts
    now = said(foresight, day)
    assert {wait.basis for wait in now} == {"usual"}
    assert all(b >= a for a, b in zip(widths(before), widths(now), strict=True))
    assert sum(widths(now)) > sum(widths(before))
    assert [wait.p50_s for wait in now] == [wait.p50_s for wait in before]


def test_waits_that_come_out_wrong_make_it_so(hall: HallEntry) -> None:
    foresight, day = after(60, hall)
    assert {wait.basis for wait in said(foresight, day)} == {"live"}
    calibration = foresight.waits.city.calibration["rolled"]  # as counters are known
    for _ in range(BADLY_WRONG):
        calibration.label(1, 9.0, SimpleNamespace(y10=-1.0, y90=1.0, low=-1.0, high=1.0))
    assert not calibration.is_sound
    assert {wait.basis for wait in said(foresight, day)} == {"usual"}
