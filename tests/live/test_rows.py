"""What the worker knows of a hall by catching up is what it would read anew."""

from datetime import timedelta
from uuid import UUID

from models.database import rows
from server.live.rows import ENDED_SHOWN_FOR, HallRows, catch_up, read_whole
from tests.conftest import Api
from tests.counters.halls import a_ticket, done, open_counters
from tests.people import Person


class Follower:
    """Catches up with a hall again and again, and looks each time whether it is so."""

    def __init__(self, api: Api, hall: str) -> None:
        self.api = api
        self.hall_id = api.services.directory.hall(hall).id
        self.known = HallRows((), (), (), {}, 0)

    async def look(self, *named: str) -> HallRows:
        now = self.api.services.clock.now()
        anew = await read_whole(self.hall_id, now=now)
        tickets = [UUID(one) for one in named]
        caught_up = await catch_up({self.hall_id: self.known}, tickets, now=now)
        self.known = caught_up[self.hall_id]
        assert self.known == anew
        return anew


async def test_each_step_of_a_day_is_followed(api: Api, hall: str, clerk: Person) -> None:
    follower = Follower(api, hall)
    people = [await a_ticket(api, hall) for _ in range(4)]
    assert len((await follower.look()).tickets) == 4
    [counter, other, *_] = await open_counters(clerk, hall, "E")
    for action in ("call-next", "recall", "start", "park", "resume", "finish", "undo"):
        await done(clerk, hall, counter, action)
        await follower.look()
    await done(clerk, hall, other, "call-next", "undo")
    await follower.look()
    await done(clerk, hall, other, "call-next", "close", "open")
    await follower.look()
    lin, ticket = people[-1]
    assert (await lin.post(f"/tickets/{ticket['id']}/cancel")).status_code == 200
    await done(clerk, hall, other, "call-next", "miss")
    assert {row.state for row in (await follower.look()).tickets.values()} == {
        "serving",
        "missed",
        "waiting",
        "cancelled",
    }


async def test_who_comes_from_another_hall_is_there_and_who_has_left_is_not(
    api: Api, hall: str, clerk: Person
) -> None:
    other = await api.quiet_hall()
    here, there = Follower(api, hall), Follower(api, other)
    _, ticket = await a_ticket(api, hall)
    await here.look()
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    assert (await clerk.at(hall, counter, "transfer", {"hall": other})).status_code == 200
    assert UUID(ticket["id"]) in (await there.look()).tickets
    # Her event is the other hall's: this one learns it by being told her name.
    await here.look(ticket["id"])
    assert UUID(ticket["id"]) not in here.known.tickets


async def test_who_has_been_over_for_long_is_forgotten(api: Api, hall: str) -> None:
    follower = Follower(api, hall)
    lin, ticket = await a_ticket(api, hall)
    await lin.post(f"/tickets/{ticket['id']}/cancel")
    assert len((await follower.look()).tickets) == 1
    later = api.services.clock.now() + ENDED_SHOWN_FOR + timedelta(seconds=1)
    api.turn_clock(later.isoformat())
    assert (await follower.look()).tickets == {}


async def test_what_no_event_tells_is_read_when_it_is_named(api: Api, hall: str) -> None:
    follower = Follower(api, hall)
    _, ticket = await a_ticket(api, hall)
    await follower.look()
    await rows("UPDATE ticket SET version = version + 1 WHERE id = $1", ticket["id"])
    await follower.look(ticket["id"])
