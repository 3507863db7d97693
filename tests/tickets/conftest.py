"""Machines at the hall."""

import pytest

from tests.conftest import Api
from tests.kiosks.machines import a_kiosk
from tests.people import Person


@pytest.fixture
async def kiosk(api: Api, hall: str) -> Person:
    return await a_kiosk(api, hall)
