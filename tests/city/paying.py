"""People who pay over three channels, and channels that tell of it badly."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.conftest import City
from tests.leaks import LEAKS
from tests.people import Person, a_citizen, a_member_of_staff, an_id_number

TAMPERS = {
    "wechat": ("amount", "appid", "merchant", "currency", "signature", "stale", "body"),
    "alipay": ("amount", "appid", "merchant", "currency", "signature", "stale", "body"),
    "unionpay": ("amount", "merchant", "currency", "signature", "body", "key"),
}
_PATIENCE = 400
# A callback comes within so many seconds, at whatever moment.
SPREAD_S = 4.0


@dataclass
class Order:
    """An order as the person knows it, and what is to become of it."""

    order_no: str
    channel: str
    fen: int
    bill: str
    # Whether the channel took the money.
    paid: bool = False


@dataclass
class Told:
    """What came of the deliveries about our orders."""

    genuine: int = 0
    thanked: set[str] = field(default_factory=set)
    tampered: int = 0
    tampered_and_answered: int = 0


async def answered(ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Ask until a process lives long enough to answer. With a key, twice is once."""
    for _ in range(_PATIENCE):
        try:
            reply = await ask()
        except httpx.HTTPError:
            reply = None
        if reply is not None and reply.status_code < 500:
            return reply
        await asyncio.sleep(0.05)
    raise AssertionError("nobody answered")


@dataclass
class Payer:
    """She has a number, gets bills for it at a counter, and pays them."""

    who: Person
    door: str
    ticket: str
    clerk: Person
    hall: str
    till: httpx.AsyncClient
    dice: random.Random
    orders: list[Order] = field(default_factory=list)
    bills: int = 0

    async def owe_and_pay(self) -> int:
        """One bill and what becomes of it; how many orders that made."""
        self.bills += 1
        fen = self.dice.randint(1, 50_000)
        body = {"ticket": self.ticket, "amount_fen": fen, "title": "证件工本费"}
        key = f"chaos-{self.ticket}-{self.bills}"
        path = f"/halls/{self.hall}/bills"
        made = await answered(lambda: self.clerk.post(path, body, Idempotency_Key=key))
        assert made.status_code == 201, made.text
        twice = self.dice.random() < 0.05
        channel = self.dice.choice((self.door, self.door, "unionpay"))
        channels = (self.door, "unionpay") if twice else (channel,)
        orders = [await self._begin(made.json()["id"], fen, each) for each in channels]
        self.orders += orders
        await asyncio.gather(*(self._pay(each) for each in orders))
        return len(orders)

    async def _begin(self, bill: str, fen: int, channel: str) -> Order:
        wish = {"bill_id": bill, "channel": channel}
        begun = await answered(lambda: self.who.post("/payments", wish))
        assert begun.status_code == 201, begun.text
        if channel == "unionpay":  # which hears of it only from her browser
            form = begun.json()["client_params"]
            page = await self.till.post(form["url"], data=form["fields"])
            assert page.status_code < 400, page.text
        return Order(begun.json()["order_no"], channel, fen, bill)

    async def _pay(self, order: Order) -> None:
        """Pay it, or have somebody pretend so: one in twenty each is tampered with, or not told."""
        fate = self.dice.random()
        if fate < 0.05:
            await self._tell(order, "fail", tamper=self._a_tamper(order))
            return
        deliveries = 0 if fate < 0.10 else self.dice.randint(1, 15)
        told = await self._tell(
            order, "success", deliveries=deliveries, spread_s=SPREAD_S, until_thanked=True
        )
        # The channel closes the other order of a bill once it is paid.
        order.paid = told.status_code == 200
        if order.paid and self.dice.random() < 0.05:
            await self._tell(order, "success", tamper=self._a_tamper(order), deliveries=3)

    def _a_tamper(self, order: Order) -> str:
        return self.dice.choice(TAMPERS[order.channel])

    async def _tell(self, order: Order, outcome: str, **how: Any) -> httpx.Response:
        body = {"order_no": order.order_no, "outcome": outcome, "channel": order.channel} | how
        reply = await self.till.post("/_sandbox/pay", json=body)
        assert reply.status_code in {200, 409}, reply.text
        return reply


async def payers(
    city: City, http: httpx.AsyncClient, till: httpx.AsyncClient, hall: str, many: int
) -> list[Payer]:
    """People with a number each, half of them through either app."""
    dice = random.Random(2000)
    clerk = await a_member_of_staff(http, f"clerk.{hall}.01")
    found = (await http.get("/api/v1/items", params={"hall": hall, "limit": 100})).json()["data"]
    item = next(each["code"] for each in found if each["level_required"] == 0)
    people = []
    for nth in range(many):
        door = ("wechat", "alipay")[nth % 2]
        who = await (a_citizen(http, city.sandbox_url) if nth % 2 == 0 else _by_alipay(http, till))
        taken = await who.take(hall, item)
        assert taken.status_code == 201, taken.text
        own = random.Random(dice.random())
        people.append(Payer(who, door, taken.json()["id"], clerk, hall, till, own))
    return people


async def _by_alipay(http: httpx.AsyncClient, till: httpx.AsyncClient) -> Person:
    persona = {"name": "测试市民", "id_number": an_id_number(), "phone": "19900000000"}
    LEAKS.keep_secret(*persona.values())
    codes = (await till.post("/_sandbox/personas", json=persona)).json()
    reply = await http.post("/api/v1/sessions/alipay", json={"auth_code": codes["alipay_code"]})
    assert reply.status_code == 200, reply.text
    return Person(http, reply.json()["access_token"], reply.json())


async def all_delivered(till: httpx.AsyncClient) -> None:
    """Wait until no callback is still to come."""
    while True:
        reply = await till.get("/_sandbox/deliveries", params={"limit": 1})
        if not reply.json()["under_way"]:
            return
        await asyncio.sleep(0.1)


async def what_was_told(till: httpx.AsyncClient, orders: Sequence[Order]) -> Told:
    """Count what came of the deliveries about these orders' payments."""
    told = Told()
    for order in orders:
        reply = await till.get("/_sandbox/deliveries", params={"about": order.order_no})
        for each in reply.json()["data"]:
            if each["tamper"] is None:
                told.genuine += 1
                if each["thanked"]:
                    told.thanked.add(order.order_no)
                continue
            told.tampered += 1
            told.tampered_and_answered += each["status"] is not None and each["status"] < 500
            assert not each["thanked"], each
    return told
