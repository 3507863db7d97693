"""What stands on a ticket of paper, line by line, for paper of so many columns. Pure.

A Chinese character is two columns wide. Nothing gets onto paper that a printer could obey: names
come from people, and an escape in one would be a command.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from server.live.state import Wait

_LABEL_COLUMNS: Final = 11
# Words of Latin letters stay whole; Chinese breaks anywhere.
_PIECES: Final = re.compile(r"[!-~]+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Slip:
    """The facts of a ticket; each name is (Chinese, English). `page` is what the QR code opens."""

    number: str
    hall: tuple[str, str]
    item: tuple[str, str]
    line: tuple[str, str]
    ahead: int | None
    wait: Wait | None
    issued_at: datetime
    name: str | None
    page: str


def heading(slip: Slip, width: int) -> list[str]:
    """Above the number: the hall."""
    return [line for name in slip.hall for line in wrapped(name, width)]


def facts(slip: Slip, width: int) -> list[str]:
    """Beneath the number: one fact after the other. What is not known is left out."""
    told = [
        ("事项 Item", list(slip.item)),
        ("队列 Line", [" ".join(slip.line)]),
        ("姓名 Name", [slip.name] if slip.name else []),
        ("前面 Ahead", [] if slip.ahead is None else [f"{slip.ahead} 人"]),
        ("预计 Wait", [_range(slip.wait)] if slip.wait else []),
        ("取号 Taken", [f"{slip.issued_at:%Y-%m-%d %H:%M}"]),
    ]
    return [line for label, values in told for line in _told(label, values, width)]


def invitation(width: int) -> list[str]:
    """What the QR code is for."""
    told = ("扫码查看实时进度，可转给家人", "Scan to follow this number")
    return [line for text in told for line in wrapped(text, width)]


def columns(text: str) -> int:
    """How many columns a text takes."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most so many columns, without anything that is not to be printed."""
    lines, line = [], ""
    for piece in _pieces(text, width):
        if line and columns(line + piece) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()] if line.strip() else lines


def centred(text: str, width: int) -> str:
    """A text in the middle of a line."""
    return " " * max(0, (width - columns(text)) // 2) + text


def _pieces(text: str, width: int) -> Iterator[str]:
    printable = "".join(each for each in text if each.isprintable())
    for piece in _PIECES.findall(printable):
        # A word that is longer than a line is cut.
        for start in range(0, len(piece), width):
            yield piece[start : start + width]


def _told(label: str, values: list[str], width: int) -> Iterator[str]:
    lines = [line for value in values for line in wrapped(value, width - _LABEL_COLUMNS)]
    for nth, line in enumerate(lines):
        said = "" if nth else label
        yield said + " " * (_LABEL_COLUMNS - columns(said)) + line


def _range(wait: Wait) -> str:
    low, high = wait.p10_s // 60, max(1, -(-wait.p90_s // 60))
    return f"约 {high} 分钟" if low >= high else f"约 {low}–{high} 分钟"
