"""A citizen follows her case on her phone: none yet, late, news of it, and how she found it."""

import base64
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from playwright.async_api import Browser, expect

from tests.conftest import City
from tests.people import a_member_of_staff, an_id_number
from tests.web.browsing import PHONE, no_machine_words, sign_in

STRANGE = '<img src=x onerror="window.attacked=1">请补交合同'


async def test_she_follows_it_from_nothing_to_her_rating(
    city: City, http: httpx.AsyncClient, browser: Browser
) -> None:
    number, complaints = an_id_number(), list[str]()
    context = await browser.new_context(viewport=PHONE, locale="zh-CN")
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{city.url}/#/sign-in?then=%2Fcases")
    await sign_in(page, city, "办件人", number)
    await expect(page.locator(".nothing")).to_contain_text("还没有办件")

    tell = await a_department(http)
    now = datetime.fromisoformat((await http.get("/api/v1/halls")).json()["as_of"])
    case = await tell(
        "/cases",
        item="account-real-name",
        id_number=number,
        at=(now - timedelta(days=3)).isoformat(),
        due_at=(now - timedelta(days=1)).isoformat(),
    )
    await page.reload()
    one = page.locator(".links a")
    await expect(one).to_contain_text(["已超期"])
    await page.get_by_text("已结束").click()
    await expect(page.locator(".nothing")).to_contain_text("没有这样的办件")
    await page.get_by_text("在办", exact=True).click()
    await one.click()
    await expect(page.locator(".steps li")).to_have_count(1)
    steps = f"/cases/{case['no']}/steps"
    await tell(steps, name="补正材料", state="waiting_for_materials", note=STRANGE)
    await tell(steps, name="发证", state="finished")

    await page.goto(f"{city.url}/#/inbox")
    await page.locator(".inbox a").first.click()
    await expect(page.locator(".steps li")).to_have_count(3)
    await expect(page.locator(".steps .words")).to_have_text(STRANGE)
    await expect(page.locator(".steps")).to_contain_text("曾超期")
    await page.get_by_label("2: 不满意").check(force=True)
    await page.get_by_role("button", name="提交评价").click()
    await expect(page.locator("main")).to_contain_text("您的评价")
    await page.get_by_role("button", name="English").click()
    await expect(page.locator(".steps")).to_contain_text("Was late")
    await expect(page).to_have_title(re.compile("Yiting"))
    await page.goto(f"{city.url}/#/cases/C2026112399999999")
    await expect(page.locator(".nothing[role=alert]")).to_be_visible()
    assert await page.evaluate("window.attacked") is None
    await no_machine_words(page)
    assert complaints == []
    await context.close()


async def a_department(http: httpx.AsyncClient) -> Any:
    """What a department's system tells the city, by the path and the body."""
    admin = await a_member_of_staff(http, "admin")
    code = f"dept-{uuid4().hex[:12]}"
    client = {"client_id": code, "name": "登记中心", "redirect_uris": ["https://a.test/cb"]}
    made = await admin.post("/admin/sso/clients", client | {"may_handle_cases": True})
    basic = base64.b64encode(f"{code}:{made.json()['client_secret']}".encode()).decode()

    async def tell(path: str, **body: Any) -> dict[str, Any]:
        said = {"number": uuid4().hex} | body
        bearer = {"Authorization": f"Basic {basic}"}
        reply = await http.post(f"/api/v1/departments{path}", json=said, headers=bearer)
        assert reply.status_code == 201, reply.text
        return dict(reply.json())

    return tell
