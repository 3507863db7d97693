"""WeChat's access token among several processes: one asks, all have it, whoever fails."""

import asyncio
import time
from asyncio import gather

import httpx
import pytest
import redis.asyncio as aioredis
from structlog.testing import capture_logs

from integrations.ports import PlatformUnavailable
from integrations.sandbox import SandboxSettings
from integrations.wechat import AccessToken
from tests.integrations.raw_server import a_server_that_answers, ok
from tests.integrations.sandbox_running import RunningSandbox, running
from tests.integrations.wechat_running import a_token, processes
from tests.integrations.wechat_tokens import ASKED, key, quiet, until_renewed

# --- having it ---


async def test_a_normal_call_asks_neither_wechat_nor_valkey(
    sandbox: RunningSandbox, token: AccessToken, valkey: aioredis.Redis
) -> None:
    first = await token.current()
    before = (await valkey.info("commandstats"))["cmdstat_get"]["calls"]
    assert {await token.current() for _ in range(100)} == {first}
    asked = (await valkey.info("commandstats"))["cmdstat_get"]["calls"] - before
    assert asked < 20  # others ask it too, now and then
    assert await sandbox.calls(ASKED) == 1


async def test_another_process_takes_the_stored_token(
    sandbox: RunningSandbox, valkey: aioredis.Redis, valkey_url: str
) -> None:
    async with processes(sandbox, valkey_url, 2) as (one, other):
        assert await one.current() == await other.current()
    assert await sandbox.calls(ASKED) == 1


async def test_processes_that_start_together_ask_once(
    sandbox: RunningSandbox, valkey: aioredis.Redis, valkey_url: str
) -> None:
    await sandbox.break_down(ASKED, "delay", seconds=0.3)
    async with processes(sandbox, valkey_url, 6) as tokens:
        found = await gather(*(token.current() for token in tokens for _ in range(20)))
    assert len(set(found)) == 1
    assert await sandbox.calls(ASKED) == 1


async def test_it_is_renewed_before_its_end_while_everybody_goes_on_with_the_old_one(
    sandbox: RunningSandbox, valkey: aioredis.Redis, valkey_url: str
) -> None:
    async with processes(sandbox, valkey_url, 3) as tokens:
        (old,) = set(await gather(*(token.current() for token in tokens)))
        sandbox.clock.move(7200 - 271)
        assert set(await gather(*(token.current() for token in tokens))) == {old}
        assert await sandbox.calls(ASKED) == 1
        sandbox.clock.move(2)
        await sandbox.break_down(ASKED, "delay", seconds=1.5)
        began = time.monotonic()
        assert set(await gather(*(token.current() for token in tokens))) == {old}
        assert time.monotonic() - began < 1
        new = {await until_renewed(token, old) for token in tokens}
        assert len(new) == 1
        assert await sandbox.calls(ASKED) == 2


async def test_a_caller_that_gives_up_does_not_spoil_it_for_the_others(
    sandbox: RunningSandbox, token: AccessToken
) -> None:
    await sandbox.break_down(ASKED, "delay", seconds=0.3)
    patient = asyncio.create_task(token.current())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(token.current(), 0.1)
    assert await patient
    assert await sandbox.calls(ASKED) == 1


async def test_lives_as_short_as_nobody_documented_are_not_asked_for_without_end(
    http: httpx.AsyncClient, valkey: aioredis.Redis, valkey_url: str
) -> None:
    settings = SandboxSettings(token_life_s=100, token_overlap_s=20)
    async with running(settings) as box, processes(box, valkey_url) as (token,):
        first = await token.current()
        box.clock.move(49)
        assert await token.current() == first
        await asyncio.sleep(0.05)
        assert await box.calls(ASKED) == 1


# --- losing it ---


@pytest.mark.parametrize("ending", ["expired", "void"])
async def test_a_refused_token_is_replaced_once_for_all_processes(
    sandbox: RunningSandbox, valkey: aioredis.Redis, valkey_url: str, ending: str
) -> None:
    async with processes(sandbox, valkey_url, 3) as tokens:
        (old,) = set(await gather(*(token.current() for token in tokens)))
        await sandbox.end_token(ending)
        new = await gather(*(token.instead_of(old) for token in tokens for _ in range(30)))
    assert len(set(new)) == 1
    assert old not in new
    assert await sandbox.calls(ASKED) == 2


async def test_news_of_a_token_long_replaced_renews_nothing(
    sandbox: RunningSandbox, token: AccessToken
) -> None:
    old = await token.current()
    await sandbox.end_token()
    new = await token.instead_of(old)
    assert await token.instead_of(old) == new
    assert await token.instead_of("some token of yesterday") == new
    assert await sandbox.calls(ASKED) == 2


async def test_a_token_that_wechat_refuses_and_still_gives_is_forced_out_once(
    sandbox: RunningSandbox, valkey: aioredis.Redis, valkey_url: str
) -> None:
    async with processes(sandbox, valkey_url, 3) as tokens:
        (old,) = set(await gather(*(token.current() for token in tokens)))
        await sandbox.end_token("refused")
        new = await gather(*(token.instead_of(old) for token in tokens for _ in range(30)))
        assert len(set(new)) == 1
        assert old not in new
        # Once normally, once forced.
        assert await sandbox.calls(ASKED) == 3


