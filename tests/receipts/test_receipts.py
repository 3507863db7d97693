"""Who paid has a receipt, her hall finds it, and anybody who has the paper can check it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from server.http.limits import VERIFY_ADDRESS
from tests.conftest import Api
from tests.payments.counter import Counter
from tests.people import Person


@pytest.fixture
async def counter(api: Api) -> AsyncIterator[Counter]:
    async with httpx.AsyncClient(base_url=api.sandbox_url, trust_env=False, timeout=60) as till:
        at = Counter(api, await api.quiet_hall(), till)
        await at.tell_time()
        await till.put("/_sandbox/refunds", json={"outcome": "success", "takes_s": 0})
        yield at


async def paid(counter: Counter, who: Person, fen: int | None = None) -> dict[str, Any]:
    """A bill of hers that is paid."""
    bill = await counter.a_bill(who, fen)
    order_no = await counter.begun(who, bill)
    await counter.pay(order_no, deliveries=2)
    async with asyncio.timeout(30):
        while not (await who.get(f"/payments/{order_no}")).json()["receipt"]:
            await counter.tend()
    return bill


async def back(counter: Counter, who: Person, bill: dict[str, Any], fen: int | None) -> None:
    """Some of it has gone back, or all that was left."""
    clerk = await counter.api.clerk(counter.hall)
    body = {"request_no": f"r-{fen}", "reason": "overcharged"} | (
        {"amount_fen": fen} if fen else {}
    )
    reply = await clerk.post(f"/halls/{counter.hall}/bills/{bill['id']}/refunds", body)
    assert reply.status_code == 201, reply.text
    before = len(await receipts_of(who, bill))
    async with asyncio.timeout(20):
        while len(await receipts_of(who, bill)) == before:
            await counter.tend()


async def receipts_of(who: Person, bill: dict[str, Any]) -> list[dict[str, Any]]:
    reply = await who.get(f"/bills/{bill['id']}/receipts")
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["data"]
    return found


async def test_who_paid_has_a_receipt_and_a_red_one_of_what_came_back(
    counter: Counter, lin: Person
) -> None:
    unpaid = await counter.a_bill(lin)
    assert await receipts_of(lin, unpaid) == []
    item = counter.api.services.directory.item(unpaid["item"])
    who = await counter.api.citizen()
    bill = await paid(counter, who)
    (receipt,) = await receipts_of(who, bill)
    assert receipt["number"].startswith(f"{item.department}-2026-")
    assert (receipt["issuer"], receipt["title"]) == (item.department_name, item.name)
    assert (receipt["kind"], receipt["state"]) == ("paid", "genuine")
    assert (receipt["amount_fen"], receipt["hall"]) == (bill["amount_fen"], counter.hall)
    await back(counter, who, bill, 100)
    first, red = await receipts_of(who, bill)
    assert (first["state"], first["refunded_fen"]) == ("partly_refunded", 100)
    assert (red["kind"], red["amount_fen"], red["original"]) == ("red", 100, first["number"])
    await back(counter, who, bill, None)
    first, _, rest = await receipts_of(who, bill)
    assert (first["state"], first["reversed_by"]) == (
        "refunded",
        [red["number"], rest["number"]],
    )
    # And in her list, newest first, a page at a time.
    page = (await who.get("/receipts?limit=2")).json()
    assert [one["number"] for one in page["data"]] == [rest["number"], red["number"]]
    last = (await who.get(f"/receipts?limit=2&cursor={page['next_cursor']}")).json()
    assert [one["number"] for one in last["data"]] == [receipt["number"]]
    assert last["next_cursor"] is None


async def test_it_comes_as_pdf_and_as_a_picture_for_her_and_for_her_hall_alone(
    counter: Counter,
) -> None:
    who, stranger = await counter.api.citizen(), await counter.api.citizen()
    bill = await paid(counter, who, 800)
    (receipt,) = await receipts_of(who, bill)
    path = f"/receipts/{receipt['number']}"
    clerk = await counter.api.clerk(counter.hall)
    elsewhere = await counter.api.clerk(await counter.api.quiet_hall())
    for file, kind, begins in (
        ("receipt.pdf", "application/pdf", b"%PDF-"),
        ("receipt.png", "image/png", b"\x89PNG"),
    ):
        for reader in (who, clerk):
            reply = await reader.get(f"{path}/{file}")
            assert (reply.status_code, reply.headers["content-type"]) == (200, kind)
            assert reply.content.startswith(begins)
            assert "no-store" in reply.headers["cache-control"]
        assert (await stranger.get(f"{path}/{file}")).status_code == 404
        assert (await elsewhere.get(f"{path}/{file}")).status_code == 403
        assert (await counter.api.http.get(f"/api/v1{path}/{file}")).status_code == 401
        assert (await who.get(f"/receipts/{receipt['number']}9/{file}")).status_code == 404
    assert (await clerk.get(path)).json() == (await who.get(path)).json()
    bills = f"/bills/{bill['id']}/receipts"
    assert (await stranger.get(bills)).status_code == 404
    assert (await elsewhere.get(bills)).status_code == 403
    assert (await who.get("/bills/nothing/receipts")).status_code == 404


async def test_anybody_who_has_the_paper_sees_what_became_of_it(counter: Counter) -> None:
    who = await counter.api.citizen()
    bill = await paid(counter, who, 1000)
    (receipt,) = await receipts_of(who, bill)
    http = counter.api.http
    typed = f" {receipt['code'][:5].lower()}-{receipt['code'][5:]} "

    async def seen() -> tuple[str, str]:
        told = await http.post("/api/v1/receipts/verify", json={"code": typed})
        shown = await http.get(f"/verify/{receipt['code']}")
        assert (told.status_code, shown.status_code) == (200, 200)
        assert set(told.json()).isdisjoint({"code", "bill_id", "order_no"})
        state = shown.text.split("data-state='")[1].split("'")[0]
        assert receipt["number"] in shown.text
        return told.json()["state"], state

    assert await seen() == ("genuine", "good")
    await back(counter, who, bill, 400)
    assert await seen() == ("partly_refunded", "partly")
    await back(counter, who, bill, None)
    assert await seen() == ("refunded", "refunded")
    red = (await receipts_of(who, bill))[1]
    assert "data-state='red'" in (await http.get(f"/verify/{red['code']}")).text
    form = await http.get("/verify", params={"code": typed})
    assert receipt["number"] in form.text
    headers = form.headers
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")


@pytest.mark.parametrize(
    "code", ["0" * 20, "x", "号" * 20, "<script>alert(1)</script>", "%00", "A" * 500, "１" * 20]
)
async def test_what_is_no_code_is_unknown(api: Api, code: str) -> None:
    shown = await api.http.get(f"/verify/{code}")
    assert shown.status_code == 404
    assert "<script" not in shown.text
    if len(code) <= 80:
        told = await api.http.post("/api/v1/receipts/verify", json={"code": code})
        assert (told.status_code, told.json()["code"]) == (404, "receipt_unknown")


async def test_whoever_tries_codes_out_is_stopped(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = api.services.limits
    monkeypatch.setattr(limits, "_enabled", True)
    await limits._valkey.set(f"limit:{VERIFY_ADDRESS.name}:127.0.0.1", VERIFY_ADDRESS.most, ex=60)
    try:
        told = await api.http.post("/api/v1/receipts/verify", json={"code": "0" * 20})
        assert (told.status_code, told.json()["code"]) == (429, "too_many_requests")
        assert (await api.http.get(f"/verify/{'0' * 20}")).status_code == 429
    finally:
        await limits._valkey.delete(f"limit:{VERIFY_ADDRESS.name}:127.0.0.1")


async def test_the_page_asks_for_a_code_where_none_is_given(api: Api) -> None:
    for address in ("/verify", "/verify?code="):
        shown = await api.http.get(address)
        assert shown.status_code == 200
        assert 'name="code"' in shown.text
