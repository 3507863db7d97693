"""A hall where everybody waits for an hour, for those who are on their way."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import Api
from tests.departures.on_their_way import AN_HOUR, Waiting
from tests.waits.foretelling import everybody_waits, foretold


@pytest.fixture
async def waiting(api: Api) -> AsyncIterator[Waiting]:
    hall = await api.quiet_hall()
    with foretold(api, hall, everybody_waits(api, *AN_HOUR)) as said:
        yield Waiting(api, hall, said)
