"""Whoever says where she is, is told when to leave: at once, live, and once that it is time."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace as replaced

from models import departures
from models.database import rows, transaction
from models.departures import TravelBasis, Way
from scheduler.travel import PACES
from server.departures.watching import DepartureWatch, _again
from server.live.feed import Feed, live_key
from server.live.foreseen import HallWaits
from server.live.memory import Change
from server.live.state import Kept, LiveHall, encode_hall
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.people import Person
from tests.waits.foretelling import everybody_waits, foretold, nothing_foretold, whoever_joins

SOMEWHERE = {"lat": 22.95, "lng": 113.75, "datum": "wgs84"}
AN_HOUR = (3000, 3600, 4800)


class Waiting:
    """A hall where everybody waits for an hour, and who watches over those who are to come."""

    def __init__(self, api: Api, hall: str, said: Any) -> None:
        self.api, self.hall, self.said = api, hall, said

    def watch(self) -> DepartureWatch:
        room = self.api.services
        return DepartureWatch(
            self.api.projector,
            said=self.said,
            feed=room.feed,
            valkey=room.valkey,
            sealer=room.sealer,
            clock=room.clock,
            paces=PACES,
        )

    async def shows(self, ticket: dict[str, Any], true: Any) -> dict[str, Any]:
        """The ticket as the live state has it, once that is so."""
        seen: dict[str, Any] = {}

        def holds() -> bool:
            found = self.api.services.feed.memory.projected(UUID(ticket["id"]))
            seen["view"] = found and found.view
            return found is not None and bool(true(found.view))

        await until(holds)
        view: dict[str, Any] = seen
        return view


@pytest.fixture
async def waiting(api: Api) -> AsyncIterator[Waiting]:
    hall = await api.quiet_hall()
    with foretold(api, hall, everybody_waits(api, *AN_HOUR)) as said:
        yield Waiting(api, hall, said)


def later(api: Api, **time: float) -> datetime:
    api.turn_clock((api.services.clock.now() + timedelta(**time)).isoformat())
    return api.services.clock.now()


def near(api: Api, hall: str) -> dict[str, Any]:
    """A place a few minutes from the hall."""
    place = api.services.directory.hall(hall).place
    assert place is not None
    return {"lat": round(place.lat + 0.01, 3), "lng": round(place.lng, 3), "datum": "wgs84"}


async def said_where(
    api: Api, lin: Person, ticket: dict[str, Any], *, at: str = "", **more: Any
) -> dict[str, Any]:
    """She says that she is near her hall, or near another."""
    place = near(api, at or ticket["hall"])
    reply = await lin.put(f"/tickets/{ticket['id']}/place", {"place": place, **more})
    assert reply.status_code == 200, reply.text
    view: dict[str, Any] = reply.json()
    return view


async def kept(ticket: dict[str, Any]) -> Any:
    [row] = await rows("SELECT * FROM departure WHERE id = $1", UUID(ticket["id"]))
    return row


async def test_she_is_told_at_once_and_then_from_memory_when_to_leave(
    api: Api, waiting: Waiting
) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    await waiting.shows(ticket, lambda view: view.wait and view.wait.p50_s == AN_HOUR[1])
    view = await said_where(api, lin, ticket, travel="walk")
    leave = view["leave"]
    in_s = (datetime.fromisoformat(leave["at"]) - api.services.clock.now()).total_seconds()
    assert 0 < in_s < 3600 - leave["travel_s"]
    assert (leave["certainty"], leave["travel"]) == (0.9, "walk")
    await waiting.shows(ticket, lambda view: view.leave and view.leave.travel == "walk")
    reply, statements = await api.statements(lin.get(f"/tickets/{ticket['id']}"))
    assert (reply.json()["leave"]["travel_s"], statements) == (leave["travel_s"], 0)
    # By car she may stay longer.
    by_car = (await said_where(api, lin, ticket))["leave"]
    assert by_car["at"] > leave["at"]


async def test_she_reads_at_once_what_she_has_just_said_of_her_way(
    api: Api, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    await waiting.shows(ticket, lambda view: view.wait and view.wait.p50_s == AN_HOUR[1])
    # The worker is busy with other halls.
    monkeypatch.setattr(api.projector, "_ask_for", lambda *_, **__: None)
    path = f"/tickets/{ticket['id']}"
    said = await said_where(api, lin, ticket, travel="walk")
    assert said["leave"]["at"]
    assert (await lin.get(path)).json() == said
    assert (await lin.get("/tickets")).json()["data"] == [said]
    assert (await lin.delete(f"{path}/place")).status_code == 204
    after = (await lin.get(path)).json()
    assert after["leave"] is None
    assert (after["wait"], after["ahead"]) == (said["wait"], said["ahead"])
    assert after["version"] >= said["version"] > ticket["version"]


async def test_to_say_it_costs_three_statements(api: Api, waiting: Waiting) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    await waiting.shows(ticket, lambda view: view.wait and view.wait.p50_s == AN_HOUR[1])
    body = {"place": SOMEWHERE}
    reply, statements = await api.statements(lin.put(f"/tickets/{ticket['id']}/place", body))
    assert (reply.status_code, statements) == (200, 3)


async def test_the_place_is_kept_sealed_and_forgotten_when_she_is_there(
    api: Api, waiting: Waiting
) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    await said_where(api, lin, ticket)
    row = await kept(ticket)
    assert b"22.9" not in row["place"]
    assert row["travel_s"] % 60 == 0
    place = departures.place_of(api.services.sealer, row["id"], row["place"])
    assert place == (near(api, waiting.hall)["lat"], near(api, waiting.hall)["lng"])
    await waiting.watch().look()
    assert (await kept(ticket))["place"] is not None
    clerk = await api.clerk(waiting.hall)
    reply = await clerk.post(f"/halls/{waiting.hall}/tickets/{ticket['id']}/check-in")
    assert reply.status_code == 200, reply.text
    await waiting.shows(ticket, lambda view: view.checked_in_at and view.leave is None)
    await waiting.watch().look()
    row = await kept(ticket)
    assert (row["place"], row["travel_s"], row["hall_id"]) == (None, None, None)


async def test_whoever_takes_a_number_may_say_at_once_how_she_comes(
    api: Api, waiting: Waiting
) -> None:
    lin = await api.citizen()
    taking = {"place": SOMEWHERE, "travel": "transit"}
    item = api.item(waiting.hall, "E")
    reply, statements = await api.statements(lin.take(waiting.hall, item, **taking))
    assert (reply.status_code, statements) == (201, 3)
    seen = await waiting.shows(reply.json(), lambda view: view.leave)
    leave = seen["view"].leave
    assert (leave.travel, leave.travel_basis) == ("transit", "estimate")  # no map knows better
    other = api.item(waiting.hall, "E", nth=1)
    refused = await lin.take(waiting.hall, other, travel="walk")
    assert code_of(refused) == (422, "invalid_request")
    assert refused.json()["errors"][0]["pointer"] == "/travel"
    # Who only says where she is, because the hall asks for it, is not followed.
    reply = await lin.take(waiting.hall, other, place=SOMEWHERE)
    assert await rows("SELECT 1 FROM departure WHERE id = $1", UUID(reply.json()["id"])) == []


async def test_asked_again_with_the_same_key_the_same_is_answered_and_kept(
    api: Api, waiting: Waiting
) -> None:
    lin, item = await api.citizen(), api.item(waiting.hall, "E")
    wish = {"hall": waiting.hall, "item": item, "place": SOMEWHERE, "travel": "bike"}
    first, again = [await lin.post("/tickets", wish, Idempotency_Key="way") for _ in range(2)]
    assert first.json()["leave"]["travel"] == "bike"
    assert again.json() == first.json()
    assert (await kept(first.json()))["travel"] == "bike"


async def test_a_number_that_is_given_is_answered_though_her_way_cannot_be_kept(
    api: Api, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> bool:
        raise ConnectionResetError

    monkeypatch.setattr(departures, "keep", away)
    lin, item = await api.citizen(), api.item(waiting.hall, "E")
    reply = await lin.take(waiting.hall, item, place=SOMEWHERE, travel="walk")
    assert (reply.status_code, reply.json()["leave"]) == (201, None)
    # With a key nothing has happened, and she may ask again.
    wish: dict[str, Any] = {"hall": waiting.hall, "item": api.item(waiting.hall, "E", nth=1)}
    wish |= {"place": SOMEWHERE, "travel": "walk"}
    refused = await lin.post("/tickets", wish, Idempotency_Key="away")
    assert refused.status_code == 503
    monkeypatch.undo()
    reply = await lin.post("/tickets", wish, Idempotency_Key="away")
    assert (reply.status_code, reply.json()["leave"]["travel"]) == (201, "walk")


async def test_when_the_moment_comes_it_is_noted_once_whoever_looks(
    api: Api, waiting: Waiting
) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    await said_where(api, lin, ticket)
    await waiting.shows(ticket, lambda view: view.leave)
    assert await waiting.watch().tell() == []
    at = later(api, minutes=55)
    watches = [waiting.watch() for _ in range(3)]
    told = await asyncio.gather(*(watch.tell() for watch in watches))
    assert [each for one in told for each in one] == [UUID(ticket["id"])]
    assert abs((await kept(ticket))["told_at"] - at) < timedelta(seconds=5)
    await waiting.shows(ticket, lambda view: view.leave and view.leave.told_at)
    # Nor does she hear of it again when she says anew where she is, or withdraws it before.
    assert (await lin.delete(f"/tickets/{ticket['id']}/place")).status_code == 204
    assert (await kept(ticket))["place"] is None
    await said_where(api, lin, ticket, travel="bike")
    await waiting.shows(ticket, lambda view: view.leave and view.leave.travel == "bike")
    assert await waiting.watch().tell() == []


async def test_who_is_called_meanwhile_is_not_told_to_set_off(api: Api, waiting: Waiting) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    await said_where(api, lin, ticket)
    await waiting.shows(ticket, lambda view: view.leave)
    later(api, minutes=55)
    clerk = await api.clerk(waiting.hall)
    [counter, *_] = await open_counters(clerk, waiting.hall, "E")
    before = waiting.said(waiting.hall)
    await done(clerk, waiting.hall, counter, "call-next")
    waiting.said = lambda _: before  # as a worker that has not heard of it yet
    assert await waiting.watch().tell() == []
    assert (await kept(ticket))["told_at"] is None


async def test_with_her_ticket_her_way_goes_to_the_other_hall(api: Api, waiting: Waiting) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    await said_where(api, lin, ticket)
    was = (await kept(ticket))["travel_s"]
    other = await api.quiet_hall()
    with foretold(api, other, everybody_waits(api, *AN_HOUR)):
        moving = {"hall": other, "place": SOMEWHERE}
        moved = (await lin.post(f"/tickets/{ticket['id']}/move", moving)).json()
        assert moved["hall"] == other
        # Of a way to the hall that she left nothing is said any more.
        await waiting.shows(ticket, lambda view: view.hall == other and view.leave is None)
        await waiting.watch().look()
        seen = await waiting.shows(ticket, lambda view: view.leave)
        assert seen["view"].leave.travel_s != was


async def test_a_way_that_she_says_while_we_work_one_out_is_not_written_over(
    api: Api, waiting: Waiting
) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    await said_where(api, lin, ticket)
    hall = api.services.directory.hall(waiting.hall)
    [old] = await departures.coming([hall.id])
    by_foot = await said_where(api, lin, ticket, travel="walk")
    assert not await departures.lead(old, Way(hall.id, "drive", 7200, TravelBasis.ESTIMATE))
    row = await kept(ticket)
    assert (row["travel"], row["travel_s"]) == ("walk", by_foot["leave"]["travel_s"])


async def test_an_item_that_is_newer_than_the_workers_catalogue_is_passed_over(
    api: Api, waiting: Waiting
) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    await said_where(api, lin, ticket)
    await waiting.shows(ticket, lambda view: view.leave)
    was = api.projector._directory
    items = {code: item for code, item in was.items.items() if code != ticket["item"]}
    api.projector._directory = replace(was, items=items)
    try:
        await waiting.watch().look()
    finally:
        api.projector._directory = was


async def test_no_fault_in_looking_ends_the_worker() -> None:
    looked = 0

    async def look() -> None:
        nonlocal looked
        looked += 1
        raise KeyError("a hall that nobody knows")

    again = asyncio.create_task(_again(0.0, look))
    try:
        await until(lambda: looked > 1 or again.done())
        assert not again.done()
    finally:
        again.cancel()


async def test_a_hall_where_her_turn_comes_clearly_sooner_is_offered_and_taken(
    api: Api, waiting: Waiting
) -> None:
    other = await api.quiet_hall()
    lin, ticket = await a_ticket(api, waiting.hall)
    await said_where(api, lin, ticket, at=other)
    with foretold(api, other, lambda _: whoever_joins("E", 60, 180, 300)):
        await api.services.feed.changed(Change(other))
        memory = api.services.feed.memory
        await until(lambda: any(line.wait for line in memory.halls[other].board.lines))
        await waiting.shows(ticket, lambda view: view.leave)
        watch = waiting.watch()
        await watch.look()
        seen = await waiting.shows(ticket, lambda view: view.better_hall)
        better = seen["view"].better_hall
        assert better.hall == other
        # What stands in clear does not say where she is.
        assert (better.distance_m % 500, better.travel_s % 60) == (0, 0)
        assert 600 <= better.gain.p50_s <= 7200
        assert 0 <= better.gain.p10_s <= better.gain.p50_s <= better.gain.p90_s
        version = seen["view"].version
        await watch.look()
        reply = await lin.get(f"/tickets/{ticket['id']}")
        assert reply.json()["better_hall"]["name_en"] == better.name_en
        assert reply.json()["version"] == version
    # What is not known any more is not offered any more.
    async with nothing_foretold(api, other):
        await watch.look()
        await waiting.shows(ticket, lambda view: view.leave and view.better_hall is None)
    moved = await lin.post(f"/tickets/{ticket['id']}/move", {"hall": other, "place": SOMEWHERE})
    assert (moved.status_code, moved.json()["hall"]) == (200, other)


async def test_a_hall_that_nobody_projects_any_more_is_not_learned(
    api: Api, waiting: Waiting
) -> None:
    room, watch = api.services, waiting.watch()
    stored = await room.valkey.get(live_key(waiting.hall))
    assert isinstance(stored, bytes)
    ours = Feed(room.valkey, [waiting.hall])
    watch._feed = ours
    await watch._learn([waiting.hall])
    assert waiting.hall in ours.memory.halls
    ours.memory.halls.clear()
    board = Kept(stored).board
    old = replaced(board, as_of=room.clock.now() - timedelta(minutes=5))
    key = live_key("nobody-projects-it")
    await room.valkey.set(key, encode_hall(LiveHall(old, ())))
    try:
        await watch._learn(["nobody-projects-it"])
        assert ours.memory.halls == {}
    finally:
        await room.valkey.delete(key)


async def test_who_follows_her_ticket_sees_nothing_of_her_way(api: Api, waiting: Waiting) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    await said_where(api, lin, ticket)
    seen = await waiting.shows(ticket, lambda view: view.leave)
    as_follower = seen["view"].without_person()
    assert (as_follower.leave, as_follower.better_hall) == (None, None)


async def test_everything_kept_of_it_is_hers_to_have_and_to_have_forgotten(
    api: Api, waiting: Waiting
) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    await said_where(api, lin, ticket)
    [row] = await rows("SELECT citizen_id FROM ticket WHERE id = $1", UUID(ticket["id"]))
    async with transaction() as tx:
        [found] = await departures.kept_of(tx, row["citizen_id"])
        assert found["id"] == UUID(ticket["id"])
        await departures.forget_of(tx, row["citizen_id"])
        assert await departures.kept_of(tx, row["citizen_id"]) == []


async def test_what_makes_no_sense_is_refused(api: Api, waiting: Waiting) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    path = f"/tickets/{ticket['id']}/place"
    for body in (
        {},
        {"place": {"lat": 91, "lng": 1}},
        {"place": SOMEWHERE, "travel": "fly"},
        {"place": SOMEWHERE, "speed": 3},
        {"place": {"lat": 22.9}},
    ):
        assert code_of(await lin.put(path, body)) == (422, "invalid_request"), body
    stranger = await api.citizen()
    assert code_of(await stranger.put(path, {"place": SOMEWHERE})) == (404, "not_found")
    assert code_of(await stranger.delete(path)) == (404, "not_found")
    assert code_of(await lin.put("/tickets/none/place", {"place": SOMEWHERE})) == (404, "not_found")
    assert (await lin.delete(path)).status_code == 204  # there was nothing to forget
    assert (await lin.post(f"/tickets/{ticket['id']}/cancel")).status_code == 200
    assert code_of(await lin.put(path, {"place": SOMEWHERE})) == (409, "wrong_state")
    assert await rows("SELECT 1 FROM departure WHERE id = $1", UUID(ticket["id"])) == []


async def test_who_is_at_the_hall_need_not_set_off(api: Api, waiting: Waiting) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    clerk = await api.clerk(waiting.hall)
    await clerk.post(f"/halls/{waiting.hall}/tickets/{ticket['id']}/check-in")
    reply = await lin.put(f"/tickets/{ticket['id']}/place", {"place": SOMEWHERE})
    assert code_of(reply) == (409, "already_checked_in")


async def test_where_nothing_is_foreseen_nothing_is_said(api: Api) -> None:
    hall = await api.quiet_hall()
    with foretold(api, hall, lambda _: HallWaits()):
        lin, ticket = await a_ticket(api, hall)
        leave = (await said_where(api, lin, ticket))["leave"]
        assert (leave["at"], leave["certainty"], leave["travel"]) == (None, None, "drive")
