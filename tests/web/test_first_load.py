"""What the first look at the citizen's page costs: bytes over the wire, and nothing that jumps."""

from playwright.async_api import Browser, expect

from tests.conftest import City
from tests.web.browsing import PHONE

MOST_BYTES = 120_000
MOST_SHIFT = 0.05
SHIFTS = """
window.shift = 0;
new PerformanceObserver(list => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) window.shift += one.value;
}).observe({type: 'layout-shift', buffered: true});
"""


async def test_the_first_load_is_light_and_stands_still(city: City, browser: Browser) -> None:
    context = await browser.new_context(viewport=PHONE, locale="zh-CN", service_workers="block")
    page = await context.new_page()
    wire = await context.new_cdp_session(page)
    came: dict[str, int] = {}
    asked: list[str] = []
    wire.on(
        "Network.loadingFinished",
        lambda event: came.update({event["requestId"]: event["encodedDataLength"]}),
    )
    page.on("request", lambda request: asked.append(request.url))
    await wire.send("Network.enable")
    await page.add_init_script(SHIFTS)
    await page.goto(city.url, wait_until="networkidle")
    await expect(page.locator(".halls li")).to_have_count(34)

    assert 10_000 < sum(came.values()) <= MOST_BYTES, came
    # The document, its style, its modules and the halls: each more is a wait for a phone far away.
    needed = [url for url in asked if not url.endswith((".svg", "/about.json", "/rest.js"))]
    assert len(needed) == 4, needed
    # The browser has begun to fetch the halls before any module ran, and does not ask twice.
    assert sum("/api/v1/halls" in url for url in asked) == 1
    assert await page.evaluate("shift") <= MOST_SHIFT
    await context.close()
