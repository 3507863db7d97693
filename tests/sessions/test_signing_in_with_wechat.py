"""Signing in through WeChat: one person is one citizen, and nothing is left half made."""

from asyncio import gather
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import httpx
import pytest
from sanic import Sanic

from integrations.ports import Platforms
from integrations.wechat import WeChatSignIn
from models.database import rows
from tests.conftest import Api, free_port
from tests.people import an_id_number, wechat_code

ENDPOINT = "wechat.jscode2session"
Spend = Callable[[str], Awaitable[httpx.Response]]


@pytest.fixture
def sign_in(api: Api) -> Spend:
    async def spend(code: str) -> httpx.Response:
        return await api.http.post("/api/v1/sessions/wechat", json={"code": code})

    return spend


@asynccontextmanager
async def outage(api: Api, **fault: Any) -> AsyncIterator[None]:
    """WeChat misbehaves inside."""
    address = f"{api.sandbox_url}/_sandbox/faults"
    async with httpx.AsyncClient(trust_env=False) as http:
        (await http.put(address, json={"endpoint": ENDPOINT, **fault})).raise_for_status()
        try:
            yield
        finally:
            await http.delete(address)


async def accounts() -> tuple[int, ...]:
    """How many citizens, channels and sign-ins there are."""
    [found] = await rows(
        "SELECT (SELECT count(*) FROM citizen) AS citizens,"
        " (SELECT count(*) FROM channel_link) AS channels,"
        " (SELECT count(*) FROM sign_in) AS sign_ins"
    )
    return tuple(found.values())


def assert_refused(reply: httpx.Response, status: int, code: str) -> None:
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"


async def test_a_sign_in_gives_a_pair_and_a_citizen(api: Api, sign_in: Spend) -> None:
    reply = await sign_in(await wechat_code(api.sandbox_url))
    assert reply.status_code == 200
    session = reply.json()
    assert session["token_type"] == "Bearer"
    assert session["expires_in"] == 900
    assert session["access_token"].count(".") == 2
    assert len(session["refresh_token"]) >= 40
    citizen = session["citizen"]
    assert citizen["assurance_level"] == 0
    assert citizen["channels"] == ["wechat"]
    assert (citizen["name"], citizen["id_number"], citizen["phone"]) == (None, None, None)


async def test_who_i_am_is_what_the_sign_in_said(api: Api) -> None:
    lin = await api.citizen()
    reply = await lin.get("/me")
    assert reply.status_code == 200
    assert reply.json() == lin.session["citizen"]
    fields = {"id", "name", "id_number", "phone", "assurance_level", "channels"}
    assert fields <= set(reply.json())


async def test_the_same_person_is_always_the_same_citizen(api: Api) -> None:
    who = an_id_number()
    first, second = await api.citizen(who), await api.citizen(who)
    assert first.session["citizen"] == second.session["citizen"]
    assert first.token != second.token
    somebody_else = await api.citizen()
    assert somebody_else.session["citizen"]["id"] != first.session["citizen"]["id"]


async def test_twenty_first_sign_ins_at_once_make_one_citizen(api: Api, sign_in: Spend) -> None:
    who = an_id_number()
    codes = [await wechat_code(api.sandbox_url, who) for _ in range(20)]
    before = await accounts()
    replies = await gather(*(sign_in(code) for code in codes))
    assert [reply.status_code for reply in replies] == [200] * 20
    assert len({reply.json()["citizen"]["id"] for reply in replies}) == 1
    made = [after - was for after, was in zip(await accounts(), before, strict=True)]
    assert made == [1, 1, 20]


async def test_a_code_works_once(api: Api, sign_in: Spend) -> None:
    code = await wechat_code(api.sandbox_url)
    assert (await sign_in(code)).status_code == 200
    assert_refused(await sign_in(code), 401, "sign_in_refused")


async def test_a_code_spent_by_ten_at_once_signs_one_in(api: Api, sign_in: Spend) -> None:
    code = await wechat_code(api.sandbox_url)
    replies = await gather(*(sign_in(code) for _ in range(10)))
    assert sorted(reply.status_code for reply in replies) == [200] + [401] * 9


@pytest.mark.parametrize("code", ["0a1B2c3D4e5F6g7H8i9J", "x", "代码", "a b", "a\nb", "e" * 256])
async def test_a_foreign_code_is_refused(api: Api, sign_in: Spend, code: str) -> None:
    before = await accounts()
    assert_refused(await sign_in(code), 401, "sign_in_refused")
    assert await accounts() == before


