"""A citizen besides waiting: she rates, pays, reads, and says how she wants to be told."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.conftest import City
from tests.people import a_member_of_staff, an_id_number
from tests.web.browsing import PHONE, no_machine_words, sign_in

HALL = "dg-09"
# Shown as they are, wherever they come from; nothing of it may become part of the page.
ATTACK = '<script>window.attacked=1</script><img src=x onerror="window.attacked=1">'
LONG = "🙂 شكرا جزيلا " * 20


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def page(browser: Browser, city: City) -> AsyncIterator[Page]:
    """Somebody who has signed in, at her phone."""
    context = await browser.new_context(viewport=PHONE, locale="zh-CN")
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{city.url}/#/sign-in?then=%2Fme")
    await sign_in(page, city, "评价人", an_id_number())
    await expect(page.locator("h1")).to_contain_text("评")
    yield page
    await no_machine_words(page)
    assert complaints == []
    await context.close()


async def at(page: Page, city: City, view: str) -> None:
    await page.goto(f"{city.url}/#{view}")


async def test_she_is_called_served_and_rates_once(
    city: City, http: httpx.AsyncClient, page: Page
) -> None:
    await at(page, city, f"/halls/{HALL}?item=account-real-name")
    # Two quick taps are one number.
    take = page.get_by_role("button", name="现在取号")
    await take.evaluate("button => { button.click(); button.click(); }")
    await expect(page.locator(".ticket .number")).to_have_text(re.compile(r"^[A-Z]\d{3}$"))
    number = await page.locator(".ticket .number").inner_text()
    mine = page.url.rsplit("/", 1)[-1]
    await serve(http, number)

    await expect(page.locator(".ticket .state")).to_have_text("已办结")
    await page.get_by_role("button", name="提交评价").click()
    await expect(page.locator(".toast.note")).to_contain_text("先选几颗星")
    await page.get_by_label("2: 不满意").check(force=True)
    await page.get_by_text("等得太久").click()
    await page.get_by_label("还想说的").fill(ATTACK + LONG)
    # What she has written is there still when the page was gone for a moment.
    await page.reload()
    await expect(page.get_by_label("还想说的")).to_have_value(ATTACK + LONG)
    await page.get_by_label("2: 不满意").check(force=True)
    await page.get_by_role("button", name="提交评价").click()
    await expect(page.locator("main")).to_contain_text("您的评价")
    assert await page.evaluate("Object.keys(sessionStorage).join()") == ""
    await page.reload()
    await expect(page.locator(".words")).to_contain_text("<script>window.attacked=1</script>")
    await expect(page.locator("main")).to_contain_text("前会回复您")
    assert await page.evaluate("window.attacked") is None
    assert page.url.endswith(mine)
    # The back button leads to where she took the number, once.
    await page.go_back()
    await expect(page.get_by_role("button", name="现在取号")).to_be_visible()


async def serve(http: httpx.AsyncClient, number: str) -> None:
    """The hall calls numbers of her line until hers, and finishes it."""
    manager = await a_member_of_staff(http, f"manager.{HALL}")
    counters = (await manager.get(f"/halls/{HALL}/counters")).json()["data"]
    code = next(one["code"] for one in counters if number[0] in one["skills"])
    clerk = await a_member_of_staff(http, f"clerk.{HALL}.{code}")
    for what, body in (
        ("open", {"lines": [number[0]]}),
        ("call-next", None),
        ("start", None),
        ("finish", {}),
    ):
        answer = await clerk.at(HALL, code, what, body)
        assert answer.status_code == 200, answer.text
    assert answer.json()["number"] == number


async def test_she_reads_what_she_was_told(city: City, page: Page) -> None:
    await at(page, city, "/inbox")
    first = page.locator(".inbox li").first
    await expect(first).to_contain_text("号")
    await page.get_by_role("button", name="全部标为已读").click()
    await expect(page.locator("main")).to_contain_text("都看过了")
    await page.reload()
    await expect(page.locator("main")).to_contain_text("都看过了")
    await page.locator(".inbox a").first.click()
    await expect(page.locator(".ticket")).to_be_visible()


async def test_how_she_is_told_is_kept(city: City, page: Page) -> None:
    await at(page, city, "/preferences")
    await page.get_by_label("短信").uncheck()
    await page.get_by_label("请我评价").uncheck()
    await page.get_by_label("提前多久叫我").select_option("3")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator(".toast")).to_contain_text("已保存")
    await page.reload()
    await expect(page.get_by_label("短信")).not_to_be_checked()
    await expect(page.get_by_label("请我评价")).not_to_be_checked()
    await expect(page.get_by_label("缴费和退款")).to_be_checked()
    await expect(page.get_by_label("提前多久叫我")).to_have_value("3")


async def test_a_company_is_added_named_as_typed_and_ended(city: City, page: Page) -> None:
    await at(page, city, "/family")
    name = ('<b>一厅通</b>🙂"' + "长" * 200)[:98]
    await page.get_by_text("添加单位").click()
    await page.get_by_label("单位名称").fill(name)
    await page.get_by_label("统一社会信用代码").fill("91350100M000100Y43")
    await page.get_by_role("button", name="添加").last.click()
    await expect(page.locator(".rows strong")).to_have_text(name)
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await page.get_by_role("button", name="解除").click()
    await page.locator("dialog").get_by_role("button", name="解除").click()
    await expect(page.locator("main")).to_contain_text("还没有")


async def test_she_pays_at_unionpays_own_page_and_comes_back(city: City, page: Page) -> None:
    await at(page, city, "/bills")
    await expect(page.locator("main")).to_contain_text("没有缴费单")
    await at(page, city, f"/halls/{HALL}?item=id-card-renewal")
    await page.get_by_role("button", name="现在取号").click()
    await page.get_by_role("button", name="缴费 ¥20.00").click()
    await page.get_by_role("button", name=re.compile("用云闪付缴")).click()
    await page.wait_for_url(re.compile(f"^{re.escape(city.sandbox_url)}/gateway/"))
    await page.get_by_role("button", name="支付 Pay").click()
    await page.wait_for_url(re.compile("#/bills$"))
    await expect(page.locator("main")).to_contain_text("已缴", timeout=15_000)
