"""Receipts of text messages: what did not arrive is known; who is no vendor changes nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from integrations.sandbox.settings import SandboxSettings
from integrations.signed_asking import signed_headers
from models import notice_delivery
from models.database import rows
from models.notices import AttemptResult, NoticeState
from tests.conftest import Api
from tests.counters.halls import a_ticket
from tests.notices.post import Post, notices_of
from tests.notices.test_channels import calls, texts, with_a_phone
from tests.people import Person

GATEWAY = "/callbacks/sms/gateway/receipts"
UNREACHABLE = "13912340077"


@pytest.fixture
async def receipts(api: Api, post: Post) -> AsyncIterator[Post]:
    """The gateway brings receipts; at one phone nothing arrives."""
    where = {"gateway": f"{api.url}{GATEWAY}", "unreachable": [UNREACHABLE]}
    (await post.sandbox.put("/_sandbox/sms/receipts", json=where)).raise_for_status()
    yield post
    (await post.sandbox.put("/_sandbox/sms/receipts", json={})).raise_for_status()


async def a_text(api: Api, hall: str, post: Post, number: str) -> Person:
    """Somebody who is told of her call by a text message."""
    lin, _ = await a_ticket(api, hall)
    await with_a_phone(api, post, lin, number)
    wish = {"channels": ["sms"], "muted": [], "language": "zh"}
    kept = await lin.put("/me/notice-preferences", wish)
    assert kept.status_code == 200, kept.text
    await calls(api, hall)
    await post.goes()
    [_] = await texts(post, number)
    return lin


async def until_told(post: Post, lin: Person, **wanted: str | None) -> dict[str, Any]:
    """Deliver until her one notice is as it should be."""
    deadline = time.monotonic() + 30
    while True:
        await post.goes()
        [notice] = await notices_of(lin)
        if {name: notice[name] for name in wanted} == wanted:
            return notice
        assert time.monotonic() < deadline, notice
        await asyncio.sleep(0.02)


async def receipts_of(lin: Person) -> list[Any]:
    return await rows(
        "SELECT r.code, a.result, a.code AS why FROM notice n"
        " JOIN notice_attempt a ON a.notice_id = n.id"
        " JOIN notice_receipt r ON r.channel = a.channel AND r.message_no = a.message_no"
        " WHERE n.citizen_id = $1::text::uuid",
        lin.session["citizen"]["id"],
    )


async def test_a_text_that_arrived_is_known_to_have(api: Api, hall: str, receipts: Post) -> None:
    lin = await a_text(api, hall, receipts, "13912340078")
    deadline = time.monotonic() + 30
    while not (found := await receipts_of(lin)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert [(each["code"], each["result"]) for each in found] == [(None, "accepted")]
    assert len(await texts(receipts, "13912340078")) == 1


async def test_a_text_that_did_not_arrive_stands_in_her_inbox_and_is_not_sent_again(
    api: Api, hall: str, receipts: Post
) -> None:
    lin = await a_text(api, hall, receipts, UNREACHABLE)
    await until_told(receipts, lin, state="kept")
    [found] = await receipts_of(lin)
    assert found["why"] == "not_arrived:PHONE_OFF"
    assert len(await texts(receipts, UNREACHABLE)) == 1


async def test_a_receipt_that_overtakes_its_answer_is_not_lost(
    api: Api, hall: str, post: Post
) -> None:
    lin = await a_text(api, hall, post, "13912340079")
    [attempt] = await rows(
        "SELECT a.message_no FROM notice_attempt a JOIN notice n ON n.id = a.notice_id"
        " WHERE n.citizen_id = $1::text::uuid",
        lin.session["citizen"]["id"],
    )
    number = attempt["message_no"]
    # As if our courier had not written yet what the vendor answered.
    await rows("UPDATE notice_attempt SET message_no = 'later' WHERE message_no = $1", number)
    assert (await told(api, [number])).status_code == 200
    await rows(
        "UPDATE notice SET state = 'waiting', settled_at = NULL WHERE citizen_id = $1::text::uuid",
        lin.session["citizen"]["id"],
    )
    [notice] = await rows(
        "SELECT n.id, n.tries, a.id AS attempt FROM notice n"
        " JOIN notice_attempt a ON a.notice_id = n.id WHERE a.message_no = 'later'"
    )
    await notice_delivery.finish(
        [
            notice_delivery.Outcome(
                notice_id=notice["id"],
                tries=notice["tries"],
                state=NoticeState.SENT,
                channel="sms",
                attempt_id=notice["attempt"],
                result=AttemptResult.ACCEPTED,
                message_no=number,
            )
        ]
    )
    await until_told(post, lin, state="kept")


async def told(
    api: Api, numbers: list[str], *, secret: str | None = None, age_s: float = 0, **more: Any
) -> httpx.Response:
    """A receipt of what did not arrive, as the gateway signs it."""
    account = SandboxSettings()
    failed = [{"message_id": each, "status": "failed", "code": "PHONE_OFF"} for each in numbers]
    body = msgspec.json.encode({"receipts": failed})
    headers = signed_headers(
        "POST",
        GATEWAY,
        body,
        app_key=account.sms_app_key,
        secret=secret or account.sms_secret,
        now=time.time() - age_s,
    )
    async with httpx.AsyncClient(base_url=api.url, trust_env=False) as http:
        return await http.post(GATEWAY, content=more.get("instead", body), headers=headers)


async def test_who_is_not_the_vendor_changes_nothing(api: Api, hall: str, post: Post) -> None:
    lin = await a_text(api, hall, post, "13912340076")
    [attempt] = await rows(
        "SELECT a.message_no FROM notice_attempt a JOIN notice n ON n.id = a.notice_id"
        " WHERE n.citizen_id = $1::text::uuid",
        lin.session["citizen"]["id"],
    )
    number = attempt["message_no"]
    for refused in (
        await told(api, [number], secret="forged"),
        await told(api, [number], age_s=3600),
        await told(api, [number], instead=b'{"receipts": []}'),
        await told(api, [number], instead=b"[" * 30_000),
    ):
        assert refused.status_code == 403, refused.text
    async with httpx.AsyncClient(base_url=api.url, trust_env=False) as http:
        unsigned = await http.post(GATEWAY, content=b"{}")
        foreign = await http.post("/callbacks/sms/nobody/receipts", content=b"{}")
        too_big = await http.post(GATEWAY, content=b"x" * 100_000)
    answered = [unsigned.status_code, foreign.status_code, too_big.status_code]
    assert answered == [403, 404, 413]
    [notice] = await notices_of(lin)
    assert notice["state"] == "sent"
    # The same, twice and at once, is taken once.
    many = await asyncio.gather(*(told(api, [number, number]) for _ in range(4)))
    assert {each.status_code for each in many} == {200}
    await until_told(post, lin, state="kept")
