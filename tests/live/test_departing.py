"""When to leave, as it is shown: in time, steadily, and only where it is known."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from scheduler.wait.city import Range
from server.live.departing import EARLY_S, leaves_of
from server.live.rows import TicketRow, WayRow
from server.live.state import Leave
from tests.conftest import MONDAY_MORNING
from tests.waits.test_foresight import a_row

WAY = WayRow("drive", 900, "map", None)
AN_HOUR = Range(50.0, 60.0, 75.0)


def later_by(minutes: float) -> Range:
    return Range(50.0 + minutes, 60.0 + minutes, 75.0 + minutes)


def coming(nth: int = 1, **what: Any) -> TicketRow:
    row = a_row("E", MONDAY_MORNING + timedelta(seconds=nth), nth=nth)
    values = {name: getattr(row, name) for name in row.__struct_fields__}
    return TicketRow(**values | {"way": WAY} | what)


def at(leave: Leave) -> datetime:
    assert leave.at is not None
    return leave.at


def certainty(leave: Leave) -> float:
    assert leave.certainty is not None
    return leave.certainty


def said(
    rows: list[TicketRow],
    waits: Mapping[UUID, Range],
    before: Mapping[UUID, Leave] | None = None,
    *,
    joining: Mapping[str, Range] | None = None,
    now: datetime = MONDAY_MORNING,
) -> dict[UUID, Leave]:
    return leaves_of({row.id: row for row in rows}, waits, joining or {}, before or {}, now)


def test_she_is_told_to_leave_well_before_her_turn_and_not_at_once() -> None:
    lin = coming()
    leave = said([lin], {lin.id: AN_HOUR})[lin.id]
    stays = (at(leave) - MONDAY_MORNING).total_seconds()
    # Half an hour's margin would be needless, arriving at the median too late.
    assert 25 * 60 < stays < 43 * 60
    assert (leave.certainty, leave.travel_s, leave.travel_basis) == (0.9, 900, "map")
    assert leave.told_at is None


def test_without_a_way_or_a_wait_nothing_is_said() -> None:
    here, unknown = coming(1, way=None), coming(2)
    told = said([here, unknown], {here.id: AN_HOUR})
    assert told.keys() == {unknown.id}
    assert (told[unknown.id].at, told[unknown.id].certainty) == (None, None)


def test_the_moment_stands_while_nothing_much_changes() -> None:
    lin = coming()
    first = said([lin], {lin.id: AN_HOUR})
    a_little_longer = later_by(1.5)
    assert said([lin], {lin.id: a_little_longer}, first) == first
    much_longer = later_by(10)
    later = at(said([lin], {lin.id: much_longer}, first)[lin.id])
    assert later > at(first[lin.id]) + timedelta(seconds=EARLY_S)


def test_it_is_never_put_off_that_she_has_less_time() -> None:
    lin = coming()
    first = said([lin], {lin.id: AN_HOUR})
    shorter = later_by(-2)
    assert at(said([lin], {lin.id: shorter}, first)[lin.id]) < at(first[lin.id])


def test_who_should_be_on_her_way_is_not_sent_back_for_a_minute() -> None:
    lin = coming()
    soon = Range(14.0, 18.0, 24.0)
    first = said([lin], {lin.id: soon})
    assert first[lin.id].at == MONDAY_MORNING
    assert certainty(first[lin.id]) < 0.9
    now = MONDAY_MORNING + timedelta(minutes=1)
    a_little_later = Range(20.0, 24.0, 30.0)
    assert said([lin], {lin.id: a_little_later}, first, now=now)[lin.id].at == MONDAY_MORNING
    much_later = said([lin], {lin.id: AN_HOUR}, first, now=now)[lin.id]
    assert at(much_later) > now
    assert much_later.certainty == 0.9


def test_who_must_check_in_first_comes_to_the_turn_of_whoever_is_behind_her() -> None:
    lin, next_one, last = coming(1, away=True), coming(2, way=None), coming(3, way=None)
    waits = {next_one.id: AN_HOUR, last.id: Range(100.0, 120.0, 140.0)}
    nobody_knows = coming(4)
    assert said([nobody_knows], {})[nobody_knows.id].at is None
    leave = said([lin, next_one, last], waits)[lin.id]
    other = coming(5)
    assert leave.at == said([other], {other.id: AN_HOUR})[other.id].at
    alone = said([lin], {}, joining={"E": AN_HOUR})[lin.id]
    assert alone.at == leave.at
