"""A manager looks at her hall, asks what if, and takes the figures away."""

import asyncio
import csv
import io
import zipfile
from pathlib import Path

import httpx
from playwright.async_api import Browser, expect

from tests.conftest import City
from tests.people import PASSWORD, a_member_of_staff
from tests.web.browsing import a_number_for, no_machine_words

HALL = "dg-27"


async def test_a_manager_sees_asks_and_takes_away(
    city: City, http: httpx.AsyncClient, browser: Browser
) -> None:
    await a_number_for(http, HALL, "01")
    clerk = await a_member_of_staff(http, f"clerk.{HALL}.01")
    for what in ("open", "call-next", "start", "finish"):
        assert (await clerk.at(HALL, "01", what, {})).status_code == 200
    context = await browser.new_context(
        viewport={"width": 1366, "height": 900}, locale="zh-CN", accept_downloads=True
    )
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{city.url}/manager")
    await page.get_by_label("用户名").fill(f"manager.{HALL}")
    await page.get_by_label("密码").fill(PASSWORD)
    await page.keyboard.press("Enter")
    # She has one hall, and is there at once.
    await expect(page.locator(".lines-list li").first).to_be_visible()
    assert page.url.endswith(f"#/{HALL}")
    await expect(page.locator(".counters-now")).to_contain_text("01")

    # A call for help is there at once, and is acknowledged.
    assert (await clerk.at(HALL, "01", "emergency", {"note": "请保安到场"})).status_code == 201
    await expect(page.locator(".alarms")).to_contain_text("请保安到场", timeout=5000)
    await page.get_by_role("button", name="已知悉").click()
    await expect(page.locator(".alerts")).not_to_contain_text("请保安到场", timeout=5000)

    # What if: another answer for another question, or that it is not known.
    asked = page.locator(".what-if")
    await expect(asked.locator(".result > *").first).to_be_visible()
    async with page.expect_response(lambda got: "/what-if?" in got.url) as answered:
        await asked.get_by_label("增减几个窗口").select_option("+2")
    reply = await answered.value
    assert reply.status == 200
    known = [one for line in (await reply.json())["data"] for one in line["data"] if one["then"]]
    assert await asked.locator("svg.chart").count() == (1 if known else 0)

    await expect(page.locator(".today .figures")).to_contain_text("办结")
    await expect(page.locator(".clerks tbody tr")).to_have_count(1)
    await expect(page.locator(".clerks")).to_contain_text("还太少")
    slider = page.get_by_label("回放时刻")
    await slider.focus()
    await page.keyboard.press("Home")
    await expect(page.locator(".lines-then li").first).to_be_visible()

    files = {}
    for kind in ("CSV", "XLSX"):
        async with page.expect_download() as download:
            await page.get_by_role("button", name=f"导出 {kind}").click()
        file = await download.value
        assert file.suggested_filename.endswith(f".{kind.lower()}")
        path = Path(await file.path())
        files[kind] = await asyncio.to_thread(path.read_bytes)
    table = list(csv.DictReader(io.StringIO(files["CSV"].decode("utf-8-sig"))))
    with zipfile.ZipFile(io.BytesIO(files["XLSX"])) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == 1 + len(table)
    assert int(table[0]["served"]) >= 1

    await page.emulate_media(media="print")
    await expect(page.locator(".top")).to_be_hidden()
    await no_machine_words(page)
    assert complaints == []
    await context.close()
