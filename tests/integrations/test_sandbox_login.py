"""The sandbox's jscode2session, asked over a real socket."""

import base64
from asyncio import gather
from collections import Counter

import httpx
import pytest

from integrations.sandbox import SandboxSettings
from tests.integrations.sandbox_running import RunningSandbox, running


async def test_a_code_tells_who_sent_it(sandbox: RunningSandbox) -> None:
    persona = await sandbox.persona()
    session = await sandbox.log_in(persona["wechat_code"])
    assert session["openid"] == persona["openid"]
    assert session["unionid"] == persona["unionid"]
    assert len(base64.b64decode(session["session_key"], validate=True)) == 16
    assert "errcode" not in session


async def test_an_openid_looks_like_a_real_one(sandbox: RunningSandbox) -> None:
    openid = (await sandbox.persona())["openid"]
    assert len(openid) == 28
    assert openid.startswith("o")


async def test_success_is_served_as_text(sandbox: RunningSandbox) -> None:
    persona = await sandbox.persona()
    query = {
        "appid": sandbox.settings.wechat_app_id,
        "secret": sandbox.settings.wechat_secret,
        "js_code": persona["wechat_code"],
        "grant_type": "authorization_code",
    }
    reply = await sandbox.http.get("/sns/jscode2session", params=query)
    assert reply.headers["content-type"].startswith("text/plain")


async def test_the_same_person_keeps_their_ids_over_a_restart(sandbox: RunningSandbox) -> None:
    before = await sandbox.persona()
    async with running() as restarted:
        after = await restarted.persona()
    assert (before["openid"], before["unionid"]) == (after["openid"], after["unionid"])
    assert before["wechat_code"] != after["wechat_code"]


async def test_another_program_knows_the_person_by_another_openid_and_the_same_unionid(
    sandbox: RunningSandbox,
) -> None:
    here = await sandbox.persona()
    async with running(SandboxSettings(wechat_app_id="wx000000000000other")) as other:
        there = await other.persona()
    assert here["openid"] != there["openid"]
    assert here["unionid"] == there["unionid"]


async def test_without_an_open_platform_account_there_is_no_unionid() -> None:
    async with running(SandboxSettings(wechat_union_account=None)) as sandbox:
        persona = await sandbox.persona()
        assert "unionid" not in persona
        assert "unionid" not in await sandbox.log_in(persona["wechat_code"])


async def test_a_code_works_once(sandbox: RunningSandbox) -> None:
    code = (await sandbox.persona())["wechat_code"]
    await sandbox.log_in(code)
    assert (await sandbox.log_in(code))["errcode"] == 40163


async def test_of_twenty_who_spend_one_code_at_once_one_succeeds(sandbox: RunningSandbox) -> None:
    code = (await sandbox.persona())["wechat_code"]
    async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as other:
        rival = RunningSandbox(sandbox.url, sandbox.settings, sandbox.clock, other)
        replies = await gather(*((sandbox, rival)[n % 2].log_in(code) for n in range(20)))
    assert Counter(r.get("errcode", 0) for r in replies) == {0: 1, 40163: 19}


async def test_every_call_for_a_persona_brings_a_fresh_code(sandbox: RunningSandbox) -> None:
    first, second = await sandbox.persona(), await sandbox.persona()
    assert first["openid"] == second["openid"]
    assert "openid" in await sandbox.log_in(first["wechat_code"])
    assert "openid" in await sandbox.log_in(second["wechat_code"])


async def test_a_code_dies_after_five_minutes(sandbox: RunningSandbox) -> None:
    in_time, late = await sandbox.persona(), await sandbox.persona()
    sandbox.clock.move(299.9)
    assert "openid" in await sandbox.log_in(in_time["wechat_code"])
    sandbox.clock.move(0.1)
    assert (await sandbox.log_in(late["wechat_code"]))["errcode"] == 40029


async def test_how_long_a_code_lives_can_be_set() -> None:
    async with running(SandboxSettings(code_life_s=0)) as sandbox:
        persona = await sandbox.persona()
        assert (await sandbox.log_in(persona["wechat_code"]))["errcode"] == 40029


@pytest.mark.parametrize(
    ("wrong", "errcode"),
    [
        ({"js_code": "nobody-has-this-code"}, 40029),
        ({"js_code": ""}, 41008),
        ({"js_code": "\ud55c\x00'\"%"}, 40029),
        ({"appid": "wx-somebody-else"}, 40013),
        ({"appid": ""}, 41002),
        ({"secret": "not-it"}, 40125),
        ({"secret": "密码"}, 40125),
        ({"secret": ""}, 41004),
        ({"grant_type": "client_credential"}, 40002),
    ],
)
async def test_what_is_wrong_is_named_and_leaves_the_code_good(
    sandbox: RunningSandbox, wrong: dict[str, str], errcode: int
) -> None:
    code = (await sandbox.persona())["wechat_code"]
    assert (await sandbox.log_in(code, **wrong))["errcode"] == errcode
    assert "openid" in await sandbox.log_in(code)


async def test_a_phone_code_does_not_log_in(sandbox: RunningSandbox) -> None:
    persona = await sandbox.persona()
    assert (await sandbox.log_in(persona["phone_code"]))["errcode"] == 40029


async def test_a_blocked_person_is_turned_away_until_unblocked(sandbox: RunningSandbox) -> None:
    blocked = await sandbox.persona(blocked=True)
    assert (await sandbox.log_in(blocked["wechat_code"]))["errcode"] == 40226
    await sandbox.persona(blocked=False)
    assert "openid" in await sandbox.log_in(blocked["wechat_code"])


async def test_one_person_logs_in_a_hundred_times_a_minute(sandbox: RunningSandbox) -> None:
    for _ in range(100):
        assert "openid" in await sandbox.log_in((await sandbox.persona())["wechat_code"])
    code = (await sandbox.persona())["wechat_code"]
    assert (await sandbox.log_in(code))["errcode"] == 45011
    other = await sandbox.persona("99000120000229018X")
    assert "openid" in await sandbox.log_in(other["wechat_code"])
    sandbox.clock.move(60)
    assert "openid" in await sandbox.log_in(code)
