"""A thousand people at once on an expired token: WeChat is asked for one new token."""

import asyncio
import json
import sys
from asyncio import gather
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import redis.asyncio as aioredis

from integrations.stores import StoreUrls
from integrations.wechat import WeChatClient, WeChatPhone
from tests.integrations.sandbox_running import RunningSandbox
from tests.integrations.wechat_running import processes

ASKED = "wechat.stable_token"
PEOPLE = 1000
ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture
async def valkey_url(store_urls: StoreUrls) -> AsyncIterator[str]:
    url = f"{store_urls.redis}?db=9"
    client = aioredis.from_url(url)
    await client.flushdb()
    await client.aclose()
    yield url


async def codes(sandbox: RunningSandbox, how_many: int) -> list[str]:
    return [(await sandbox.persona())["phone_code"] for _ in range(how_many)]


@pytest.mark.parametrize("how", ["known", "unknown"])
async def test_a_thousand_at_once_in_eight_clients_ask_for_one_token(
    sandbox: RunningSandbox, valkey_url: str, how: str
) -> None:
    """`known`: our clocks say that it expired; `unknown`: WeChat has to tell each of them."""
    async with processes(sandbox, valkey_url, 8, budget_s=30) as tokens:
        (old,) = set(await gather(*(token.current() for token in tokens)))
        assert await sandbox.calls(ASKED) == 1
        await sandbox.break_down(ASKED, "delay", seconds=0.2)
        if how == "known":
            sandbox.clock.move(7200)
            every = [token.current() for token in tokens for _ in range(PEOPLE // 8)]
        else:
            await sandbox.end_token()
            every = [token.instead_of(old) for token in tokens for _ in range(PEOPLE // 8)]
        new = await gather(*every)
        assert (len(new), len(set(new))) == (PEOPLE, 1)
        assert old not in new
        assert await sandbox.calls(ASKED) == 2


async def test_two_processes_with_five_hundred_phone_codes_each_ask_for_one_token(
    sandbox: RunningSandbox, valkey_url: str
) -> None:
    workers = [await _start(sandbox, valkey_url, PEOPLE // 2) for _ in range(2)]
    try:
        assert await sandbox.calls(ASKED) == 1
        await sandbox.break_down(ASKED, "delay", seconds=0.2)
        await sandbox.end_token()
        told = await asyncio.wait_for(gather(*(_go(worker) for worker in workers)), 90)
        assert told == [PEOPLE // 2, PEOPLE // 2]
        assert await sandbox.calls(ASKED) == 2
    finally:
        for worker in workers:
            if worker.returncode is None:
                worker.kill()
            await worker.wait()


async def test_when_the_refresher_is_killed_the_others_go_on(
    sandbox: RunningSandbox, valkey_url: str
) -> None:
    doomed = await _start(sandbox, valkey_url, 1, budget_s=1)
    await sandbox.end_token()
    await sandbox.break_down(ASKED, "hang", times=1)
    assert doomed.stdin is not None
    doomed.stdin.write(b"go\n")
    for _ in range(500):
        if await sandbox.calls(ASKED) == 2:
            break
        await asyncio.sleep(0.02)
    doomed.kill()
    await doomed.wait()
    async with (
        processes(sandbox, valkey_url, 1) as (token,),
        httpx.AsyncClient(trust_env=False) as http,
    ):
        client = WeChatClient(http, sandbox.url, token, budget_s=20)
        (code,) = await codes(sandbox, 1)
        assert await WeChatPhone(client).phone_of(code)


async def _start(
    sandbox: RunningSandbox, valkey_url: str, people: int, *, budget_s: float = 5
) -> Process:
    facts = {
        "wechat": sandbox.url,
        "valkey": valkey_url,
        "app_id": sandbox.settings.wechat_app_id,
        "secret": sandbox.settings.wechat_secret,
        "budget_s": budget_s,
        "codes": await codes(sandbox, people),
    }
    command = [sys.executable, "-m", "tests.integrations.wechat_users"]
    worker = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=ROOT)
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(json.dumps(facts).encode() + b"\n")
    assert await asyncio.wait_for(worker.stdout.readline(), 30) == b"ready\n"
    return worker


async def _go(worker: Process) -> int:
    told, _ = await worker.communicate(b"go\n")
    return int(told)
