"""A department's system built on Authlib, somebody else's client, signs a citizen in end to end."""

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from authlib.integrations.base_client import BaseApp, FrameworkIntegration
from authlib.integrations.base_client.async_app import AsyncOAuth2Mixin
from authlib.integrations.base_client.async_openid import AsyncOpenIDMixin
from authlib.integrations.httpx_client import AsyncOAuth2Client

from models.database import transaction
from models.knowing import remember_name_and_id, remember_phone
from tests.conftest import Api
from tests.leaks import LEAKS
from tests.people import Person, an_id_number
from tests.sso.departments import (
    AFTER_LOGOUT,
    REDIRECT,
    Browser,
    Department,
    code_shown,
    register,
    signed_in_browser,
    told,
)


class AuthlibSystem(AsyncOAuth2Mixin, AsyncOpenIDMixin, BaseApp):  # type: ignore[misc]
    """What Authlib's own frameworks use, without a framework around it."""

    client_cls = AsyncOAuth2Client


def system(api: Api, department: Department, scope: str, method: str) -> Any:
    return AuthlibSystem(
        FrameworkIntegration("department"),
        name="department",
        client_id=department.client_id,
        client_secret=department.secret,
        server_metadata_url=f"{api.url}/.well-known/openid-configuration",
        client_kwargs={
            "scope": scope,
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": method,
            "trust_env": False,
        },
    )


async def known_to_us(api: Api, person: Person, id_number: str) -> None:
    """What the identity provider and the platform said of her."""
    LEAKS.keep_secret("欧阳晓琳")
    citizen, now = UUID(person.session["citizen"]["id"]), datetime.now(UTC)
    sealer = api.services.sealer
    async with transaction() as tx:
        await remember_phone(tx, sealer, citizen, phone="13800138000", at=now)
        await remember_name_and_id(
            tx,
            sealer,
            citizen,
            name="欧阳晓琳",
            id_type="resident_id",
            id_number=id_number,
            level=2,
            at=now,
        )
        await tx.run("UPDATE channel_link SET level = 2 WHERE citizen_id = $1", citizen)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
async def test_authlib_signs_a_citizen_in_refreshes_revokes_and_signs_out(
    api: Api, admin: Person, fresh: Browser, lin: Person, method: str
) -> None:
    id_number = an_id_number()
    await known_to_us(api, lin, id_number)
    scope = "openid profile phone identity"
    department = await register(
        api, admin, scopes=scope.split(), full_name=True, public=method == "none"
    )
    theirs = system(api, department, scope, method)

    # Their site sends her here; she signs in by phone, and agrees.
    begun = await theirs.create_authorization_url(REDIRECT, acr_values="2")
    page = await fresh.open(begun["url"])
    shown = code_shown(page)
    asked = (await lin.get(f"/me/browsers/{shown}")).json()
    assert asked["client_name"] == "社会保险经办系统"
    assert (await lin.post(f"/me/browsers/{shown}")).status_code == 204
    consent = await fresh.open(str(page.url))
    for word in ("社会保险经办系统", "您的完整姓名", "您的手机号码", "您的证件类型和号码"):
        assert word in consent.text
    assert "欧阳晓琳" not in consent.text
    back = await fresh.press(consent, "agree")
    answer = told(back)
    assert (answer["state"], answer["iss"]) == (begun["state"], api.url)

    # Their server turns the code into tokens, and checks everything.
    tokens = await theirs.fetch_access_token(
        REDIRECT, code=answer["code"], state=answer["state"], code_verifier=begun["code_verifier"]
    )
    her = await theirs.parse_id_token(tokens, nonce=begun["nonce"])
    assert (her["aud"], her["acr"], her["nonce"]) == (department.client_id, "2", begun["nonce"])
    assert her["amr"] == ["wechat", "mca"]
    assert abs(her["auth_time"] - time.time()) < 60
    assert her["sub"] != lin.session["citizen"]["id"]
    assert set(her) == {
        *("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash")
    }
    assert await theirs.userinfo(token=tokens) == {
        "sub": her["sub"],
        "name": "欧阳晓琳",
        "phone_number": "+8613800138000",
        "phone_number_verified": True,
        "id_type": "resident_id",
        "id_number": id_number,
    }

    # Later: a refresh, then the end of it.
    metadata = await theirs.load_server_metadata()
    async with theirs._get_oauth_client(**metadata) as client:
        newer = await client.refresh_token(
            metadata["token_endpoint"], refresh_token=tokens["refresh_token"]
        )
        again = await theirs.parse_id_token(newer, nonce=None)
        assert {name: again[name] for name in ("sub", "aud", "auth_time", "sid")} == {
            name: her[name] for name in ("sub", "aud", "auth_time", "sid")
        }
        assert "nonce" not in again
        assert (await theirs.userinfo(token=newer))["sub"] == her["sub"]
        revoked = await client.revoke_token(
            metadata["revocation_endpoint"], token=newer["refresh_token"]
        )
        assert revoked.status_code == 200
    assert (await department.userinfo(newer["access_token"])).status_code == 401
    assert (await department.userinfo(tokens["access_token"])).status_code == 401

    # And out: her ID token is of this very session, so nothing is asked.
    leaving = await theirs.create_logout_url(AFTER_LOGOUT, id_token_hint=newer["id_token"])
    left = await fresh.open(leaving["url"])
    assert left.headers["location"] == f"{AFTER_LOGOUT}?state={leaving['state']}"
    silently = await fresh.open(department.asks(prompt="none"))
    assert told(silently)["error"] == "login_required"


