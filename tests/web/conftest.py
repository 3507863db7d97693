"""A real Chromium, and a running city to show in it."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright

from tests.conftest import City
from tests.web.browsing import FLAGS, WALL, Watched


@pytest_asyncio.fixture(scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    # Far from the city and its time: nothing on a page may depend on where its reader is.
    context = await browser.new_context(viewport=WALL, timezone_id="America/New_York")
    yield context
    await context.close()


@pytest_asyncio.fixture
async def watched(context: BrowserContext, city: City) -> Watched:
    page = await context.new_page()
    found = Watched(page, [], [])

    def look_at(request: Request) -> None:
        if not request.url.startswith((city.url + "/", "data:", "blob:")):
            found.strayed.append(request.url)

    page.on("request", look_at)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            found.complaints.append(message.text) if message.type in {"error", "warning"} else None
        ),
    )
    return found


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


# --- people in the city --------------------------------------------------------------------


@pytest_asyncio.fixture
async def http(city: City) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=city.url, timeout=20, trust_env=False) as client:
        yield client
