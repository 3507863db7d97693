"""A citizen's way through her pages, into every state they can be in."""

import re
from typing import TYPE_CHECKING, Any, Final

import httpx

from server.demo.walking import Walk

if TYPE_CHECKING:  # only who develops has it
    from playwright.async_api import Page, Route

# What nobody comes to within a minute is played: the answer, of the API's own shape.
_WAITS: Final = {
    "hall": "dg-08",
    "item": "assistive-device-subsidy",
    "starts_from": "2026-11-24T09:00:00+08:00",
    "until": "2026-11-24T17:00:00+08:00",
}
_PLACE: Final = {
    "offer": "00000000-0000-7000-8000-000000000001",
    "offer_start": "2026-11-24T10:30:00+08:00",
    "offer_until": "2026-11-23T18:00:00+08:00",
}
WAITLIST: Final = [
    {"id": "1", "state": "waiting", "ahead": 3, "offer": None, **_WAITS},
    {"id": "2", "state": "offered", "ahead": 0, **_PLACE, **_WAITS},
]
BLOCKED: Final = {
    "blocked_until": "2026-12-08T09:00:00+08:00",
    "appealed_at": None,
    "granted": None,
}
_STEP: Final = {
    "by_department": "不动产登记中心",
    "by_department_en": "Real Estate Registration Centre",
    "note": None,
    "due_at": None,
    "overdue": False,
}
CASE: Final = {
    "id": "0194a7b2-0000-7000-8000-000000000001",
    "no": "C2026112300000042",
    "item": "account-real-name",
    "item_name": "不动产转移登记",
    "item_name_en": "Transfer of real estate",
    "hall": None,
    "state": "waiting_for_materials",
    "is_mine": True,
    "for_whom": None,
    "opened_at": "2026-11-16T09:00:00+08:00",
    "ended_at": None,
    "due_at": "2026-11-20T18:00:00+08:00",
    "overdue": True,
    "steps": [
        _STEP | {"name": "受理", "state": "accepted", "at": "2026-11-16T09:00:00+08:00"},
        _STEP
        | {
            "name": "补正材料",
            "state": "waiting_for_materials",
            "at": "2026-11-18T15:30:00+08:00",
            "note": "请补交买卖合同原件。",
            "due_at": "2026-11-20T18:00:00+08:00",
            "overdue": True,
        },
    ],
}
REFUSED: Final = {
    "code": "unavailable",
    "title": "暂时无法服务",
    "detail": "系统正忙，请稍后再试。 The system is busy; please try again soon.",
}


async def citizen(walk: Walk) -> None:
    """Look round, sign in, book, take a number, and lose the network."""
    await _round(walk)
    await walk.to("/#/sign-in?then=%2Fvisits", ".card .button", "citizen-sign-in")
    await _sign_in(walk)
    await _what_is_hers(walk)
    await _book(walk)
    await _in_line(walk)
    await walk.page.context.set_offline(True)
    await walk.page.evaluate("location.hash = '#/bills'")
    await walk.shows(".nothing[role=alert]", "citizen-offline")


async def _round(walk: Walk) -> None:
    """What everybody may look at."""
    page = walk.page
    await walk.to("/#/", ".halls li", "citizen-halls")
    await page.locator(".seekers .button").first.click()
    await walk.shows(".halls .parts:not(:empty)", "citizen-halls-from-here")
    await page.locator(".segments input[value=map]").check(force=True)
    await walk.shows(".map svg", "citizen-map")
    await walk.to("/#/items", ".links, ul", "citizen-items")
    await page.locator("input[type=search]").fill("nothing of the kind")
    await walk.shows(".nothing", "citizen-items-none")
    await walk.to("/#/items/account-real-name", ".checks, .card", "citizen-item")
    await walk.to(f"/#/halls/{walk.city.hall}", ".lines li", "citizen-hall")
    await walk.to("/#/nowhere", "h1", "citizen-no-page")
    item = "**/api/v1/items/account-real-name"
    await page.route(item, _never)
    await walk.to("/#/items/account-real-name?again", ".loading", "citizen-loading")
    await page.unroute_all(behavior="ignoreErrors")
    await _played(page, item, REFUSED, status=503)
    await walk.to("/#/items/account-real-name", ".nothing[role=alert]", "citizen-refused")
    await page.unroute(item)


