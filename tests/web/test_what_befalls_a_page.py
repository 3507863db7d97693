"""Two tabs, a wrong clock, a token that ends, the back button, hours without a network: nothing is
lost, nothing is done twice, and what is so is said.
"""

import re
from collections.abc import AsyncIterator
from datetime import datetime

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from tests.conftest import City
from tests.people import Person, a_citizen, a_member_of_staff, an_id_number
from tests.web.browsing import PHONE, keep_signed_in, no_machine_words, sign_in
from tests.web.meddling import ATTACK, HOSTILE, meddle

HALL, ITEM = "dg-13", "account-real-name"


@pytest_asyncio.fixture
async def lin(http: httpx.AsyncClient, city: City) -> Person:
    return await a_citizen(http, city.sandbox_url)


@pytest_asyncio.fixture
async def phone(browser: Browser, lin: Person) -> AsyncIterator[BrowserContext]:
    """Her phone, signed in."""
    context = await browser.new_context(viewport=PHONE, locale="zh-CN", service_workers="block")
    await keep_signed_in(context, lin)
    yield context
    await context.close()


@pytest_asyncio.fixture
async def page(phone: BrowserContext) -> AsyncIterator[Page]:
    page = await phone.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await no_machine_words(page)
    assert complaints == []


async def a_number(lin: Person) -> str:
    """She is in line; the ticket."""
    taken = await lin.take(HALL, ITEM)
    assert taken.status_code == 201, taken.text
    return str(taken.json()["id"])


async def numbers(lin: Person) -> list[str]:
    return [one["number"] for one in (await lin.get("/tickets")).json()["data"]]


async def test_what_is_done_in_one_tab_the_other_sees_and_nothing_is_done_twice(
    city: City, phone: BrowserContext, page: Page, lin: Person
) -> None:
    other = await phone.new_page()
    for tab in (page, other):
        await tab.goto(f"{city.url}/#/halls/{HALL}?item={ITEM}")
        await expect(tab.get_by_role("button", name="现在取号")).to_be_visible()
    await page.get_by_role("button", name="现在取号").click()
    await expect(page.locator(".ticket .number")).to_be_visible()
    await other.get_by_role("button", name="现在取号").click()
    # Her second tab took no second number; it says so and leads to the first.
    await expect(other.locator(".toast")).to_contain_text("已经在排队")
    await other.locator('.links a[href^="#/tickets/"]').click()
    await expect(other.locator(".ticket .number")).to_be_visible()
    assert len(await numbers(lin)) == 1

    give_up = other.get_by_role("button", name="不办了，退号")
    await give_up.evaluate("button => { button.click(); button.click(); }")
    await other.get_by_role("dialog").get_by_role("button", name="退号").click()
    await expect(page.locator(".ticket .state")).to_have_text("已取消")
    # The same key of one intention stands for one number, also when pressed after it.
    await page.go_back()
    await page.get_by_role("button", name="现在取号").click()
    await expect(page.locator(".ticket .number")).to_be_visible()
    assert len(await numbers(lin)) == 2


async def spoiled(route: Route) -> None:
    """As it comes to the server when its token has ended."""
    headers = {**route.request.headers, "authorization": "Bearer ended"}
    await route.continue_(headers=headers)


async def test_a_token_that_ends_midway_is_replaced_and_she_notices_nothing(
    city: City, page: Page, lin: Person
) -> None:
    await page.goto(f"{city.url}/#/halls/{HALL}?item={ITEM}")
    answers: list[int] = []
    page.on(
        "response",
        lambda got: answers.append(got.status) if got.url.endswith("/api/v1/tickets") else None,
    )
    await page.route("**/api/v1/tickets", spoiled, times=1)
    await page.get_by_role("button", name="现在取号").click()
    await expect(page.locator(".ticket .number")).to_be_visible()
    assert answers == [401, 201]
    assert len(await numbers(lin)) == 1


async def test_who_was_signed_out_elsewhere_signs_in_and_is_where_she_was(
    city: City, browser: Browser
) -> None:
    context = await browser.new_context(viewport=PHONE, locale="zh-CN", service_workers="block")
    page, who = await context.new_page(), an_id_number()
    await page.goto(f"{city.url}/#/sign-in?then=%2Ffamily")
    await sign_in(page, city, "回来的人", who)
    await expect(page.locator("h1")).to_have_text("家人和单位")
    await page.get_by_text("添加单位").click()
    await context.clear_cookies()
    await page.route(re.compile("/api/v1/me/"), spoiled)
    await page.get_by_label("单位名称").fill(HOSTILE[:90])
    await page.get_by_label("统一社会信用代码").fill("91350100M000100Y43")
    await page.get_by_role("button", name="添加").last.click()
    await expect(page.locator("h1")).to_have_text("登录")
    assert page.url.endswith("then=%2Ffamily")
    await page.unroute_all()
    await sign_in(page, city, "回来的人", who)
    await expect(page.locator("h1")).to_have_text("家人和单位")
    # The code that the province gave is nowhere on the way back, and forward she is where she was.
    await page.go_back()
    assert "code=" not in page.url.replace("response_type=code", "")
    await page.go_forward()
    await expect(page.locator("h1")).to_have_text("家人和单位")
    assert await page.evaluate("window.attacked") is None
    await context.close()


