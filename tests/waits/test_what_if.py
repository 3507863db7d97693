"""What a manager is told of a counter more or less."""

from collections.abc import AsyncIterator

import pytest

from models.database import rows
from models.waits import CITY
from scheduler.wait.city import Range
from scheduler.wait.known import Known
from server.waits.remembering import Remembering
from server.waits.what_if import at_work, no_better
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of, open_counters
from tests.people import Person
from tests.waits.learned import forget_what_was_learned
from tests.waits.test_foresight import Day, lived, unhurried


@pytest.fixture
async def hall(api: Api) -> str:
    """A hall of which something is known: a morning in its line E."""
    hall = await api.quiet_hall()
    foresight, day = unhurried(), Day(api.services.directory.hall(hall))
    for _ in lived(foresight, day, 40):
        pass
    api.turn_clock(day.now.isoformat())
    memory = Remembering(
        foresight,
        held=lambda: [hall],
        directory=lambda: api.services.directory,
        now=lambda: day.now,
    )
    foresight.drain_promises()
    await memory.say_farewell()
    return hall


@pytest.fixture(autouse=True)
async def _nothing_stays(hall: str) -> AsyncIterator[None]:
    yield
    await forget_what_was_learned(hall)


@pytest.fixture
async def manager(api: Api, hall: str) -> Person:
    return await api.manager(hall)


async def test_one_counter_more_shortens_the_waits_of_its_line(
    api: Api, hall: str, manager: Person
) -> None:
    clerk = await api.clerk(hall)
    [_, _, *others] = await open_counters(clerk, hall, "E")
    for counter in others:
        assert (await clerk.at(hall, counter, "close")).status_code == 200
    for _ in range(12):
        await a_ticket(api, hall)
    reply = await manager.get(f"/halls/{hall}/what-if?line=E&open=+1")
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert (told["line"], told["open"], told["counters"]) == ("E", 1, 2)
    lines = {line["line"]: line["data"] for line in told["data"]}
    assert lines.keys() == api.services.directory.hall(hall).lines.keys()
    now = lines["E"][0]
    assert now["then"]["p50_s"] < now["as_is"]["p50_s"]
    fewer = (await manager.get(f"/halls/{hall}/what-if?line=E&open=-1")).json()
    first = next(line["data"][0] for line in fewer["data"] if line["line"] == "E")
    assert first["as_is"] == now["as_is"]
    assert first["then"]["p50_s"] > first["as_is"]["p50_s"]
    # Where nobody would serve the line any more there is nothing to tell.
    none = (await manager.get(f"/halls/{hall}/what-if?line=E&open=-2")).json()
    first = next(line["data"][0] for line in none["data"] if line["line"] == "E")
    assert (first["as_is"], first["then"]) == (now["as_is"], None)
    # Until the hall closes at 17:00, and nothing of the question stays.
    assert [each["at"][11:13] for each in lines["E"]][-1] in {"15", "16"}
    again = (await manager.get(f"/halls/{hall}/what-if?line=E&open=%2B1")).json()
    for moment, before in zip(again["data"][0]["data"], told["data"][0]["data"], strict=True):
        assert (moment["as_is"], moment["then"]) == (before["as_is"], before["then"])


async def test_it_answers_as_soon_as_the_worker_says_something_of_the_hall(
    api: Api, hall: str, manager: Person
) -> None:
    """And not only once its turn to be stored has come."""
    stored = f"FROM wait_state WHERE code = '{hall}'"
    await rows(f"DELETE {stored}")
    foresight, day = unhurried(), Day(api.services.directory.hall(hall))
    memory = Remembering(
        foresight,
        held=lambda: [hall],
        directory=lambda: api.services.directory,
        now=lambda: day.now,
    )
    await memory.remember_new()
    assert await rows(f"SELECT 1 {stored}") == []  # nothing is known of it yet
    for _ in lived(foresight, day, 40):
        pass
    foresight.drain_promises()
    await memory.remember_new()
    [line] = [
        line
        for line in (await manager.get(f"/halls/{hall}/what-if?line=E")).json()["data"]
        if line["line"] == "E"
    ]
    assert line["data"][0]["as_is"] is not None
    written = await rows(f"SELECT xmin::text {stored}")
    await memory.remember_new()
    assert await rows(f"SELECT xmin::text {stored}") == written


