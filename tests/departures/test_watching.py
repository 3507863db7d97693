"""Who watches over those who are to come: when to tell them, and of which hall."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace as replaced

from models import departures
from models.departures import TravelBasis, Way
from scheduler.ordering import Ranked
from server.departures.watching import _again
from server.halls.listing import HallLists
from server.live.feed import Feed, live_key
from server.live.memory import Change
from server.live.state import Kept, LiveHall, TicketView, encode_hall
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, done, open_counters
from tests.departures.on_their_way import AN_HOUR, SOMEWHERE, Waiting, kept, said_where
from tests.waits.foretelling import everybody_waits, foretold, nothing_foretold, whoever_joins


async def test_when_the_moment_comes_it_is_noted_once_whoever_looks(
    api: Api, waiting: Waiting
) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    await said_where(api, lin, ticket)
    await waiting.shows(ticket, lambda view: view.leave)
    assert await waiting.watch().tell() == []
    at = api.later(minutes=55)
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
    api.later(minutes=55)
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


def offers(view: TicketView, hall: str) -> bool:
    return view.better_hall is not None and view.better_hall.hall == hall


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
    # What is not known any more is not offered any more; another hall may be, known by then.
    async with nothing_foretold(api, other):
        await watch.look()
        await waiting.shows(ticket, lambda view: view.leave and not offers(view, other))
    moved = await lin.post(f"/tickets/{ticket['id']}/move", {"hall": other, "place": SOMEWHERE})
    assert (moved.status_code, moved.json()["hall"]) == (200, other)


async def test_the_halls_around_her_are_ranked_once_a_look(
    api: Api, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    await said_where(api, lin, ticket)
    await waiting.shows(ticket, lambda view: view.leave)
    ranked, found = 0, HallLists.found

    def counted(lists: HallLists, *asked: Any) -> Ranked:
        nonlocal ranked
        ranked += 1
        return found(lists, *asked)

    monkeypatch.setattr(HallLists, "found", counted)
    watch = waiting.watch()
    await watch.look()
    assert ranked == 2  # only now it knows which halls are near her, and how these stand
    await watch.look()
    assert ranked == 3


async def test_a_hall_that_nobody_projects_any_more_is_not_learned(
    api: Api, waiting: Waiting
) -> None:
    room, watch = api.services, waiting.watch()
    stored = await room.valkey.get(live_key(waiting.hall))
    assert isinstance(stored, bytes)
    ours = Feed(room.valkey, [waiting.hall])
    watch.better_halls._feed = ours
    await watch.better_halls.learn([waiting.hall])
    assert waiting.hall in ours.memory.halls
    ours.memory.halls.clear()
    board = Kept(stored).board
    old = replaced(board, as_of=room.clock.now() - timedelta(minutes=5))
    key = live_key("nobody-projects-it")
    await room.valkey.set(key, encode_hall(LiveHall(old, ())))
    try:
        await watch.better_halls.learn(["nobody-projects-it"])
        assert ours.memory.halls == {}
    finally:
        await room.valkey.delete(key)
