"""One CSV file of a city: read leniently, checked cell by cell, every problem kept.

Whoever fills in these files works in a spreadsheet. So a problem is told with the row number the
spreadsheet shows, and reading goes on after it: the clerk gets the whole list at once.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)

FULL_WIDTH = re.compile(r"[\uFF01-\uFF5E]")
CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
# A spreadsheet rewrites 2026-12-01 as 2026/12/1 when it saves; both are plain enough to read.
DAY = re.compile(r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in one file, in words a clerk can act on."""

    file: str
    row: int | None
    column: str | None
    reason: str
    reason_en: str

    def __str__(self) -> str:
        where = f" 第{self.row}行" if self.row else ""
        column = f" {self.column}" if self.column else ""
        return f"{self.file}{where}{column}: {self.reason} ({self.reason_en})"


class CityFilesError(Exception):
    """The city's files cannot be used; `problems` holds everything found wrong with them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"城市资料有 {count} 处问题 ({count} problems in the city's files):"
        super().__init__("\n".join([head, *map(str, self.problems)]))


@dataclass(frozen=True, slots=True)
class Shape:
    """What a code must look like, with an example for whoever got it wrong."""

    pattern: re.Pattern[str]
    zh: str
    en: str


@dataclass(slots=True)
class Row:
    """One row, its cells trimmed. A wrong cell is noted and answered with a harmless stand-in."""

    file: str
    number: int
    cells: Mapping[str, str]
    problems: list[Problem]
    spoiled: bool = field(default=False)

    def wrong(self, column: str | None, reason: str, reason_en: str) -> None:
        """Note that this cell is wrong, and why."""
        self.spoiled = True
        self.problems.append(Problem(self.file, self.number, column, reason, reason_en))

    def text(self, column: str, most: int = 120, *, may_be_empty: bool = False) -> str:
        """Free text for people to read, of at most so many characters."""
        value = self.cells[column]
        if not value and not may_be_empty:
            self.wrong(column, "不能为空", "must not be empty")
        if len(value) > most:
            self.wrong(
                column,
                f"有 {len(value)} 个字，最多 {most} 个",
                f"{len(value)} characters long, at most {most}",
            )
        for character in value:
            if not character.isprintable() and character != "\n":
                shown = f"U+{ord(character):04X}"
                self.wrong(column, f"含看不见的字符 {shown}", f"invisible character {shown}")
                break
        return value

    def plain(self, column: str, *, may_be_empty: bool = False) -> str | None:
        """A value for the machine; None when the cell is empty or wrong, which is then noted."""
        before = len(self.problems)
        value = self.text(column, 2000, may_be_empty=may_be_empty)
        if FULL_WIDTH.search(value):
            meant = unicodedata.normalize("NFKC", value)
            self.wrong(
                column,
                f"“{value}”含全角字符，请改为半角“{meant}”",
                f"full-width characters; write {meant!r}",
            )
        return value if value and len(self.problems) == before else None

    def code(self, column: str, shape: Shape, most: int = 64) -> str:
        """A code of the given shape and at most so many characters."""
        value = self.plain(column)
        if value is None:
            return ""
        if len(value) > most or not shape.pattern.fullmatch(value):
            self.wrong(
                column,
                f"“{value}”不对，应为{shape.zh}，最多 {most} 个字符",
                f"{value!r} is not {shape.en}, at most {most} characters",
            )
        return value

    def one_of(self, column: str, allowed: Collection[str]) -> str:
        """One of a few fixed words."""
        value = self.plain(column)
        if value is not None and value not in allowed:
            words = "、".join(allowed)
            self.wrong(
                column,
                f"“{value}”不在可选范围：{words}",
                f"{value!r} is none of {', '.join(allowed)}",
            )
        return value or ""

    def refer(self, column: str, known: Collection[str] | None, file: str) -> str:
        """A code that must stand in another file; unchecked when that file could not be read."""
        value = self.plain(column)
        if value is not None and known is not None and value not in known:
            self.wrong(column, f"{file} 中没有“{value}”", f"{value!r} is not in {file}")
        return value or ""

    def yes_no(self, column: str) -> bool:
        """Yes or no."""
        return self.one_of(column, ("yes", "no")) == "yes"

    def whole(self, column: str, low: int, high: int) -> int:
        """A whole number from low to high."""
        value = self.plain(column)
        if value is None:
            return low
        if not re.fullmatch(r"-?[0-9]{1,9}", value) or not low <= int(value) <= high:
            self.wrong(
                column,
                f"“{value}”不对，应为 {low} 到 {high} 的整数",
                f"{value!r} is not a whole number from {low} to {high}",
            )
            return low
        return int(value)

    def decimal(self, column: str, low: float, high: float) -> float:
        """A decimal number from low to high."""
        value = self.plain(column)
        if value is None:
            return low
        if not re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,12})?", value):
            self.wrong(column, f"“{value}”不是数字", f"{value!r} is not a number")
            return low
        if not low <= float(value) <= high:
            self.wrong(
                column,
                f"“{value}”超出范围，应在 {low:g} 到 {high:g} 之间",
                f"{value} is outside {low:g} to {high:g}",
            )
        return float(value)

    def clock(self, column: str) -> time | None:
        """A time of day, or None when the cell is empty or wrong."""
        value = self.plain(column, may_be_empty=True)
        if value is None:
            return None
        match = CLOCK.fullmatch(value)
        if not match:
            self.wrong(column, f"“{value}”不对，应如 09:00", f"{value!r} is not a time like 09:00")
            return None
        return time(int(match[1]), int(match[2]))

    def day(self, column: str) -> date:
        """A calendar date."""
        value = self.plain(column)
        if value is None:
            return date.min
        match = DAY.fullmatch(value)
        try:
            if match:
                return date(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            pass  # such as 2027-02-30: told below like any other
        self.wrong(
            column, f"“{value}”不对，应如 2026-12-01", f"{value!r} is not a date like 2026-12-01"
        )
        return date.min

    def once(self, seen: dict[Key, int], key: Key, column: str) -> None:
        """The key must be new in this file; `seen` remembers the row that had it first."""
        if not self.cells[column]:
            return  # an empty cell is told as empty, not as a repetition
        first = seen.setdefault(key, self.number)
        if first != self.number:
            shown = self.cells[column]
            self.wrong(
                column, f"“{shown}”与第{first}行重复", f"{shown!r} is already used in row {first}"
            )


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one file, in order. `readable` is False when nothing could be told from it."""

    file: str
    rows: tuple[Row, ...] = ()
    readable: bool = True

    def values(self, column: str) -> tuple[str, ...] | None:
        """One column as it stands, for others to refer to; None when the file is unreadable."""
        return tuple(row.cells[column] for row in self.rows) if self.readable else None


