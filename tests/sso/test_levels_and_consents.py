"""How surely, how lately, whom; and what she agreed to."""

import json
import time
from uuid import UUID

from models import sso_people
from models.database import transaction
from tests.conftest import Api
from tests.people import Person
from tests.sso.departments import (
    Browser,
    Department,
    claims_of,
    code_of,
    code_shown,
    register,
    signed_in_browser,
    tokens_of,
    told,
)
from tests.sso.refusing import assert_nowhere, assert_refused


async def test_a_level_that_she_does_not_have_is_asked_for_or_told(
    browser: Browser, department: Department
) -> None:
    error = "unmet_authentication_requirements"
    silent = told(await browser.open(department.asks(acr_values="2 3", prompt="none")))
    assert silent["error"] == error
    page = await browser.open(department.asks(acr_values="2 3"))
    assert "需要更高的认证等级" in page.text
    assert "已实名" in page.text
    assert told(await browser.press(page, "refuse"))["error"] == error
    essential = json.dumps({"id_token": {"acr": {"essential": True, "values": ["3"]}}})
    page = await browser.open(department.asks(claims=essential))
    assert "已实名并刷脸" in page.text
    voluntary = json.dumps({"id_token": {"acr": {"values": ["3"]}, "auth_time": None}})
    assert "当前账号" in (await browser.open(department.asks(claims=voluntary))).text
    assert "当前账号" in (await browser.open(department.asks(acr_values="gold 0"))).text


async def test_prompt_login_and_max_age_want_a_new_sign_in(
    browser: Browser, department: Department, lin: Person
) -> None:
    await code_of(browser, department)
    for asked in ({"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}):
        began = time.time()
        page = await browser.open(department.asks(**asked))
        assert (await lin.post(f"/me/browsers/{code_shown(page)}")).status_code == 204
        tokens = await department.redeem(told(await browser.open(str(page.url)))["code"])
        assert claims_of(tokens.json()["id_token"])["auth_time"] >= int(began)
    old = told(await browser.open(department.asks(max_age="0", prompt="none")))
    assert old["error"] == "login_required"
    assert "code" in told(await browser.open(department.asks(max_age="3600")))
    again = await browser.open(department.asks(prompt="consent"))
    assert "当前账号" in again.text


async def test_a_client_that_wants_somebody_else_is_told_so(
    browser: Browser, department: Department
) -> None:
    mine = claims_of((await tokens_of(browser, department))["id_token"])["sub"]
    for subject, said in ((mine, "code"), ("somebody", "error")):
        claims = json.dumps({"id_token": {"sub": {"value": subject}}})
        assert said in told(await browser.open(department.asks(claims=claims)))
    hinted = await browser.open(department.asks(login_hint="chen@example"))
    tokens = (await department.redeem(told(hinted)["code"])).json()
    assert claims_of(tokens["id_token"])["sub"] == mine


async def test_a_request_by_form_is_the_same_as_by_address(
    browser: Browser, department: Department
) -> None:
    query = department.asks(state="by form").partition("?")[2]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    begun = await browser.http.post("/oauth2/authorize", content=query, headers=form)
    assert begun.status_code == 303
    page = await browser.open(begun.headers["location"])
    assert told(await browser.press(page, "agree"))["state"] == "by form"
    for body in ("a b", "a#b", "a\r\nSet-Cookie: x", "x" * 9000):
        assert_nowhere(await browser.http.post("/oauth2/authorize", content=body, headers=form))


async def test_a_consent_taken_back_ends_its_tokens_and_is_asked_for_again(
    browser: Browser, department: Department, lin: Person, api: Api
) -> None:
    tokens = await tokens_of(browser, department)
    [given] = (await lin.get("/me/consents")).json()["data"]
    assert (given["client"], given["client_name"]) == (department.client_id, "社会保险经办系统")
    assert given["facts"] == ["subject", "masked_name"]
    stranger = await api.citizen()
    path = f"/me/consents/{department.client_id}"
    assert (await stranger.delete(path)).status_code == 404
    assert (await lin.delete(path)).status_code == 204
    assert (await department.userinfo(tokens["access_token"])).status_code == 401
    assert_refused(await department.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    assert (await lin.delete(path)).status_code == 404
    assert (await lin.get("/me/consents")).json()["data"] == []
    assert "当前账号" in (await browser.open(department.asks())).text


async def test_more_than_she_agreed_to_is_asked_anew_and_less_is_not(
    api: Api, admin: Person, browser: Browser
) -> None:
    department = await register(api, admin, scopes=["openid", "profile", "phone"])
    await code_of(browser, department, scope="openid profile")
    more = await browser.open(department.asks(scope="openid profile phone"))
    assert "您的手机号码" in more.text
    assert "code" in told(await browser.open(department.asks(scope="openid")))
    # The whole name is more than the masked one.
    path = f"/api/v1/admin/sso/clients/{department.client_id}"
    await api.http.patch(path, json={"full_name": True}, headers=admin.headers)
    assert "您的完整姓名" in (await browser.open(department.asks())).text


async def test_joined_accounts_keep_consents_and_are_known_by_the_same_subject(
    api: Api, browser: Browser, department: Department, lin: Person
) -> None:
    subject = claims_of((await tokens_of(browser, department))["id_token"])["sub"]
    other = await api.citizen()
    one, into = (UUID(person.session["citizen"]["id"]) for person in (lin, other))
    async with transaction() as tx:
        await sso_people.move_to(tx, one, into)
    [given] = (await other.get("/me/consents")).json()["data"]
    assert given["client"] == department.client_id
    await signed_in_browser(browser, other)
    tokens = await department.redeem(told(await browser.open(department.asks()))["code"])
    assert claims_of(tokens.json()["id_token"])["sub"] == subject


async def test_a_browser_counts_for_what_the_phones_own_channel_has_proven(
    api: Api, browser: Browser, department: Department, lin: Person
) -> None:
    me = UUID(lin.session["citizen"]["id"])
    async with transaction() as tx:
        await tx.run("UPDATE citizen SET level = 3 WHERE id = $1", me)
        await tx.run("UPDATE channel_link SET level = 2 WHERE citizen_id = $1", me)
    assert "需要更高的认证等级" in (await browser.open(department.asks(acr_values="3"))).text
    assert claims_of((await tokens_of(browser, department))["id_token"])["acr"] == "2"
    # Signed in by the code that a browser shows, it is the same.
    page = await browser.open(department.asks(prompt="login"))
    assert (await lin.post(f"/me/browsers/{code_shown(page)}")).status_code == 204
    tokens = await department.redeem(told(await browser.open(str(page.url)))["code"])
    assert claims_of(tokens.json()["id_token"])["acr"] == "2"
