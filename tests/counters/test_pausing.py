"""A pause that says how long: shown, bounded, and reckoned with in what people are told."""

from datetime import timedelta
from typing import Any

import pytest

from models.database import rows
from server.live.rows import read_whole
from server.live.state import Wait
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of, open_counters
from tests.people import Person
from tests.waits.test_foresight import Day, lived, unhurried


@pytest.fixture
async def hall(api: Api) -> str:
    return await api.quiet_hall()


@pytest.fixture
async def chen(api: Api, hall: str) -> Person:
    return await api.clerk(hall)


async def paused(chen: Person, hall: str, counter: str = "01", **how: Any) -> dict[str, Any]:
    assert (await chen.at(hall, counter, "open")).status_code == 200
    reply = await chen.at(hall, counter, "pause", {"reason": "换人", **how})
    assert reply.status_code == 200, reply.text
    view: dict[str, Any] = reply.json()
    return view


@pytest.mark.parametrize("how", [{"minutes": 40}, {"until": "2026-11-23T10:10:00+08:00"}])
async def test_how_long_it_pauses_is_shown_to_clerks_and_on_the_board_until_it_opens(
    api: Api, hall: str, chen: Person, how: dict[str, Any]
) -> None:
    view = await paused(chen, hall, **how)
    assert view["paused_until"] == "2026-11-23T10:10:00+08:00"
    boards = api.services.feed.memory.halls

    def on_the_board() -> str | None:
        at = boards[hall].board.counters[0].paused_until
        return at.isoformat() if at else None

    await until(lambda: on_the_board() == "2026-11-23T10:10:00+08:00")
    opened = (await chen.at(hall, "01", "open")).json()
    assert opened["paused_until"] is None
    await until(lambda: on_the_board() is None)
    assert (await paused(chen, hall))["paused_until"] is None


@pytest.mark.parametrize(
    ("how", "pointer"),
    [
        ({"minutes": 10, "until": "2026-11-23T10:10:00+08:00"}, "/minutes"),
        ({"minutes": 0}, "/minutes"),
        ({"minutes": 241}, "/minutes"),
        ({"until": "2026-11-23T09:29:00+08:00"}, "/until"),
        ({"until": "2026-11-24T10:00:00+08:00"}, "/until"),
        ({"until": "2026-11-23T10:00:00"}, "/until"),
    ],
)
async def test_a_pause_that_makes_no_sense_is_refused_and_the_counter_stays_open(
    hall: str, chen: Person, how: dict[str, Any], pointer: str
) -> None:
    assert (await chen.at(hall, "01", "open")).status_code == 200
    reply = await chen.at(hall, "01", "pause", {"reason": "换人", **how})
    assert code_of(reply) == (422, "invalid_request")
    assert [each["pointer"] for each in reply.json()["errors"]] == [pointer]
    counters = (await chen.get(f"/halls/{hall}/counters")).json()["data"]
    assert counters[0]["state"] == "open"


async def test_a_pause_to_the_end_of_the_day_is_as_long_as_it_can_be(
    api: Api, hall: str, chen: Person
) -> None:
    api.turn_clock("2026-11-23T22:00:00+08:00")
    view = await paused(chen, hall, minutes=240)
    assert view["paused_until"].startswith("2026-11-2")
    [row] = await rows(
        "SELECT paused_until - $2 AS long FROM counter WHERE hall_id = $1 AND code = '01'",
        api.services.directory.hall(hall).id,
        api.services.clock.now(),
    )
    assert timedelta(hours=1) < row["long"] <= timedelta(hours=2)


async def test_waits_reckon_with_the_counter_when_it_is_back(
    api: Api, hall: str, chen: Person
) -> None:
    foresight, day = unhurried(), Day(api.services.directory.hall(hall))
    for _ in lived(foresight, day, 40):
        pass
    api.turn_clock(day.now.isoformat())
    [here, *others] = await open_counters(chen, hall, "E")
    for counter in others:
        assert (await chen.at(hall, counter, "close")).status_code == 200
    for _ in range(3):
        await a_ticket(api, hall)

    async def foretold(**how: Any) -> tuple[Wait, Wait]:
        await paused(chen, hall, here, **how)
        now = api.services.clock.now()
        found = await read_whole(day.hall.id, now=now)
        said = foresight.look(day.hall, found, now)
        return max(said.tickets.values(), key=lambda wait: wait.p50_s), said.arrivals["E"][0]

    last, joining = await foretold(minutes=5)
    later_last, later_joining = await foretold(minutes=30)
    # Their only counter is gone for 25 minutes more, and they wait for it.
    assert 900 < later_last.p50_s - last.p50_s < 2400
    assert joining.p50_s + 600 < later_joining.p50_s
