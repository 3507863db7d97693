"""The halls of a city as its files tell them: places, lines and counters."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from scheduler.places import Datum, Place, to_wgs84
from scheduler.residence import LEVELS
from server.admin.city_hours import (
    OpeningFile,
    Openings,
    SpecialDayFile,
    SpecialDays,
    openings_of,
    special_days_of,
)
from server.admin.city_rules import HallRules, rules_of
from server.admin.city_tables import Row, Shape, Table

DATUMS = ("wgs84", "gcj02", "bd09")
HALL_CODE = Shape(
    re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*"), "小写字母、数字和短横，如 dg-01", "like dg-01"
)
LINE_CODE = Shape(re.compile(r"[A-Z]"), "一个大写字母，如 A", "one capital letter")
# A spreadsheet saves 01 as 1, so both are read as 01.
COUNTER_CODE = Shape(re.compile(r"0?[1-9]|[1-9][0-9]"), "01 到 99 的窗口号", "from 01 to 99")
MOST_HELP_AFTER_MIN = 240
PHONE = Shape(re.compile(r"\+?[0-9][0-9-]{4,19}"), "电话号码，如 0769-12345", "a phone number")


@dataclass(frozen=True, slots=True)
class LineFile:
    """One line of a hall, such as A 社保.

    Whoever has waited longer than `help_after_min` minutes is called by counters that only help it
    as by its own; None: nobody said, so what a manager has set stands.
    """

    code: str
    name: str
    name_en: str
    help_after_min: int | None = None


@dataclass(frozen=True, slots=True)
class CounterFile:
    """One counter of a hall and the lines it serves, its own first; `helps` are the others."""

    code: str
    name: str
    lines: tuple[str, ...]
    helps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HallFile:
    """One hall with everything in it."""

    code: str
    name: str
    name_en: str
    level: str
    parent: str | None
    address: str
    phone: str
    # None where nobody knows yet where it is.
    place: Place | None
    remote_radius_m: int
    lines: tuple[LineFile, ...]
    counters: tuple[CounterFile, ...]
    openings: tuple[OpeningFile, ...]
    special_days: tuple[SpecialDayFile, ...]
    # Where its rules differ from the usual ones (`scheduler.discipline.Rules`).
    rules: Mapping[str, int]


Lines = Mapping[str, Mapping[str, LineFile]]
"""Hall code to line code to line."""


def read_lines(table: Table, halls: Sequence[str] | None) -> Lines:
    """The lines of each hall, in the file's order."""
    found: dict[str, dict[str, LineFile]] = defaultdict(dict)
    seen: dict[tuple[str, str], int] = {}
    for row in table.rows:
        hall = row.refer("hall", halls, "halls.csv")
        code = row.code("code", LINE_CODE)
        row.once(seen, (hall, code), "code")
        name, name_en = row.text("name", 80), row.text("name_en")
        found[hall][code] = LineFile(code, name, name_en, _help_after(row))
    return found


def _help_after(row: Row) -> int | None:
    told = bool(row.cells["help_after_min"])
    return row.whole("help_after_min", 0, MOST_HELP_AFTER_MIN) if told else None


def read_counters(
    table: Table, halls: Sequence[str] | None, lines: Lines | None
) -> Mapping[str, Sequence[CounterFile]]:
    """The counters of each hall; `lines` is None when lines.csv could not be read."""
    found: dict[str, list[CounterFile]] = defaultdict(list)
    seen: dict[tuple[str, str], int] = {}
    for row in table.rows:
        hall = row.refer("hall", halls, "halls.csv")
        code = row.code("code", COUNTER_CODE).zfill(2)
        row.once(seen, (hall, code), "code")
        own, _, others = (row.plain("lines") or "").partition(">")
        helps = _parts(others) if others else ()
        skills = (*_parts(own), *helps)
        if skills != ("",):
            _check_skills(row, skills, lines.get(hall) if lines is not None else None)
        found[hall].append(CounterFile(code, row.text("name", 80), skills, helps))
    return found


