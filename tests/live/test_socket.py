"""`/api/v1/live`: snapshots, changes, wrong words, slow readers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from models.database import rows
from server.http.limits import ADDRESS, Limits
from server.live import live_socket as socket_module
from server.live.memory import Change
from tests.conftest import Api, until
from tests.people import Person

HANDSHAKE = (
    b"GET /api/v1/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@asynccontextmanager
async def a_socket(api: Api, **options: Any) -> AsyncIterator[ClientConnection]:
    url = api.url.replace("http", "ws") + "/api/v1/live"
    async with connect(url, proxy=None, **options) as socket:
        yield socket


async def say(socket: ClientConnection, **order: Any) -> None:
    await socket.send(json.dumps(order))


async def hear(socket: ClientConnection, within_s: float = 3.0) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), within_s))
    return message


async def hear_until(socket: ClientConnection, true: Any) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    while not heard or not true(heard[-1]):
        heard.append(await hear(socket))
    return heard


async def signed_in(socket: ClientConnection, who: Person) -> None:
    await say(socket, op="sign_in", token=who.token)
    await hear_until(socket, lambda said: said["type"] == "signed_in")


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
        await until_signed_out(socket, within_s=1)
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
        await until_signed_out(socket, within_s=4)
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
        await (await api.citizen()).take(hall, api.item(hall, "E"))
        await asyncio.sleep(0.6)
        await say(socket, op="ping")
        assert (await hear(socket))["type"] == "pong"


@pytest.mark.parametrize(
    "rubbish",
    [
        "",
        "rubbish",
        "{",
        "[]",
        "null",
        "[" * 5000,
        '{"op": "dance"}',
        '{"op": "watch"}',
        '{"op": "watch", "topic": 7}',
        b"\xff\xfe\x00",
    ],
)
async def test_rubbish_is_answered_and_harms_nobody(api: Api, rubbish: str | bytes) -> None:
    async with a_socket(api) as socket:
        await socket.send(rubbish)
        assert (await hear(socket))["code"] == "invalid_request"
        await say(socket, op="ping")
        assert (await hear(socket))["type"] == "pong"


@pytest.mark.parametrize("topic", ["hall:dg-99", "ticket:not-an-id", "moon:1", "hall:", ""])
async def test_unknown_topics_are_not_found(api: Api, topic: str) -> None:
    async with a_socket(api) as socket:
        await signed_in(socket, await api.citizen())
        await say(socket, op="watch", topic=topic)
        assert (await hear(socket))["code"] == "not_found"
        await say(socket, op="watch", topic=f"ticket:{uuid4()}")
        assert (await hear(socket))["code"] == "not_found"


async def test_a_bad_token_does_not_sign_in(api: Api) -> None:
    async with a_socket(api) as socket:
        await say(socket, op="sign_in", token="x.y.z")
        assert (await hear(socket))["code"] == "not_signed_in"


async def keep_making_mistakes(socket: ClientConnection) -> None:
    for _ in range(50):
        await socket.send("rubbish")
        await hear(socket)


async def test_one_mistake_after_another_ends_the_socket(api: Api) -> None:
    async with a_socket(api) as socket:
        with pytest.raises(ConnectionClosed):
            await keep_making_mistakes(socket)


async def test_a_message_too_large_ends_the_socket(api: Api) -> None:
    async with a_socket(api) as socket:
        await socket.send("x" * 100_000)
        with pytest.raises(ConnectionClosed):
            await hear(socket)


async def test_at_most_twenty_topics_at_once(api: Api) -> None:
    async with a_socket(api) as socket:
        codes = []
        for number in range(21):
            await say(socket, op="watch", topic=f"hall:dg-{number:02d}")
            codes.append((await hear(socket)).get("code"))
        assert codes == [None] * 20 + ["invalid_request"]


async def test_a_socket_that_never_reads_delays_nobody(api: Api, hall: str) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    watch = json.dumps({"op": "watch", "topic": f"hall:{hall}"}).encode()
    frame = bytes([0x81, 0x80 | len(watch), 0, 0, 0, 0]) + watch
    for _ in range(2000):  # asks for two thousand boards and reads none of them
        writer.write(frame)
    async with a_socket(api) as socket:
        await say(socket, op="watch", topic=f"hall:{hall}")
        await hear(socket)
        ticket = await (await api.citizen()).take(hall, api.item(hall, "E"))
        assert ticket.status_code == 201
        await hear_until(
            socket, lambda said: sum(line["waiting"] for line in said["data"]["lines"]) == 1
        )
    writer.close()


async def test_a_plain_get_of_the_socket_is_told_what_it_is(api: Api) -> None:
    reply = await api.http.get("/api/v1/live")
    assert reply.status_code in {400, 426}
    assert reply.headers["content-type"] == "application/problem+json"


async def test_a_quiet_board_says_now_and_then_that_it_still_stands(api: Api, hall: str) -> None:
    async with a_socket(api) as socket:
        await say(socket, op="watch", topic=f"hall:{hall}")
        state = await hear(socket)
        api.turn_clock("2026-11-23T09:45:00+08:00")
        # What earlier tests left in the hall may still be leaving the board.
        said = state
        while said["type"] == "state":
            state, said = said, await hear(socket, within_s=20)
        assert (said["type"], said["version"]) == ("fresh", state["version"])
        assert said["as_of"] > state["data"]["as_of"]


async def test_a_process_with_as_many_sockets_as_it_may_have_refuses_one_more(
    api: Api, hall: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = api.app.ctx.sockets
    await until(lambda: not sockets)
    few = api.settings.model_copy(update={"most_sockets": 2})
    monkeypatch.setattr(api.services, "settings", few)
    async with a_socket(api) as first, a_socket(api):
        with pytest.raises(InvalidStatus) as refused:
            await a_socket(api).__aenter__()
        response = refused.value.response
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["retry-after"]
        await say(first, op="watch", topic=f"hall:{hall}")
        assert (await hear(first))["type"] == "state"
    await until(lambda: not sockets)
    async with a_socket(api) as again:
        await say(again, op="ping")
        assert (await hear(again))["type"] == "pong"


async def test_one_address_cannot_take_every_socket(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = api.app.ctx.sockets
    await until(lambda: not sockets)
    one = api.settings.model_copy(update={"most_sockets_of_one": 1, "rate_limits": True})
    monkeypatch.setattr(api.services, "settings", one)
    async with a_socket(api):
        with pytest.raises(InvalidStatus) as refused:
            await a_socket(api).__aenter__()
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["retry-after"]
    await until(lambda: sockets.of("127.0.0.1") == 0)
    async with a_socket(api) as again:
        await say(again, op="ping")
        assert (await hear(again))["type"] == "pong"


async def test_a_socket_that_watches_nothing_is_let_go(
    api: Api, hall: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_module, "IDLE_S", 0.3)
    async with a_socket(api) as watching, a_socket(api) as idle:
        await say(watching, op="watch", topic=f"hall:{hall}")
        await hear(watching)
        with pytest.raises(ConnectionClosed):
            await hear(idle)
        assert idle.close_code == 1001
        await say(watching, op="ping")
        await hear_until(watching, lambda said: said["type"] == "pong")


async def test_an_address_over_its_limit_opens_no_socket(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(api.services.valkey, enabled=True)
    monkeypatch.setattr(api.services, "limits", limits)
    for _ in range(ADDRESS.most):
        limits.check(ADDRESS, "127.0.0.1")
    with pytest.raises(InvalidStatus) as refused:
        await a_socket(api).__aenter__()
    assert refused.value.response.status_code == 429


async def test_a_socket_that_takes_nothing_is_let_go_and_no_store_is_blamed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_module, "SEND_TIMEOUT_S", 0.2)
    await until(lambda: not api.app.ctx.sockets)
    async with a_socket(api) as socket:
        await until(lambda: api.app.ctx.sockets)
        [ours] = api.app.ctx.sockets
        monkeypatch.setattr(ours._ws, "send", lambda _: asyncio.sleep(60))
        with capture_logs() as logged:
            await say(socket, op="ping")
            with pytest.raises(ConnectionClosed):
                await hear(socket)
    assert socket.close_code == 1013
    assert "store_unavailable" not in [line["event"] for line in logged]
