"""The pages in a real Chromium, against a running city."""

import asyncio

import httpx
import pytest
from playwright.async_api import Browser, Geolocation, Page, expect

from tests.conftest import City
from tests.web.browsing import PHONE, Watched


async def test_a_hall_that_does_not_exist_gets_a_page_that_says_so(city: City, page: Page) -> None:
    answer = await page.goto(f"{city.url}/board/nowhere")

    assert answer is not None
    assert answer.status == 404
    await expect(page.locator("h1")).to_contain_text("没有这个大厅")


# --- the index and the documents -----------------------------------------------------------


async def test_the_index_lists_every_hall_with_a_link_to_its_board(city: City, page: Page) -> None:
    await page.goto(f"{city.url}/about")

    halls = page.locator("#halls a")
    await expect(halls).to_have_count(34)
    await expect(page.locator("#total")).to_have_text("34")
    await expect(halls.first).to_have_attribute("href", "/board/dg-00")
    await expect(page.locator("#sandbox-link")).to_have_attribute("href", city.sandbox_url)
    await page.get_by_role("searchbox").fill("长安")
    await expect(halls).to_have_count(1)


async def test_with_a_position_the_nearest_hall_comes_first(
    city: City, browser: Browser, http: httpx.AsyncClient
) -> None:
    hall = (await http.get("/api/v1/halls", params={"limit": 100})).json()["data"][9]
    here = Geolocation(latitude=hall["place"]["lat"], longitude=hall["place"]["lng"])
    assert hall["place"]["datum"] == "wgs84"
    async with await browser.new_context(
        viewport=PHONE, geolocation=here, permissions=["geolocation"]
    ) as context:
        page = await context.new_page()
        await page.goto(f"{city.url}/about")
        await expect(page.locator("#halls li")).to_have_count(34)

        await page.get_by_role("button", name="按距离排序").click()

        first = page.locator("#halls a").first
        await expect(first).to_have_attribute("href", f"/board/{hall['code']}")
        await expect(first.locator(".where")).to_contain_text("米")


OPERATIONS_SHOWN = """shown => shown.map(one => [
    one.querySelector(".opblock-summary-method").textContent.toLowerCase(),
    one.querySelector("[data-path]").dataset.path,
].join(" "))"""


async def test_the_documentation_shows_the_operations(city: City, page: Page) -> None:
    await page.goto(f"{city.url}/docs")
    operations = page.locator(".opblock-summary")
    await expect(operations.first).to_be_visible(timeout=60_000)
    document = (await page.request.get(f"{city.url}/docs/openapi.json")).json
    paths = (await document())["paths"]
    declared = {f"{method} {path}" for path, methods in paths.items() for method in methods}
    # Of so many only those are made that are on the screen, so somebody reads down, and again.
    shown: set[str] = set()
    async with asyncio.timeout(60):
        while shown != declared:
            shown.update(await operations.evaluate_all(OPERATIONS_SHOWN))
            assert shown <= declared
            await page.mouse.wheel(0, 400)
            if await page.evaluate("scrollY + innerHeight >= document.body.scrollHeight"):
                await page.evaluate("scrollTo(0, 0)")
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("path", ["/", "/about", "/board/dg-00", "/docs", "/docs/problems"])
async def test_a_page_complains_of_nothing_and_asks_nobody_outside(
    city: City, watched: Watched, path: str
) -> None:
    await watched.page.goto(f"{city.url}{path}", wait_until="load")
    await asyncio.sleep(1.5)

    assert watched.complaints == []
    assert watched.strayed == []


@pytest.mark.parametrize(
    "path", ["/", "/about", "/board/dg-00", "/docs/problems", "/board/nowhere"]
)
async def test_a_page_fits_a_phone_without_scrolling_sideways(
    city: City, page: Page, path: str
) -> None:
    await page.set_viewport_size(PHONE)
    await page.goto(f"{city.url}{path}")
    await asyncio.sleep(0.5)

    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
