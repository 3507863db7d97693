"""WeChat's access token among several processes: one asks, all have it, whoever fails."""

import asyncio
import logging
import time
import traceback
from asyncio import gather
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest
import pytest_asyncio
import redis.asyncio as aioredis
from structlog.testing import capture_logs

from integrations.ports import PlatformUnavailable
from integrations.sandbox import SandboxSettings
from integrations.stores import StoreUrls
from integrations.wechat import AccessToken
from tests.conftest import free_port
from tests.integrations.raw_server import a_server_that_answers, ok
from tests.integrations.sandbox_running import RunningSandbox, running
from tests.integrations.wechat_running import a_token, processes, token_key

ASKED = "wechat.stable_token"


@pytest.fixture
def valkey_url(store_urls: StoreUrls) -> str:
    return f"{store_urls.redis}?db=7"


@pytest_asyncio.fixture
async def valkey(valkey_url: str) -> AsyncIterator[aioredis.Redis]:
    client = aioredis.from_url(valkey_url)
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture
def token(sandbox: RunningSandbox, http: httpx.AsyncClient, valkey: aioredis.Redis) -> AccessToken:
    return a_token(sandbox, http, valkey)


def key(sandbox: RunningSandbox, what: str = "token") -> str:
    return token_key(sandbox.settings.wechat_app_id, what)


async def quiet(sandbox: RunningSandbox, valkey: aioredis.Redis) -> None:
    """Let the moment after a failed renewal pass."""
    await valkey.delete(key(sandbox, "trouble"))
    sandbox.clock.move(2)


async def until_renewed(token: AccessToken, old: str) -> str:
    for _ in range(500):
        if (new := await token.current()) != old:
            return new
        await asyncio.sleep(0.01)
    raise AssertionError("it was not renewed")


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


# --- trouble with Valkey, and with each other ---


