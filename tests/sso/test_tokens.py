"""Refresh and access tokens: once, for their client, until the sign-in ends."""

import asyncio

from tests.conftest import Api
from tests.people import Person
from tests.sso.departments import (
    Browser,
    Department,
    register,
    tokens_of,
    told,
)
from tests.sso.refusing import assert_refused


async def test_a_refresh_token_used_twice_ends_the_whole_grant(
    browser: Browser, department: Department
) -> None:
    first = await tokens_of(browser, department)
    second = (await department.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert_refused(await department.refresh(first["refresh_token"]), 400, "invalid_grant")
    assert_refused(await department.refresh(second["refresh_token"]), 400, "invalid_grant")
    assert (await department.userinfo(second["access_token"])).status_code == 401


async def test_of_ten_refreshes_at_once_one_wins_and_its_tokens_end(
    browser: Browser, department: Department
) -> None:
    first = await tokens_of(browser, department)
    many = [department.refresh(first["refresh_token"]) for _ in range(10)]
    answers = await asyncio.gather(*many)
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 9
    [won] = [answer.json() for answer in answers if answer.status_code == 200]
    assert (await department.userinfo(won["access_token"])).status_code == 401


async def test_a_refresh_token_of_another_client_is_refused_and_not_spent(
    api: Api, admin: Person, browser: Browser, department: Department
) -> None:
    thief = await register(api, admin)
    tokens = await tokens_of(browser, department)
    assert_refused(await thief.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    assert (await thief.post("/oauth2/revoke", token=tokens["access_token"])).status_code == 200
    assert (await department.userinfo(tokens["access_token"])).status_code == 200
    assert (await department.refresh(tokens["refresh_token"])).status_code == 200


async def test_a_refresh_may_ask_for_less_and_never_for_more(
    browser: Browser, department: Department
) -> None:
    tokens = await tokens_of(browser, department)
    more = await department.refresh(tokens["refresh_token"], scope="openid phone")
    assert_refused(more, 400, "invalid_scope")
    less = (await department.refresh(tokens["refresh_token"], scope="openid")).json()
    assert less["scope"] == "openid"
    back = await department.refresh(less["refresh_token"], scope="openid profile")
    assert_refused(back, 400, "invalid_scope")


async def test_tokens_are_taken_only_for_what_they_are(
    api: Api, browser: Browser, department: Department, lin: Person
) -> None:
    tokens = await tokens_of(browser, department)
    for token in tokens["access_token"], tokens["refresh_token"], tokens["id_token"]:
        me = await api.http.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert (me.status_code, me.json()["code"]) == (401, "not_signed_in")
    for token in tokens["refresh_token"], tokens["id_token"], lin.token, "x" * 4000, "中文":
        headers = {b"Authorization": f"Bearer {token}".encode()}
        answer = await api.http.get("/oauth2/userinfo", headers=headers)
        assert_refused(answer, 401, "invalid_token")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    none = await api.http.get(f"/oauth2/userinfo?access_token={tokens['access_token']}")
    assert (none.status_code, none.headers["www-authenticate"]) == (401, "Bearer")
    assert_refused(await department.refresh(tokens["access_token"]), 400, "invalid_grant")


async def test_tokens_end_with_the_sign_in_they_came_from(
    browser: Browser, department: Department, lin: Person
) -> None:
    tokens = await tokens_of(browser, department)
    assert (await lin.delete("/sessions/current")).status_code == 204
    assert (await department.userinfo(tokens["access_token"])).status_code == 401
    assert_refused(await department.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    assert told(await browser.open(department.asks(prompt="none")))["error"] == "login_required"


async def test_a_revoked_token_takes_the_whole_grant_along(
    browser: Browser, department: Department
) -> None:
    for which in ("access_token", "refresh_token"):
        tokens = await tokens_of(browser, department)
        answer = await department.post("/oauth2/revoke", token=tokens[which])
        assert (answer.status_code, answer.content) == (200, b"")
        assert (await department.userinfo(tokens["access_token"])).status_code == 401
        assert_refused(await department.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    assert (await department.post("/oauth2/revoke", token="unknown")).status_code == 200
    assert_refused(await department.post("/oauth2/revoke"), 400, "invalid_request")