async def test_an_expired_code_is_refused(api: Api, sign_in: Spend) -> None:
    code = await wechat_code(api.sandbox_url)
    wechat = Sanic.get_app("sandbox-for-api").ctx.wechat
    wechat._login_codes._codes[code].dies_at = 0.0
    assert_refused(await sign_in(code), 401, "sign_in_refused")


async def test_somebody_the_platform_has_blocked_is_told_so(api: Api, sign_in: Spend) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        persona = {"id_number": an_id_number(), "blocked": True}
        reply = await http.post(f"{api.sandbox_url}/_sandbox/personas", json=persona)
    assert_refused(await sign_in(reply.json()["wechat_code"]), 403, "user_blocked")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "http_500"},
        {"kind": "rubbish"},
        {"kind": "error", "errcode": -1},
        {"kind": "error", "errcode": 40013},
        {"kind": "error", "errcode": 99999},
        {"kind": "hang", "seconds": 0.1},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_when_the_platform_fails_nobody_is_half_signed_in(
    api: Api, sign_in: Spend, fault: dict[str, Any]
) -> None:
    code = await wechat_code(api.sandbox_url)
    before = await accounts()
    async with outage(api, **fault):
        reply = await sign_in(code)
    assert_refused(reply, 503, "unavailable")
    assert int(reply.headers["retry-after"]) >= 1
    assert await accounts() == before
    again = await sign_in(await wechat_code(api.sandbox_url))
    assert again.status_code == 200


async def test_a_platform_that_stumbles_once_is_asked_again(api: Api, sign_in: Spend) -> None:
    async with outage(api, kind="error", errcode=-1, times=1):
        reply = await sign_in(await wechat_code(api.sandbox_url))
    assert reply.status_code == 200


async def test_a_platform_that_does_not_answer_is_no_fault_of_the_phone(
    api: Api, sign_in: Spend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        nobody_there = WeChatSignIn(http, f"http://127.0.0.1:{free_port()}", "wx", "secret")
        monkeypatch.setattr(api.services, "platforms", Platforms(doors={"wechat": nobody_there}))
        before = await accounts()
        reply = await sign_in("some-code")
    assert_refused(reply, 503, "unavailable")
    assert "retry-after" in reply.headers
    assert await accounts() == before


async def test_somebody_who_signs_in_too_often_is_asked_to_wait(api: Api, sign_in: Spend) -> None:
    async with outage(api, kind="error", errcode=45011):
        reply = await sign_in(await wechat_code(api.sandbox_url))
    assert_refused(reply, 429, "too_many_requests")
    assert int(reply.headers["retry-after"]) == 60


@pytest.mark.parametrize(
    "body", [{}, {"code": ""}, {"code": None}, {"code": "e" * 257}, {"code": "x", "more": 1}, []]
)
async def test_a_sign_in_without_a_proper_code_is_malformed(api: Api, body: Any) -> None:
    reply = await api.http.post("/api/v1/sessions/wechat", json=body)
    assert_refused(reply, 422, "invalid_request")


async def test_a_phone_with_an_odd_name_signs_in_all_the_same(api: Api) -> None:
    code = await wechat_code(api.sandbox_url)
    odd = {b"User-Agent": b"\xff\xfe phone \xe5\xbe\xae " + b"x" * 300}
    reply = await api.http.post("/api/v1/sessions/wechat", json={"code": code}, headers=odd)
    assert reply.status_code == 200


async def test_two_first_sign_ins_at_once_leave_no_word_in_the_log_of_postgres(
    api: Api, sign_in: Spend, tmp_path_factory: pytest.TempPathFactory
) -> None:
    [log] = tmp_path_factory.getbasetemp().glob("stores[0-9]*/logs/postgres.log")
    before = len(log.read_text())
    for _ in range(5):
        number = an_id_number()
        codes = [await wechat_code(api.sandbox_url, number) for _ in range(6)]
        replies = await gather(*(sign_in(code) for code in codes))
        assert len({reply.json()["citizen"]["id"] for reply in replies}) == 1
    assert "ERROR" not in log.read_text()[before:]


async def test_what_breaks_a_key_is_not_quoted_in_the_log_of_postgres(
    api: Api, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lin = await api.citizen()
    her_id, openid = lin.session["citizen"]["id"], f"o6Nms-{an_id_number()}"
    for _ in range(2):
        with suppress(asyncpg.UniqueViolationError):
            await rows(
                "INSERT INTO channel_link (id, citizen_id, platform, app_id, subject, created_at)"
                " VALUES (gen_random_uuid(), $1, 'wechat', 'wx', $2, now())",
                her_id,
                openid,
            )
    [log] = tmp_path_factory.getbasetemp().glob("stores[0-9]*/logs/postgres.log")
    said = log.read_text()
    assert "channel_subject_once" in said
    assert openid not in said
    assert her_id not in said
