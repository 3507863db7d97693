"""ID tokens as hints, and where signing out leads."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from server.sso.provider import Provider
from tests.conftest import Api
from tests.people import Person
from tests.sso.departments import (
    AFTER_LOGOUT,
    REDIRECT,
    Browser,
    Department,
    claims_of,
    register,
    tokens_of,
    told,
)
from tests.sso.refusing import assert_nowhere


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
