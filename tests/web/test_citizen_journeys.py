"""What a citizen comes to less often: waiting for a place, being heard, what is kept of her."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.appointments.days import (
    TUESDAY,
    a_bookable_hall,
    an_item,
    at,
    booked,
    booking_ruled,
    tend,
)
from tests.conftest import Api
from tests.identity.families import a_named_citizen
from tests.people import Person, an_id_number
from tests.web.browsing import PHONE, keep_signed_in, no_machine_words


@pytest_asyncio.fixture
async def phone(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(viewport=PHONE, locale="zh-CN", service_workers="block")
    yield context
    await context.close()


async def shown(phone: BrowserContext, who: Person, view: str) -> Page:
    """Her page at a view."""
    url = await keep_signed_in(phone, who)
    page = await phone.new_page()
    await page.goto(f"{url}/#{view}")
    return page


async def test_she_waits_for_a_place_is_offered_one_and_takes_it(
    api: Api, phone: BrowserContext
) -> None:
    hall = await a_bookable_hall(api, places=1)
    item, other = an_item(api, hall), await api.citizen()
    hers = await booked(other, hall, item, at("10:00"))
    lin = await a_named_citizen(api)
    page = await shown(phone, lin, f"/book/{hall}/{item}")
    await page.locator(f'.segments label:has(input[value="{TUESDAY}"])').click()
    full = page.locator(".slot", has_text="10:00–")
    await expect(full).to_contain_text("约满")
    await expect(full).to_be_disabled()
    # Two quick presses are one wish.
    wish = page.get_by_role("button", name="约满的时段有空位时告诉我")
    await wish.evaluate("button => { button.click(); button.click(); }")
    await expect(page.locator(".card", has_text="候补")).to_contain_text("前面 0 人")
    assert len((await lin.get("/waitlist")).json()["data"]) == 1

    await other.post(f"/appointments/{hers['id']}/cancel")
    await page.reload()
    await expect(page.locator("main")).to_contain_text("有空位：11月24日周二 10:00")
    await page.get_by_role("button", name="接受").click()
    await expect(page.locator("h1")).to_contain_text("10:00–")
    [mine] = (await lin.get("/appointments")).json()["data"]
    assert (mine["state"], mine["slot_start"]) == ("booked", at("10:00"))
    await no_machine_words(page)


async def test_she_is_told_why_she_cannot_book_and_is_heard(
    api: Api, phone: BrowserContext
) -> None:
    hall, lin = await a_bookable_hall(api), await a_named_citizen(api)
    await booked(lin, hall, an_item(api, hall), at("10:00"))
    with booking_ruled(api, hall, no_shows_to_block=1):
        api.turn_clock(at("10:31"))
        await tend(api)
    page = await shown(phone, lin, "/visits")
    await expect(page.locator("main")).to_contain_text("因多次未到")
    why = page.get_by_label("有原因？请说明")
    said = "<script>window.attacked=1</script>孩子发烧 🤒 \u202e شكرا"
    await why.fill(said)
    # The phone loses the network while she sends: nothing she wrote is lost.
    await phone.set_offline(True)
    await page.get_by_role("button", name="申诉").click()
    await expect(page.locator(".toast.bad")).to_contain_text("连不上服务器")
    await expect(why).to_have_value(said)
    await phone.set_offline(False)
    await page.get_by_role("button", name="申诉").click()
    await expect(page.locator("main")).to_contain_text("您的申诉在处理中")

    manager = await api.manager(hall)
    [appeal] = (await manager.get(f"/halls/{hall}/booking-appeals")).json()["data"]
    assert appeal["text"] == said
    path = f"/halls/{hall}/booking-appeals/{appeal['id']}/decide"
    assert (await manager.post(path, {"grant": True})).status_code == 204
    await page.reload()
    await expect(page.locator("main")).not_to_contain_text("不能预约")
    assert await page.evaluate("window.attacked") is None
    await no_machine_words(page)


async def test_she_sees_her_devices_ends_one_takes_her_data_and_leaves(
    api: Api, phone: BrowserContext
) -> None:
    number = an_id_number()
    lin, elsewhere = await api.citizen(number), await api.citizen(number)
    page = await shown(phone, lin, "/me")
    devices = page.locator(".card", has_text="登录的设备").locator("li")
    await expect(devices).to_have_count(2)
    await expect(devices.filter(has_text="本机")).to_have_count(1)
    await devices.get_by_role("button").click()
    await expect(devices).to_have_count(1)
    assert (await elsewhere.get("/me")).status_code == 401

    async with page.expect_download() as download:
        await page.get_by_role("button", name="导出我的数据").click()
    file = await download.value
    assert file.suggested_filename == "yiting.json"
    path = Path(await file.path())
    told = json.loads(await asyncio.to_thread(path.read_text))
    mine = (await lin.get("/me/export")).json()
    assert told.keys() == mine.keys()
    assert len(told) > 5

    await page.get_by_role("button", name="注销账户").click()
    await page.get_by_role("dialog").get_by_role("button", name="注销").click()
    await expect(page.locator(".toast")).to_contain_text("已注销")
    assert (await lin.get("/me")).status_code == 401
    await page.goto(f"{page.url.split('#')[0]}#/visits")
    await expect(page.locator("h1")).to_have_text("登录")


async def test_she_says_for_each_purpose_what_may_be_used_and_takes_it_back(
    api: Api, phone: BrowserContext
) -> None:
    lin = await a_named_citizen(api)
    page = await shown(phone, lin, "/consents")
    services = page.locator('[data-purpose="services"]')
    await expect(services).to_contain_text("还没有同意")
    await services.get_by_label("年龄").check()
    await services.get_by_label("办过的事项").check()
    await page.get_by_role("button", name="同意：个性化服务").click()
    await expect(services).to_contain_text("已同意")
    given = {one["purpose"]: one for one in (await lin.get("/me/purposes")).json()["data"]}
    assert given["services"]["groups"] == ["age", "items"]
    assert given["policies"]["given_at"] is None
    await page.reload()
    await expect(services.get_by_label("年龄")).to_be_checked()
    await expect(services.get_by_label("家人")).not_to_be_checked()
    await services.get_by_label("年龄").uncheck()
    await page.get_by_role("button", name="保存：个性化服务").click()
    await expect(page.locator(".toast").last).to_contain_text("已按您的选择授权")
    await page.get_by_role("button", name="收回：个性化服务").click()
    await page.get_by_role("dialog").get_by_role("button", name="收回").click()
    await expect(services).to_contain_text("还没有同意")
    purposes = (await lin.get("/me/purposes")).json()["data"]
    assert [one["given_at"] for one in purposes] == [None] * 3

    # What she is reminded of, and what she follows.
    await page.get_by_text("登记证件", exact=True).click()
    await page.get_by_label("到期日").fill("2027-03-01")
    await page.get_by_role("button", name="登记", exact=True).click()
    await expect(page.locator("main")).to_contain_text("2027-03-01 到期")
    await page.get_by_role("button", name="删除").click()
    await expect(page.locator("main")).to_contain_text("还没有登记")
    themes = page.locator("fieldset", has_text="关注的主题").last
    await themes.locator("input").first.check()
    await page.get_by_role("button", name="保存主题").click()
    await expect(page.locator(".toast").last).to_contain_text("已保存")
    assert len((await lin.get("/me/topics")).json()["topics"]) == 1
    await no_machine_words(page)
