"""People for tests: citizens and clerks who use the API over real HTTP as their programs would."""

import itertools
import random
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx
import pyotp

from tests.leaks import LEAKS

PASSWORD = "yiting-demo"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_serial = itertools.count(random.SystemRandom().randrange(10**8))
_of_a_day: Counter[date] = Counter()


def an_id_number(born: date | None = None) -> str:
    """A resident id number nobody else in this run has, with a right check digit (GB 11643).

    Of somebody grown up and under 70, for whom nothing is done unasked, unless `born` says when.
    A day has a thousand numbers, so those of a given day are counted by themselves.
    """
    if born is None:
        serial = next(_serial)
        head = f"441900{1960 + serial // 1000 % 46}0{1 + serial // 100000 % 9}{10 + serial % 18}"
    else:
        serial = _of_a_day[born]
        _of_a_day[born] += 1
        head = f"441900{born:%Y%m%d}"
    body = head + f"{serial % 1000:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True))
    number = body + "10X98765432"[total % 11]
    LEAKS.keep_secret(number)
    return number


def a_company_code() -> str:
    """A unified social credit code of this run, with both its checks right (GB 32100, GB 11714)."""
    body = f"{next(_serial) % 10**8:08d}"
    total = sum(
        int(digit) * weight for digit, weight in zip(body, (3, 7, 9, 10, 5, 8, 4, 2), strict=True)
    )
    head = f"91990001{body}{'0123456789X0'[11 - total % 11]}"
    values = (_USCC.index(letter) * pow(3, place, 31) for place, letter in enumerate(head))
    return head + _USCC[-sum(values) % 31]


@dataclass
class Person:
    """Somebody signed in; every request bears her token."""

    http: httpx.AsyncClient
    token: str
    session: dict[str, Any]
    # Where the platforms are played that know her.
    sandbox_url: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.http.get(f"/api/v1{path}", headers=self.headers, **options)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(f"/api/v1{path}", json=body, headers={**self.headers, **named})

    async def put(self, path: str, body: Any = None) -> httpx.Response:
        return await self.http.put(f"/api/v1{path}", json=body, headers=self.headers)

    async def delete(self, path: str) -> httpx.Response:
        return await self.http.delete(f"/api/v1{path}", headers=self.headers)

    async def take(self, hall: str, item: str, **more: Any) -> httpx.Response:
        return await self.post("/tickets", {"hall": hall, "item": item, **more})

    async def at(self, hall: str, counter: str, action: str, body: Any = None) -> httpx.Response:
        return await self.post(f"/halls/{hall}/counters/{counter}/{action}", body)


async def wechat_code(sandbox_url: str, id_number: str | None = None) -> str:
    """A fresh sign-in code of a persona, new or known by her id number."""
    async with httpx.AsyncClient(trust_env=False) as http:
        persona = {
            "name": "测试市民",
            "id_number": id_number or an_id_number(),
            "phone": "19900000000",
        }
        LEAKS.keep_secret(*persona.values())
        reply = await http.post(f"{sandbox_url}/_sandbox/personas", json=persona)
        reply.raise_for_status()
        code: str = reply.json()["wechat_code"]
        return code


async def a_citizen(
    http: httpx.AsyncClient, sandbox_url: str, id_number: str | None = None
) -> Person:
    """A citizen signed in through WeChat."""
    code = await wechat_code(sandbox_url, id_number)
    reply = await http.post("/api/v1/sessions/wechat", json={"code": code})
    assert reply.status_code == 200, reply.text
    return Person(http, reply.json()["access_token"], reply.json(), sandbox_url)


async def a_member_of_staff(http: httpx.AsyncClient, username: str) -> Person:
    """A member of staff signed in with the demo password."""
    reply = await http.post(
        "/api/v1/staff/sessions", json={"username": username, "password": PASSWORD}
    )
    assert reply.status_code == 200, reply.text
    return Person(http, reply.json()["access_token"], reply.json())


async def with_a_device(person: Person) -> Person:
    """The same member of staff, once she has enrolled a device where that is her duty."""
    if person.session["duty"] == "enrol_totp":
        device = pyotp.TOTP((await person.post("/staff/me/totp")).json()["secret"])
        confirmed = await person.post("/staff/me/totp/confirm", {"otp": device.now()})
        assert confirmed.status_code == 200, confirmed.text
        spent = {"refresh_token": person.session["refresh_token"]}
        person.session = (await person.http.post("/api/v1/sessions/refresh", json=spent)).json()
        person.token = person.session["access_token"]
    return person
