"""Departments' systems bill citizens: once by their numbers, withdrawn, and told what happened."""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest_asyncio

from models import bills, refunds
from models.database import rows, transaction
from models.refunds import RefundReason, Wish
from models.tickets import SYSTEM
from tests.conftest import Api
from tests.payments.money import NOW, an_order, paid, row_of
from tests.people import an_id_number


@dataclass
class System:
    """A department's system, with its client id and secret."""

    http: httpx.AsyncClient
    code: str
    secret: str
    since: str | None = None

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        basic = base64.b64encode(f"{self.code}:{self.secret}".encode()).decode()
        return await self.http.request(
            method,
            f"/api/v1/departments{path}",
            json=body,
            headers={"Authorization": f"Basic {basic}"},
        )

    async def bills(self, number: str, fen: int = 8000, **more: Any) -> httpx.Response:
        body = {"number": number, "title": "不动产登记费", "amount_fen": fen}
        return await self.ask("POST", "/bills", body | {"id_number": an_id_number()} | more)

    async def news(self) -> list[tuple[str, str, int]]:
        """What happened since it asked last: what, to which bill, and what of it went back."""
        asked = f"?since={self.since}" if self.since else ""
        reply = await self.ask("GET", f"/bill-news{asked}")
        assert reply.status_code == 200, reply.text
        self.since = reply.json()["next"]
        return [
            (one["kind"], one["bill"]["number"], one["bill"]["refunded_fen"])
            for one in reply.json()["data"]
        ]


Register = Callable[..., Awaitable[System]]


@pytest_asyncio.fixture
async def register(api: Api) -> Register:
    async def registered(**facts: Any) -> System:
        admin = await api.colleague("admin")
        code = f"dept-{uuid4().hex[:12]}"
        body = {"client_id": code, "name": "不动产登记中心", "redirect_uris": ["https://a.test/cb"]}
        reply = await admin.post("/admin/sso/clients", body | {"may_bill": True} | facts)
        assert reply.status_code == 201, reply.text
        return System(api.http, code, reply.json()["client_secret"])

    return registered


async def id_of(reply: httpx.Response) -> UUID:
    bill: UUID = (await row_of("bill", reply.json()["bill_no"], "bill_no"))["id"]
    return bill


async def until_news(system: System) -> list[tuple[str, str, int]]:
    """News come as soon as nobody writes any more who began before."""
    while not (told := await system.news()):
        pass
    return told


async def test_a_bill_is_made_once_by_the_departments_number(register: Register) -> None:
    system, other = await register(), await register()
    who = an_id_number()
    first = await system.bills("2026-1", id_number=who)
    assert (first.status_code, first.json()["state"]) == (201, "due"), first.text
    assert (await system.bills("2026-1", id_number=who)).json() == first.json()
    for change in ({"fen": 8001}, {"title": "别的"}, {"id_number": an_id_number()}):
        refused = await system.bills("2026-1", **({"id_number": who} | change))
        assert (refused.status_code, refused.json()["code"]) == (409, "bill_number_reused")
    assert (await other.ask("GET", "/bills/2026-1")).status_code == 404, "it is another's"
    its_own = await other.bills("2026-1")
    assert its_own.json()["bill_no"] != first.json()["bill_no"]


async def test_she_finds_it_among_her_bills(api: Api, register: Register) -> None:
    system, her_number = await register(), an_id_number()
    made = await system.bills("2026-2", id_number=her_number)
    lin = await api.citizen(her_number)
    named = await lin.post(
        "/me/real-name", {"name": "测试市民", "id_type": "resident_id", "id_number": her_number}
    )
    assert named.status_code == 200, named.text
    (hers,) = (await lin.get("/bills")).json()["data"]
    assert hers["bill_no"] == made.json()["bill_no"]
    assert "44" not in str(made.json().get("id_number", "")), "no number comes back"


