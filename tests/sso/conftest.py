"""The provider at the address where the API of the tests really is, and people who use it."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from server.sso.keys import SigningKeys
from server.sso.provider import Provider
from tests.conftest import Api
from tests.people import Person, a_member_of_staff
from tests.sso.departments import Browser, Department, register, signed_in_browser


@pytest_asyncio.fixture(autouse=True)
async def provider(api: Api) -> AsyncIterator[Provider]:
    """The issuer is known only once the port is."""
    usual = api.services.provider
    ours = Provider(api.url, SigningKeys.read(api.settings.sso_keys))
    api.services.provider = ours
    yield ours
    api.services.provider = usual


@pytest.fixture
async def admin(api: Api) -> Person:
    return await a_member_of_staff(api.http, "admin")


@pytest.fixture
async def department(api: Api, admin: Person) -> Department:
    return await register(api, admin)


@pytest.fixture
async def lin(api: Api) -> Person:
    return await api.citizen()


@pytest.fixture
async def fresh(api: Api) -> AsyncIterator[Browser]:
    """A browser that nobody has signed in at."""
    async with httpx.AsyncClient(base_url=api.url, trust_env=False, timeout=20) as http:
        yield Browser(http)


@pytest.fixture
async def browser(fresh: Browser, lin: Person) -> Browser:
    """Lin's browser."""
    await signed_in_browser(fresh, lin)
    return fresh
