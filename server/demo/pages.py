"""Every page in every state it can be in, one after the other, in a browser that is at hand.

Pictures and checks go the same way: what this does not reach, nobody looks at.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from server.demo.citizen_pages import citizen
from server.demo.staff_pages import clerk, manager
from server.demo.walking import CENTRE, City, Look, Manner, Walk

if TYPE_CHECKING:  # only who develops has it
    from playwright.async_api import Browser, Page


async def walk(browser: "Browser", city: City, manner: Manner, look: Look) -> None:
    """Bring every page into every state, and look at each."""
    for part in (_without_anybody, citizen, clerk, manager):
        async with _page(browser, manner) as page:
            await part(Walk(page, city, manner, look))


@asynccontextmanager
async def _page(browser: "Browser", manner: Manner) -> "AsyncIterator[Page]":
    context = await browser.new_context(
        viewport={"width": manner.width, "height": manner.height},
        locale="en-GB" if manner.language == "en" else "zh-CN",
        geolocation={"latitude": CENTRE[0], "longitude": CENTRE[1]},
        permissions=["geolocation"],
        reduced_motion="reduce",
        # Some answers are played here; a worker would ask for them by itself.
        service_workers="block",
    )
    if manner.large:
        await context.add_init_script("localStorage.setItem('yiting-type', 'large')")
    if manner.prepare is not None:
        await manner.prepare(context)
    page = await context.new_page()
    try:
        yield page
    finally:
        await context.close()


async def _without_anybody(walk: Walk) -> None:
    hall = walk.city.hall
    await walk.to("/about", "#halls a", "about")
    await walk.to("/nowhere", "h1", "no-page")
    await walk.to("/board/nowhere", "h1", "no-hall")
    await walk.to("/t", "body", "followed-ticket-none")
    live = '[data-link="live"] #lines li'
    await walk.to(f"/board/{hall}", live, "board")
    await walk.to(f"/board/{hall}?language=en&type=large", live, "board-english-large")
    await walk.to(f"/board/{hall}?lines=A", live, "board-one-line")
    await walk.page.context.set_offline(True)
    await walk.shows("#alarm:not([hidden])", "board-connection-lost")
