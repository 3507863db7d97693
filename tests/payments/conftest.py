"""Fixtures for tests of money: each channel in turn."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.payments.channels import CHANNELS, PlayedChannel


@pytest_asyncio.fixture(scope="session", params=CHANNELS)
async def running_channel(request: pytest.FixtureRequest) -> AsyncIterator[PlayedChannel]:
    async with CHANNELS[request.param]() as one:
        yield one


@pytest_asyncio.fixture
async def played(running_channel: PlayedChannel) -> PlayedChannel:
    """Each channel over HTTP to its part of the sandbox, with nothing left of earlier tests."""
    await running_channel.start_afresh()
    return running_channel
