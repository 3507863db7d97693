"""`/api/v1/live`: wrong words, slow readers, and as many as there may be."""

import asyncio
import json
from uuid import uuid4

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.http.limits import ADDRESS, Limits
from server.live import live_socket as socket_module
from tests.conftest import Api, until
from tests.live.sockets import HANDSHAKE, a_socket, hear, hear_until, say, signed_in


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
        # What earlier tests left in the hall may still be leaving the board. Its turn would come
        # by itself, which takes fifteen seconds.
        said = state
        while said["type"] == "state":
            api.projector._ask_for(hall)
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
