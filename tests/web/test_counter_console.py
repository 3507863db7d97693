"""A clerk at her console, by keyboard alone, in a real Chromium against a running city."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.conftest import City
from tests.people import PASSWORD, a_citizen, a_member_of_staff
from tests.web.browsing import a_number_for, no_machine_words

HALL = "dg-21"
DESK = ViewportSize(width=1366, height=900)


@pytest_asyncio.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(
        viewport=DESK, locale="zh-CN", timezone_id="America/New_York"
    )
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await no_machine_words(page)
    assert complaints == []
    await context.close()


async def press(page: Page, key: str, said: str) -> None:
    """One key, and what the page then says of it."""
    await page.keyboard.press(key)
    await expect(page.locator(".console > [role=status]")).to_contain_text(said)


async def test_a_day_of_ten_visitors_by_keyboard_alone(
    city: City, http: httpx.AsyncClient, page: Page
) -> None:
    manager = await a_member_of_staff(http, f"manager.{HALL}")
    item = await a_number_for(http, HALL, "01")
    name = (await http.get(f"/api/v1/items/{item}")).json()["name"]
    for _ in range(8):
        assert (await manager.post(f"/halls/{HALL}/tickets", {"item": item})).status_code == 201
    lin = await a_citizen(http, city.sandbox_url)
    claimed = (await lin.take(HALL, item, priority_claim="pregnant")).json()

    await page.goto(f"{city.url}/counter")
    await expect(page.get_by_label("用户名")).to_be_focused()
    await page.keyboard.type(f"clerk.{HALL}.01")
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator(".tiles.counters a").first).to_be_focused()
    kept = await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
    assert "eyJ" not in kept + page.url  # no token
    await page.goto(f"{city.url}/counter#/{HALL}/01")
    await expect(page.locator("h1")).to_contain_text("窗口")
    await expect(page.locator(".nobody")).to_contain_text("按 O 开窗")
    await press(page, "o", "窗口已开")

    # Her claim is looked at, and does not stand.
    await expect(page.locator(".claims")).to_contain_text("孕妇")
    await page.keyboard.press("c")
    await expect(page.get_by_role("dialog")).to_contain_text(claimed["number"])
    await page.keyboard.press("2")
    await expect(page.locator(".claims")).to_be_hidden()

    number = page.locator(".visitor .number")
    seen: list[str] = []
    for nth in range(10):
        await press(page, "n", "请到本窗口")
        await expect(number).to_have_text(re.compile(r"^[A-Z]\d{3}$"))
        seen.append(await number.inner_text())
        if nth == 1:
            await press(page, "r", "已重呼")
            await press(page, "m", "已过号")
            await expect(page.locator(".visitor .nobody")).to_be_visible()
            await press(page, "z", "已撤销上一步")
            await expect(number).to_have_text(seen[-1])
        await press(page, "s", "开始办理")
        await expect(page.locator(".visitor .is")).to_contain_text("正在办理")
        if nth == 2:
            await press(page, "p", "已挂起")
            await expect(page.locator(".parked")).to_contain_text(seen[-1])
            await press(page, "b", "继续办理")
            await expect(number).to_have_text(seen[-1])
        if nth == 9:
            # She has something else to do here: a number for it, found by its name.
            await page.keyboard.press("d")
            await page.keyboard.type(name)
            await expect(page.locator("dialog .option")).not_to_have_count(0)
            await press(page, "Enter", "已办结，已排下一项")
        else:
            await press(page, "f", "已办结")
        await expect(page.locator(".visitor .nobody")).to_be_visible()
    assert len(set(seen)) == 10
    assert claimed["number"] == seen[-1]

    # What a colleague does is seen at once, without asking.
    colleague = await a_member_of_staff(http, f"clerk.{HALL}.02")
    assert (await colleague.at(HALL, "02", "open", {})).status_code == 200
    beside = page.locator('.others [data-key="02"]')
    await expect(beside).to_have_attribute("data-state", "open", timeout=3000)
    await page.keyboard.press("k")
    await page.keyboard.press("1")
    await expect(page.get_by_role("dialog")).to_contain_text("多久")
    await page.keyboard.press("3")
    await expect(page.locator(".head .state")).to_contain_text("暂停：午休，至")
    await press(page, "o", "窗口已开")
    await page.keyboard.press("x")
    await page.keyboard.press("Enter")
    await expect(page.locator(".head .state")).to_have_text("未开窗")


async def test_a_lost_network_is_said_and_nothing_is_done_twice(
    city: City, http: httpx.AsyncClient, page: Page
) -> None:
    await page.goto(f"{city.url}/counter#/{HALL}/03")
    await page.get_by_label("用户名").fill(f"clerk.{HALL}.03")
    await page.get_by_label("密码").fill("wrong")
    await page.get_by_role("button", name="登录").click()
    await expect(page.get_by_role("alert")).not_to_be_empty()
    await page.get_by_label("密码").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator(".nobody")).to_contain_text("按 O 开窗")
    # For one of its lines alone.
    await page.keyboard.press("l")
    await expect(page.get_by_role("dialog")).to_contain_text("哪些队列")
    await page.keyboard.press("1")
    await press(page, "Enter", "窗口已开")
    manager = await a_member_of_staff(http, f"manager.{HALL}")
    counters = (await manager.get(f"/halls/{HALL}/counters")).json()["data"]
    assert len(next(one["serving"] for one in counters if one["code"] == "03")) == 1
    await page.context.set_offline(True)
    await expect(page.locator("#link")).to_be_visible()
    await page.keyboard.press("k")
    await page.keyboard.press("2")
    await page.keyboard.press("1")
    await expect(page.locator(".toast.bad")).to_contain_text("连不上服务器")
    await expect(page.locator(".head .state")).to_have_text("开放")
    await page.context.set_offline(False)
    await expect(page.locator("#link")).to_be_hidden(timeout=20_000)
    await page.get_by_role("button", name="English").click()
    await expect(page.locator("h1")).to_have_text("Counter 03")
    # Keys can be switched off (WCAG 2.1.4).
    await page.get_by_role("button", name="Keys", exact=True).click()
    await page.keyboard.press("x")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.reload()
    await expect(page.locator("h1")).to_have_text("Counter 03")
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    await expect(page.locator("h1")).to_have_text("Staff sign-in")
