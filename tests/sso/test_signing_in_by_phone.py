"""Signing in on a screen by the phone, and ending it there."""

import asyncio
from uuid import UUID

import httpx
import pytest

from models.database import rows
from server.http.limits import Limits
from tests.conftest import Api
from tests.people import Person
from tests.sso.departments import (
    Browser,
    Department,
    code_shown,
    tokens_of,
    told,
)
from tests.sso.refusing import assert_nowhere, assert_refused


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
