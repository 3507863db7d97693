"""The page of a followed ticket, as a daughter sees it on her phone in a real Chromium."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from tests.conftest import Api
from tests.counters.halls import a_ticket, done, open_counters
from tests.following.sharing import a_code
from tests.tickets.ruling import ruled, standing

FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
NO_SOCKETS = """
    window.WebSocket = class {
        static OPEN = 1;
        constructor() { setTimeout(() => this.onclose()); }
        close() {}
    };
"""
PHONE = ViewportSize(width=390, height=844)


@dataclass
class Seen:
    """A page, what it complained of, and every address that it asked for."""

    page: Page
    complaints: list[str]
    asked: list[str]


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
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on(
        "console",
        lambda message: (
            found.complaints.append(message.text) if message.type in {"error", "warning"} else None
        ),
    )
    found.page.on("request", lambda request: found.asked.append(request.url))
    yield found
    await context.close()


async def photographed(page: Page, name: str) -> None:
    """A picture for whoever wants to look, where YITING_PICTURES names a folder."""
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    if folder := os.environ.get("YITING_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png")


async def test_it_shows_the_ticket_and_each_change_and_sends_its_code_in_no_address(
    api: Api, hall: str, seen: Seen
) -> None:
    await a_ticket(api, hall)
    lin, ticket = await a_ticket(api, hall)
    code, page, clerk = await a_code(lin, ticket), seen.page, await api.clerk(hall)
    counter, other, *_ = await open_counters(clerk, hall, "E")
    await page.goto(f"{api.url}/t#{code}")
    await expect(page.locator("#number")).to_have_text(ticket["number"])
    await expect(page.locator("#ahead")).to_contain_text("1 人")
    await expect(page.locator("#hall")).to_have_text(api.services.directory.hall(hall).name)
    await expect(page.locator("#page")).to_have_attribute("data-link", "live")
    await photographed(page, "ticket-waiting")

    await done(clerk, hall, other, "call-next")
    await expect(page.locator("#state")).to_have_text("即将叫号，请留意")
    await done(clerk, hall, counter, "call-next")
    await expect(page.locator("#state")).to_have_text("正在叫号")
    await expect(page.locator("#counter")).to_contain_text("号窗口")
    await expect(page.locator("#ahead-row")).to_be_hidden()
    await photographed(page, "ticket-called")

    await page.reload()
    await expect(page.locator("#state")).to_have_text("正在叫号")
    await done(clerk, hall, counter, "start", "finish")
    await expect(page.locator("#state")).to_have_text("已办结")
    await expect(page.locator("#where")).to_be_hidden()
    await photographed(page, "ticket-finished")
    assert not any(code in address for address in seen.asked)
    assert seen.complaints == []


async def test_whoever_is_passed_over_until_she_checks_in_is_asked_to(
    api: Api, hall: str, seen: Seen
) -> None:
    with ruled(api, hall, check_in_required=1):
        lin, ticket = await a_ticket(api, hall)
        page = seen.page
        await page.goto(f"{api.url}/t#{await a_code(lin, ticket)}")
        await expect(page.locator("#ahead")).to_contain_text("0 人")
        await expect(page.locator("#state")).to_have_text("请到大厅签到，次序保留")
        await photographed(page, "ticket-check-in")
        place = {"place": standing(api, hall, 100, accuracy_m=30)}
        assert (await lin.post(f"/tickets/{ticket['id']}/check-in", place)).status_code == 200
        await expect(page.locator("#state")).to_have_text("即将叫号，请留意")
    assert seen.complaints == []


async def test_it_says_why_her_line_is_stopped_and_from_where_she_was_sent_on(
    api: Api, hall: str, seen: Seen
) -> None:
    lin, ticket = await a_ticket(api, hall)
    page, manager = seen.page, await api.manager(hall)
    await page.goto(f"{api.url}/t#{await a_code(lin, ticket)}")
    await expect(page.locator("#number")).to_have_text(ticket["number"])
    await expect(page.locator("#why")).to_be_hidden()
    why = {"reason": "系统故障", "reason_en": "System failure"}
    await manager.post(f"/halls/{hall}/lines/E/stop", why)
    await expect(page.locator("#why-zh")).to_have_text("本队列停止取号，已取号的继续办理：系统故障")
    await photographed(page, "ticket-line-stopped")
    await manager.post(f"/halls/{hall}/lines/E/stop", why | {"to": {"line": "A"}})
    await expect(page.locator("#number")).to_have_text("A001")
    await expect(page.locator("#why-zh")).to_have_text("由 E001 号转来：系统故障")
    await expect(page.locator("#why-en")).to_have_text("Sent on from E001: System failure")
    await lin.post(f"/tickets/{ticket['id']}/cancel")
    await expect(page.locator("#why")).to_be_hidden()
    assert seen.complaints == []


async def test_what_is_ended_unknown_or_missing_is_said_in_words(
    api: Api, hall: str, seen: Seen
) -> None:
    lin, ticket = await a_ticket(api, hall)
    page = seen.page
    await page.goto(f"{api.url}/t#{await a_code(lin, ticket)}")
    await expect(page.locator("#page")).to_have_attribute("data-link", "live")
    await lin.delete(f"/tickets/{ticket['id']}/follow-code")
    await expect(page.locator("h1")).to_contain_text("关注已结束")
    await expect(page.locator("#slip")).to_be_hidden()
    await photographed(page, "ticket-over")
    await page.goto(f"{api.url}/t#nosuchcodeatall1")
    await expect(page.locator("h1")).to_contain_text("没有找到这张号票")
    await page.goto(f"{api.url}/t#")
    await expect(page.locator("h1")).to_contain_text("请扫描号票上的二维码")
    await page.goto(f"{api.url}/t#{await a_code(lin, ticket)}")
    await expect(page.locator("#number")).to_have_text(ticket["number"])


async def test_without_a_socket_it_asks_every_few_seconds(api: Api, hall: str, seen: Seen) -> None:
    lin, ticket = await a_ticket(api, hall)
    page = seen.page
    await page.add_init_script(NO_SOCKETS)
    await page.goto(f"{api.url}/t#{await a_code(lin, ticket)}")
    await expect(page.locator("#page")).to_have_attribute("data-link", "polling")
    await lin.post(f"/tickets/{ticket['id']}/cancel")
    await expect(page.locator("#state")).to_have_text("已取消", timeout=15_000)
