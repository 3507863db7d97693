"""Fixtures for tests of money: each channel in turn."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.conftest import Api
from tests.payments.channels import CHANNELS, PlayedChannel
from tests.payments.counter import Counter


@pytest_asyncio.fixture(scope="session", params=CHANNELS)
async def running_channel(request: pytest.FixtureRequest) -> AsyncIterator[PlayedChannel]:
    async with CHANNELS[request.param]() as one:
        yield one


@pytest_asyncio.fixture
async def played(running_channel: PlayedChannel) -> PlayedChannel:
    """Each channel over HTTP to its part of the sandbox, with nothing left of earlier tests."""
    await running_channel.start_afresh()
    return running_channel


@pytest_asyncio.fixture
async def counter(api: Api) -> AsyncIterator[Counter]:
    """A quiet hall, and a till whose clock is the city's."""
    async with httpx.AsyncClient(base_url=api.sandbox_url, trust_env=False, timeout=60) as till:
        at = Counter(api, await api.quiet_hall(), till)
        await at.tell_time()
        await till.put("/_sandbox/refunds", json={"outcome": "success", "takes_s": 0})
        yield at
