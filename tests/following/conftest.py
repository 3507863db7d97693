"""Who follows."""

import pytest

from tests.conftest import Api
from tests.people import Person


@pytest.fixture
async def daughter(api: Api) -> Person:
    return await api.citizen()