async def test_no_more_can_be_closed_than_serve_the_line(
    api: Api, hall: str, manager: Person
) -> None:
    reply = await manager.get(f"/halls/{hall}/what-if?line=E&open=-1")
    assert code_of(reply) == (409, "too_few_counters")


@pytest.mark.parametrize("query", ["line=E&open=0", "line=E&open=6", "line=E&open=x", "open=1"])
async def test_what_makes_no_sense_is_refused(hall: str, manager: Person, query: str) -> None:
    reply = await manager.get(f"/halls/{hall}/what-if?{query}")
    assert code_of(reply) == (422, "invalid_request")


async def test_it_is_for_those_who_watch_the_hall(api: Api, hall: str, manager: Person) -> None:
    path = f"/halls/{hall}/what-if?line=E"
    assert code_of(await manager.get(f"/halls/{hall}/what-if?line=Z")) == (404, "not_found")
    assert code_of(await (await api.clerk(hall)).get(path)) == (403, "not_allowed")
    assert code_of(await (await api.citizen()).get(path)) == (403, "not_allowed")
    stranger = await api.manager("dg-10")
    assert (await stranger.get(path)).status_code in {403, 404}


async def test_rubbish_in_the_store_is_no_fault_of_the_question(
    api: Api, hall: str, manager: Person
) -> None:
    await rows("UPDATE wait_state SET state = 'rubbish' WHERE code IN ($1, $2)", hall, CITY)
    await rows(
        "INSERT INTO wait_trees (kind, grown_at, learned_from, trees)"
        " VALUES ('line', now(), 9, 'rubbish')"
    )
    reply = await manager.get(f"/halls/{hall}/what-if?line=E")
    assert reply.status_code == 200, reply.text
    assert reply.json()["data"][0]["data"][0]["as_is"] is None


@pytest.mark.parametrize(("change", "share"), [(-1, 2.0), (1, 0.5)])
def test_fewer_counters_shorten_no_wait_and_more_lengthen_none(change: int, share: float) -> None:
    as_is = [Range(5, 20, 39), Range(2, 15, 39), Range(0, 10, 60), None]
    other = [Range(8, 26, 50), Range(1, 12, 35), Range(4, 30, 50), Range(0, 5, 9)]
    if change > 0:
        other = [Range(4, 13, 30), Range(5, 18, 45), Range(0, 5, 70), Range(0, 5, 9)]
    then = no_better(as_is, other, [200.0] * 4, change=change, share=share)
    assert then[3] == Range(0, 5, 9)
    for one, two in zip(as_is[:3], then[:3], strict=True):
        assert one is not None
        assert two is not None
        assert two.p10 <= two.p50 <= two.p90
        ends = zip((one.p10, one.p50, one.p90), (two.p10, two.p50, two.p90), strict=True)
        assert all((a - b) * change >= 0 for a, b in ends)
        assert (one.p50 - two.p50) * change > 0


@pytest.mark.parametrize(
    ("change", "share", "now"),
    [(-1, 2.0, Range(10, 21 + 120, 30 + 120)), (2, 0.5, Range(2, 4.5, 7.5))],
)
def test_no_counter_shortens_a_break_and_none_lengthens_it(
    change: int, share: float, now: Range
) -> None:
    known = Known(open=((540.0, 720.0), (840.0, 1020.0)), let_go=1080.0)
    as_is = [Range(5, 10, 15), Range(110, 120, 140), Range(10, 30, 70)]
    then = at_work(known, [700, 730, 1000], as_is, [now, *as_is[1:]], change=change, share=share)
    assert then[0] == now
    assert then[1] == Range(110, 110 + 10 * share, 110 + 30 * share)
    # Nobody waits longer than until everybody is let go.
    assert then[2] == Range(10 * share, 30 * share, min(70 * share, 80))