async def test_without_valkey_a_process_works_alone(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    nobody_there = aioredis.from_url(f"redis://127.0.0.1:{free_port()}")
    token = a_token(sandbox, http, nobody_there)
    with capture_logs() as logs:
        old = await token.current()
    assert [entry["event"] for entry in logs] == ["wechat_token_not_shared"]
    await sandbox.end_token()
    new = await token.instead_of(old)
    await sandbox.end_token("refused")
    forced = await token.instead_of(new)
    assert len({old, new, forced}) == 3
    await sandbox.end_token("refused")
    assert await token.instead_of(forced) == forced  # too early to force again
    await nobody_there.aclose()


async def test_a_silent_valkey_delays_but_does_not_stop_us(
    sandbox: RunningSandbox, http: httpx.AsyncClient
) -> None:
    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(5)
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        silent = aioredis.from_url(f"redis://127.0.0.1:{port}")
        began = time.monotonic()
        assert await a_token(sandbox, http, silent).current()
        assert time.monotonic() - began < 2.5
        await silent.aclose()
        server.close()


async def test_valkey_may_forget_everything(
    sandbox: RunningSandbox, valkey: aioredis.Redis, valkey_url: str
) -> None:
    async with processes(sandbox, valkey_url, 2) as (one, other):
        first = await one.current()
        await valkey.flushdb()
        await valkey.script_flush()
        assert await one.current() == first
        assert await other.current() == first
    assert await sandbox.calls(ASKED) == 2


async def test_a_refresher_that_died_is_succeeded_when_its_lock_runs_out(
    sandbox: RunningSandbox, token: AccessToken, valkey: aioredis.Redis
) -> None:
    await valkey.set(key(sandbox, "refresher"), "somebody dead", px=400)
    began = time.monotonic()
    assert await token.current()
    assert 0.2 < time.monotonic() - began < 1.5


async def test_who_waits_for_a_refresher_that_never_ends_gives_up(
    sandbox: RunningSandbox, http: httpx.AsyncClient, valkey: aioredis.Redis
) -> None:
    await valkey.set(key(sandbox, "refresher"), "somebody else", px=60_000)
    began = time.monotonic()
    with pytest.raises(PlatformUnavailable) as no:
        await a_token(sandbox, http, valkey, budget_s=0.1).current()
    assert (no.value.retry_after_s, time.monotonic() - began < 3.5) == (1, True)
    assert await sandbox.calls(ASKED) == 0


async def test_the_lock_is_released_only_by_its_owner_and_a_late_answer_is_not_stored(
    sandbox: RunningSandbox, token: AccessToken, valkey: aioredis.Redis
) -> None:
    await sandbox.break_down(ASKED, "delay", seconds=0.3)
    late = asyncio.create_task(token.current())
    await asyncio.sleep(0.15)
    await valkey.set(key(sandbox, "refresher"), "the successor", px=60_000)
    assert await late
    assert await valkey.get(key(sandbox, "refresher")) == b"the successor"
    assert await valkey.get(key(sandbox)) is None


async def test_after_a_renewal_the_lock_is_free(
    sandbox: RunningSandbox, token: AccessToken, valkey: aioredis.Redis
) -> None:
    await token.current()
    assert await valkey.exists(key(sandbox, "refresher")) == 0
    assert 7_190_000 < await valkey.pttl(key(sandbox)) <= 7_200_000


async def test_closing_gives_up_a_renewal_and_its_lock(
    sandbox: RunningSandbox, token: AccessToken, valkey: aioredis.Redis
) -> None:
    await sandbox.break_down(ASKED, "hang")
    waiting = asyncio.create_task(token.current())
    await asyncio.sleep(0.15)
    assert await valkey.exists(key(sandbox, "refresher")) == 1
    await token.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await valkey.exists(key(sandbox, "refresher")) == 0
    await token.close()


# --- keeping it secret ---


async def test_what_valkey_keeps_does_not_tell_the_token(
    sandbox: RunningSandbox, token: AccessToken, valkey: aioredis.Redis
) -> None:
    text = await token.current()
    stored = await valkey.get(key(sandbox))
    assert isinstance(stored, bytes)
    assert text.encode() not in stored
    assert b"renew_at" not in stored


async def test_a_token_planted_or_spoilt_or_of_another_secret_is_not_believed(
    sandbox: RunningSandbox, valkey: aioredis.Redis, valkey_url: str
) -> None:
    async with processes(sandbox, valkey_url, 1) as (token,):
        text = await token.current()
    sealed = await valkey.get(key(sandbox))
    assert isinstance(sealed, bytes)
    for planted in (
        b"",
        b"x",
        b'{"text":"mine","renew_at":9e9,"dies_at":9e9}',
        sealed[:-1] + bytes([sealed[-1] ^ 1]),
    ):
        await valkey.set(key(sandbox), planted)
        async with processes(sandbox, valkey_url, 1) as (token,):
            assert await token.current() == text
    await valkey.set(key(sandbox), sealed)
    async with processes(sandbox, valkey_url, 1, secret="an older secret") as (token,):
        with pytest.raises(PlatformUnavailable):
            await token.current()


async def test_neither_logs_nor_errors_nor_reprs_tell_the_token_or_the_secret(
    http: httpx.AsyncClient, valkey: aioredis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    for body in (
        b'{"access_token": "do-not-tell-token", "expires_in": 7200}',
        b'{"access_token": "do-not-tell-token", "expires_in": -1}',
        b'{"access_token": "do-not-tell-token", "errcode": 40013}',
    ):
        await valkey.flushdb()
        async with a_server_that_answers(ok(body)) as (url, _):
            token = AccessToken(http, valkey, url, "wx-tests", "do-not-tell-secret")
            with capture_logs() as logs:
                try:
                    await token.current()
                except PlatformUnavailable as no:
                    told += traceback.format_exception(no)
            told += [repr(logs), repr(token), repr(token._held), caplog.text]
    assert "do-not-tell" not in "\n".join(told)
