"""What a receipt says on paper, and that it is painted as it is laid out."""

import io
from dataclasses import replace
from datetime import datetime

import pytest
import segno
from PIL import Image

from server.receipts.amounts import in_figures, in_words
from server.receipts.painting import _DOTS, as_pdf, as_png
from server.receipts.paper import Code, Paper, Text, sheet

PAPER = Paper(
    number="police-2026-00000042",
    original=None,
    issuer="东莞市公安局",
    payer="张**",
    title="居民身份证换领",
    amount_fen=2000,
    channel=("微信支付", "WeChat Pay"),
    hall="东莞市高埗镇政务服务中心",
    bill_no="2026112300000042",
    order_no="YT202611239B2K7QH4M0XC5T",
    paid_at=datetime(2026, 11, 23, 10, 5, 6),
    issued_at=datetime(2026, 11, 23, 10, 5, 7),
    code="ABCDE12345FGHJK67890",
    page="https://yiting.example.gov.cn/verify/ABCDE12345FGHJK67890",
)


@pytest.mark.parametrize(
    ("fen", "figures", "words"),
    [
        (1, "￥0.01", "壹分"),
        (10, "￥0.10", "壹角整"),
        (105, "￥1.05", "壹元零伍分"),
        (1_050, "￥10.50", "壹拾元伍角整"),
        (123_456, "￥1,234.56", "壹仟贰佰叁拾肆元伍角陆分"),
        (100_500, "￥1,005.00", "壹仟零伍元整"),
        (1_000_100, "￥10,001.00", "壹万零壹元整"),
        (10_000_500, "￥100,005.00", "壹拾万零伍元整"),
        (101_000_000, "￥1,010,000.00", "壹佰零壹万元整"),
        (100_500_000, "￥1,005,000.00", "壹佰万伍仟元整"),
        (1_000_000_000, "￥10,000,000.00", "壹仟万元整"),
    ],
)
def test_amounts_are_said_in_figures_and_in_words(fen: int, figures: str, words: str) -> None:
    assert (in_figures(fen), in_words(fen)) == (figures, f"人民币{words}")
    assert (in_figures(-fen), in_words(-fen)) == (f"-{figures}", f"人民币（负数）{words}")


def texts(paper: Paper) -> list[str]:
    return [mark.text for mark in sheet(paper).marks if isinstance(mark, Text)]


def test_a_red_receipt_is_over_less_than_nothing_and_names_its_original() -> None:
    said = texts(replace(PAPER, original="police-2026-00000041"))
    assert {"police-2026-00000041", "-￥20.00", "人民币（负数）贰拾元整"} <= set(said)
    assert "电子缴费票据（红字）" in said
    assert "￥20.00" in texts(PAPER)


def test_long_names_are_wrapped_and_the_sheet_grows() -> None:
    long = replace(PAPER, title="长" * 120, issuer="名" * 80)
    assert sheet(long).height > sheet(PAPER).height == 148
    lowest = max(mark.y for mark in sheet(long).marks if isinstance(mark, Text))
    assert lowest < sheet(long).height
    assert "".join(texts(long)).count("长") == 120


def test_its_pdf_has_its_font_inside_and_its_picture_the_code_of_its_page() -> None:
    pdf = as_pdf(PAPER)
    assert pdf.startswith(b"%PDF-")
    assert b"FontFile2" in pdf
    picture = Image.open(io.BytesIO(as_png(PAPER)))
    assert picture.size == (1680, 1184)
    (code,) = (mark for mark in sheet(PAPER).marks if isinstance(mark, Code))
    wanted = [list(row) for row in segno.make(code.text, error="m").matrix_iter(border=4)]
    size = int(code.side * _DOTS) // len(wanted)
    left, top = int(code.x * _DOTS) + size // 2, int(code.y * _DOTS) + size // 2
    grey = picture.convert("L")
    seen = [
        [int(grey.getpixel((left + x * size, top + y * size)) < 128) for x in range(len(wanted))]  # type: ignore[operator]
        for y in range(len(wanted))
    ]
    assert seen == wanted