async def test_the_second_time_she_is_asked_nothing(
    api: Api, browser: Browser, department: Department
) -> None:
    first = await browser.open(department.asks())
    assert "允许以下系统使用您的身份登录" in first.text
    assert "code" in told(await browser.press(first, "agree"))
    again = told(await browser.open(department.asks()))
    assert again["state"] == "a state/with?signs&中文"
    silently = told(await browser.open(department.asks(prompt="none")))
    assert "code" in silently


async def test_a_system_learns_only_what_it_asked_for_and_what_is_known(
    api: Api, admin: Person, fresh: Browser
) -> None:
    lin, chen = await api.citizen(), await api.citizen()
    await known_to_us(api, lin, an_id_number())
    department = await register(api, admin, scopes=["openid", "profile", "phone", "identity"])
    told_of_lin = []
    await signed_in_browser(fresh, lin)
    for scope in ("openid", "openid profile", "openid phone", "openid identity"):
        page = await fresh.open(department.asks(scope=scope))
        page = await fresh.press(page, "agree") if page.status_code == 200 else page
        tokens = (await department.redeem(told(page)["code"])).json()
        assert tokens["scope"] == scope
        told_of_lin.append(set((await department.userinfo(tokens["access_token"])).json()))
        masked = (await department.userinfo(tokens["access_token"])).json().get("name")
        assert masked in {None, "欧**"}
    assert told_of_lin == [
        {"sub"},
        {"sub", "name"},
        {"sub", "phone_number", "phone_number_verified"},
        {"sub", "id_type", "id_number"},
    ]
    await signed_in_browser(fresh, chen)
    everything = "openid profile phone identity"
    page = await fresh.press(await fresh.open(department.asks(scope=everything)), "agree")
    tokens = (await department.redeem(told(page)["code"])).json()
    assert set((await department.userinfo(tokens["access_token"])).json()) == {"sub"}


async def test_two_systems_cannot_tell_that_theirs_is_the_same_citizen(
    api: Api, admin: Person, browser: Browser
) -> None:
    one, other = await register(api, admin), await register(api, admin)
    sister = await register(api, admin, sector=one.client_id)
    subjects, sessions = [], []
    for department in (one, other, sister, one):
        page = await browser.open(department.asks(scope="openid"))
        page = await browser.press(page, "agree") if page.status_code == 200 else page
        claims = await department.redeem(told(page)["code"])
        parsed = await system(api, department, "openid", "client_secret_basic").parse_id_token(
            claims.json(), nonce="n-0S6_WzA2Mj"
        )
        subjects.append(parsed["sub"])
        sessions.append(parsed["sid"])
    assert subjects[0] == subjects[2] == subjects[3] != subjects[1]
    assert len(set(sessions)) == 3


async def test_a_mini_program_opens_a_systems_own_sign_in(
    api: Api, admin: Person, lin: Person, fresh: Browser
) -> None:
    login = "https://social.example.gov.cn/login?from=yiting"
    department = await register(api, admin, login_uri=login)
    handed = (await lin.post("/me/handover", {"client": department.client_id})).json()
    assert handed["expires_in"] == 60
    opened = await fresh.open(handed["url"])
    location = opened.headers["location"]
    assert location.startswith(login + "&")
    assert dict(parse_qsl(urlsplit(location).query))["iss"] == api.url
    # Its site then begins by itself, and she is signed in already.
    page = await fresh.open(department.asks(scope="openid"))
    assert "当前账号" in page.text


async def test_a_handover_may_come_along_with_the_request_itself(
    lin: Person, fresh: Browser, department: Department
) -> None:
    handed = (await lin.post("/me/handover", {})).json()
    page = await fresh.open(department.asks() + f"&handover={handed['code']}")
    assert "当前账号" in page.text
    assert handed["code"] not in str(page.url)