async def _what_is_hers(walk: Walk) -> None:
    page = walk.page
    await walk.shows("h1", "citizen-visits")
    for name in ("me", "bills", "cases", "inbox", "preferences", "consents", "family"):
        await walk.to(f"/#/{name}", "h1:not(.sr)", f"citizen-{name}")
    await page.locator("summary").first.click()
    await walk.settles("citizen-family-adding")
    await _played(page, "**/api/v1/cases?*", {"data": [CASE], "next_cursor": None})
    await _played(page, f"**/api/v1/cases/{CASE['no']}", CASE)
    await walk.to("/#/cases?again", ".links a", "citizen-cases-under-way")
    await walk.to(f"/#/cases/{CASE['no']}", ".steps li", "citizen-case")
    await _played(page, "**/api/v1/waitlist?*", {"data": WAITLIST, "next_cursor": None})
    await _played(page, "**/api/v1/me/booking-standing", BLOCKED)
    await walk.to("/#/visits", "#why", "citizen-visits-waiting-and-blocked")
    await page.unroute_all()


async def _book(walk: Walk) -> None:
    page = walk.page
    await walk.to("/#/book/dg-08/assistive-device-subsidy", ".slots .slot", "citizen-book")
    while not await page.locator(".slots .slot:not(:disabled)").count():
        day = page.locator(".card .segments label:has(:checked) + label")
        await day.click()
    await page.locator(".slots .slot:not(:disabled)").last.click()
    await walk.shows("dialog.sheet", "citizen-book-sure")
    await page.locator("dialog .button").first.click()
    # She has one already, of an earlier walk.
    await walk.shows(".code, .toast.bad", "citizen-booked")
    if not await page.locator(".code").count():
        await walk.to("/#/visits", ".links a", None)
        await page.locator('.links a[href^="#/appointments/"]').first.click()
        await walk.shows(".code, .note")
    await page.locator(".button.danger").click()
    await page.locator("dialog .button.danger").click()
    await walk.shows("main .note", "citizen-appointment-cancelled")


async def _in_line(walk: Walk) -> None:
    page = walk.page
    await walk.to(f"/#/halls/{walk.city.hall}?item=account-real-name", ".button", "citizen-taking")
    await page.locator("main .choices .button:not(.plain)").first.click()
    await page.wait_for_url(re.compile("#/(tickets/|visits)"))
    if page.url.endswith("visits"):  # she has one already, of an earlier walk
        await page.locator('.links a[href^="#/tickets/"]').first.click()
    await walk.shows(".ticket .number", "citizen-ticket")
    await page.locator(".choices .button").first.click()
    await walk.settles("citizen-ticket-more")
    for state in ("called", "finished", "missed"):
        await _shown_as(page, state)
        await walk.shows(f'.ticket[data-state="{state}"]', f"citizen-ticket-{state}")
        if state == "finished":
            await page.locator(".rate label").nth(1).click()
            await walk.settles("citizen-rating")
    await page.unroute_all()


async def _shown_as(page: "Page", state: str) -> None:
    """Her ticket as it stands, but in another state, and newer than what the socket tells."""

    async def other(route: "Route") -> None:
        answer = await route.fetch()
        ticket = await answer.json()
        counter = "03" if state == "called" else None
        later = {"state": state, "counter": counter, "ahead": None, "version": 2**52}
        await route.fulfill(response=answer, json={**ticket, **later})

    await page.unroute_all()
    await page.route(re.compile(r"/api/v1/tickets/[\w-]+$"), other)
    await page.reload()


async def _played(page: "Page", path: str, said: Any, status: int = 200) -> None:
    async def answer(route: "Route") -> None:
        await route.fulfill(status=status, json=said)

    await page.route(path, answer)


async def _never(_: "Route") -> None:
    """An answer that does not come."""


async def _sign_in(walk: Walk) -> None:
    """At the province, as the sandbox plays it."""
    page, city = walk.page, walk.city
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        about = (await http.get(f"{city.url}/about.json")).json()
        sandbox = about["sandbox_url"]
        who = {"name": "看图人", "id_number": city.persona, "phone": "13900139001"}
        (await http.post(f"{sandbox}/_sandbox/personas", json=who)).raise_for_status()
    await page.locator(".card .button").first.click()
    await page.wait_for_url(re.compile(f"^{re.escape(sandbox)}/"))
    await page.goto(f"{page.url}&persona={city.persona}")
    await page.wait_for_url(re.compile(f"^{re.escape(city.url)}/#"))
