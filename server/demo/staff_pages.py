"""What clerks and managers see, in every state."""

from typing import TYPE_CHECKING

from server.demo.walking import PASSWORD, Walk

if TYPE_CHECKING:  # only who develops has it
    from playwright.async_api import Page


async def _sign_in(page: "Page", name: str) -> None:
    await page.locator("[name=username]").fill(name)
    await page.locator("[name=password]").fill(PASSWORD)
    await page.keyboard.press("Enter")


async def clerk(walk: Walk) -> None:
    """Sign in, open a counter, serve somebody, pause, lose the network, close."""
    page, city = walk.page, walk.city
    await walk.to("/counter", "form", "counter-sign-in")
    await page.locator("[name=username]").fill("nobody")
    await page.locator("[name=password]").fill("nothing at all")
    await page.keyboard.press("Enter")
    await walk.shows("form .bad:not(:empty)", "counter-sign-in-refused")
    await _sign_in(page, f"clerk.{city.hall}.{city.counter}")
    await walk.shows(".counters a", "counter-choose")
    await walk.to(f"/counter#/{city.hall}/{city.counter}", ".actions button")
    await _becomes(walk, "x", "closed")
    await walk.settles("counter-closed")
    await _becomes(walk, "o", "open")
    await walk.settles("counter-open")
    await page.locator('[data-does="call"]').click()
    await walk.shows('.visitor[data-state="called"], .toast.bad', "counter-called")
    if await page.locator('.visitor[data-state="called"]').count():
        await page.locator('[data-does="start"]').click()
        await walk.shows('.visitor[data-state="serving"]', "counter-serving")
        await page.locator('[data-does="send"]').click()
        await walk.shows("dialog .option", "counter-send-on")
        await page.keyboard.press("Escape")
        await page.locator('[data-does="finish"]').click()
        await walk.shows(".nobody")
    await page.locator('[data-does="pause"]').click()
    await walk.shows("dialog .option", "counter-why-pause")
    await page.keyboard.press("1")
    await walk.shows("dialog .option:nth-child(7)", "counter-how-long")
    await page.keyboard.press("3")
    await walk.shows('.head .state[data-state="paused"]', "counter-paused")
    await page.context.set_offline(True)
    await walk.shows("#link:not([hidden])", "counter-offline")
    await page.context.set_offline(False)
    await _becomes(walk, "x", "closed")


async def _becomes(walk: Walk, key: str, state: str) -> None:
    """Press a key that opens or closes the counter, where it is not so already."""
    page = walk.page
    there = page.locator(".head .state")
    await there.wait_for()
    # Whoever is still there is finished, or did not come.
    for being, does in (("called", "m"), ("serving", "f")):
        if await page.locator(f'.visitor[data-state="{being}"]').count():
            await page.keyboard.press(does)
            await walk.shows(".nobody")
    done = f'.head .state[data-state="{state}"]'
    if not await page.locator(done).count():
        await page.keyboard.press(key)
        await walk.shows(f"dialog, {done}")
        if await page.locator("dialog").count():
            await page.keyboard.press("Enter")
    await walk.shows(done)


async def manager(walk: Walk) -> None:
    """Sign in, and look at everything of a hall."""
    page, city = walk.page, walk.city
    await walk.to(f"/manager#/{city.hall}", "form", "manager-sign-in")
    await _sign_in(page, f"manager.{city.hall}")
    await walk.shows(".accuracy .body > *:not(.loading)")
    await walk.shows(".week .body > *:not(.loading)")
    await walk.settles("manager-hall")
    await walk.to(f"/manager#/{city.hall}/nowhere", "h1", "manager-no-page")