@pytest.mark.parametrize("wrong", ["2019-02-28T23:59:00Z", "2031-07-01T04:00:00Z"])
async def test_a_phone_whose_clock_is_wrong_shows_the_citys_time(
    city: City, page: Page, lin: Person, wrong: str
) -> None:
    mine = await a_number(lin)
    taken = datetime.fromisoformat((await lin.get(f"/tickets/{mine}")).json()["issued_at"])
    await page.clock.install(time=wrong)
    await page.goto(f"{city.url}/#/tickets/{mine}")
    row = page.locator(".facts div", has_text="取号")
    await expect(row.locator("dd")).to_have_text(f"{taken:%H:%M}")
    await page.goto(f"{city.url}/#/book/dg-08/assistive-device-subsidy")
    await expect(page.locator(".segments label").first).to_contain_text("11月23日")
    await expect(page.locator(".slots .slot").first).to_be_visible()
    # The clock is put right while she looks: her token ends, and she goes on.
    await page.clock.set_system_time("2036-01-01T00:00:00Z")
    await page.goto(f"{city.url}/#/visits")
    await expect(page.locator(f'a[href="#/tickets/{mine}"]')).to_be_visible()


async def test_after_hours_without_a_network_she_and_the_wall_see_what_came_of_it(
    city: City, http: httpx.AsyncClient, phone: BrowserContext, page: Page, lin: Person
) -> None:
    mine = await a_number(lin)
    wall = await phone.new_page()
    await phone.clock.install()
    await page.goto(f"{city.url}/#/tickets/{mine}")
    await wall.goto(f"{city.url}/board/{HALL}")
    await expect(wall.locator("body")).to_have_attribute("data-link", "live")
    await expect(page.locator(".ticket .state")).to_have_text(re.compile("等候中|下一位"))

    await phone.set_offline(True)
    await expect(page.locator("#link")).to_contain_text("连接已断开")
    await phone.clock.fast_forward("05:00:00")
    await expect(wall.locator("#alarm")).to_contain_text("连接已断开")
    await expect(wall.locator("#alarm")).to_contain_text("5 小时前")
    await expect(page.locator("#link")).to_be_visible()
    number = await page.locator(".ticket .number").inner_text()
    await called(http, number)

    await phone.set_offline(False)
    await expect(page.locator(".ticket .state")).to_have_text("叫到您了", timeout=20_000)
    await expect(page.locator("#link")).to_be_hidden(timeout=20_000)
    await expect(wall.locator("#calls .number").first).to_have_text(number, timeout=20_000)
    await expect(wall.locator("#alarm")).to_be_hidden()


async def called(http: httpx.AsyncClient, number: str) -> None:
    """Counters of her line call until it is her turn."""
    manager = await a_member_of_staff(http, f"manager.{HALL}")
    counters = (await manager.get(f"/halls/{HALL}/counters")).json()["data"]
    code = next(one["code"] for one in counters if number[0] in one["skills"])
    clerk = await a_member_of_staff(http, f"clerk.{HALL}.{code}")
    await clerk.at(HALL, code, "open", {"lines": [number[0]]})
    for _ in range(12):
        said = await clerk.at(HALL, code, "call-next")
        assert said.status_code == 200, said.text
        if said.json()["number"] == number:
            return
        await clerk.at(HALL, code, "miss")
    raise AssertionError("she was not called")


async def test_what_is_typed_where_one_searches_stays_text(city: City, page: Page) -> None:
    for view, found in (("/items", "没有找到"), (f"/halls/{HALL}", "没有这个事项")):
        await page.goto(f"{city.url}/#{view}")
        await page.locator("main input[type=search]").fill(HOSTILE)
        await expect(page.locator("main")).to_contain_text(found)
    await page.goto(f"{city.url}/#/")
    await page.get_by_label("您在哪里").fill(ATTACK)
    await page.get_by_role("button", name="找", exact=True).click()
    await expect(page.locator(".found li, .toast.bad").first).to_be_visible()
    await page.goto(f"{city.url}/#/items/{ATTACK}")
    await expect(page.locator("h1")).to_have_text("没有这个页面")
    await page.goto(f"{city.url}/counter")
    await page.locator("[name=username]").fill(HOSTILE)
    await page.locator("[name=password]").fill(HOSTILE)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).not_to_be_empty()
    assert await page.evaluate("window.attacked") is None


# --- numbers -------------------------------------------------------------------------------

RANGE = {"p10_s": 11 * 60, "p50_s": 37 * 60, "p90_s": 83 * 60}
GIVEN = {"wait": RANGE | {"basis": "now"}, "waiting": 123, "ahead": 45}
UNKNOWN = dict.fromkeys(
    ("wait", "wait_on_arrival", "total", "waiting", "ahead", "distance_m", "travel_s", "leave")
)


@pytest.mark.parametrize(
    "case",
    [
        (GIVEN | {"total": None, "wait_on_arrival": None}, {"37", "11", "83", "123", "45"}),
        (UNKNOWN | {"appointment": None, "left_today": None}, set()),
    ],
    ids=["given", "not known"],
)
async def test_a_page_shows_the_numbers_that_the_api_gave_and_no_others(
    city: City,
    phone: BrowserContext,
    page: Page,
    lin: Person,
    case: tuple[dict[str, object], set[str]],
) -> None:
    said, shown = case
    mine = await a_number(lin)
    await meddle(phone, {**said, "travel_s": None, "appointment": None, "leave": None})
    seen: set[str] = set()
    for view, where in (
        ("/", ".halls .takes, .halls .parts, .halls .book"),
        (f"/halls/{HALL}", ".lines .parts"),
        (f"/tickets/{mine}", ".ticket .facts div:not(:has(a)) dd"),
        ("/visits", ".links span:last-child"),
    ):
        await page.goto(f"{city.url}/#{view}")
        await page.reload()
        await expect(page.locator(where).first).to_be_attached()
        for words in await page.locator(where).all_inner_texts():
            if not re.search(r"^\d\d:\d\d$", words.strip()):  # when she took it
                seen.update(re.findall(r"\d+(?:\.\d+)?", words))
        await no_machine_words(page)
    assert seen == shown
