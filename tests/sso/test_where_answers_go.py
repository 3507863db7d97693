"""Nobody is sent to an address that a client did not register."""

from typing import Any

import pytest

from tests.conftest import Api
from tests.people import Person
from tests.sso.departments import (
    REDIRECT,
    Browser,
    Department,
    code_of,
    tokens_of,
    told,
)
from tests.sso.refusing import assert_nowhere, assert_refused


@pytest.mark.parametrize(
    "redirect",
    [
        None,
        "https://evil.example/callback",
        REDIRECT + "/",
        REDIRECT + "?next=1",
        REDIRECT + "#x",
        REDIRECT.replace("https", "http"),
        REDIRECT.replace("social.example", "social.example.evil"),
        REDIRECT.upper(),
        REDIRECT.replace("/callback", "/%63allback"),
        REDIRECT.replace("/callback", "/x/../callback"),
        "https://social.example.gov.cn@evil.example/callback",
        "javascript:alert(1)",
        "//evil.example",
        "",
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_registered(
    browser: Browser, department: Department, redirect: str | None
) -> None:
    for more in ({}, {"prompt": "none"}, {"response_type": "token"}):
        page = await browser.http.get(department.asks(redirect_uri=redirect, **more))
        assert_nowhere(page)


async def test_a_redirect_uri_given_twice_or_of_an_unknown_client_leads_nowhere(
    browser: Browser, department: Department
) -> None:
    assert_nowhere(await browser.http.get(department.asks() + "&redirect_uri=https://evil.example"))
    assert_nowhere(await browser.http.get(department.asks() + "&client_id=another"))
    for unknown in ("nobody", "", "x" * 500, "a\0b"):
        assert_nowhere(await browser.http.get(department.asks(client_id=unknown)))
    assert_nowhere(await browser.http.get("/oauth2/authorize"))
    assert_nowhere(await browser.http.get("/oauth2/authorize?x=%ff&" + "y" * 100))


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "+" * 43}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": "openid phone"}, "invalid_scope"),
        ({"scope": "openid identity"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "٣"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"claims": "{"}, "invalid_request"),
        ({"claims": "[]"}, "invalid_request"),
        ({"acr_values": "gold"}, "unmet_authentication_requirements"),
        ({"nonce": "n" * 513}, "invalid_request"),
    ],
    ids=str,
)
async def test_a_wrong_request_of_a_known_client_is_told_to_the_client(
    api: Api, browser: Browser, department: Department, changed: dict[str, Any], error: str
) -> None:
    answer = told(await browser.http.get(department.asks(**changed)))
    assert answer["error"] == error
    assert answer["state"] == "a state/with?signs&中文"
    assert answer["iss"] == api.url
    assert "code" not in answer


async def test_a_parameter_given_twice_is_refused(browser: Browser, department: Department) -> None:
    for twice in ("&nonce=x", "&scope=openid", "&code_challenge=x"):
        answer = told(await browser.http.get(department.asks() + twice))
        assert (answer["error"], "state" in answer) == ("invalid_request", True)
    answer = told(await browser.http.get(department.asks() + "&state=another"))
    assert (answer["error"], "state" in answer) == ("invalid_request", False)


async def test_a_disabled_client_is_refused_everything(
    admin: Person, browser: Browser, department: Department, api: Api
) -> None:
    tokens = await tokens_of(browser, department)
    code = await code_of(browser, department)
    path = f"/api/v1/admin/sso/clients/{department.client_id}"
    off = await api.http.patch(path, json={"disabled": True}, headers=admin.headers)
    assert off.json()["disabled"] is True
    assert_nowhere(await browser.http.get(department.asks()))
    assert_refused(await department.redeem(code), 401, "invalid_client")
    assert_refused(await department.refresh(tokens["refresh_token"]), 401, "invalid_client")
    assert (await department.userinfo(tokens["access_token"])).status_code == 401
    await api.http.patch(path, json={"disabled": False}, headers=admin.headers)
    assert_refused(await department.refresh(tokens["refresh_token"]), 400, "invalid_grant")
