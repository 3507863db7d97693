"""Everything that a department's system, a thief or a tampered page must not get."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from models import sso_people
from models.database import rows, transaction
from server.limits import Limits
from server.sso import grants
from server.sso.provider import Provider
from tests.conftest import Api
from tests.people import Person
from tests.sso.departments import (
    AFTER_LOGOUT,
    REDIRECT,
    Browser,
    Department,
    claims_of,
    code_of,
    code_shown,
    form_of,
    register,
    signed_in_browser,
    tokens_of,
    told,
)


def assert_refused(answer: httpx.Response, status: int, error: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"error", "error_description"}


def assert_nowhere(page: httpx.Response) -> None:
    """A page that says what is wrong, and no redirect."""
    assert page.status_code == 400
    assert "location" not in page.headers
    assert "无法继续" in page.text


# --- where the answer goes -------------------------------------------------------------------


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


# --- codes -----------------------------------------------------------------------------------


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


# --- clients ---------------------------------------------------------------------------------


async def test_a_wrong_secret_is_refused_and_challenged(
    api: Api, admin: Person, department: Department
) -> None:
    other = await register(api, admin)
    for secret in ("wrong", "", other.secret, (department.secret or "") + "x"):
        basic = await api.http.post(
            "/oauth2/token",
            data={"grant_type": "refresh_token"},
            auth=(department.client_id, secret or ""),
        )
        assert_refused(basic, 401, "invalid_client")
        assert basic.headers["www-authenticate"].startswith("Basic")
        posted = {"client_id": department.client_id, "client_secret": secret or "-"}
        by_form = await api.http.post("/oauth2/token", data=posted)
        assert_refused(by_form, 401, "invalid_client")
    without = await api.http.post("/oauth2/token", data={"client_id": department.client_id})
    assert_refused(without, 401, "invalid_client")
    unknown = await api.http.post("/oauth2/token", data={"x": "y"}, auth=("nobody", "x"))
    assert_refused(unknown, 401, "invalid_client")


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic eA==", "Bearer x", "Basic /w=="])
async def test_a_malformed_authorization_header_is_refused(api: Api, header: str) -> None:
    answer = await api.http.post(
        "/oauth2/token", data={"grant_type": "x"}, headers={"Authorization": header}
    )
    assert_refused(answer, 401, "invalid_client")


async def test_two_ways_of_authentication_at_once_are_refused(department: Department) -> None:
    answer = await department.post("/oauth2/token", client_secret=department.secret)
    assert_refused(answer, 400, "invalid_request")


async def test_a_public_client_needs_its_verifier_and_may_have_no_secret(
    api: Api, admin: Person, browser: Browser
) -> None:
    public = await register(api, admin, public=True)
    assert public.secret is None
    code = await code_of(browser, public)
    assert_refused(await public.redeem(code, code_verifier="x" * 43), 400, "invalid_grant")
    assert_refused(await public.redeem(code, client_secret="x"), 401, "invalid_client")
    assert (await public.redeem(code)).status_code == 200


async def test_trying_secrets_out_is_limited(
    api: Api, department: Department, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    statuses = set()
    for _ in range(130):
        answer = await api.http.post(
            "/oauth2/token", data={"x": "y"}, auth=(department.client_id, "x")
        )
        statuses.add(answer.status_code)
        if answer.status_code == 429:
            break
    assert statuses == {401, 429}
    assert int(answer.headers["retry-after"]) > 0


# --- tokens ----------------------------------------------------------------------------------


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


# --- ID tokens as hints ----------------------------------------------------------------------


def by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """A token as PyJWT would refuse to write it."""
    parts = [json.dumps(part).encode() for part in (header, claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mark = hmac.digest(secret, text, hashlib.sha256) if secret is not None else b""
    return (text + b"." + base64.urlsafe_b64encode(mark).rstrip(b"=")).decode()


async def test_a_forged_id_token_is_no_hint(
    browser: Browser, department: Department, provider: Provider
) -> None:
    genuine = (await tokens_of(browser, department))["id_token"]
    header, claims = jwt.get_unverified_header(genuine), claims_of(genuine)
    assert (header["alg"], header["kid"]) == ("ES256", provider.keys.current)
    public = provider.keys.signing_key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    foreign = generate_private_key(SECP256R1())
    forged = [
        by_hand({**header, "alg": "none"}, claims, None),
        by_hand({**header, "alg": "HS256"}, claims, pem),
        by_hand({**header, "alg": "HS256"}, claims, provider.keys.salt),
        by_hand({**header, "alg": "HS256", "kid": "pairwise-salt"}, claims, provider.keys.salt),
        jwt.encode(claims, foreign, algorithm="ES256", headers=header),
        jwt.encode(claims, foreign, algorithm="ES256", headers={"kid": "another"}),
        jwt.encode({**claims, "iss": "https://evil.example"}, provider.keys.signing_key, "ES256"),
        genuine[:-4] + "AAAA",
        "rubbish",
    ]
    for token in forged:
        assert provider.read_hint(token) is None
        page = await browser.open(f"/oauth2/logout?id_token_hint={token}")
        assert_nowhere(page)
    hint = provider.read_hint(genuine)
    assert hint is not None
    assert (hint.client, hint.subject) == (department.client_id, claims["sub"])


async def test_an_expired_id_token_is_still_a_hint(
    browser: Browser, department: Department, provider: Provider
) -> None:
    claims = claims_of((await tokens_of(browser, department))["id_token"])
    old = {**claims, "iat": int(time.time()) - 7200, "exp": int(time.time()) - 3600}
    kid = {"kid": provider.keys.current}
    token = jwt.encode(old, provider.keys.signing_key, algorithm="ES256", headers=kid)
    assert provider.read_hint(token) is not None


async def test_signing_out_leads_only_to_registered_addresses(
    api: Api, admin: Person, browser: Browser, department: Department
) -> None:
    hint = (await tokens_of(browser, department))["id_token"]
    other = await register(api, admin, post_logout_redirect_uris=["https://other.example/bye"])
    for wrong in (
        f"?post_logout_redirect_uri={AFTER_LOGOUT}",
        f"?client_id={department.client_id}&post_logout_redirect_uri={AFTER_LOGOUT}/",
        f"?client_id={department.client_id}&post_logout_redirect_uri={REDIRECT}",
        f"?id_token_hint={hint}&post_logout_redirect_uri=https://other.example/bye",
        f"?id_token_hint={hint}&client_id={other.client_id}",
        f"?client_id={department.client_id}&client_id={other.client_id}",
    ):
        assert_nowhere(await browser.open(f"/oauth2/logout{wrong}"))
    assert told(await browser.open(department.asks(prompt="none")))["code"]


async def test_without_her_own_id_token_signing_out_is_asked_and_may_be_refused(
    browser: Browser, department: Department
) -> None:
    tokens = await tokens_of(browser, department)
    client = f"client_id={department.client_id}"
    leaving = f"/oauth2/logout?{client}&post_logout_redirect_uri={AFTER_LOGOUT}"
    question = await browser.open(leaving)
    assert "退出登录？" in question.text
    assert "保持登录" in (await browser.press(question, "refuse")).text
    assert (await department.userinfo(tokens["access_token"])).status_code == 200
    question = await browser.open(leaving)
    tampered = await browser.press(question, "agree", form_token="x")
    assert_nowhere(tampered)
    left = await browser.press(await browser.open(leaving), "agree")
    assert (left.status_code, left.headers["location"]) == (303, AFTER_LOGOUT)
    assert (await department.userinfo(tokens["access_token"])).status_code == 401
    assert told(await browser.open(department.asks(prompt="none")))["error"] == "login_required"


async def test_signing_out_by_form_keeps_the_hint_out_of_addresses(
    browser: Browser, department: Department, lin: Person
) -> None:
    hint = (await tokens_of(browser, department))["id_token"]
    begun = await browser.http.post("/oauth2/logout", data={"id_token_hint": hint})
    assert hint not in begun.headers["location"]
    left = await browser.open(begun.headers["location"])
    assert "已退出" in left.text
    # The mini-program's own sign-in goes on.
    assert (await lin.get("/me")).status_code == 200


# --- pages -----------------------------------------------------------------------------------


async def test_consent_refused_is_told_to_the_client(
    api: Api, browser: Browser, department: Department
) -> None:
    page = await browser.open(department.asks())
    answer = told(await browser.press(page, "refuse"))
    assert (answer["error"], answer["iss"]) == ("access_denied", api.url)
    assert answer["state"] == "a state/with?signs&中文"
    assert_nowhere(await browser.press(page, "agree"))


async def test_a_tampered_page_gives_nothing(
    browser: Browser, department: Department, api: Api
) -> None:
    page = await browser.open(department.asks())
    action, said = form_of(page)
    other_page = await browser.open(department.asks(state="other"))
    wrong = [
        {"form_token": "x"},
        {"form_token": ""},
        {"form_token": form_of(other_page)[1]["form_token"]},
        {"request": "x"},
        {"request": form_of(other_page)[1]["request"]},
    ]
    for changed in wrong:
        assert_nowhere(await browser.press(page, "agree", **changed))
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        data = {**said, "decision": "agree"}
        assert_nowhere(await browser.http.post(action, data=data, headers=headers))
    # What she asked for is in the server's memory: more fields change nothing.
    more = {"scope": "openid identity", "redirect_uri": "https://evil.example"}
    answer = await browser.press(page, "agree", **more)
    tokens = (await department.redeem(told(answer)["code"])).json()
    assert tokens["scope"] == "openid profile"


async def test_a_page_of_one_browser_is_nothing_in_another(
    api: Api, browser: Browser, department: Department, lin: Person
) -> None:
    page = await browser.open(department.asks())
    async with httpx.AsyncClient(base_url=api.url, trust_env=False) as http:
        other = Browser(http)
        assert_nowhere(await other.open(str(page.url)))
        await signed_in_browser(other, lin)
        await other.open(department.asks())
        assert_nowhere(await other.press(page, "agree"))


async def test_a_consent_page_is_worth_nothing_to_whoever_signs_in_after(
    api: Api, browser: Browser, department: Department
) -> None:
    page = await browser.open(department.asks())
    await signed_in_browser(browser, await api.citizen())
    assert_nowhere(await browser.press(page, "agree"))


async def test_a_handover_works_once_in_time_and_while_she_is_signed_in(
    api: Api, lin: Person, fresh: Browser
) -> None:
    handed = (await lin.post("/me/handover", {})).json()
    # Another site's link might sign her in as somebody else: it asks first, and spends nothing.
    asked = await fresh.open(handed["url"], **{"Sec-Fetch-Site": "cross-site"})
    assert "继续登录？" in asked.text
    assert "已登录" in (await fresh.open(handed["url"])).text
    for over in (handed["url"], "/oauth2/session?handover=x", "/oauth2/session"):
        assert_nowhere(await fresh.open(over))
    unused = (await lin.post("/me/handover", {})).json()
    await lin.delete("/sessions/current")
    assert_nowhere(await fresh.open(unused["url"]))
    assert (await api.http.post("/api/v1/me/handover")).status_code == 401
    clerk = await api.clerk("dg-01")
    assert (await clerk.post("/me/handover", {})).status_code == 403
    other = await api.citizen()
    assert (await other.post("/me/handover", {"client": "nobody"})).status_code == 404


async def test_pages_bear_the_headers_that_keep_them_whole(
    browser: Browser, department: Department, fresh: Browser
) -> None:
    page = await browser.http.get(department.asks())
    page = await browser.http.get(page.headers["location"])
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "<script" not in page.text
    handed = [cookie for cookie in browser.http.cookies.jar if "session" in cookie.name]
    assert handed[0].has_nonstandard_attr("HttpOnly")
    assert handed[0].get_nonstandard_attr("SameSite") == "Lax"


async def test_what_an_admin_registered_is_shown_as_text(
    api: Api, admin: Person, browser: Browser
) -> None:
    attack = "<script>alert(1)</script>'\"&"
    department = await register(api, admin, name=attack, name_en=attack)
    page = await browser.open(department.asks())
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


# --- signing in by phone ---------------------------------------------------------------------


async def test_a_refusal_on_the_phone_goes_back_to_the_client(
    fresh: Browser, department: Department, lin: Person
) -> None:
    page = await fresh.open(department.asks())
    code = code_shown(page)
    assert (await fresh.http.get("/oauth2/waiting")).json() == {"progress": "waiting"}
    assert (await lin.delete(f"/me/browsers/{code}")).status_code == 204
    assert (await fresh.http.get("/oauth2/waiting")).json() == {"progress": "refused"}
    assert told(await fresh.open(str(page.url)))["error"] == "access_denied"
    assert (await lin.post(f"/me/browsers/{code}")).status_code == 404


async def test_a_code_on_a_screen_works_once_for_the_browser_that_shows_it(
    api: Api, fresh: Browser, department: Department, lin: Person
) -> None:
    page = await fresh.open(department.asks())
    code = code_shown(page)
    assert code_shown(await fresh.open(str(page.url))) == code
    assert (await api.http.post(f"/api/v1/me/browsers/{code}")).status_code == 401
    answers = await asyncio.gather(*(lin.post(f"/me/browsers/{code.lower()}") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 4
    async with httpx.AsyncClient(base_url=api.url, trust_env=False) as http:
        assert (await http.get("/oauth2/waiting")).json() == {"progress": "expired"}
        assert_nowhere(await Browser(http).open(str(page.url)))
    assert "当前账号" in (await fresh.open(str(page.url))).text
    for wrong in ("BCDF-GHJK", "x", "%00", "1" * 300):
        assert (await lin.post(f"/me/browsers/{wrong}")).status_code == 404


async def test_ending_the_browsers_own_sign_in_leaves_the_phone_signed_in(
    fresh: Browser, department: Department, lin: Person
) -> None:
    page = await fresh.open(department.asks())
    await lin.post(f"/me/browsers/{code_shown(page)}")
    consent = await fresh.open(str(page.url))
    tokens = (await department.redeem(told(await fresh.press(consent, "agree"))["code"])).json()
    left = await fresh.open(f"/oauth2/logout?id_token_hint={tokens['id_token']}")
    assert "已退出" in left.text
    assert (await department.userinfo(tokens["access_token"])).status_code == 401
    assert (await lin.get("/me")).status_code == 200


async def test_a_browser_is_among_her_devices_and_ending_it_there_ends_its_tokens(
    fresh: Browser, department: Department, lin: Person
) -> None:
    page = await fresh.open(department.asks())
    await lin.post(f"/me/browsers/{code_shown(page)}")
    consent = await fresh.open(str(page.url))
    tokens = (await department.redeem(told(await fresh.press(consent, "agree"))["code"])).json()
    devices = (await lin.get("/me/devices")).json()["data"]
    [browser] = [device for device in devices if device["channel"] == "browser"]
    assert browser["device"].startswith("python-httpx")
    assert (await lin.delete(f"/me/devices/{browser['id']}")).status_code == 204
    assert (await department.userinfo(tokens["access_token"])).status_code == 401
    assert_refused(await department.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    assert told(await fresh.open(department.asks(prompt="none")))["error"] == "login_required"


async def test_erasing_herself_ends_everything_a_department_had(
    api: Api, browser: Browser, department: Department, lin: Person
) -> None:
    tokens = await tokens_of(browser, department)
    assert (await lin.get("/me/export")).json()["consents"][0]["client"] == department.client_id
    assert (await lin.delete("/me")).status_code == 204
    assert (await department.userinfo(tokens["access_token"])).status_code == 401
    citizen = UUID(lin.session["citizen"]["id"])
    assert await rows("SELECT 1 FROM sso_consent WHERE citizen_id = $1", citizen) == []
    assert await rows("SELECT 1 FROM sso_subject WHERE citizen_id = $1", citizen) == []


async def test_trying_codes_out_is_limited(
    api: Api, lin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    statuses = [(await lin.get("/me/browsers/BCDF-GHJK")).status_code for _ in range(41)]
    assert set(statuses) == {404, 429}


# --- how surely, how lately, whom ------------------------------------------------------------


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


# --- consents --------------------------------------------------------------------------------


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
