"""`/api/v1/live`: snapshots and changes, and whose tickets one may watch."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from websockets.asyncio.client import ClientConnection

from models.database import rows
from server.live.memory import Change
from tests.conftest import Api, until
from tests.live.sockets import a_socket, hear, hear_until, say, signed_in
from tests.people import Person


async def test_a_board_comes_whole_and_then_at_each_change(api: Api, hall: str) -> None:
    async with a_socket(api) as socket:
        await say(socket, op="watch", topic=f"hall:{hall}")
        first = await hear(socket)
        assert (first["type"], first["topic"]) == ("state", f"hall:{hall}")
        assert first["data"]["lines"]
        number = (await (await api.citizen()).take(hall, api.item(hall, "E"))).json()["number"]
        clerk = await api.clerk(hall)
        [counter] = [
            one["code"]
            for one in (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
            if "E" in one["skills"]
        ][:1]
        await clerk.at(hall, counter, "open", {"lines": ["E"]})
        await clerk.at(hall, counter, "call-next")
        heard = await hear_until(
            socket, lambda said: [call["number"] for call in said["data"]["called"]] == [number]
        )
        versions = [first["version"], *(said["version"] for said in heard)]
        assert versions == sorted(set(versions))


async def test_her_ticket_follows_her_turn(api: Api, hall: str) -> None:
    before, lin = await api.citizen(), await api.citizen()
    ahead_of_her = (await before.take(hall, api.item(hall, "E"))).json()
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    async with a_socket(api) as socket:
        await signed_in(socket, lin)
        await say(socket, op="watch", topic=f"ticket:{ticket['id']}")
        first = await hear(socket)
        assert first["data"]["ahead"] == 1
        await before.post(f"/tickets/{ahead_of_her['id']}/cancel")
        heard = await hear_until(socket, lambda said: said["data"]["ahead"] == 0)
        assert heard[-1]["version"] > first["version"]
        assert heard[-1]["data"]["number"] == ticket["number"]


async def test_her_ticket_is_followed_to_another_hall(api: Api, hall: str) -> None:
    other, lin = await api.quiet_hall(), await api.citizen()
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    async with a_socket(api) as socket:
        await signed_in(socket, lin)
        await say(socket, op="watch", topic=f"ticket:{ticket['id']}")
        first = await hear(socket)
        moved = await lin.post(f"/tickets/{ticket['id']}/move", {"hall": other})
        heard = await hear_until(socket, lambda said: said["data"]["hall"] == other)
        assert heard[-1]["data"]["number"] == moved.json()["number"]
        clerk = await api.clerk(other)
        [counter] = [
            one["code"]
            for one in (await clerk.get(f"/halls/{other}/counters")).json()["data"]
            if "E" in one["skills"]
        ][:1]
        await clerk.at(other, counter, "open", {"lines": ["E"]})
        await clerk.at(other, counter, "call-next")
        heard += await hear_until(socket, lambda said: said["data"]["state"] == "called")
        await clerk.at(other, counter, "recall")
        heard += await hear_until(socket, lambda said: said["data"]["recalls"] == 1)
        versions = [first["version"], *(said["version"] for said in heard)]
        assert versions == sorted(set(versions))


async def test_a_ticket_just_taken_can_be_watched_at_once(api: Api, hall: str) -> None:
    lin = await api.citizen()
    async with a_socket(api) as socket:
        await signed_in(socket, lin)
        ticket = (await lin.take(hall, api.item(hall, "E"))).json()
        await say(socket, op="watch", topic=f"ticket:{ticket['id']}")
        assert (await hear(socket))["data"]["number"] == ticket["number"]


async def test_nobody_watches_anothers_ticket(api: Api, hall: str) -> None:
    lin, stranger = await api.citizen(), await api.citizen()
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    topic = f"ticket:{ticket['id']}"
    async with a_socket(api) as socket:
        await say(socket, op="watch", topic=topic)
        assert (await hear(socket))["code"] == "not_signed_in"
        await signed_in(socket, stranger)
        await say(socket, op="watch", topic=topic)
        assert (await hear(socket))["code"] == "not_found"
        await signed_in(socket, await api.clerk(hall))
        await say(socket, op="watch", topic=topic)
        assert (await hear(socket))["code"] == "not_found"


async def a_watched_ticket(
    socket: ClientConnection, api: Api, hall: str, who: Person
) -> dict[str, Any]:
    """A ticket of hers, which the socket then watches together with its hall."""
    ticket: dict[str, Any] = (await who.take(hall, api.item(hall, "E"))).json()
    await signed_in(socket, who)
    await say(socket, op="watch", topic=f"ticket:{ticket['id']}")
    assert (await hear(socket))["topic"] == f"ticket:{ticket['id']}"
    await say(socket, op="watch", topic=f"hall:{hall}")
    await hear_until(socket, lambda said: said["topic"] == f"hall:{hall}")
    return ticket


async def topics_until_the_hall_changed(
    socket: ClientConnection, api: Api, hall: str, ticket_id: str
) -> set[str]:
    """What is heard of until the hall's board shows that the ticket is over."""
    memory = api.services.feed.memory
    await until(lambda: memory.projected(UUID(ticket_id)) is not None)
    await rows(
        """
        WITH over AS (
            UPDATE ticket SET state = 'cancelled', ended_at = issued_at, version = version + 1
            WHERE id = $1 RETURNING id, hall_id, ended_at)
        INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind)
        SELECT id, hall_id, ended_at, 'cancel', 'cancelled', 'system' FROM over
        """,
        UUID(ticket_id),
    )
    await api.services.feed.changed(Change(hall))
    heard = await hear_until(
        socket,
        lambda said: (
            said["topic"] == f"hall:{hall}"
            and "data" in said
            and sum(line["waiting"] for line in said["data"]["lines"]) == 0
        ),
    )
    return {said["topic"] for said in heard}


