"""Slips: what stands on them, that it fits the paper, and that a printer is told what it obeys."""

import re
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import segno

from server.live.state import Wait
from server.printing.slip import Slip, columns, wrapped
from server.printing.text import as_text, qr_lines
from server.printing.thermal import as_escpos
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.following.sharing import look
from tests.kiosks.machines import a_kiosk, given
from tests.people import Person, an_id_number

SLIP = Slip(
    number="A023",
    hall=("东莞市虎门镇政务服务中心（公共服务分中心）", "Humen Government Service Centre"),
    item=("社会保障卡补领、换领", "Social security card: replacement or renewal"),
    line=("A 社保", "Social insurance"),
    ahead=4,
    wait=None,
    issued_at=datetime.fromisoformat("2026-11-23T09:30:00+08:00"),
    name=None,
    page="https://yiting.example.gov.cn/t#Zk3Jq8vTn5Lw2RbX",
)
WIDTHS = (32, 48)


async def printed(who: Person, hall: str, ticket: str, **query: Any) -> httpx.Response:
    return await who.post(f"/halls/{hall}/tickets/{ticket}/print?{urlencode(query)}")


# --- on paper -------------------------------------------------------------------------------------


def test_a_chinese_character_is_two_columns_wide() -> None:
    assert columns("A023 社保（窗口）") == 5 + 4 + 2 + 4 + 2


