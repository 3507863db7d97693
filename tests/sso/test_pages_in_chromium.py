"""The pages as a citizen sees them in a real Chromium: at a desk with her phone, and on a phone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, ViewportSize, async_playwright, expect

from tests.conftest import Api
from tests.people import Person
from tests.sso.departments import REDIRECT, Department

FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PHONE = ViewportSize(width=390, height=844)


@dataclass
class Seen:
    """A page, what it complained of, and where the department's system was called."""

    page: Page
    complaints: list[str]
    called_back: list[str]


@pytest_asyncio.fixture(scope="module")
async def chrome(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        await browser.close()


@pytest.fixture
async def seen(chrome: Browser) -> AsyncIterator[Seen]:
    context = await chrome.new_context(viewport=PHONE)
    found = Seen(await context.new_page(), [], [])

    async def answer(route: Route) -> None:
        found.called_back.append(route.request.url)
        await route.fulfill(body="<h1>department</h1>", content_type="text/html")

    await context.route(f"{REDIRECT}*", answer)
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on(
        "console",
        lambda message: (
            found.complaints.append(message.text) if message.type in {"error", "warning"} else None
        ),
    )
    yield found
    await context.close()


async def test_a_browser_waits_for_the_phone_then_asks_then_goes_back_to_the_department(
    api: Api, seen: Seen, department: Department, lin: Person
) -> None:
    page = seen.page
    await page.goto(api.url + department.asks())
    await expect(page.locator("h1")).to_contain_text("登录")
    await expect(page.locator(".qr svg")).to_be_visible()
    await expect(page.locator(".client strong")).to_have_text("社会保险经办系统")
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    code = await page.locator(".code").inner_text()
    assert (await lin.post(f"/me/browsers/{code}")).status_code == 204

    await expect(page.locator("h1")).to_contain_text("授权登录", timeout=6000)
    await expect(page.locator(".learns li")).to_have_count(3)
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await page.get_by_role("button", name="同意并继续").click()

    await expect(page.locator("h1")).to_have_text("department")
    assert len(seen.called_back) == 1
    assert "code=" in seen.called_back[0]
    assert seen.complaints == []


async def test_a_mini_programs_web_view_is_signed_in_at_once_and_may_refuse(
    api: Api, seen: Seen, department: Department, lin: Person
) -> None:
    page = seen.page
    handed = (await lin.post("/me/handover", {})).json()
    await page.goto(handed["url"])
    await expect(page.locator("h1")).to_contain_text("已登录")
    assert "handover" not in page.url
    await page.goto(api.url + department.asks())
    await page.get_by_role("button", name="拒绝").click()
    await expect(page.locator("h1")).to_have_text("department")
    assert "error=access_denied" in seen.called_back[0]
    assert seen.complaints == []


async def test_another_account_can_be_chosen_on_the_consent_page(
    api: Api, seen: Seen, department: Department, lin: Person
) -> None:
    page = seen.page
    handed = (await lin.post("/me/handover", {})).json()
    await page.goto(handed["url"])
    await page.goto(api.url + department.asks())
    await page.get_by_role("button", name="换一个账号").click()
    await expect(page.locator(".qr svg")).to_be_visible()
    await page.get_by_role("button", name="不登录").click()
    await expect(page.locator("h1")).to_have_text("department")
    assert "error=access_denied" in seen.called_back[0]
