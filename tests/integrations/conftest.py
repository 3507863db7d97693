"""Fixtures for tests of the outside world."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
import redis.asyncio as aioredis

from integrations.ports import SignIn
from integrations.stores import StoreUrls
from integrations.wechat import AccessToken, WeChatSignIn
from tests.integrations.alipay_running import RunningAlipay, running_alipay
from tests.integrations.sandbox_running import RunningSandbox, running
from tests.integrations.wechat_running import a_token


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running() as one:
        yield one


@pytest_asyncio.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def door(sandbox: RunningSandbox, http: httpx.AsyncClient) -> SignIn:
    account = sandbox.settings
    return WeChatSignIn(http, sandbox.url, account.wechat_app_id, account.wechat_secret)


@pytest_asyncio.fixture
async def alipay() -> AsyncIterator[RunningAlipay]:
    async with running_alipay() as one:
        yield one


@pytest_asyncio.fixture(params=["key", "certificate"])
async def either_alipay(request: pytest.FixtureRequest) -> AsyncIterator[RunningAlipay]:
    async with running_alipay(request.param) as one:
        yield one


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
