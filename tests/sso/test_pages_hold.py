"""A tampered, foreign or stolen page gives nothing."""

import httpx

from tests.conftest import Api
from tests.people import Person
from tests.sso.departments import (
    Browser,
    Department,
    form_of,
    register,
    signed_in_browser,
    told,
)
from tests.sso.refusing import assert_nowhere


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
