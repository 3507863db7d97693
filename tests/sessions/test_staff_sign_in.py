"""Staff sign in by name and password, and may do what their role and halls allow."""

from typing import Any

import httpx
import pytest

from server.http.limits import Limits
from tests.conftest import Api
from tests.people import PASSWORD, a_member_of_staff


async def sign_in(api: Api, **body: Any) -> httpx.Response:
    return await api.http.post("/api/v1/staff/sessions", json=body)


def said(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["code"]


@pytest.mark.parametrize(
    ("username", "role", "halls"),
    [
        ("clerk.dg-01.01", "clerk", ["dg-01"]),
        ("manager.dg-01", "hall_manager", ["dg-01"]),
        ("supervisor", "supervisor", []),
        ("admin", "admin", []),
    ],
)
async def test_each_role_signs_in_with_its_halls(
    api: Api, username: str, role: str, halls: list[str]
) -> None:
    reply = await sign_in(api, username=username, password=PASSWORD)
    assert reply.status_code == 200
    session = reply.json()
    assert (session["role"], session["halls"]) == (role, halls)
    assert (session["token_type"], session["expires_in"]) == ("Bearer", 900)


async def test_a_wrong_password_and_an_unknown_name_are_told_alike(api: Api) -> None:
    wrong = await sign_in(api, username="clerk.dg-01.01", password="yiting-dem")
    unknown = await sign_in(api, username="nobody", password=PASSWORD)
    assert said(wrong) == said(unknown) == (401, "wrong_password")
    assert wrong.json() == unknown.json()
    assert (await sign_in(api, username="clerk.dg-01.01", password=PASSWORD)).status_code == 200


@pytest.mark.parametrize(
    "username",
    [
        "Clerk.dg-01.01",
        "clerk.dg-01.01 ",
        "%",
        "' OR '1'='1",
        "书记员",
        "clerk.dg-01.01\n",
        "é" * 64,
    ],
)
async def test_a_name_is_taken_as_it_is(api: Api, username: str) -> None:
    assert said(await sign_in(api, username=username, password=PASSWORD))[0] == 401


async def test_a_second_factor_may_be_given_and_is_not_asked_for(api: Api) -> None:
    for otp in (None, "123456"):
        reply = await sign_in(api, username="clerk.dg-01.01", password=PASSWORD, otp=otp)
        assert reply.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "admin"},
        {"username": "", "password": "x"},
        {"username": "admin", "password": ""},
        {"username": "a" * 65, "password": "x"},
        {"username": "admin", "password": "x" * 257},
        {"username": "admin\0", "password": "x"},
        {"username": ["admin"], "password": "x"},
        {"username": "admin", "password": "x", "role": "admin"},
    ],
)
async def test_a_malformed_sign_in_is_refused(api: Api, body: Any) -> None:
    assert said(await sign_in(api, **body)) == (422, "invalid_request")


async def test_passwords_cannot_be_tried_without_end(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    # Right ones count as well: what is limited is work. Ten a minute, were the minute not to turn
    # between them; so up to 21.
    replies = []
    for _ in range(21):
        replies.append(await sign_in(api, username="manager.dg-02", password=PASSWORD))
        if replies[-1].status_code == 429:
            break
    assert said(replies[-1]) == (429, "too_many_requests")
    assert {reply.status_code for reply in replies[:-1]} == {200}
    other = await sign_in(api, username="manager.dg-03", password=PASSWORD)
    assert other.status_code == 200


async def test_a_citizen_may_not_do_what_clerks_do(api: Api) -> None:
    lin = await api.citizen()
    assert said(await lin.get("/halls/dg-01/counters")) == (403, "not_allowed")
    for action in ("open", "pause", "close", "call-next", "start", "finish", "miss"):
        assert said(await lin.at("dg-01", "01", action)) == (403, "not_allowed"), action


async def test_a_clerk_works_in_her_own_hall_only(api: Api) -> None:
    clerk = await api.clerk("dg-01")
    assert (await clerk.get("/halls/dg-01/counters")).status_code == 200
    for hall in ("dg-02", "dg-00", "dg-99"):
        assert said(await clerk.get(f"/halls/{hall}/counters")) == (403, "not_allowed")
        for action in ("open", "call-next", "finish"):
            assert said(await clerk.at(hall, "01", action)) == (403, "not_allowed")


async def test_an_admin_works_in_every_hall_there_is(api: Api) -> None:
    admin = await a_member_of_staff(api.http, "admin")
    for hall in ("dg-00", "dg-01", "dg-33"):
        assert (await admin.get(f"/halls/{hall}/counters")).status_code == 200
    assert said(await admin.get("/halls/dg-99/counters")) == (404, "not_found")


async def test_staff_are_no_citizens(api: Api) -> None:
    clerk = await api.clerk("dg-01")
    assert said(await clerk.get("/me")) == (403, "not_allowed")
    assert said(await clerk.get("/tickets")) == (403, "not_allowed")
    assert said(await clerk.take("dg-01", "social-card-renewal")) == (403, "not_allowed")
