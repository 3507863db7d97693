"""What is seen in a browser, and who is in the city."""

import re
from dataclasses import dataclass
from typing import Any

import httpx
from playwright.async_api import BrowserContext, Page, ViewportSize

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


async def a_number_for(http: httpx.AsyncClient, hall: str, code: str) -> str:
    """Give out a number that the counter calls; the item, of which there may be more."""
    manager = await a_member_of_staff(http, f"manager.{hall}")
    counters = (await manager.get(f"/halls/{hall}/counters")).json()["data"]
    own = next(one["own"] for one in counters if one["code"] == code)
    items = (await http.get("/api/v1/items", params={"hall": hall, "limit": 100})).json()["data"]
    for item in items:
        given = await manager.post(f"/halls/{hall}/tickets", {"item": item["code"]})
        if given.status_code == 201 and given.json()["line"] in own:
            return str(item["code"])
    raise AssertionError("no item of this counter's lines")


async def no_machine_words(page: Page) -> None:
    """Nothing stands on the page that only programmers read."""
    words = await page.locator("body").inner_text()
    assert not re.search(r"\b(undefined|null|NaN)\b|\[object", words), words


# --- somebody signed in --------------------------------------------------------------------


async def sign_in(page: Page, city: City, name: str, id_number: str) -> None:
    """From the page that asks her to: at the province, as somebody the sandbox knows."""
    async with httpx.AsyncClient(trust_env=False) as http:
        who = {"name": name, "id_number": id_number, "phone": "13900139000"}
        made = await http.post(f"{city.sandbox_url}/_sandbox/personas", json=who)
        assert made.status_code in {200, 201}, made.text
    await page.get_by_role("button", name="去登录").click()
    # The page lists some of those who exist; she says who she is.
    await page.wait_for_url(re.compile(f"^{re.escape(city.sandbox_url)}/"))
    await page.goto(f"{page.url}&persona={id_number}")


async def keep_signed_in(context: BrowserContext, who: Person) -> str:
    """Let this browser be hers, as after a sign-in; the server's address."""
    url = str(who.http.base_url).rstrip("/")
    bearer = {"Authorization": f"Bearer {who.token}"}
    answer = await context.request.post(f"{url}/api/v1/sessions/page", headers=bearer)
    assert answer.status == 204, await answer.text()
    return url
