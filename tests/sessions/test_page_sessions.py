"""A page stays signed in by a cookie that no script reads, and that other sites cannot use."""

from datetime import timedelta

import httpx
import pytest

from models.database import rows
from tests.conftest import Api
from tests.people import Person

TOKEN = "/api/v1/sessions/page/token"


async def keep(api: Api, who: Person) -> httpx.Cookies:
    answer = await api.http.post(
        "/api/v1/sessions/page", headers={"Authorization": f"Bearer {who.token}"}
    )
    assert answer.status_code == 204
    said = answer.headers["set-cookie"]
    assert "HttpOnly" in said
    assert "SameSite=Strict" in said
    cookies = httpx.Cookies(answer.cookies)
    api.http.cookies.clear()
    return cookies


async def token(
    api: Api, cookies: httpx.Cookies, kind: str = "citizen", **headers: str
) -> httpx.Response:
    bearing = "; ".join(f"{name}={value}" for name, value in cookies.items())
    answer = await api.http.post(TOKEN, json={"kind": kind}, headers={"Cookie": bearing} | headers)
    return answer


async def test_a_page_gets_tokens_by_its_cookie_again_and_again(api: Api) -> None:
    lin = await api.citizen()
    cookies = await keep(api, lin)
    for _ in range(3):
        answer = await token(api, cookies)
        assert answer.headers["cache-control"] == "no-store"
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        me = (await api.http.get("/api/v1/me", headers=bearer)).json()
        assert me["id"] == (await lin.get("/me")).json()["id"]


async def test_staff_and_citizen_may_be_signed_in_at_one_browser(api: Api) -> None:
    clerk, lin = await api.clerk("dg-05"), await api.citizen()
    cookies = await keep(api, clerk)
    assert (await token(api, cookies)).status_code == 204
    cookies.update(await keep(api, lin))
    as_clerk, as_citizen = await token(api, cookies, "staff"), await token(api, cookies)
    assert (as_clerk.json()["role"], as_clerk.json()["halls"]) == ("clerk", ["dg-05"])
    assert (as_citizen.json()["role"], as_citizen.json()["halls"]) == (None, [])


async def test_nobody_signed_in_is_no_fault(api: Api) -> None:
    assert (await token(api, httpx.Cookies())).status_code == 204
    made_up = httpx.Cookies({"yiting-page-citizen": "made-up"})
    assert (await token(api, made_up)).status_code == 204


async def test_signing_out_ends_it(api: Api) -> None:
    lin = await api.citizen()
    cookies = await keep(api, lin)
    await lin.delete("/sessions/current")
    assert (await token(api, cookies)).status_code == 204


async def test_it_is_over_after_its_time(api: Api) -> None:
    cookies = await keep(api, await api.citizen())
    [kept] = await rows("SELECT digest FROM page_session ORDER BY issued_at DESC LIMIT 1")
    await rows(
        "UPDATE page_session SET expires_at = expires_at - $2::interval WHERE digest = $1",
        kept["digest"],
        timedelta(days=31),
    )
    assert (await token(api, cookies)).status_code == 204


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
)
async def test_other_sites_get_nothing(api: Api, headers: dict[str, str]) -> None:
    cookies = await keep(api, await api.citizen())
    answer = await token(api, cookies, **headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


async def test_only_who_is_signed_in_may_keep_a_page(api: Api) -> None:
    answer = await api.http.post("/api/v1/sessions/page")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
