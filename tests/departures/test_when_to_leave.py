"""Whoever says where she is, is told when to leave: at once, live, and once that it is time."""

from dataclasses import replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import pytest

from models import departures
from models.database import rows
from server.halls.directory import HallEntry
from server.live.foreseen import HallWaits
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of
from tests.departures.on_their_way import AN_HOUR, SOMEWHERE, Waiting, kept, near, said_where
from tests.waits.foretelling import foretold


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
    told = (await lin.get("/me/export")).json()["departures"]
    place = near(api, waiting.hall) | {"datum": "wgs84"}
    expected = {"ticket": ticket["id"], "place": place, "travel": "drive", "told_at": None}
    assert told == [expected]
    assert (await lin.delete("/me")).status_code == 204
    assert await rows("SELECT 1 FROM departure WHERE id = $1", UUID(ticket["id"])) == []


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


async def test_from_the_other_end_of_the_country_nobody_walks_to_her_turn(
    api: Api, waiting: Waiting
) -> None:
    lin, ticket = await a_ticket(api, waiting.hall)
    beijing = {"lat": 39.9, "lng": 116.4, "datum": "wgs84"}
    reply = await lin.put(f"/tickets/{ticket['id']}/place", {"place": beijing, "travel": "walk"})
    assert (reply.status_code, reply.json()["code"]) == (409, "too_far_away")
    assert not await rows("SELECT 1 FROM departure WHERE id = $1", UUID(ticket["id"]))
    assert (await said_where(api, lin, ticket, travel="walk"))["leave"]
    # Where numbers are given from so far, one is given, without a moment to leave.
    halls = cast("dict[str, HallEntry]", api.services.directory.halls)
    entry = halls[waiting.hall]
    halls[waiting.hall] = replace(entry, remote_radius_m=500_000)
    wuzhou = {"lat": 23.48, "lng": 111.28, "datum": "wgs84"}
    try:
        item = api.item(waiting.hall, "E", nth=1)
        given = await lin.take(waiting.hall, item, place=wuzhou, travel="walk")
    finally:
        halls[waiting.hall] = entry
    assert given.status_code == 201, given.text
    assert given.json().get("leave") is None