async def test_a_department_is_told_what_happened_once_and_in_order(register: Register) -> None:
    system, other = await register(), await register()
    assert await system.news() == []
    first, second = await system.bills("a"), await system.bills("b")
    order = await an_order(await id_of(first))
    await paid(order)
    assert await until_news(system) == [("paid", "a", 0)]
    [receipt] = await rows(
        "SELECT issuer_name, number FROM receipt WHERE bill_id = $1", await id_of(first)
    )
    assert receipt["issuer_name"] == "不动产登记中心"
    assert receipt["number"].startswith(f"{system.code}-2026-")
    assert (await system.ask("POST", "/bills/b/withdraw")).json()["state"] == "cancelled"
    assert await until_news(system) == [("cancelled", "b", 0)]
    async with transaction() as tx:
        held = await refunds.lock_order(tx, order)
        wish = Wish("1", 3000, RefundReason.OTHER, SYSTEM, approved=True)
        row, _ = await refunds.ask(tx, held, wish, now=NOW)
        await refunds.conclude(tx, held, row, "finish", now=NOW)
    assert await until_news(system) == [("refunded", "a", 3000)]
    assert await system.news() == await other.news() == []
    system.since = None
    assert [kind for kind, *_ in await system.news()] == ["paid", "cancelled", "refunded"]
    assert second.status_code == 201


async def test_news_of_an_older_transaction_are_not_passed_over(register: Register) -> None:
    system = await register()
    slow, fast = await id_of(await system.bills("slow")), await id_of(await system.bills("fast"))
    async with transaction() as tx:
        await bills.cancel(tx, await bills.lock(tx, slow), reason="withdrawn", now=NOW)
        async with transaction() as quick:
            await bills.cancel(quick, await bills.lock(quick, fast), reason="withdrawn", now=NOW)
        assert await system.news() == [], "somebody who began before is still writing"
    told = await until_news(system)
    while len(told) < 2:
        told += await system.news()
    assert sorted(number for _, number, _ in told) == ["fast", "slow"]


async def test_a_paid_bill_is_not_withdrawn(register: Register) -> None:
    system = await register()
    made = await system.bills("x")
    await paid(await an_order(await id_of(made)))
    refused = await system.ask("POST", "/bills/x/withdraw")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert (await system.ask("GET", "/bills/x")).json()["state"] == "paid"
    assert (await system.ask("POST", "/bills/y/withdraw")).status_code == 404


async def test_only_a_system_that_may_bill_and_proves_itself_does(
    api: Api, register: Register
) -> None:
    system, reader = await register(), await register(may_bill=False)
    assert (await reader.bills("1")).json()["code"] == "not_allowed"
    wrong = System(api.http, system.code, "wrong")
    assert (await wrong.bills("1")).json()["code"] == "not_signed_in"
    bare = await api.http.post("/api/v1/departments/bills", json={})
    assert bare.status_code in (401, 422)
    citizen = await api.citizen()
    assert (await citizen.get("/departments/bill-news")).status_code == 401
    app = await register(public=True)
    assert (await System(api.http, app.code, "").bills("1")).status_code == 401


async def test_wrong_bills_are_refused_field_by_field(register: Register) -> None:
    system = await register()
    for body, pointer in (
        ({"fen": 0}, "/amount_fen"),
        ({"fen": 10**12}, "/amount_fen"),
        ({"title": ""}, "/title"),
        ({"id_number": "441900199003070017"}, "/id_number"),
        ({"number": "a b"}, "/number"),
        ({"number": "a\n"}, "/number"),
        ({"more": 1}, "/more"),
    ):
        reply = await system.bills(**({"number": "n"} | body))
        assert reply.status_code == 422, reply.text
        assert pointer in [each["pointer"] for each in reply.json()["errors"]]
    for since in ("x", "1", "-1-1", "9" * 30 + "-1"):
        assert (await system.ask("GET", f"/bill-news?since={since}")).status_code == 422
