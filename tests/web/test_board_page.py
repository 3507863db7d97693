"""The board of a hall in a real Chromium, against a running city."""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.async_api import BrowserContext, Page, ViewportSize, WebSocketRoute, expect

from tests.conftest import City
from tests.web.browsing import Watched, somebody_waits

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
    counter = await somebody_waits(http, city, "dg-05")
    await page.goto(f"{city.url}/board/dg-05")
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


# What is said aloud, kept in place of being heard.
HEARING = """window.heard = [];
Object.defineProperty(window, 'speechSynthesis', {value: {
    cancel() {}, speak(said) { heard.push([said.lang, said.text]); said.onend?.(); }}});"""


async def test_a_call_is_heard_in_the_languages_asked_for_and_on_the_walls_it_concerns(
    city: City, http: httpx.AsyncClient, context: BrowserContext
) -> None:
    counter = await somebody_waits(http, city, "dg-10")
    await context.add_init_script(HEARING)
    walls = {}
    for query in ("", "?voice=off", f"?voice=zh,yue,en&counters={counter.code}", "?counters=none"):
        walls[query] = await context.new_page()
        await walls[query].goto(f"{city.url}/board/dg-10{query}")
        await expect(walls[query].locator("body")).to_have_attribute("data-link", "live")
    called = await counter.does("call-next")
    heard = {}
    number, all_three = called["number"], walls[f"?voice=zh,yue,en&counters={counter.code}"]
    await hears(all_three, 3)
    await expect(all_three.locator("#calls .number").first).to_have_text(number, timeout=1000)
    await hears(walls[""], 1)
    for query, wall in walls.items():
        heard[query] = await wall.evaluate("heard")
    spelled = " ".join(number)
    assert heard[""][0][0] == "zh-CN"
    assert spelled in heard[""][0][1]
    assert [lang for lang, _ in await all_three.evaluate("heard")] == ["zh-CN", "zh-HK", "en-GB"]
    assert heard["?voice=off"] == heard["?counters=none"] == []
    await expect(walls["?voice=off"].locator("#calls .number").first).to_have_text(number)
    await expect(walls["?counters=none"].locator("#calls li")).to_have_count(0)
    await expect(all_three.locator("#counters li")).to_have_count(1)


async def hears(wall: Page, many: int) -> None:
    """So many calls have been heard there within a second.

    It is asked from here: the page's own policy lets nobody evaluate in it again and again.
    """
    async with asyncio.timeout(1):
        while await wall.evaluate("heard.length") < many:
            pass


async def test_a_wall_in_english_and_large_type(city: City, page: Page) -> None:
    await page.goto(f"{city.url}/board/dg-10?language=en&type=large")
    await expect(page.locator("#lines .name .en").first).to_be_visible()
    await expect(page.locator("#lines .name .zh").first).to_be_hidden()
    await expect(page.locator("#counters .name .en").first).to_be_visible()
    await expect(page.locator("#hall-name-en")).to_be_visible()


async def test_a_wall_does_not_grow_over_eight_hours_of_calls(city: City, page: Page) -> None:
    socket = await play_server(page, city, "dg-04")
    board = await board_of(city, "dg-04")
    devtools = await page.context.new_cdp_session(page)

    async def memory_after(first: int, last: int) -> float:
        for nth in range(first, last):
            calls = [
                a_call(board, nth + n) | {"number": f"A{(nth + n) % 1000:03d}"} for n in range(6)
            ]
            await socket.show(board | {"version": 2**52 + nth, "called": calls})
        await expect(page.locator("#calls .number").first).to_have_text(f"A{(last - 1) % 1000:03d}")
        await devtools.send("HeapProfiler.collectGarbage")
        return float((await devtools.send("Runtime.getHeapUsage"))["usedSize"])

    # One change in twenty seconds; the first half hour warms it up.
    before = await memory_after(0, 90)
    assert await memory_after(90, 1440) < 1.1 * before


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