def _parts(lines: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in lines.split("+"))


def _check_skills(row: Row, skills: Sequence[str], known: Mapping[str, LineFile] | None) -> None:
    for code in dict.fromkeys(skills):
        if skills.count(code) > 1:
            row.wrong("lines", f"“{code}”写了两次", f"{code!r} stands twice")
        if known is not None and code not in known:
            allowed = "、".join(known)
            row.wrong(
                "lines",
                f"lines.csv 中该厅没有业务队列“{code}”，该厅有：{allowed}",
                f"the hall has no line {code!r}",
            )


def check_lines_are_served(
    table: Table, counters: Mapping[str, Sequence[CounterFile]], halls: Iterable[str]
) -> None:
    """Nobody may take a number in a line no counter ever calls."""
    known = set(halls)
    for row in table.rows:
        hall, code = row.cells["hall"], row.cells["code"]
        at = counters.get(hall, ())
        if hall in known and at and not any(code in counter.lines for counter in at):
            row.wrong(
                "code",
                f"{hall} 没有窗口办理业务队列“{code}”，请在 counters.csv 中安排",
                f"no counter of {hall} serves line {code!r}",
            )


def read_halls(
    table: Table,
    *,
    lines: Lines | None,
    counters: Mapping[str, Sequence[CounterFile]] | None,
    openings: Openings,
    special_days: SpecialDays,
    rules: HallRules,
) -> tuple[HallFile, ...]:
    """The halls with all that belongs to them; None stands for a file that could not be read."""
    levels = {row.cells["code"]: row.cells["level"] for row in table.rows}
    seen: dict[str, int] = {}
    halls = []
    for row in table.rows:
        code = row.code("code", HALL_CODE, 16)
        row.once(seen, code, "code")
        if lines is not None and code not in lines:
            row.wrong("code", f"lines.csv 中没有 {code} 的业务队列", f"{code} has no line")
        if counters is not None and code not in counters:
            row.wrong("code", f"counters.csv 中没有 {code} 的窗口", f"{code} has no counter")
        halls.append(
            HallFile(
                code=code,
                name=row.text("name", 80),
                name_en=row.text("name_en"),
                level=row.one_of("level", LEVELS),
                parent=_parent(row, levels),
                address=row.text("address", 200),
                phone=row.code("phone", PHONE),
                place=_place(row),
                remote_radius_m=row.whole("remote_radius_m", 0, 500_000),
                lines=tuple((lines or {}).get(code, {}).values()),
                counters=tuple((counters or {}).get(code, ())),
                openings=openings_of(openings, code),
                special_days=special_days_of(special_days, code),
                rules=rules_of(rules, code),
            )
        )
    return tuple(halls)


def _place(row: Row) -> Place | None:
    """Where a hall is, in WGS-84; all three cells are empty where nobody knows."""
    if not any(row.cells[column] for column in ("lat", "lng", "datum")):
        return None
    lat, lng = row.decimal("lat", -90, 90), row.decimal("lng", -180, 180)
    datum = row.one_of("datum", DATUMS)
    return None if row.spoiled else to_wgs84(Place(lat, lng, cast(Datum, datum)))


def _parent(row: Row, levels: Mapping[str, str]) -> str | None:
    """The hall above: of a higher level, so that no hall is ever above itself."""
    parent = row.plain("parent", may_be_empty=True)
    if parent is None:
        return None
    level, above = row.cells["level"], levels.get(parent)
    if above is None:
        row.wrong("parent", f"halls.csv 中没有“{parent}”", f"{parent!r} is not in halls.csv")
    elif level in LEVELS and above in LEVELS and LEVELS.index(above) >= LEVELS.index(level):
        row.wrong("parent", f"上级“{parent}”的级别应更高", f"{parent!r} is not of a higher level")
    return parent
