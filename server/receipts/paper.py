"""What stands where on a receipt of paper, before anybody paints it. Pure.

Millimetres from the upper left corner of a sheet of A5 across, which grows where names are long;
sizes of letters in millimetres, too.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from server.receipts.amounts import in_figures, in_words

WIDTH: Final = 210.0
_HEIGHT: Final = 148.0
_TOP, _LOW = 37.0, 104.0
_LEFT, _RIGHT = 14.0, WIDTH - 14.0
_LABELS, _VALUES = _LEFT + 4, _LEFT + 42
_QR_SIDE: Final = 34.0


@dataclass(frozen=True, slots=True)
class Text:
    """Letters on a line; `x` is their left end, middle or right end."""

    x: float
    y: float
    text: str
    size: float
    at: Literal["left", "middle", "right"] = "left"
    ink: Literal["black", "grey", "red"] = "black"


@dataclass(frozen=True, slots=True)
class Rule:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Code:
    """A square QR code with its quiet zone, by its upper left corner."""

    x: float
    y: float
    side: float
    text: str


Mark = Text | Rule | Code


@dataclass(frozen=True, slots=True)
class Paper:
    """The facts of a receipt. `original` is the number of the one that a red one reverses."""

    number: str
    original: str | None
    issuer: str
    payer: str | None
    title: str
    amount_fen: int
    channel: tuple[str, str]
    hall: str | None
    bill_no: str
    order_no: str
    paid_at: datetime
    issued_at: datetime
    code: str
    page: str

    @property
    def signed_fen(self) -> int:
        """The amount, below nothing on a red receipt."""
        return -self.amount_fen if self.original else self.amount_fen


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that is to be painted, and how high the sheet is."""

    height: float
    marks: Sequence[Mark]


def sheet(paper: Paper) -> Sheet:
    """A receipt laid out."""
    facts, y = [], _TOP + 6.5
    for label, value in _facts(paper):
        facts.append(Text(_LABELS, y, label, 3.4, ink="grey"))
        for line in wrapped(value, _RIGHT - _QR_SIDE - 8 - _VALUES, 3.8):
            facts.append(Text(_VALUES, y, line, 3.8))
            y += 5.4
        y += 1.3
    low = max(_LOW, y - 1.0)
    return Sheet(
        _HEIGHT + low - _LOW,
        [
            *_head(paper),
            *_box(low),
            *facts,
            *_code(paper),
            *_amount(paper, low),
            *_foot(paper, low),
        ],
    )


def wrapped(text: str, width: float, size: float) -> list[str]:
    """A text in lines of at most that width; what cannot be printed is left out."""
    lines, line = [], ""
    for each in text:
        if not each.isprintable():
            continue
        if line and _width(line + each, size) > width:
            lines.append(line.rstrip())
            line = ""
        line += each if line else each.lstrip()
    return [*lines, line] if line or not lines else lines


def grouped(code: str) -> str:
    """A code in groups of five, for whoever types it."""
    return " ".join(code[start : start + 5] for start in range(0, len(code), 5))


def _head(paper: Paper) -> Iterator[Mark]:
    is_red = paper.original is not None
    title = "电子缴费票据（红字）" if is_red else "电子缴费票据"
    yield Text(WIDTH / 2, 19, title, 8, "middle", "red" if is_red else "black")
    english = "Red-letter payment receipt" if is_red else "Payment receipt"
    yield Text(WIDTH / 2, 25, english, 3.6, "middle", "grey")
    yield Text(_LEFT, 33, f"票据号码 No.  {paper.number}", 3.8)
    yield Text(_RIGHT, 33, f"开具日期 Issued  {paper.issued_at:%Y-%m-%d}", 3.8, "right")


def _box(low: float) -> Iterator[Mark]:
    for y in (_TOP, low, low + 16):
        yield Rule(_LEFT, y, _RIGHT, y)
    for x in (_LEFT, _RIGHT):
        yield Rule(x, _TOP, x, low + 16)


def _facts(paper: Paper) -> Iterator[tuple[str, str]]:
    if paper.original:
        yield "原票据 Original", paper.original
    yield "收款单位 Issuer", paper.issuer
    yield "缴款人 Payer", paper.payer or "—"
    yield "项目 For", paper.title
    if paper.hall:
        yield "办理大厅 Hall", paper.hall
    yield "支付方式 Paid by", f"{paper.channel[0]} {paper.channel[1]}"
    yield "支付时间 Paid at", f"{paper.paid_at:%Y-%m-%d %H:%M:%S}"
    yield "账单号 Bill", paper.bill_no
    yield "支付单号 Payment", paper.order_no


def _code(paper: Paper) -> Iterator[Mark]:
    x = _RIGHT - _QR_SIDE - 3
    yield Code(x, _TOP + 4, _QR_SIDE, paper.page)
    yield Text(x + _QR_SIDE / 2, _TOP + 41, "扫码查验真伪", 3.2, "middle")
    yield Text(x + _QR_SIDE / 2, _TOP + 45, "Scan to verify", 2.8, "middle", "grey")


def _amount(paper: Paper, low: float) -> Iterator[Mark]:
    ink: Literal["red", "black"] = "red" if paper.original else "black"
    yield Text(_LABELS, low + 10, "金额 Amount", 3.4, ink="grey")
    yield Text(_VALUES, low + 10.3, in_words(paper.signed_fen), 4.6, ink=ink)
    yield Text(_RIGHT - 4, low + 10.3, in_figures(paper.signed_fen), 5.6, "right", ink)


def _foot(paper: Paper, low: float) -> Iterator[Mark]:
    yield Text(_LEFT, low + 24, f"校验码 Code  {grouped(paper.code)}", 3.8)
    notes = (
        "本票据由一厅通统一支付平台开具，退款情况以扫码查验为准；不是财政部门监制的电子票据。",
        "Issued by Yiting; scan it to see what was refunded. It is no fiscal receipt of the state.",
    )
    for nth, note in enumerate(notes):
        yield Text(_LEFT, low + 31 + 4.5 * nth, note, 3.0, ink="grey")


def _width(text: str, size: float) -> float:
    """About how wide a text is: a Chinese character is a square."""
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return size * (wide + 0.58 * (len(text) - wide))
