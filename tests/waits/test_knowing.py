"""What the predictor is told of a hall's day beyond what happens there."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from models.tickets import TicketState
from scheduler.wait.city import Range
from server.halls.directory import HallEntry
from server.live.lines import LineRow
from server.live.rows import HallRows, TicketRow
from server.waits.foresight import Foresight
from server.waits.hearing import minute_of_day
from server.waits.knowing import ANY_MOMENT, USUAL_WAY, known_of
from tests.conftest import MONDAY_MORNING, Api
from tests.waits.test_foresight import Day, a_row, lived

NOW = MONDAY_MORNING


@pytest.fixture
def hall(api: Api) -> HallEntry:
    return api.services.directory.hall("dg-24")


def rows(*tickets: TicketRow, lines: Sequence[LineRow] = ()) -> HallRows:
    return HallRows(tuple(lines), (), (), {ticket.id: ticket for ticket in tickets}, 0)


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
    coming = known_of(hall, found, {}, NOW).coming
    assert coming == {
        "E": [minute_of_day(NOW + ANY_MOMENT), minute_of_day(just + USUAL_WAY)],
    }


def test_nobody_is_on_her_way_from_another_day(hall: HallEntry) -> None:
    midnight = NOW.replace(hour=23, minute=58)
    found = rows(away("E", NOW - timedelta(days=1)), away("E", midnight))
    assert known_of(hall, found, {}, midnight).coming == {}


def test_hours_bookings_and_when_helpers_come_are_known(hall: HallEntry) -> None:
    line = LineRow("E", "E", "E", "open", None, None, "auto", None, None, 25)  # type: ignore[arg-type]
    other = LineRow("A", "A", "A", "open", None, None, "auto", None, None)  # type: ignore[arg-type]
    booked = {"E": [NOW + timedelta(minutes=40), NOW + timedelta(minutes=10)]}
    known = known_of(hall, rows(lines=(line, other)), booked, NOW)
    assert known.help_after == {"E": 25.0}
    minute = minute_of_day(NOW)
    assert known.bookings == {"E": pytest.approx([minute + 10, minute + 40])}
    assert known.open
    assert all(start < end for start, end in known.open)


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
    slots = [day.now + timedelta(seconds=600 + 20 * at) for at in range(60)]
    foresight.bookings = lambda code: {"E": slots} if code == hall.code else {}
    assert on_arrival(foresight, hall, day).p50 > alone.p50
