"""What the predictor is told of a hall's day beyond what happens there."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from models.tickets import TicketState
from scheduler.capacity import Cell
from scheduler.wait.city import Range
from server.halls.directory import HallEntry
from server.live.lines import LineRow
from server.live.rows import BookedRow, HallRows, TicketRow
from server.live.state import BoardCounter, OfAppointment
from server.waits.foresight import Foresight
from server.waits.hearing import minute_of_day
from server.waits.knowing import ANY_MOMENT, USUAL_WAY, known_of
from tests.conftest import MONDAY_MORNING, Api
from tests.waits.test_foresight import Day, a_row, lived

NOW = MONDAY_MORNING


@pytest.fixture
def hall(api: Api) -> HallEntry:
    return api.services.directory.hall("dg-24")


def rows(
    *tickets: TicketRow, lines: Sequence[LineRow] = (), booked: Sequence[BookedRow] = ()
) -> HallRows:
    by_id = {ticket.id: ticket for ticket in tickets}
    return HallRows(tuple(lines), (), (), by_id, 0, booked=tuple(booked))


def a_booking(line: str, slot_start: datetime) -> BookedRow:
    return BookedRow(uuid7(), line, "x", slot_start)


def away(line: str, since: datetime, **what: object) -> TicketRow:
    row = a_row(line, since, nth=1)
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    return TicketRow(**values | {"id": uuid7(), "away": True} | what)


def test_whoever_must_check_in_first_is_on_her_way(hall: HallEntry) -> None:
    just, long_ago = NOW - timedelta(minutes=2), NOW - timedelta(hours=2)
    found = rows(
        away("E", just),
        away("E", long_ago),
        away("A", just, state=TicketState.CANCELLED),
        a_row("E", just, nth=2),
    )
    coming = known_of(hall, found, NOW).coming
    assert coming == {
        "E": [minute_of_day(NOW + ANY_MOMENT), minute_of_day(just + USUAL_WAY)],
    }


def test_nobody_is_on_her_way_from_another_day(hall: HallEntry) -> None:
    midnight = NOW.replace(hour=23, minute=58)
    found = rows(away("E", NOW - timedelta(days=1)), away("E", midnight))
    assert known_of(hall, found, midnight).coming == {}


def test_hours_bookings_and_when_helpers_come_are_known(hall: HallEntry) -> None:
    line = LineRow("E", "E", "E", "open", None, None, "auto", None, None, 25)  # type: ignore[arg-type]
    other = LineRow("A", "A", "A", "open", None, None, "auto", None, None)  # type: ignore[arg-type]
    booked = [a_booking("E", NOW + timedelta(minutes=each)) for each in (40, 10)]
    known = known_of(hall, rows(lines=(line, other), booked=booked), NOW)
    assert known.help_after == {"E": 25.0}
    minute = minute_of_day(NOW)
    assert known.bookings == {"E": pytest.approx([minute + 10, minute + 40])}
    assert known.open
    assert all(start < end for start, end in known.open)


def test_of_who_has_booked_those_are_awaited_who_may_still_come_to_their_slots(
    hall: HallEntry,
) -> None:
    grace = timedelta(minutes=hall.booking.grace_late_min)
    late, too_late = a_booking("E", NOW - grace), a_booking("E", NOW - grace - timedelta(minutes=1))
    here, tomorrow = a_booking("E", NOW), a_booking("E", NOW + timedelta(days=1))
    came = away("E", NOW, away=False, appointment=OfAppointment(here.id, here.slot_start))
    found = rows(came, booked=[late, too_late, here, tomorrow])
    assert known_of(hall, found, NOW).bookings == {"E": [minute_of_day(NOW - grace)]}


def test_how_many_stay_away_is_asked_by_hall_item_weekday_and_hour(hall: HallEntry) -> None:
    asked = []

    def no_show(cell: Cell) -> float:
        asked.append(cell)
        return 0.1 if cell.hour == NOW.hour else 0.3

    booked = [a_booking("E", NOW), a_booking("E", NOW + timedelta(hours=1))]
    known = known_of(hall, rows(booked=booked), NOW, no_show)
    assert known.comes("E") == pytest.approx(0.8)
    assert asked[0] == Cell(hall.code, "x", NOW.weekday(), NOW.hour)


def test_a_counter_is_back_when_it_said_and_one_that_is_late_soon_and_then_nobody_knows(
    hall: HallEntry,
) -> None:
    def back(until: datetime | None, state: str = "paused") -> float | None:
        counter = BoardCounter("01", "1", state, None, None, ("E",), until)
        pauses = known_of(hall, HallRows((), (counter,), (), {}, 0), NOW).pauses
        return pauses["01"][0][1] - minute_of_day(NOW) if pauses else None

    assert back(NOW + timedelta(minutes=40)) == pytest.approx(40)
    assert back(NOW) == pytest.approx(1)
    assert back(NOW - timedelta(minutes=6)) == pytest.approx(7)
    assert back(NOW - timedelta(minutes=16)) is None
    assert back(None) is None
    assert back(NOW + timedelta(minutes=40), "open") is None


def on_arrival(foresight: Foresight, hall: HallEntry, day: Day) -> Range:
    foresight.look(hall, day.rows, day.now)
    [_, _, half_an_hour, _, _] = foresight.waits.on_arrival(
        hall.code, minute_of_day(day.now), ["E"]
    )["E"]
    assert half_an_hour is not None
    return half_an_hour


def test_those_who_have_booked_are_counted_as_to_come(hall: HallEntry) -> None:
    foresight, day = Foresight(share=math.inf), Day(hall)
    for _ in lived(foresight, day, 40):
        pass
    alone = on_arrival(foresight, hall, day)
    slots = [day.now + timedelta(seconds=600 + 20 * at) for at in range(30)]
    day.booked = tuple(a_booking("E", slot) for slot in slots)
    crowded = on_arrival(foresight, hall, day).p50
    # As many come besides as two counters serve, in two minutes each; noon lies in between.
    noon = 120
    assert 15 < crowded - alone.p50 < noon + 60
    foresight.no_show = lambda _: 0.3
    assert alone.p50 < on_arrival(foresight, hall, day).p50 < crowded


def test_whoever_waits_after_closing_is_let_go_as_the_hall_has_it(hall: HallEntry) -> None:
    known = known_of(hall, rows(), NOW)
    assert known.closes is not None
    assert known.let_go == known.closes + hall.rules.after_close_min
    sunday = NOW + timedelta(days=6)
    assert known_of(hall, rows(), sunday).let_go is None
