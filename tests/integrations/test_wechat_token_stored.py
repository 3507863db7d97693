"""WeChat's access token in Valkey: without it, with its lock, and what it does not tell."""

import asyncio
import logging
import time
import traceback
from contextlib import suppress

import httpx
import pytest
import redis.asyncio as aioredis
from structlog.testing import capture_logs

from integrations.ports import PlatformUnavailable
from integrations.wechat import AccessToken
from tests.conftest import free_port
from tests.integrations.raw_server import a_server_that_answers, ok
from tests.integrations.sandbox_running import RunningSandbox
from tests.integrations.wechat_running import a_token, processes
from tests.integrations.wechat_tokens import ASKED, key

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