async def test_within_half_a_minute_nothing_is_forced_again_nor_asked(
    sandbox: RunningSandbox, valkey: aioredis.Redis, valkey_url: str
) -> None:
    async with processes(sandbox, valkey_url, 2) as tokens:
        old = await tokens[0].current()
        await sandbox.end_token("refused")
        new = await tokens[0].instead_of(old)
        await sandbox.end_token("refused")
        calls = await sandbox.calls(ASKED)
        for _ in range(5):
            assert await gather(*(token.instead_of(new) for token in tokens)) == [new, new]
        assert await sandbox.calls(ASKED) == calls
        assert 30_000 < await valkey.pttl(key(sandbox, "forced")) <= 31_000
        # The time passes.
        await valkey.delete(key(sandbox, "forced"))
        sandbox.clock.move(31)
        assert await tokens[1].instead_of(new) not in (old, new)
        assert await sandbox.calls(ASKED) == calls + 2


async def test_when_forcing_is_refused_the_token_wechat_vouches_for_is_tried_again(
    sandbox: RunningSandbox, token: AccessToken
) -> None:
    for _ in range(20):
        await sandbox.token(force_refresh=True)
        sandbox.clock.move(31)
    old = await token.current()
    await sandbox.end_token("refused")
    with capture_logs() as logs:
        assert await token.instead_of(old) == old
    assert ("too_often", 45009) in [(entry.get("why"), entry.get("errcode")) for entry in logs]


# --- trouble with WeChat ---


@pytest.mark.parametrize(
    ("kind", "errcode", "retry_after_s"),
    [
        ("http_500", -1, 5),
        ("rubbish", -1, 5),
        ("error", -1, 1),
        ("error", 45009, 60),
        ("error", 45011, 60),
        ("error", 40125, 60),
        ("error", 40164, 60),
        ("error", 99999, 5),
    ],
)
async def test_without_an_answer_from_wechat_it_is_unavailable_for_a_while(
    *,
    sandbox: RunningSandbox,
    valkey: aioredis.Redis,
    valkey_url: str,
    kind: str,
    errcode: int,
    retry_after_s: int,
) -> None:
    await sandbox.break_down(ASKED, kind, errcode=errcode)
    async with processes(sandbox, valkey_url, 3) as tokens:
        every = (token.current() for token in tokens for _ in range(30))
        found = await gather(*every, return_exceptions=True)
        assert {type(one) for one in found} == {PlatformUnavailable}
        assert {one.retry_after_s for one in found} == {retry_after_s}  # type: ignore[union-attr]
        # Busy is asked once more; the other processes take the first one's word.
        assert await sandbox.calls(ASKED) == (2 if errcode == -1 and kind == "error" else 1)
        await sandbox.mend()
        await quiet(sandbox, valkey)
        assert await tokens[0].current()


async def test_busy_once_is_no_trouble(sandbox: RunningSandbox, token: AccessToken) -> None:
    await sandbox.break_down(ASKED, "error", errcode=-1, times=1)
    assert await token.current()


async def test_a_hanging_wechat_costs_no_more_than_the_budget(
    sandbox: RunningSandbox, http: httpx.AsyncClient, valkey: aioredis.Redis
) -> None:
    await sandbox.break_down(ASKED, "hang")
    began = time.monotonic()
    with pytest.raises(PlatformUnavailable):
        await a_token(sandbox, http, valkey, budget_s=0.4).current()
    assert 0.3 < time.monotonic() - began < 1.0


async def test_during_an_outage_the_old_token_serves_until_it_dies(
    sandbox: RunningSandbox, valkey: aioredis.Redis, token: AccessToken
) -> None:
    old = await token.current()
    await sandbox.break_down(ASKED, "http_500")
    sandbox.clock.move(7000)
    for _ in range(50):
        assert await token.current() == old
        await asyncio.sleep(0.002)
    assert await sandbox.calls(ASKED) == 2  # tried beside it, and not at every call
    sandbox.clock.move(200)
    await valkey.delete(key(sandbox, "trouble"))
    with pytest.raises(PlatformUnavailable):
        await token.current()
    await sandbox.mend()
    await quiet(sandbox, valkey)
    assert await token.current() != old


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"access_token": "t"}',
        b'{"access_token": "", "expires_in": 7200}',
        b'{"access_token": "t", "expires_in": 0}',
        b'{"access_token": "t", "expires_in": "7200"}',
        b'{"access_token": "a b", "expires_in": 7200}',
        b'{"access_token": "a\\n", "expires_in": 7200}',
        b'{"access_token": "' + b"t" * 513 + b'", "expires_in": 7200}',
        b'{"errcode": "40001"}',
        b'{"z":' + b"[" * 100_000,
    ],
)
async def test_rubbish_of_any_shape_is_no_token(
    http: httpx.AsyncClient, valkey: aioredis.Redis, body: bytes
) -> None:
    async with a_server_that_answers(ok(body)) as (url, _):
        with pytest.raises(PlatformUnavailable):
            await AccessToken(http, valkey, url, "wx-tests", "secret").current()


async def test_a_token_may_have_512_characters(
    http: httpx.AsyncClient, valkey: aioredis.Redis
) -> None:
    body = b'{"access_token": "' + b"t" * 512 + b'", "expires_in": 7200}'
    async with a_server_that_answers(ok(body)) as (url, heard):
        assert await AccessToken(http, valkey, url, "wx-long", "s").current() == "t" * 512
        assert await AccessToken(http, valkey, url, "wx-long", "s").current() == "t" * 512
    assert len(heard) == 1
