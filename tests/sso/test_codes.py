"""A code works once, soon, and for whom it was made."""

import asyncio

import pytest

from server.sso import grants
from tests.conftest import Api
from tests.people import Person
from tests.sso.departments import (
    AFTER_LOGOUT,
    REDIRECT,
    Browser,
    Department,
    code_of,
    register,
)
from tests.sso.refusing import assert_refused


async def test_a_code_works_once_and_a_second_time_ends_what_it_gave(
    browser: Browser, department: Department
) -> None:
    code = await code_of(browser, department)
    tokens = (await department.redeem(code)).json()
    assert (await department.userinfo(tokens["access_token"])).status_code == 200
    assert_refused(await department.redeem(code), 400, "invalid_grant")
    assert (await department.userinfo(tokens["access_token"])).status_code == 401
    assert_refused(await department.refresh(tokens["refresh_token"]), 400, "invalid_grant")


async def test_of_ten_who_redeem_a_code_at_once_one_gets_tokens_and_they_end(
    browser: Browser, department: Department
) -> None:
    code = await code_of(browser, department)
    answers = await asyncio.gather(*(department.redeem(code) for _ in range(10)))
    given = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(given) == 1
    assert (await department.userinfo(given[0]["access_token"])).status_code == 401


async def test_a_code_is_over_after_a_minute(
    browser: Browser, department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert grants.CODE_S <= 60
    monkeypatch.setattr(grants, "CODE_S", 1)
    code = await code_of(browser, department)
    await asyncio.sleep(1.1)
    assert_refused(await department.redeem(code), 400, "invalid_grant")


async def test_a_code_is_worth_nothing_to_another_client_and_is_not_spent_by_it(
    api: Api, admin: Person, browser: Browser, department: Department
) -> None:
    thief = await register(api, admin)
    code = await code_of(browser, department)
    stolen = await thief.redeem(code, code_verifier=department.verifier)
    assert_refused(stolen, 400, "invalid_grant")
    assert (await department.redeem(code)).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": "another-verifier" * 3},
        {"code_verifier": "short"},
        {"code_verifier": "ä" * 60},
        {"redirect_uri": REDIRECT + "/"},
        {"redirect_uri": AFTER_LOGOUT},
        {"code": "unknown"},
        {"code": "x" * 5000},
    ],
    ids="-".join,
)
async def test_a_code_with_a_wrong_verifier_or_redirect_gives_nothing(
    browser: Browser, department: Department, changed: dict[str, str]
) -> None:
    code = await code_of(browser, department)
    assert_refused(await department.redeem(code, **changed), 400, "invalid_grant")


@pytest.mark.parametrize("missing", ["code", "redirect_uri", "code_verifier", "grant_type"])
async def test_what_is_missing_at_the_token_endpoint_is_said(
    browser: Browser, department: Department, missing: str
) -> None:
    code = await code_of(browser, department)
    assert_refused(await department.redeem(code, **{missing: None}), 400, "invalid_request")


async def test_other_grants_and_other_forms_are_refused(department: Department) -> None:
    for grant in ("password", "client_credentials", "implicit"):
        answer = await department.post("/oauth2/token", grant_type=grant)
        assert_refused(answer, 400, "unsupported_grant_type")
    auth = (department.client_id, department.secret or "")
    as_json = await department.http.post("/oauth2/token", json={"grant_type": "x"}, auth=auth)
    assert_refused(as_json, 400, "invalid_request")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"grant_type=a&grant_type=b", b"\xff\xfe", b"x=%00", b"x=%ff", b"&" * 9000):
        answer = await department.http.post("/oauth2/token", content=body, headers=form, auth=auth)
        assert_refused(answer, 400, "invalid_request")
