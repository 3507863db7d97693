"""A citizen, a bill for her number, and a channel that pays: over HTTP as their programs would."""

from dataclasses import dataclass
from typing import Any

import httpx

from models.database import rows
from server.payments.looking import ask_about_doubts, look_after_orders
from server.payments.refunding import look_after_refunds
from server.payments.settling import settle_news
from tests.conftest import Api
from tests.people import Person


@dataclass
class Counter:
    """A hall with an item that costs something, and the sandbox's till."""

    api: Api
    hall: str
    till: httpx.AsyncClient

    def paid_item(self) -> str:
        """An item with a fee, that anybody may take a number for."""
        directory = self.api.services.directory
        return next(
            code
            for code in directory.hall(self.hall).offers
            if directory.item(code).fee_fen > 0 and directory.item(code).level_required == 0
        )

    async def a_bill(self, who: Person, fen: int | None = None) -> dict[str, Any]:
        """A bill for a number that she takes: the item's fee, or what a clerk asks for."""
        taken = await who.take(self.hall, self.paid_item())
        assert taken.status_code == 201, taken.text
        if fen is None:
            reply = await who.post("/bills", {"ticket": taken.json()["id"]})
        else:
            clerk = await self.api.clerk(self.hall)
            body = {"ticket": taken.json()["id"], "amount_fen": fen, "title": "证件工本费"}
            reply = await clerk.post(f"/halls/{self.hall}/bills", body)
        assert reply.status_code == 201, reply.text
        return dict(reply.json())

    async def begun(self, who: Person, bill: dict[str, Any], channel: str = "wechat") -> str:
        """The number of a payment that she begins."""
        reply = await who.post("/payments", {"bill_id": bill["id"], "channel": channel})
        assert reply.status_code == 201, reply.text
        return str(reply.json()["order_no"])

    async def pay(self, order_no: str, outcome: str = "success", **how: Any) -> dict[str, Any]:
        """What her phone does at the channel, and how the channel tells us."""
        body = {"order_no": order_no, "outcome": outcome, "deliveries": 0} | how
        reply = await self.till.post("/_sandbox/pay", json=body)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def delivered(self, about: str) -> list[dict[str, Any]]:
        """What came of all callbacks about a number, once all are over."""
        while True:
            reply = await self.till.get("/_sandbox/deliveries", params={"about": about})
            if not reply.json()["under_way"]:
                return list(reply.json()["data"])

    async def at_the_channel(self, order_no: str) -> dict[str, Any]:
        """What the channel's book says of an order."""
        reply = await self.till.get("/_sandbox/orders", params={"order_no": order_no})
        (found,) = reply.json()["data"]
        return dict(found)

    async def tend(self) -> None:
        """Do now what a worker does about once a second."""
        room = self.api.services
        now = room.clock.now()
        await settle_news(now)
        await look_after_orders(room.platforms.payments, now)
        await ask_about_doubts(room.platforms.payments, now)
        await look_after_refunds(room.platforms.payments, room.settings.issuer, now)

    async def tell_time(self) -> None:
        """The channels live by the city's clock."""
        body = {"start": self.api.services.clock.now().isoformat()}
        (await self.till.put("/_sandbox/clock", json=body)).raise_for_status()


async def order_of(order_no: str) -> Any:
    """An order's row."""
    (found,) = await rows("SELECT * FROM pay_order WHERE order_no = $1", order_no)
    return found


async def refusals(channel: str) -> list[str]:
    """Why callbacks of a channel were turned away, as the audit log says, oldest first."""
    found = await rows(
        "SELECT detail->>'reason' AS reason FROM audit_entry"
        " WHERE action = 'callback.refused' AND subject_id = $1 ORDER BY seq",
        channel,
    )
    return [row["reason"] for row in found]
