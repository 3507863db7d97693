"""What the predictor hears of a hall: after each look it knows what the rows say, told once."""

from typing import Any

import pytest

from scheduler.wait.city import City
from scheduler.wait.predictor import Waits
from scheduler.wait.prior import shipped_trees
from server.live.rows import HallRows, read_whole
from server.waits.hearing import minute_of_day, news
from tests.conftest import Api
from tests.counters.halls import a_ticket, done, open_counters
from tests.people import Person


class Listener:
    """A predictor that looks at a hall now and then."""

    def __init__(self, api: Api, hall: str) -> None:
        self.api = api
        self.entry = api.services.directory.hall(hall)
        self.waits = Waits(City(shipped_trees()))
        self.hall = self.waits.hall(hall)

    async def look(self) -> list[str]:
        """The kinds of what was heard; the predictor then knows the hall as it is."""
        now = self.api.services.clock.now()
        found = await read_whole(self.entry.id, now=now)
        events = news(self.hall, found, now)
        for event in events:
            self.waits.hear(event)
        assert self.hall.refused == 0, events
        assert news(self.hall, found, now) == []
        self.is_as(found)
        return [event.kind for event in events]

    def is_as(self, found: HallRows) -> None:
        waiting = {
            (row.line, str(row.id)): pytest.approx(minute_of_day(row.rank_time), abs=1e-5)
            for row in found.tickets.values()
            if row.state == "waiting" and not row.away
        }
        assert {key: each.rank for key, each in self.hall.tickets.items()} == waiting
        served = {
            str(row.id) for row in found.tickets.values() if row.state in {"called", "serving"}
        }
        assert {ticket for _, ticket in self.hall.at_counter} == served
        is_open = {each.code: each.lines for each in found.counters if each.state == "open"}
        known = {code: each.lines for code, each in self.hall.counters.items() if each.lines}
        assert known == is_open


@pytest.fixture
async def listener(api: Api, hall: str) -> Listener:
    return Listener(api, hall)


async def people(api: Api, hall: str, many: int, line: str = "E") -> list[tuple[Person, Any]]:
    return [await a_ticket(api, hall, line) for _ in range(many)]


async def test_a_visit_is_heard_step_by_step(
    api: Api, hall: str, clerk: Person, listener: Listener
) -> None:
    counters = await open_counters(clerk, hall, "E")
    assert await listener.look() == ["counter_open"] * len(counters)
    await people(api, hall, 3)
    assert await listener.look() == ["issue"] * 3
    await done(clerk, hall, counters[0], "call-next")
    assert await listener.look() == ["call"]
    await done(clerk, hall, counters[0], "start")
    assert await listener.look() == []
    await done(clerk, hall, counters[0], "finish", "call-next", "miss", "close")
    assert sorted(await listener.look()) == ["call", "counter_close", "finish", "miss"]
    assert listener.waits.city.known == 2


async def test_what_is_taken_back_sent_on_and_let_pass_is_heard(
    api: Api, hall: str, clerk: Person, listener: Listener
) -> None:
    [counter, other, *_] = await open_counters(clerk, hall, "E")
    [(_, _), (patient, passes), *_] = await people(api, hall, 4)
    await listener.look()
    await done(clerk, hall, counter, "call-next")
    await listener.look()
    await done(clerk, hall, counter, "undo")
    assert await listener.look() == ["miss", "issue"]
    assert (
        await patient.post(f"/tickets/{passes['id']}/let-pass", {"people": 1})
    ).status_code == 200
    assert await listener.look() == ["rank"]
    await done(clerk, hall, counter, "call-next", "start", "park")
    await listener.look()
    await done(clerk, hall, counter, "resume")
    await listener.look()
    reply = await clerk.at(hall, counter, "transfer", {"line": "A"})
    assert reply.status_code == 200, reply.text
    assert await listener.look() == ["finish", "issue"]
    await done(clerk, hall, other, "call-next", "start", "finish", "undo")
    await listener.look()
    await done(clerk, hall, other, "finish", "close")
    await listener.look()


async def test_who_leaves_or_comes_back_is_heard(
    api: Api, hall: str, clerk: Person, listener: Listener
) -> None:
    [counter, *_] = await open_counters(clerk, hall, "E")
    [(leaving, gone), (_, missed)] = await people(api, hall, 2)
    await listener.look()
    assert (await leaving.post(f"/tickets/{gone['id']}/cancel")).status_code == 200
    assert await listener.look() == ["leave"]
    await done(clerk, hall, counter, "call-next", "miss")
    assert await listener.look() == ["call", "miss"]
    reply = await clerk.post(f"/halls/{hall}/tickets/{missed['number']}/return")
    assert reply.status_code == 200, reply.text
    assert await listener.look() == ["issue"]


async def test_what_happened_while_nobody_listened_comes_with_the_next_look(
    api: Api, hall: str, clerk: Person, listener: Listener
) -> None:
    [counter, *_] = await open_counters(clerk, hall, "E")
    await people(api, hall, 5)
    for _ in range(3):
        await done(clerk, hall, counter, "call-next", "start", "finish")
    await done(clerk, hall, counter, "call-next")
    heard = await listener.look()
    assert heard.count("call") == 4
    assert heard.count("finish") == 3


async def test_which_lines_a_counter_only_helps_is_heard(
    api: Api, hall: str, listener: Listener
) -> None:
    manager = await api.manager(hall)
    clerk = await api.clerk(hall)
    reply = await manager.put(f"/halls/{hall}/counters/01/skills", {"own": ["A"], "helps": ["E"]})
    assert reply.status_code == 200, reply.text
    assert (await clerk.at(hall, "01", "open")).status_code == 200
    assert await listener.look() == ["counter_open"]
    counter = listener.hall.counters["01"]
    assert counter.lines is not None
    assert set(counter.lines) == {"A", "E"}
    assert counter.helps == ("E",)
    await people(api, hall, 1, "A")
    await people(api, hall, 1, "E")
    await listener.look()
    assert listener.hall.open_for(listener.hall.line("A"), 0.0) == 1
    assert listener.hall.open_for(listener.hall.line("E"), 0.0) == 0
    reply = await manager.put(f"/halls/{hall}/counters/01/skills", {"own": ["A", "E"], "helps": []})
    assert await listener.look() == ["counter_open"]
    assert not counter.helps
