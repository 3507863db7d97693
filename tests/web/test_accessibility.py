"""axe-core finds nothing on any page in any state; nor do the words of whoever means ill do harm.

In Chinese as a city speaks, and in large English on a phone where every name is an attacker's.
"""

from pathlib import Path

import axe_playwright_python
import httpx
import pytest
from playwright.async_api import Browser, Page

from server.demo.pages import walk
from server.demo.walking import City as PagesCity
from server.demo.walking import Manner
from tests.conftest import City
from tests.people import an_id_number
from tests.web.browsing import a_number_for, no_machine_words
from tests.web.meddling import speak_hostile

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
# What a rule is about and where; the page itself is too long to be told.
FOUND = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations.flatMap(
    rule => rule.nodes.slice(0, 3).map(
        node => `${rule.id}: ${node.target} ${node.html.slice(0, 90)}`))"""
HARMED = "() => 'attacked' in window || document.querySelector('[onerror], main script') !== null"
TOO_WIDE = "() => document.documentElement.scrollWidth - innerWidth"
SOON_MS = 30


@pytest.mark.parametrize(
    ("hall", "manner"),
    [
        ("dg-25", Manner(width=1280, height=900, settled_ms=SOON_MS)),
        (
            "dg-26",
            Manner(language="en", large=True, settled_ms=SOON_MS, prepare=speak_hostile),
        ),
    ],
    ids=["Chinese", "large English and hostile words on a phone"],
)
async def test_axe_finds_nothing_and_no_words_do_harm_on_any_page_in_any_state(
    city: City, http: httpx.AsyncClient, browser: Browser, hall: str, manner: Manner
) -> None:
    faults: dict[str, list[str]] = {}
    await a_number_for(http, hall, "01")

    async def look(name: str, page: Page) -> None:
        if not await page.evaluate("'axe' in window"):
            await page.evaluate(AXE)
        found = await page.evaluate(FOUND)
        if await page.evaluate(HARMED):
            found.append("somebody's words became part of the page")
        # Staff sit at a desk; a citizen holds a phone.
        if name.startswith("citizen") and (over := await page.evaluate(TOO_WIDE)) > 0:
            found.append(f"{over} pixels too wide")
        if found:
            faults[name] = found
        await no_machine_words(page)

    await walk(browser, PagesCity(city.url, hall, persona=an_id_number()), manner, look)
    assert not faults, "\n".join(f"{name}: {found}" for name, found in faults.items())
