"""axe-core finds nothing on any page in any state: in Chinese on a phone, in large English."""

from pathlib import Path

import axe_playwright_python
import httpx
import pytest
from playwright.async_api import Browser, Page

from server.demo.pages import City as PagesCity
from server.demo.pages import Manner, walk
from tests.conftest import City
from tests.people import an_id_number
from tests.web.browsing import a_number_for, no_machine_words

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
# What a rule is about and where; the page itself is too long to be told.
FOUND = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations.flatMap(
    rule => rule.nodes.slice(0, 3).map(
        node => `${rule.id}: ${node.target} ${node.html.slice(0, 90)}`))"""


@pytest.mark.parametrize(
    ("hall", "manner"),
    [
        ("dg-25", Manner()),
        ("dg-26", Manner(language="en", large=True, width=1280, height=900)),
    ],
    ids=["Chinese on a phone", "English in large type"],
)
async def test_axe_finds_nothing_on_any_page_in_any_state(
    city: City, http: httpx.AsyncClient, browser: Browser, hall: str, manner: Manner
) -> None:
    faults: dict[str, list[str]] = {}
    await a_number_for(http, hall, "01")

    async def look(name: str, page: Page) -> None:
        if not await page.evaluate("'axe' in window"):
            await page.evaluate(AXE)
        if found := await page.evaluate(FOUND):
            faults[name] = found
        await no_machine_words(page)

    await walk(browser, PagesCity(city.url, hall, persona=an_id_number()), manner, look)
    assert faults == {}
