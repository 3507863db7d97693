"""The sandbox's subscription messages: every error and limit of the contract, one by one."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from integrations.sandbox import SandboxSettings
from tests.integrations.sandbox_running import Json, RunningSandbox, running

SEND = "/cgi-bin/message/subscribe/send"
SETTINGS = SandboxSettings(
    wechat_templates=frozenset({"turn", "free"}),
    wechat_template_fields={"turn": frozenset({"thing1", "time2"})},
    wechat_messages_a_day=3,
    wechat_strict_prompts=True,
)
TURN = {"thing1": "南城大厅", "time2": "2026-11-24 10:00"}


@pytest.fixture
async def platform() -> AsyncIterator[RunningSandbox]:
    async with running(SETTINGS) as found:
        yield found


async def openid(platform: RunningSandbox, id_number: str = "99000119900307001X") -> str:
    code = (await platform.persona(id_number))["wechat_code"]
    return str((await platform.log_in(code))["openid"])


async def allow(platform: RunningSandbox, who: str, *templates: str, **more: Any) -> None:
    asked = {"openid": who, "templates": templates, **more}
    (await platform.http.post("/_sandbox/wechat/subscribe", json=asked)).raise_for_status()


async def send(platform: RunningSandbox, who: str, data: Json | None = None, **more: Any) -> Json:
    token = more.pop("token", None) or (await platform.token())["access_token"]
    values = {name: {"value": value} for name, value in (TURN if data is None else data).items()}
    body = {"touser": who, "template_id": "turn", "data": values, **more}
    reply = await platform.http.post(SEND, params={"access_token": token}, json=body)
    assert reply.status_code == 200
    return dict(reply.json())


async def test_a_prompt_is_good_for_one_message_and_always_for_as_many_as_there_are(
    platform: RunningSandbox,
) -> None:
    who = await openid(platform)
    assert (await send(platform, who))["errcode"] == 43101
    await allow(platform, who, "turn")
    first = await send(platform, who)
    assert (first["errcode"], first["msgid"] > 0) == (0, True)
    assert (await send(platform, who))["errcode"] == 43101


async def test_whoever_rejects_allows_nothing_any_more(platform: RunningSandbox) -> None:
    who = await openid(platform)
    await allow(platform, who, "turn", always=True)
    assert (await send(platform, who))["errcode"] == 0
    await allow(platform, who, "turn", answer="reject", where="settings")
    assert (await send(platform, who))["errcode"] == 43101


@pytest.mark.parametrize(
    ("more", "errcode"),
    [
        ({"touser": "nobody"}, 40003),
        ({"template_id": "unknown"}, 40037),
        ({"template_id": ""}, 40037),
        ({"page": "/pages/ticket"}, 41030),
        ({"page": "?ticket=1"}, 41030),
        ({"miniprogram_state": "beta"}, 47001),
        ({"lang": "de_DE"}, 47001),
        ({"token": "no-token"}, 40001),
        ({"data": {}}, 47003),
        ({"data": {"thing1": "x"}}, 47003),
        ({"data": {"thing1": "x", "thing2": "x"}}, 47003),
    ],
)
async def test_what_is_wrong_is_refused_by_its_own_error(
    platform: RunningSandbox, more: Json, errcode: int
) -> None:
    who = await openid(platform)
    await allow(platform, who, "turn", always=True)
    said = await send(platform, who, **more)
    assert said["errcode"] == errcode
    # Nothing was sent, and nothing of what she allowed was used up.
    sent = (await platform.http.get("/_sandbox/sent")).json()["data"]
    assert sent == []


async def test_a_wrong_field_is_named(platform: RunningSandbox) -> None:
    who = await openid(platform)
    await allow(platform, who, "turn", always=True)
    said = await send(platform, who, {"thing1": "x"})
    assert (said["errcode"], "time2" in said["errmsg"]) == (47003, True)
    said = await send(platform, who, {"thing1": "一" * 21, "time2": "10:00"})
    assert (said["errcode"], "thing1" in said["errmsg"]) == (47003, True)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("thing1", "一" * 20, "一" * 21),
        ("number1", "1" * 30 + ".5", "1" * 33),
        ("letter1", "a" * 32, "a1"),
        ("symbol1", "!@#%&", "!@#%&*"),
        ("character_string1", "A-1" * 10, "号1"),
        ("time1", "2026年11月24日 10:00~11:00", "明天"),
        ("date1", "2026-11-24", "tomorrow"),
        ("amount1", "¥1234567890.00元", "12345678901"),
        ("phone_number1", "+86-0769-12345678", "1" * 18),
        ("car_number1", "粤S12345学", "粤S12345678"),
        ("name1", "a" * 20, "一" * 11),
        ("phrase1", "办理完成了", "办理已完成了"),
        ("phrase2", "已办", "ok"),
        ("thing2", "一", "a\nb\x07"),
        ("thing3", "一", ""),
    ],
)
async def test_each_kind_of_field_takes_what_the_contract_allows_and_no_more(
    platform: RunningSandbox, name: str, good: str, bad: str
) -> None:
    who = await openid(platform)
    await allow(platform, who, "free", always=True)
    for value, errcode in ((good, 0), (bad, 47003)):
        assert (await send(platform, who, {name: value}, template_id="free"))["errcode"] == errcode


async def test_past_the_days_limit_nothing_is_sent_until_the_next_day(
    platform: RunningSandbox,
) -> None:
    who = await openid(platform)
    await allow(platform, who, "turn", always=True)
    assert [(await send(platform, who))["errcode"] for _ in range(4)] == [0, 0, 0, 45009]
    platform.clock.move(86_400)
    assert (await send(platform, who))["errcode"] == 0


async def test_every_other_error_of_the_platform_can_be_played(platform: RunningSandbox) -> None:
    who = await openid(platform)
    await allow(platform, who, "turn", always=True)
    for errcode in (-1, 40014, 42001, 45009, 43101):
        await platform.break_down("wechat.subscribe_send", "error", errcode=errcode, times=1)
        assert (await send(platform, who))["errcode"] == errcode


async def test_an_unknown_or_unreachable_person_is_told_of_by_the_event_of_what_was_sent() -> None:
    heard: list[Json] = []

    async def backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        heard.append(httpx.Response(200, content=await reader.readexactly(length)).json())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nsuccess")
        writer.close()

    server = await asyncio.start_server(backend, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/push"
    async with running(replace(SETTINGS, wechat_strict_prompts=False)) as platform:
        near = await openid(platform)
        far = await openid(platform, "990001199003070036")
        where = {"url": url, "mode": "plain", "unreachable": [far]}
        (await platform.http.put("/_sandbox/wechat/push", json=where)).raise_for_status()
        for who in (near, far):
            assert (await send(platform, who))["errcode"] == 0
        deadline = time.monotonic() + 20
        while len(heard) < 2:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
    server.close()
    said = {event["FromUserName"]: event["List"][0]["ErrorCode"] for event in heard}
    assert said == {near: "0", far: "5"}
    assert {event["Event"] for event in heard} == {"subscribe_msg_sent_event"}