def read_table(folder: Path, file: str, columns: str, problems: list[Problem]) -> Table:
    """Read one file of the folder; what is wrong with the file as a whole goes to `problems`."""

    def unreadable(row: int | None, reason: str, reason_en: str) -> Table:
        problems.append(Problem(file, row, None, reason, reason_en))
        return Table(file, readable=False)

    try:
        content = (folder / file).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return unreadable(None, "缺少此文件", "file is missing")
    except OSError as fault:
        return unreadable(None, "文件无法读取", f"cannot be read: {fault.strerror}")
    except UnicodeDecodeError as fault:
        row = fault.object[: fault.start].count(b"\n") + 1
        return unreadable(row, "不是 UTF-8 编码，请另存为“CSV UTF-8”", "not UTF-8; save it as such")
    lines: list[list[str]] = []
    try:
        for cells in csv.reader(io.StringIO(content, newline=""), strict=True):
            lines.append([cell.strip() for cell in cells])
    except csv.Error as fault:
        row = len(lines) + 1
        return unreadable(row, "引号或分隔有误，无法继续读", f"broken quoting: {fault}")
    header = lines.pop(0) if lines else []
    while header and not header[-1]:
        header.pop()
    if not _header_is_right(file, header, columns.split(","), problems):
        return Table(file, readable=False)
    return Table(file, tuple(_rows(file, header, lines, problems)))


def _header_is_right(
    file: str, header: Sequence[str], columns: Sequence[str], problems: list[Problem]
) -> bool:
    """Every column there, once. An unknown one is told but does not stop the reading."""
    for name in header:
        if name not in columns:
            reason = f"不认识的列“{name}”，可用的列：{','.join(columns)}"
            problems.append(Problem(file, 1, name, reason, f"unknown column {name!r}"))
    for name in columns:
        if name not in header:
            problems.append(Problem(file, 1, name, "缺少此列", "column is missing"))
        elif header.count(name) > 1:
            problems.append(Problem(file, 1, name, "此列重复", "column stands twice"))
    return all(header.count(name) == 1 for name in columns)


def _rows(
    file: str, header: Sequence[str], lines: Sequence[Sequence[str]], problems: list[Problem]
) -> list[Row]:
    rows = []
    for number, cells in enumerate(lines, start=2):
        if not any(cells):
            continue
        padded = [*cells, *[""] * (len(header) - len(cells))]
        row = Row(file, number, dict(zip(header, padded, strict=False)), problems)
        if any(padded[len(header) :]):
            row.wrong(
                None,
                f"比表头多出 {len(cells) - len(header)} 格；内容含逗号时请加英文双引号",
                "more cells than the header; quote a text that holds commas",
            )
        rows.append(row)
    return rows