def test_lines_break_between_words_and_between_characters() -> None:
    assert wrapped("Social security card", 12) == ["Social", "security", "card"]
    assert wrapped("社会保障卡补领换领", 8) == ["社会保障", "卡补领换", "领"]
    assert wrapped("社保卡 Social card", 11) == ["社保卡", "Social card"]
    assert wrapped("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert wrapped("", 10) == wrapped("  ", 10) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_text_fits_the_paper_and_says_all(width: int) -> None:
    text = as_text(replace(SLIP, name="张**"), width)
    assert max(columns(line) for line in text.splitlines()) <= width
    for fact in ("Ａ ０ ２ ３", "4 人", "2026-11-23 09:30", "张**", "A 社保"):
        assert fact in text
    together = re.sub(r"\s", "", text)
    for name in (*SLIP.hall, *SLIP.item, SLIP.page):
        assert re.sub(r"\s", "", name) in together


@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_not_known_is_left_out(width: int) -> None:
    unknown, known = as_text(SLIP, width), as_text(replace(SLIP, wait=Wait(310, 700, 1490)), width)
    assert "预计" not in unknown
    assert "姓名" not in unknown
    assert "约 5–25 分钟" in known
    assert "前面" not in as_text(replace(SLIP, ahead=None), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_code_in_the_text_is_the_qr_code_of_the_page(width: int) -> None:
    lines = qr_lines(SLIP.page, width)
    halves = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}
    rows = []
    for line in lines:
        pairs = [halves[each] for each in line]
        rows += [[upper for upper, _ in pairs], [lower for _, lower in pairs]]
    meant = [
        list(row) for row in segno.make(SLIP.page, error="l", micro=False).matrix_iter(border=1)
    ]
    assert rows[: len(meant)] == meant
    assert max(map(len, lines)) <= width


def test_where_no_qr_code_fits_the_address_still_stands() -> None:
    long = replace(SLIP, page="https://" + "a-very-long-name." * 12 + "cn/t#Zk3Jq8vTn5Lw2RbX")
    assert qr_lines(long.page, 32) == []
    text = as_text(long, 32)
    assert long.page in re.sub(r"\s", "", text)
    assert max(columns(line) for line in text.splitlines()) <= 32


@pytest.mark.parametrize("width", WIDTHS)
def test_a_printer_gets_chinese_as_it_reads_it_a_native_qr_code_and_a_cut(width: int) -> None:
    job = as_escpos(SLIP, width)
    assert job.startswith(b"\x1b@\x1c&")
    assert "社会保障卡".encode("gb18030") in job
    assert "社会保障卡".encode() not in job
    assert b"\x1d!\x33\nA023\n\x1d!\x00" in job  # four times as wide and high, and back
    size = len(SLIP.page) + 3
    assert b"\x1d(k" + bytes([size % 256, size // 256]) + b"1P0" + SLIP.page.encode() in job
    assert b"\x1d(k\x03\x001Q0" in job
    assert re.search(rb"\x1dV.\x00?$", job, re.DOTALL)


def test_nothing_in_a_name_is_a_command() -> None:
    evil = replace(
        SLIP, name="\x1b**", item=("事\x1d项\x1bp\x00", "It\x10em\x7f"), hall=("厅\n厅", "H\ra")
    )
    job, plain = as_escpos(evil, 32), as_escpos(SLIP, 32)
    for control in (b"\x1b", b"\x1d", b"\x10", b"\x7f", b"\r"):
        assert job.count(control) == plain.count(control)
    text = as_text(evil, 32)
    assert all(each.isprintable() for line in text.split("\n") for each in line)


def test_what_is_rare_is_printed_too() -> None:
    rare = replace(SLIP, name="𠮷**", item=("“䶮”—①€", "naïve ½"))
    for width in WIDTHS:
        assert "𠮷".encode("gb18030") in as_escpos(rare, width)
        assert "𠮷**" in as_text(rare, width)


# --- over HTTP ------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_kiosk", [False, True])
async def test_what_was_given_out_is_printed_with_a_code_that_opens_it(
    api: Api, hall: str, by_kiosk: bool
) -> None:
    who = await (a_kiosk(api, hall) if by_kiosk else api.clerk(hall))
    item = api.item(hall, "E")
    ticket = await given(who, hall, item, id_number=an_id_number(), name="欧阳修远")
    reply = await printed(who, hall, ticket["id"])
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store"
    assert "欧**" in reply.text
    assert "欧阳" not in reply.text
    assert "Ｅ ０ ０ １" in reply.text
    [code] = re.findall(r"/t#([\w-]{16})", re.sub(r"\s", "", reply.text))
    assert (await look(api, code)).json()["ticket"]["number"] == "E001"
    by_number = await printed(who, hall, "E001", format="escpos", width=48)
    assert by_number.headers["content-type"] == "application/octet-stream"
    assert b"\nE001\n" in by_number.content
    [other] = re.findall(rb"/t#([\w-]{16})", by_number.content)
    assert other.decode() != code
    assert (await look(api, code)).status_code == 200


async def test_a_number_from_the_phone_is_printed_at_the_hall(api: Api, hall: str) -> None:
    _, ticket = await a_ticket(api, hall)
    assert (await printed(await api.clerk(hall), hall, ticket["number"])).status_code == 200


async def test_a_kiosk_prints_only_what_it_gave_out_itself(api: Api, hall: str) -> None:
    kiosk, other = await a_kiosk(api, hall), await a_kiosk(api, hall)
    _, from_a_phone = await a_ticket(api, hall)
    at_the_desk = await given(await api.clerk(hall), hall, api.item(hall, "E"))
    its_own = await given(kiosk, hall, api.item(hall, "E"))
    for ticket in (from_a_phone, at_the_desk):
        for name in (ticket["id"], ticket["number"]):
            assert code_of(await printed(kiosk, hall, name)) == (404, "not_found")
    assert code_of(await printed(other, hall, its_own["number"])) == (404, "not_found")
    assert (await printed(kiosk, hall, its_own["number"])).status_code == 200


async def test_looking_prints_nothing(api: Api, hall: str) -> None:
    clerk = await api.clerk(hall)
    ticket = await given(clerk, hall, api.item(hall, "E"))
    looked = await clerk.get(f"/halls/{hall}/tickets/{ticket['id']}/print")
    assert looked.status_code == 405, looked.text


async def test_what_is_over_or_none_is_not_printed(api: Api, hall: str) -> None:
    clerk, lin_and_hers = await api.clerk(hall), await a_ticket(api, hall)
    lin, ticket = lin_and_hers
    other = await api.quiet_hall()
    for name in ("E999", "no-ticket", "019ab1c2-3d4e-7f50-8a9b-0c1d2e3f4a5b"):
        assert code_of(await printed(clerk, hall, name)) == (404, "not_found")
    elsewhere = await printed(await api.clerk(other), other, ticket["id"])
    assert code_of(elsewhere) == (404, "not_found")
    await lin.post(f"/tickets/{ticket['id']}/cancel")
    assert code_of(await printed(clerk, hall, ticket["id"])) == (409, "wrong_state")


async def test_only_staff_and_kiosks_of_the_hall_print(api: Api, hall: str) -> None:
    lin, ticket = await a_ticket(api, hall)
    other = await api.quiet_hall()
    for who in (lin, await api.clerk(other), await a_kiosk(api, other)):
        assert code_of(await printed(who, hall, ticket["id"])) == (403, "not_allowed")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"format": "pdf"}, "/format"),
        ({"width": 40}, "/width"),
        ({"width": "wide"}, "/width"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_what_no_printer_is_is_refused(
    api: Api, hall: str, query: dict[str, Any], pointer: str
) -> None:
    reply = await printed(await api.clerk(hall), hall, "E001", **query)
    assert code_of(reply) == (422, "invalid_request")
    assert reply.json()["errors"][0]["pointer"] == pointer


async def test_somebody_called_has_nobody_ahead_on_paper(api: Api, hall: str) -> None:
    clerk = await api.clerk(hall)
    ticket = await given(clerk, hall, api.item(hall, "E"))
    counter, *_ = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    assert "前面" not in (await printed(clerk, hall, ticket["id"])).text


async def test_printing_costs_seven_statements(api: Api, hall: str) -> None:
    clerk = await api.clerk(hall)
    ticket = await given(clerk, hall, api.item(hall, "E"))
    spent = [(await api.statements(printed(clerk, hall, ticket["id"])))[1] for _ in range(3)]
    assert min(spent) <= 7