async def until_signed_out(socket: ClientConnection, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        await hear_until(socket, lambda said: said["type"] == "signed_out")


async def test_who_signs_out_hears_of_her_ticket_no_more(api: Api, hall: str) -> None:
    lin = await api.citizen()
    async with a_socket(api) as socket:
        ticket = await a_watched_ticket(socket, api, hall, lin)
        assert (await lin.delete("/sessions/current")).status_code == 204
        await until_signed_out(socket, within_s=30)
        heard = await topics_until_the_hall_changed(socket, api, hall, ticket["id"])
        assert heard == {f"hall:{hall}"}
        await say(socket, op="watch", topic=f"ticket:{ticket['id']}")
        assert (await hear(socket))["code"] == "not_signed_in"


async def test_who_just_signed_out_cannot_watch(api: Api, hall: str) -> None:
    lin = await api.citizen()
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    async with a_socket(api) as socket:
        await signed_in(socket, lin)
        await lin.delete("/sessions/current")
        await say(socket, op="watch", topic=f"ticket:{ticket['id']}")
        said = await hear(socket)
        assert said.get("code", said["type"]) in {"not_signed_in", "signed_out"}


async def test_an_expired_token_ends_the_watching(
    api: Api, hall: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.auth.ACCESS_TOKEN_S", 2)
    lin = await api.citizen()
    monkeypatch.undo()
    async with a_socket(api) as socket:
        await a_watched_ticket(socket, api, hall, lin)
        await until_signed_out(socket, within_s=30)
        await signed_in(socket, await api.citizen())


async def test_another_persons_sign_in_drops_the_firsts_tickets(api: Api, hall: str) -> None:
    lin, chen = await api.citizen(), await api.citizen()
    async with a_socket(api) as socket:
        ticket = await a_watched_ticket(socket, api, hall, lin)
        await signed_in(socket, chen)
        heard = await topics_until_the_hall_changed(socket, api, hall, ticket["id"])
        assert heard == {f"hall:{hall}"}


def is_over(said: dict[str, Any], ticket: dict[str, Any]) -> bool:
    topic = f"ticket:{ticket['id']}"
    return bool(said["topic"] == topic and said["data"]["state"] == "cancelled")


async def test_her_own_new_token_keeps_her_tickets(api: Api, hall: str) -> None:
    lin = await api.citizen()
    async with a_socket(api) as socket:
        ticket = await a_watched_ticket(socket, api, hall, lin)
        await signed_in(socket, lin)
        cancelled = (await lin.post(f"/tickets/{ticket['id']}/cancel")).json()
        heard = await hear_until(socket, lambda said: is_over(said, ticket))
        assert heard[-1]["version"] >= cancelled["version"]


async def test_a_ticket_is_unwatched_however_its_id_is_written(api: Api, hall: str) -> None:
    lin = await api.citizen()
    async with a_socket(api) as socket:
        ticket = await a_watched_ticket(socket, api, hall, lin)
        await say(socket, op="unwatch", topic=f"ticket:{ticket['id'].upper()}")
        await say(socket, op="unwatch", topic="ticket:never-watched")
        await say(socket, op="unwatch", topic=f"ticket:{uuid4()}")
        await say(socket, op="ping")
        await hear_until(socket, lambda said: said["type"] == "pong")
        heard = await topics_until_the_hall_changed(socket, api, hall, ticket["id"])
        assert heard == {f"hall:{hall}"}


async def test_unwatch_stops_the_news(api: Api, hall: str) -> None:
    async with a_socket(api) as socket:
        await say(socket, op="watch", topic=f"hall:{hall}")
        await hear(socket)
        await say(socket, op="unwatch", topic=f"hall:{hall}")
        await say(socket, op="ping")
        await hear_until(socket, lambda said: said["type"] == "pong")
        await (await api.citizen()).take(hall, api.item(hall, "E"))
        await until(lambda: api.services.feed.memory.halls[hall].waiting == 1)
        await say(socket, op="ping")
        assert (await hear(socket))["type"] == "pong"
