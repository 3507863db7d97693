"""A citizen's whole way through her pages, in a real Chromium against a running city."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Geolocation, Page, expect

from tests.conftest import City
from tests.people import a_member_of_staff
from tests.web.browsing import PHONE, no_machine_words, sign_in

CENTRE = Geolocation(latitude=23.0207, longitude=113.7518)
ITEM = "account-real-name"


@pytest_asyncio.fixture
async def phone(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(
        viewport=PHONE,
        locale="zh-CN",
        timezone_id="America/New_York",
        geolocation=CENTRE,
        permissions=["geolocation"],
    )
    yield context
    await context.close()


@pytest_asyncio.fixture
async def page(phone: BrowserContext, city: City) -> AsyncIterator[Page]:
    page = await phone.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await no_machine_words(page)
    assert complaints == []


async def test_from_the_soonest_hall_to_her_call(
    city: City, http: httpx.AsyncClient, page: Page, phone: BrowserContext
) -> None:
    await page.goto(f"{city.url}/#/items/{ITEM}")
    await page.get_by_role("link", name="去哪里办最快").click()
    await expect(page.locator(".halls li")).to_have_count(34)
    await page.get_by_role("button", name="用我的位置").click()
    await expect(page.locator(".where")).to_contain_text("从您的位置出发")
    await expect(page.locator(".halls .parts").first).to_contain_text("路上约")
    await page.goto(f"{city.url}/#/halls/dg-06?item={ITEM}")

    await page.get_by_role("button", name="现在取号").click()
    await sign_in(page, city, "取号人", "441900198805050014")
    await page.get_by_role("button", name="现在取号").click()

    number = page.locator(".ticket .number")
    await expect(number).to_have_text(re.compile(r"^[A-Z]\d{3}$"))
    await expect(page.locator(".ticket .state")).to_have_text(re.compile("下一位就是您|等候中"))
    assert await page.evaluate("Object.keys(localStorage).join()") != ""
    kept = await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
    assert "eyJ" not in kept  # no token
    line = (await number.inner_text())[0]
    await called_to(http, "dg-06", line)
    await expect(page.locator(".ticket .state")).to_have_text("叫到您了", timeout=5000)
    await expect(page.locator(".ticket .counter")).to_contain_text("号窗口")

    # What was known last is there without a network, and says so.
    await phone.set_offline(True)
    await page.reload()
    await expect(page.locator(".ticket .state")).to_have_text("叫到您了")
    await expect(page.locator("main")).to_contain_text("没有网络")
    await phone.set_offline(False)


async def called_to(http: httpx.AsyncClient, hall: str, line: str) -> None:
    """A counter of the line calls whoever is first."""
    manager = await a_member_of_staff(http, f"manager.{hall}")
    counters = (await manager.get(f"/halls/{hall}/counters")).json()["data"]
    code = next(counter["code"] for counter in counters if line in counter["skills"])
    clerk = await a_member_of_staff(http, f"clerk.{hall}.{code}")
    for what, body in (("open", {"lines": [line]}), ("call-next", None)):
        assert (await clerk.at(hall, code, what, body)).status_code == 200


async def test_she_books_sees_what_to_bring_and_cancels(city: City, page: Page) -> None:
    await page.goto(f"{city.url}/#/sign-in?then=%2Fbook%2Fdg-08%2Fassistive-device-subsidy")
    await sign_in(page, city, "预约人", "441900198805050022")
    free = page.locator(".slots .slot:not(:disabled)")
    await expect(free.first).to_be_visible()
    await page.locator(".card .segments label").nth(1).click()
    await free.first.click()
    await page.get_by_role("button", name="预约", exact=True).click()

    await expect(page.locator(".code")).to_have_text(re.compile(r"^\w{14}$"))
    await expect(page.locator("main")).to_contain_text("居民身份证")
    await page.get_by_role("button", name="取消预约").click()
    await page.locator("dialog").get_by_role("button", name="取消预约").click()
    await expect(page.locator("main")).to_contain_text("这个预约已经结束")


async def test_an_address_that_leads_nowhere_says_so(city: City, page: Page) -> None:
    await page.goto(f"{city.url}/#/nowhere")
    await expect(page.locator("h1")).to_have_text("没有这个页面")


async def test_a_sign_in_that_began_elsewhere_is_not_finished(city: City, page: Page) -> None:
    await page.goto(f"{city.url}/province/back?code=somebody-elses&state=not-from-here")
    await expect(page.locator("h1")).to_contain_text("登录没有完成")
    assert "code=" not in page.url


async def test_it_speaks_english_and_writes_large(city: City, page: Page) -> None:
    await page.goto(city.url)
    await page.get_by_role("button", name="English").click()
    await expect(page.locator("h1")).to_have_text("Where you are served soonest")
    await page.get_by_role("button", name="Large type").click()
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-type", "large")
    await expect(page.locator("h1")).to_have_text("Where you are served soonest")
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
