"""The pages in a real Chromium, against a running city."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    Geolocation,
    Page,
    Request,
    ViewportSize,
    WebSocketRoute,
    async_playwright,
    expect,
)

from tests.conftest import City
from tests.people import Person, a_citizen, a_member_of_staff

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WALL = ViewportSize(width=1920, height=1080)
PHONE = ViewportSize(width=390, height=844)


# --- a browser that tells ------------------------------------------------------------------


@dataclass
class Watched:
    """A page, with what it complained of and where it went."""

    page: Page
    complaints: list[str]
    strayed: list[str]


@pytest_asyncio.fixture(scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    # Far from the city and its time: nothing on a page may depend on where its reader is.
    context = await browser.new_context(viewport=WALL, timezone_id="America/New_York")
    yield context
    await context.close()


@pytest_asyncio.fixture
async def watched(context: BrowserContext, city: City) -> Watched:
    page = await context.new_page()
    found = Watched(page, [], [])

    def look_at(request: Request) -> None:
        if not request.url.startswith((city.url + "/", "data:", "blob:")):
            found.strayed.append(request.url)

    page.on("request", look_at)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            found.complaints.append(message.text) if message.type in {"error", "warning"} else None
        ),
    )
    return found


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


# --- people in the city --------------------------------------------------------------------


@pytest_asyncio.fixture
async def http(city: City) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=city.url, timeout=20, trust_env=False) as client:
        yield client


@dataclass
class Counter:
    """A counter that its clerk has opened, and somebody waiting for it."""

    clerk: Person
    hall: str
    code: str

    async def does(self, what: str, body: Any = None) -> dict[str, Any]:
        answer = await self.clerk.at(self.hall, self.code, what, body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


async def somebody_waits(http: httpx.AsyncClient, city: City, hall: str) -> Counter:
    """A citizen takes a number at the hall; a counter for her line opens, and calls nobody yet."""
    items = (await http.get("/api/v1/items", params={"hall": hall, "limit": 100})).json()["data"]
    item = next(item["code"] for item in items if item["level_required"] == 0)
    taken = await (await a_citizen(http, city.sandbox_url)).take(hall, item)
    assert taken.status_code == 201, taken.text
    line = taken.json()["line"]
    manager = await a_member_of_staff(http, f"manager.{hall}")
    all_of_them = (await manager.get(f"/halls/{hall}/counters")).json()["data"]
    code = next(counter["code"] for counter in all_of_them if line in counter["skills"])
    counter = Counter(await a_member_of_staff(http, f"clerk.{hall}.{code}"), hall, code)
    await counter.does("open", {"lines": [line]})
    return counter


# --- the board -----------------------------------------------------------------------------


async def test_a_number_called_is_on_the_wall_within_a_second(
    city: City, http: httpx.AsyncClient, page: Page
) -> None:
    counter = await somebody_waits(http, city, "dg-01")
    await page.goto(f"{city.url}/board/dg-01")
    await expect(page.locator("body")).to_have_attribute("data-link", "live")

    called = await counter.does("call-next")

    newest = page.locator("#calls li").first
    await expect(newest.locator(".number")).to_have_text(called["number"], timeout=1000)
    await expect(newest).to_have_class("fresh", timeout=1000)
    await expect(newest.locator(".to .en")).to_have_text(f"Counter {int(counter.code)}")


async def test_the_board_says_that_the_connection_is_lost_and_catches_up_by_itself(
    city: City, http: httpx.AsyncClient, page: Page, context: BrowserContext
) -> None:
    counter = await somebody_waits(http, city, "dg-02")
    await page.goto(f"{city.url}/board/dg-02")
    await expect(page.locator("body")).to_have_attribute("data-link", "live")
    await expect(page.locator("#alarm")).to_be_hidden()

    await context.set_offline(True)
    await expect(page.locator("#alarm")).to_contain_text("连接已断开", timeout=10_000)
    await expect(page.locator("#alarm")).to_contain_text("秒前")
    called = await counter.does("call-next")

    await context.set_offline(False)
    await expect(page.locator("#alarm")).to_be_hidden(timeout=10_000)
    await expect(page.locator("body")).to_have_attribute("data-link", "live", timeout=10_000)
    await expect(page.locator("#calls .number").first).to_have_text(called["number"])


async def test_a_board_that_gets_no_socket_polls(
    city: City, http: httpx.AsyncClient, page: Page
) -> None:
    async def refuse(socket: WebSocketRoute) -> None:
        await socket.close()

    await page.route_web_socket("**/api/v1/live", refuse)
    counter = await somebody_waits(http, city, "dg-03")
    await page.goto(f"{city.url}/board/dg-03")
    await expect(page.locator("body")).to_have_attribute("data-link", "polling")

    called = await counter.does("call-next")

    await expect(page.locator("#calls .number").first).to_have_text(called["number"], timeout=8000)
    await expect(page.locator("#alarm")).to_be_hidden()


async def test_an_older_version_never_replaces_a_newer_one(city: City, page: Page) -> None:
    socket = await play_server(page, city, "dg-04")
    newest = (await board_of(city, "dg-04")) | {"version": 2**52}
    calls = [{"number": "A007", "counter": "01", "at": newest["as_of"]}]

    await socket.show(newest | {"called": calls})
    await expect(page.locator("#calls .number").first).to_have_text("A007")
    await socket.show(newest | {"version": 2**52 - 1, "called": []})

    await asyncio.sleep(0.5)
    await expect(page.locator("#calls .number").first).to_have_text("A007")


async def test_names_are_shown_as_text_and_waits_only_where_they_are_known(
    city: City, watched: Watched
) -> None:
    page = watched.page
    attack = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    line = {"name": "社保", "name_en": attack, "state": "open", "waiting": 3}
    known = line | {"code": "A", "wait": {"p10_s": 300, "p50_s": 600, "p90_s": 1500}}
    unknown = line | {"code": "B", "wait": None}
    counter = {"code": "01", "name": attack, "state": "paused", "number": attack[:12]}
    board = await board_of(city, "dg-04")

    socket = await play_server(page, city, "dg-04")
    await socket.show(
        board
        | {"version": 2**52, "name": attack, "lines": [known, unknown], "counters": [counter]}
        | {"called": [{"number": attack[:12], "counter": "01", "at": board["as_of"]}]}
    )

    await expect(page.locator("#hall-name")).to_have_text(attack)
    await expect(page.locator("#lines .note").nth(0)).to_have_text("约 5–25 分钟 min")
    await expect(page.locator("#lines .note").nth(1)).to_have_text("")
    assert await page.locator("main img:not(.arrow), main script, h1 *").count() == 0
    assert watched.complaints == []


async def test_who_is_being_served_stands_apart_from_who_is_called(city: City, page: Page) -> None:
    socket = await play_server(page, city, "dg-04")
    board = await board_of(city, "dg-04") | {"version": 2**52}
    calls = [a_call(board, 1), a_call(board, 0)]

    await socket.show(board | {"called": calls})
    await expect(page.locator("#calls .number")).to_have_text(["A002", "A001"])
    await expect(page.locator("#served")).to_be_hidden()
    calls[0] |= {"state": "serving"}
    await socket.show(board | {"version": 2**52 + 1, "called": calls[::-1]})

    await expect(page.locator("#calls .number")).to_have_text(["A001"])
    await expect(page.locator("#serving .number")).to_have_text(["A002"])
    await socket.show(board | {"version": 2**52 + 2, "called": []})
    await expect(page.locator("#served")).to_be_hidden()
    await expect(page.locator("#no-calls")).to_be_visible()


async def test_an_announcement_goes_at_its_end_and_a_new_one_is_told_at_once(
    city: City, page: Page
) -> None:
    socket = await play_server(page, city, "dg-04")
    board = await board_of(city, "dg-04") | {"version": 2**52}
    now = await now_in(page, city)
    ends = now + timedelta(seconds=4)
    soon = {"id": "1", "text": "很快", "text_en": "Soon", "zone": "A区", "until": ends.isoformat()}
    stays = {**soon, "id": "2", "text": "长留", "until": (now + timedelta(hours=1)).isoformat()}
    text = page.locator("#announcement .zh")

    await socket.show(board | {"announcements": [stays]})
    await expect(text).to_have_text("长留")
    await socket.show(board | {"version": 2**52 + 1, "announcements": [stays, soon]})
    await expect(text).to_have_text("很快", timeout=1000)
    await expect(page.locator("#announcement .turn")).to_have_text("2/2")

    await expect(text).to_have_text("长留", timeout=6000)
    assert timedelta(0) <= await now_in(page, city) - ends < timedelta(seconds=1)


@pytest.mark.parametrize("size", [(1280, 720), (3840, 2160), (1080, 1920)])
async def test_a_busy_hall_stands_on_the_wall_whole(
    city: City, page: Page, size: tuple[int, int]
) -> None:
    await page.set_viewport_size(ViewportSize(width=size[0], height=size[1]))
    socket = await play_server(page, city, "dg-00")
    board = await board_of(city, "dg-00") | {"version": 2**52}
    line = board["lines"][0] | {"state": "stopped", "waiting": 128, "name_en": "Construction"}
    line |= {"name": "工程建设项目审批", "reason": "系统故障", "reason_en": "System failure"}
    long = {"id": "1", "text": "请" * 200, "text_en": "please " * 57, "zone": "二楼不动产登记区"}
    await socket.show(
        board
        | {"lines": [line | {"code": code} for code in "ABCDEFGH"]}
        | {
            "called": [
                a_call(board, nth) | {"state": "serving" if nth > 11 else "called"}
                for nth in range(20)
            ]
        }
        | {"announcements": [long | {"until": "2030-01-01T00:00:00+08:00"}]}
    )
    await expect(page.locator("#calls li")).to_have_count(12)
    await expect(page.locator("#serving li")).to_have_count(4)

    assert await page.evaluate(CLIPPED) == []


# Whose text reaches over the card that it stands on, or over the screen.
CLIPPED = """() => [...document.querySelectorAll('main span, header *, #announcement span')]
    .filter((one) => one.textContent && one.getClientRects().length)
    .filter((one) => {
        const box = one.getBoundingClientRect(), card = one.closest('li') ?? document.body;
        const room = card.getBoundingClientRect();
        return box.right > room.right + 1 || box.left < room.left - 1
            || box.bottom > room.bottom + 1 || box.top < room.top - 1;
    })
    .map((one) => `${one.className} ${one.textContent}`)"""


async def now_in(page: Page, city: City) -> datetime:
    about = await page.request.get(f"{city.url}/about.json")
    return datetime.fromisoformat((await about.json())["now"])


def a_call(board: dict[str, Any], nth: int) -> dict[str, Any]:
    counter = board["counters"][nth % len(board["counters"])]["code"]
    return {"number": f"A{nth + 1:03d}", "counter": counter, "at": board["as_of"]}


async def test_a_quiet_hall_says_that_nobody_is_called(city: City, page: Page) -> None:
    socket = await play_server(page, city, "dg-06")
    board = await board_of(city, "dg-06")
    await socket.show(board | {"version": 2**52, "called": []})

    await expect(page.locator("#hall-name")).to_have_text(board["name"])
    await expect(page.locator("#no-calls")).to_be_visible()
    await expect(page.locator("#calls li")).to_have_count(0)


async def test_the_board_shows_the_citys_time_and_not_its_readers(
    city: City, http: httpx.AsyncClient, page: Page
) -> None:
    await page.goto(f"{city.url}/board/dg-08")
    await expect(page.locator("body")).to_have_attribute("data-link", "live")
    about = (await http.get("/about.json")).json()
    now = datetime.fromisoformat(about["now"])

    await expect(page.locator("#date")).to_contain_text(f"{now.year}年{now.month}月{now.day}日")
    shown = datetime.strptime(await page.locator("#time").inner_text(), "%H:%M:%S")
    assert abs((shown - datetime.strptime(f"{now:%H:%M:%S}", "%H:%M:%S")).total_seconds()) < 10


async def test_a_hall_that_does_not_exist_gets_a_page_that_says_so(city: City, page: Page) -> None:
    answer = await page.goto(f"{city.url}/board/nowhere")

    assert answer is not None
    assert answer.status == 404
    await expect(page.locator("h1")).to_contain_text("没有这个大厅")


# --- the index and the documents -----------------------------------------------------------


async def test_the_index_lists_every_hall_with_a_link_to_its_board(city: City, page: Page) -> None:
    await page.goto(city.url)

    halls = page.locator("#halls a")
    await expect(halls).to_have_count(34)
    await expect(page.locator("#total")).to_have_text("34")
    await expect(halls.first).to_have_attribute("href", "/board/dg-00")
    await expect(page.locator("#sandbox-link")).to_have_attribute("href", city.sandbox_url)
    await page.get_by_role("searchbox").fill("长安")
    await expect(halls).to_have_count(1)


async def test_with_a_position_the_nearest_hall_comes_first(
    city: City, browser: Browser, http: httpx.AsyncClient
) -> None:
    hall = (await http.get("/api/v1/halls", params={"limit": 100})).json()["data"][9]
    here = Geolocation(latitude=hall["place"]["lat"], longitude=hall["place"]["lng"])
    assert hall["place"]["datum"] == "wgs84"
    async with await browser.new_context(
        viewport=PHONE, geolocation=here, permissions=["geolocation"]
    ) as context:
        page = await context.new_page()
        await page.goto(city.url)
        await expect(page.locator("#halls li")).to_have_count(34)

        await page.get_by_role("button", name="按距离排序").click()

        first = page.locator("#halls a").first
        await expect(first).to_have_attribute("href", f"/board/{hall['code']}")
        await expect(first.locator(".where")).to_contain_text("米")


OPERATIONS_SHOWN = """shown => shown.map(one => [
    one.querySelector(".opblock-summary-method").textContent.toLowerCase(),
    one.querySelector("[data-path]").dataset.path,
].join(" "))"""


async def test_the_documentation_shows_the_operations(city: City, page: Page) -> None:
    await page.goto(f"{city.url}/docs")
    operations = page.locator(".opblock-summary")
    await expect(operations.first).to_be_visible(timeout=60_000)
    document = (await page.request.get(f"{city.url}/docs/openapi.json")).json
    paths = (await document())["paths"]
    declared = {f"{method} {path}" for path, methods in paths.items() for method in methods}
    # Of so many only those are made that are on the screen, so somebody reads down, and again.
    shown: set[str] = set()
    async with asyncio.timeout(60):
        while shown != declared:
            shown.update(await operations.evaluate_all(OPERATIONS_SHOWN))
            assert shown <= declared
            await page.mouse.wheel(0, 400)
            if await page.evaluate("scrollY + innerHeight >= document.body.scrollHeight"):
                await page.evaluate("scrollTo(0, 0)")
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("path", ["/", "/board/dg-00", "/docs", "/docs/problems"])
async def test_a_page_complains_of_nothing_and_asks_nobody_outside(
    city: City, watched: Watched, path: str
) -> None:
    await watched.page.goto(f"{city.url}{path}", wait_until="load")
    await asyncio.sleep(1.5)

    assert watched.complaints == []
    assert watched.strayed == []


@pytest.mark.parametrize("path", ["/", "/board/dg-00", "/docs/problems", "/board/nowhere"])
async def test_a_page_fits_a_phone_without_scrolling_sideways(
    city: City, page: Page, path: str
) -> None:
    await page.set_viewport_size(PHONE)
    await page.goto(f"{city.url}{path}")
    await asyncio.sleep(0.5)

    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


# --- playing the server's part -------------------------------------------------------------


async def board_of(city: City, hall: str) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{city.url}/api/v1/halls/{hall}/board")
    return dict(answer.raise_for_status().json())


@dataclass
class PlayedServer:
    """The server's end of the board's socket, in our hands."""

    hall: str
    watching: "asyncio.Future[WebSocketRoute]"

    async def show(self, board: dict[str, Any]) -> None:
        socket = await asyncio.wait_for(self.watching, 10)
        state = {"type": "state", "topic": f"hall:{self.hall}", "version": board["version"]}
        socket.send(json.dumps(state | {"data": board}))


async def play_server(page: Page, city: City, hall: str) -> PlayedServer:
    """Open the hall's board with us at the other end of its socket."""
    played = PlayedServer(hall, asyncio.get_running_loop().create_future())

    def answer(socket: WebSocketRoute) -> None:
        def hear(message: str | bytes) -> None:
            if json.loads(message)["op"] == "watch" and not played.watching.done():
                played.watching.set_result(socket)
            elif json.loads(message)["op"] == "ping":
                socket.send('{"type":"pong"}')

        socket.on_message(hear)

    await page.route_web_socket("**/api/v1/live", answer)
    await page.goto(f"{city.url}/board/{hall}")
    return played
