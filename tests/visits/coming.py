"""Visits at work, for tests: who comes for several items, and counters that serve her."""

from typing import Any

from models.database import rows
from server.visits.tending import tend_visits
from tests.conftest import Api
from tests.counters.halls import done, open_counters
from tests.people import Person


def items(api: Api, hall: str, *lines: str) -> list[str]:
    """An item of each of these lines that needs nothing but a sign-in, none twice."""
    return [api.item(hall, line, nth=lines[:place].count(line)) for place, line in enumerate(lines)]


async def a_visit(
    api: Api, hall: str, *lines: str, **more: Any
) -> tuple[Person, dict[str, Any], list[str]]:
    """Somebody who came for an item of each of these lines; her visit and the items."""
    lin = await api.citizen()
    wanted = items(api, hall, *lines)
    reply = await lin.post("/visits", {"hall": hall, "items": wanted, **more})
    assert reply.status_code == 201, reply.text
    return lin, reply.json(), wanted


async def seen(lin: Person, visit: dict[str, Any]) -> dict[str, Any]:
    """Her visit as it is."""
    reply = await lin.get(f"/visits/{visit['id']}")
    assert reply.status_code == 200, reply.text
    shown: dict[str, Any] = reply.json()
    return shown


def states(visit: dict[str, Any]) -> dict[str, str]:
    """The state of each stop by its item."""
    return {stop["item"]: stop["state"] for stop in visit["stops"]}


def stop_of(visit: dict[str, Any], item: str) -> dict[str, Any]:
    """The stop of an item."""
    found: dict[str, Any] = next(stop for stop in visit["stops"] if stop["item"] == item)
    return found


async def counter_for(clerk: Person, hall: str, line: str) -> str:
    """A counter open for just this line, which serves nobody."""
    counters = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
    code: str = next(one["code"] for one in counters if line == one["skills"][0])
    assert (await clerk.at(hall, code, "open", {"lines": [line]})).status_code == 200
    return code


async def served(clerk: Person, hall: str, line: str) -> tuple[str, dict[str, Any]]:
    """The first of a line, called to a counter and served there."""
    counter = await counter_for(clerk, hall, line)
    return counter, await done(clerk, hall, counter, "call-next", "start")


async def tend(api: Api, hall: str) -> int:
    """What the worker does in a hall now and then; how many visits went on."""
    room = api.services
    return await tend_visits([hall], now=room.clock.now(), directory=room.directory, feed=room.feed)


async def pause(api: Api, hall: str, *lines: str, state: str = "paused") -> None:
    """Let lines of a hall give out no numbers."""
    await rows(
        "UPDATE line SET state = $3 WHERE hall_id = $1 AND code = ANY($2)",
        api.services.directory.hall(hall).id,
        list(lines),
        state,
    )


async def change(lin: Person, visit: dict[str, Any], action: str, body: Any = None) -> Any:
    """What she does with her visit, and how it is then."""
    reply = await lin.post(f"/visits/{visit['id']}/{action}", body)
    assert reply.status_code == 200, reply.text
    return reply.json()


__all__ = [
    "a_visit",
    "change",
    "counter_for",
    "done",
    "items",
    "open_counters",
    "pause",
    "seen",
    "served",
    "states",
    "stop_of",
    "tend",
]
