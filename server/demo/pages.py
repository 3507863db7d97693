"""Every page in every state it can be in, one after the other, in a browser that is at hand.

Pictures and checks go the same way: what this does not reach, nobody looks at.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:  # only who develops has it
    from playwright.async_api import Browser, Page

PASSWORD: Final = "yiting-demo"  # noqa: S105 the demo's, printed at its start
CENTRE: Final = (23.0207, 113.7518)
SETTLED_MS: Final = 400

Look = Callable[[str, "Page"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class City:
    """A running demo city: its address, a hall with open counters, and who comes there."""

    url: str
    hall: str = "dg-01"
    counter: str = "01"
    persona: str = "441900199003071233"


@dataclass(frozen=True, slots=True)
class Manner:
    """How the pages are looked at."""

    language: str = "zh"
    large: bool = False
    width: int = 360
    height: int = 780


async def walk(browser: "Browser", city: City, manner: Manner, look: Look) -> None:
    """Bring every page into every state, and look at each."""
    for part in (_without_anybody, _citizen, _clerk, _manager):
        async with _page(browser, manner) as page:
            await part(page, city, look)


@asynccontextmanager
async def _page(browser: "Browser", manner: Manner) -> "AsyncIterator[Page]":
    context = await browser.new_context(
        viewport={"width": manner.width, "height": manner.height},
        locale="en-GB" if manner.language == "en" else "zh-CN",
        geolocation={"latitude": CENTRE[0], "longitude": CENTRE[1]},
        permissions=["geolocation"],
        reduced_motion="reduce",
    )
    if manner.large:
        await context.add_init_script("localStorage.setItem('yiting-type', 'large')")
    page = await context.new_page()
    try:
        yield page
    finally:
        await context.close()


async def _at(page: "Page", url: str, wanted: str) -> None:
    """Go there, and wait until what is wanted is to be seen."""
    await page.goto(url)
    await _shows(page, wanted)


async def _shows(page: "Page", wanted: str) -> None:
    await page.locator(wanted).first.wait_for()
    await page.wait_for_timeout(SETTLED_MS)


async def _without_anybody(page: "Page", city: City, look: Look) -> None:
    await _at(page, f"{city.url}/about", "#halls a")
    await look("about", page)
    await _at(page, f"{city.url}/nowhere", "h1")
    await look("no-page", page)
    await _at(page, f"{city.url}/board/nowhere", "h1")
    await look("no-hall", page)
    await _at(page, f"{city.url}/t", "body")
    await look("followed-ticket-none", page)
    for query, name in (
        ("", "board"),
        ("?language=en&type=large", "board-english-large"),
        ("?lines=A", "board-one-line"),
    ):
        await _at(page, f"{city.url}/board/{city.hall}{query}", '[data-link="live"] #lines li')
        await look(name, page)
    await page.context.set_offline(True)
    await _shows(page, "#alarm:not([hidden])")
    await look("board-connection-lost", page)


async def _citizen(page: "Page", city: City, look: Look) -> None:
    url = f"{city.url}/#"
    await _at(page, f"{url}/", ".halls li")
    await look("citizen-halls", page)
    await page.locator(".segments input[value=map]").check(force=True)
    await _shows(page, ".map svg")
    await look("citizen-map", page)
    await _at(page, f"{url}/items", ".links, ul")
    await look("citizen-items", page)
    await _at(page, f"{url}/items/account-real-name", ".checks, .card")
    await look("citizen-item", page)
    await _at(page, f"{url}/halls/{city.hall}", ".lines li")
    await look("citizen-hall", page)
    await _at(page, f"{url}/nowhere", "h1")
    await look("citizen-no-page", page)
    await _at(page, f"{url}/sign-in?then=%2Fvisits", ".card .button")
    await look("citizen-sign-in", page)
    await _sign_citizen_in(page, city)
    await _shows(page, "h1")
    await look("citizen-visits", page)
    for name in ("me", "bills", "inbox", "preferences", "family"):
        await _at(page, f"{url}/{name}", "h1:not(.sr)")
        await look(f"citizen-{name}", page)
    await _at(page, f"{url}/book/dg-08/assistive-device-subsidy", "h1, .nothing")
    await look("citizen-book", page)
    await _at(page, f"{url}/halls/{city.hall}?item=account-real-name", ".button")
    await page.locator("main .button:not(.plain)").first.click()
    await page.wait_for_url(re.compile("#/(tickets/|visits)"))
    if page.url.endswith("visits"):  # she has one already, of an earlier walk
        await page.locator('.links a[href^="#/tickets/"]').first.click()
    await _shows(page, ".ticket .number")
    await look("citizen-ticket", page)
    await page.locator(".choices .button").first.click()
    await page.wait_for_timeout(SETTLED_MS)
    await look("citizen-ticket-more", page)
    await page.context.set_offline(True)
    await page.evaluate("location.hash = '#/bills'")
    await _shows(page, ".nothing[role=alert]")
    await look("citizen-offline", page)


async def _sign_citizen_in(page: "Page", city: City) -> None:
    """At the province, as the sandbox plays it."""
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        about = (await http.get(f"{city.url}/about.json")).json()
        sandbox = about["sandbox_url"]
        who = {"name": "看图人", "id_number": city.persona, "phone": "13900139001"}
        (await http.post(f"{sandbox}/_sandbox/personas", json=who)).raise_for_status()
    await page.locator(".card .button").first.click()
    await page.wait_for_url(re.compile(f"^{re.escape(sandbox)}/"))
    await page.goto(f"{page.url}&persona={city.persona}")
    await page.wait_for_url(re.compile(f"^{re.escape(city.url)}/#"))


async def _sign_staff_in(page: "Page", name: str) -> None:
    await page.locator("[name=username]").fill(name)
    await page.locator("[name=password]").fill(PASSWORD)
    await page.keyboard.press("Enter")


async def _clerk(page: "Page", city: City, look: Look) -> None:
    await _at(page, f"{city.url}/counter", "form")
    await look("counter-sign-in", page)
    await page.locator("[name=username]").fill("nobody")
    await page.locator("[name=password]").fill("nothing at all")
    await page.keyboard.press("Enter")
    await _shows(page, "form .bad:not(:empty)")
    await look("counter-sign-in-refused", page)
    await _sign_staff_in(page, f"clerk.{city.hall}.{city.counter}")
    await _shows(page, ".counters a")
    await look("counter-choose", page)
    await _at(page, f"{city.url}/counter#/{city.hall}/{city.counter}", ".actions button")
    await _becomes(page, "x", "closed")
    await look("counter-closed", page)
    await _becomes(page, "o", "open")
    await look("counter-open", page)
    await page.locator('[data-does="call"]').click()
    await _shows(page, '.visitor[data-state="called"], .toast.bad')
    await look("counter-called", page)
    if await page.locator('.visitor[data-state="called"]').count():
        await page.locator('[data-does="start"]').click()
        await _shows(page, '.visitor[data-state="serving"]')
        await look("counter-serving", page)
        await page.locator('[data-does="send"]').click()
        await _shows(page, "dialog .option")
        await look("counter-send-on", page)
        await page.keyboard.press("Escape")
        await page.locator('[data-does="finish"]').click()
        await _shows(page, ".nobody")
    await page.locator('[data-does="pause"]').click()
    await _shows(page, "dialog .option")
    await look("counter-why-pause", page)
    await page.keyboard.press("1")
    await page.wait_for_timeout(SETTLED_MS)
    await page.keyboard.press("3")
    await _shows(page, '.head .state[data-state="paused"]')
    await look("counter-paused", page)
    await page.context.set_offline(True)
    await _shows(page, "#link:not([hidden])")
    await look("counter-offline", page)
    await page.context.set_offline(False)
    await _becomes(page, "x", "closed")


async def _becomes(page: "Page", key: str, state: str) -> None:
    """Press a key that opens or closes the counter, where it is not so already."""
    there = page.locator(".head .state")
    await there.wait_for()
    # Whoever is still there is finished, or did not come.
    for being, does in (("called", "m"), ("serving", "f")):
        if await page.locator(f'.visitor[data-state="{being}"]').count():
            await page.keyboard.press(does)
            await _shows(page, ".nobody")
    if await there.get_attribute("data-state") != state:
        await page.keyboard.press(key)
        await page.wait_for_timeout(SETTLED_MS)
        if await page.locator("dialog").count():
            await page.keyboard.press("Enter")
    await _shows(page, f'.head .state[data-state="{state}"]')


async def _manager(page: "Page", city: City, look: Look) -> None:
    await _at(page, f"{city.url}/manager#/{city.hall}", "form")
    await look("manager-sign-in", page)
    await _sign_staff_in(page, f"manager.{city.hall}")
    await _shows(page, ".accuracy .body > *:not(.loading)")
    await _shows(page, ".week .body > *:not(.loading)")
    await page.wait_for_timeout(2 * SETTLED_MS)
    await look("manager-hall", page)
    await _at(page, f"{city.url}/manager#/{city.hall}/nowhere", "h1")
    await look("manager-no-page", page)
