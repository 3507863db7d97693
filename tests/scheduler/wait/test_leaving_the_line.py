"""Who gives up has not waited to the end: what she waited is no wait to learn."""

import json
import math

import pytest

from scheduler.wait.events import Event
from scheduler.wait.predictor import Waits
from scheduler.wait.snapshot import hall_as_data, hall_from_data
from tests.scheduler.wait.halls_made import a_predictor


def event(kind: str, ticket: str, t: float, detail: str = "") -> Event:
    return Event(1, t, "H", "A", kind, ticket, "", detail)


def a_line_that_many_leave(*, many: bool = True) -> Waits:
    """Thirty were called after five minutes each; and ten left, or none."""
    waits = a_predictor()
    for at in range(30):
        waits.hear(event("issue", f"c{at}", 500.0 + at))
        waits.hear(event("call", f"c{at}", 505.0 + at))
    for at in range(10 * many):
        waits.hear(event("issue", f"l{at}", 540.0 + at))
        waits.hear(event("leave", f"l{at}", 540.5 + at))
    waits.drain_rows()
    return waits


def learned_waits(waits: Waits) -> list[float]:
    """The waits at issue that were learned, in minutes."""
    return [
        round(row.ref * math.exp(row.y) - waits.city.offset, 6)
        for row in waits.drain_rows()
        if row.kind == "line"
    ]


def three_join(waits: Waits) -> None:
    for at, ticket in enumerate("abc"):
        waits.hear(event("issue", ticket, 600.0 + at))


def test_whoever_left_is_learned_as_called_when_the_next_behind_her_is() -> None:
    waits = a_line_that_many_leave()
    three_join(waits)
    waits.hear(event("call", "a", 606.0))
    assert learned_waits(waits) == [6.0]
    waits.hear(event("leave", "b", 621.0))
    assert learned_waits(waits) == []
    waits.hear(event("call", "c", 623.0))
    # She came at 601 and left after twenty minutes; it would have been 22.
    assert learned_waits(waits) == [22.0, 21.0]


def test_of_whom_nobody_behind_tells_nothing_is_learned() -> None:
    waits = a_line_that_many_leave()
    three_join(waits)
    waits.hear(event("call", "a", 606.0))
    waits.hear(event("leave", "c", 622.0))
    waits.hear(event("call", "b", 623.0))
    waits.hear(event("issue", "d", 700.0))
    waits.hear(event("call", "d", 701.0))
    assert learned_waits(waits) == [6.0, 22.0, 1.0]


def test_that_somebody_goes_at_once_tells_nothing() -> None:
    waits = a_line_that_many_leave()
    three_join(waits)
    waits.hear(event("leave", "b", 601.1))
    waits.hear(event("call", "a", 606.0))
    waits.hear(event("call", "c", 613.0))
    assert learned_waits(waits) == [6.0, 11.0]


def test_where_few_leave_nothing_is_made_of_it() -> None:
    waits = a_line_that_many_leave(many=False)
    three_join(waits)
    waits.hear(event("call", "a", 606.0))
    waits.hear(event("leave", "b", 621.0))
    waits.hear(event("call", "c", 623.0))
    assert learned_waits(waits) == [6.0, 21.0]


def test_a_lines_pace_and_its_last_wait_are_of_those_who_were_called() -> None:
    waits = a_line_that_many_leave()
    line = waits.hall("H").line("A")
    before = line.labels
    three_join(waits)
    waits.hear(event("leave", "b", 621.0))
    waits.hear(event("call", "c", 623.0))
    assert line.labels == before + 1
    assert line.last_wait == pytest.approx(21.0)


def test_a_restart_forgets_nobody_who_left() -> None:
    waits = a_line_that_many_leave()
    three_join(waits)
    waits.hear(event("leave", "b", 621.0))
    kept = json.loads(json.dumps(hall_as_data(waits.hall("H"))))
    waits.halls["H"] = hall_from_data(kept)
    waits.hear(event("call", "c", 623.0))
    assert learned_waits(waits) == [22.0, 21.0]
