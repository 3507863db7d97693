"""The public page that a receipt's QR code opens: genuine, partly or wholly refunded, or unknown.

Made here, without scripts: it must open in whatever scans a code. It shows what the paper shows.
"""

from collections.abc import Sequence
from html import escape
from typing import Final
from urllib.parse import parse_qs

from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from models.receipts import ReceiptKind
from server.http.addresses import check_address
from server.http.endpoint import address_of
from server.receipts.amounts import in_figures
from server.receipts.checking import LONGEST, check
from server.receipts.paper import grouped
from server.receipts.refusals import ReceiptUnknown
from server.receipts.views import CheckedReceipt, ReceiptStanding, checked
from server.services import services
from server.web.files import POLICY, page

bp = Blueprint("receipt-pages")
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}
_VERDICTS: Final = {
    ReceiptStanding.GENUINE: ("good", "票据有效", "Genuine"),
    ReceiptStanding.PARTLY_REFUNDED: ("partly", "票据有效，部分已退款", "Genuine, partly refunded"),
    ReceiptStanding.REFUNDED: ("refunded", "已全额退款", "Genuine, but wholly refunded"),
}
_RED: Final = ("red", "红字票据有效：证明已退款", "Genuine red-letter receipt of a refund")
_UNKNOWN: Final = ("unknown", "查无此票据", "No such receipt")


@page(bp, "/verify", name="verify_page")
async def ask_for_code(request: Request) -> HTTPResponse:
    """Where somebody types the code of a paper; what was typed comes back to the same address."""
    check_address(request)
    typed = parse_qs(request.query_string).get("code", [""])[0].strip()[:LONGEST]
    return await _answer(request, typed) if typed else _page("", "票据查验", "Check a receipt")


@page(bp, "/verify/<code:str>", name="verify_code_page")
async def verify(request: Request, code: str) -> HTTPResponse:
    """What a QR code opens."""
    check_address(request)
    return await _answer(request, code[:LONGEST])


async def _answer(request: Request, typed: str) -> HTTPResponse:
    room = services(request)
    try:
        row = await check(typed, address_of(request), room)
    except ReceiptUnknown as unknown:
        why = [f"<p>{escape(unknown.sentence[0])} {_en(unknown.sentence[1])}</p>"]
        return _page(_verdict(*_UNKNOWN) + "".join(why), *_UNKNOWN[1:], status=404)
    told = checked(row, room.sealer)
    verdict = _RED if told.kind is ReceiptKind.RED else _VERDICTS[told.state]
    return _page(_verdict(*verdict) + _told(told, row["code"]), *verdict[1:])


def _verdict(kind: str, chinese: str, english: str) -> str:
    return f"<p class='verdict' data-state='{kind}' role='status'>{chinese} {_en(english)}</p>"


def _told(told: CheckedReceipt, code: str) -> str:
    red = told.kind is ReceiptKind.RED
    facts: Sequence[tuple[str, str, str | None]] = (
        ("票据号码", "Number", told.number),
        ("原票据", "Reverses", told.original),
        ("收款单位", "Issuer", told.issuer),
        ("缴款人", "Payer", told.payer or "—"),
        ("项目", "For", told.title),
        ("金额", "Amount", in_figures(-told.amount_fen if red else told.amount_fen)),
        ("已退款", "Refunded", in_figures(told.refunded_fen) if told.refunded_fen else None),
        ("红字票据", "Red-letter receipts", "、".join(told.reversed_by) or None),
        ("支付时间", "Paid", f"{told.paid_at:%Y-%m-%d %H:%M:%S}"),
        ("开具日期", "Issued", f"{told.issued_at:%Y-%m-%d}"),
        ("校验码", "Code", grouped(code)),
    )
    shown = "".join(
        f"<div><dt>{chinese} {_en(english)}</dt><dd>{escape(value)}</dd></div>"
        for chinese, english, value in facts
        if value is not None
    )
    note = "请与手中票据逐项核对，任何一项不符即为伪造。"
    english = "Compare it with the paper: whatever differs was forged."
    return f"<dl>{shown}</dl><p class='quiet'>{note} {_en(english)}</p>"


def _page(body: str, title: str, english: str, *, status: int = 200) -> HTTPResponse:
    again = "查验另一张" if body else "查验"
    content = f"""<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title} · 一厅通</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/yiting.css">
<link rel="stylesheet" href="/assets/verify.css">
</head>
<body>
<main class="page verify">
<h1>票据查验 {_en("Check a receipt")}</h1>
{body}
<form action="/verify" method="get" aria-label="{title} {english}">
<label for="code">校验码 {_en("The 20 letters and figures on the receipt")}</label>
<input id="code" name="code" required maxlength="{LONGEST}" autocomplete="off" spellcheck="false">
<button class="button">{again} {_en("Check")}</button>
</form>
</main>
</body>
</html>
"""
    return HTTPResponse(
        content, status=status, headers=HEADERS, content_type="text/html; charset=utf-8"
    )


def _en(text: str) -> str:
    return f"<span lang='en'>{escape(text, quote=False)}</span>"
