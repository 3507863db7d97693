"""The catalogue of a city as its files tell it: departments, themes, items, materials."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from models.identifiers import USCC_ALPHABET, uscc_check
from scheduler.residence import ANYWHERE, LEVELS, LIMITS
from server.admin.city_halls import LINE_CODE, Lines
from server.admin.city_tables import Row, Shape, Table

KINDS = ("original", "copy", "form", "photo", "electronic")
AUDIENCES = (
    "anyone",
    "resident",
    "non_resident",
    "elder",
    "newborn_parent",
    "parent",
    "student",
    "employee",
    "job_seeker",
    "company",
    "veteran",
    "disabled",
    "driver",
    "home_owner",
    "tenant",
)
"""Whom an item concerns, besides an age such as age>=60."""
AGE = re.compile(r"age(>=|<=|<|>)[0-9]{1,3}")

SLUG = Shape(
    re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*"),
    "小写字母、数字和短横，如 id-card-renewal",
    "like id-card-renewal",
)
USCC = Shape(
    re.compile(f"[{USCC_ALPHABET}]{{18}}"),
    "18位统一社会信用代码（数字和大写字母，不含 I、O、S、V、Z）",
    "a unified social credit code of 18 digits and capitals without I, O, S, V, Z",
)
OFFICIAL_CODE = Shape(
    re.compile(f"[{USCC_ALPHABET}]{{18}}[0-9]{{13}}"),
    "31位：部门的18位统一社会信用代码加13位数字",
    "31 characters: the department's 18-character code and 13 digits",
)


@dataclass(frozen=True, slots=True)
class DepartmentFile:
    """A department and its unified social credit code."""

    code: str
    name: str
    name_en: str
    uscc: str


@dataclass(frozen=True, slots=True)
class ThemeFile:
    """A theme of the catalogue, such as 出生."""

    code: str
    name: str
    name_en: str


@dataclass(frozen=True, slots=True)
class MaterialFile:
    """Something a person must bring or hand in for an item."""

    no: int
    name: str
    name_en: str
    kind: str
    copies: int
    required: bool
    note: str
    note_en: str


@dataclass(frozen=True, slots=True)
class ItemFile:
    """One item of the catalogue; `halls` are the codes of the halls that really offer it."""

    code: str
    official_code: str
    name: str
    name_en: str
    department: str
    theme: str
    audience: tuple[str, ...]
    line: str
    halls: tuple[str, ...]
    minutes: int
    fee_fen: int
    level_required: int
    bookable: bool
    guide: str
    guide_en: str
    aliases: tuple[str, ...]
    residents_of: str
    requires: tuple[str, ...]
    # Whether its fee is to be paid before one is called, and the line of those who have paid.
    pay_first: bool
    paid_line: str | None
    materials: tuple[MaterialFile, ...]


def read_departments(table: Table) -> tuple[DepartmentFile, ...]:
    """The departments, each with a right unified social credit code."""
    codes: dict[str, int] = {}
    usccs: dict[str, int] = {}
    found = []
    for row in table.rows:
        code, uscc = row.code("code", SLUG, 16), row.code("uscc", USCC)
        row.once(codes, code, "code")
        row.once(usccs, uscc, "uscc")
        if USCC.pattern.fullmatch(uscc) and uscc[17] != uscc_check(uscc[:17]):
            right = uscc_check(uscc[:17])
            row.wrong(
                "uscc",
                f"校验码不对，按前17位末位应为“{right}”，请核对全码",
                f"wrong check digit; the first 17 call for {right!r}",
            )
        found.append(DepartmentFile(code, row.text("name", 80), row.text("name_en"), uscc))
    return tuple(found)


def read_themes(table: Table) -> tuple[ThemeFile, ...]:
    """The themes of the catalogue."""
    seen: dict[str, int] = {}
    found = []
    for row in table.rows:
        code = row.code("code", SLUG, 32)
        row.once(seen, code, "code")
        found.append(ThemeFile(code, row.text("name", 40), row.text("name_en")))
    return tuple(found)


def _read_materials(
    table: Table, items: Sequence[str] | None
) -> Mapping[str, Sequence[MaterialFile]]:
    found: dict[str, list[MaterialFile]] = defaultdict(list)
    seen: dict[tuple[str, int], int] = {}
    for row in table.rows:
        item = row.refer("item", items, "items.csv")
        material = MaterialFile(
            no=row.whole("no", 1, 99),
            name=row.text("name"),
            name_en=row.text("name_en", 160),
            kind=row.one_of("kind", KINDS),
            copies=row.whole("copies", 0, 20),
            required=row.yes_no("required"),
            note=row.text("note", 300, may_be_empty=True),
            note_en=row.text("note_en", 600, may_be_empty=not row.cells["note"]),
        )
        if not row.spoiled:
            row.once(seen, (item, material.no), "no")
        found[item].append(material)
    return {item: sorted(each, key=lambda one: one.no) for item, each in found.items()}


def read_items(tables: Mapping[str, Table], lines: Lines | None) -> tuple[ItemFile, ...]:
    """The items with their materials; `lines` is None when lines.csv could not be read."""
    table, departments = tables["items.csv"], tables["departments.csv"]
    materials = _read_materials(tables["materials.csv"], table.values("code"))
    before = _read_prerequisites(tables["prerequisites.csv"], table.values("code"))
    usccs = {row.cells["code"]: row.cells["uscc"] for row in departments.rows}
    levels = {row.cells["code"]: row.cells["level"] for row in tables["halls.csv"].rows}
    paid_first = _read_payments(tables["payments.csv"], table, lines)
    codes: dict[str, int] = {}
    official_codes: dict[str, int] = {}
    found = []
    for row in table.rows:
        code, official_code = row.code("code", SLUG), row.code("official_code", OFFICIAL_CODE)
        row.once(codes, code, "code")
        row.once(official_codes, official_code, "official_code")
        department = row.refer("department", departments.values("code"), "departments.csv")
        _check_owner(row, official_code, usccs.get(department))
        line = row.code("line", LINE_CODE)
        found.append(
            ItemFile(
                code=code,
                official_code=official_code,
                name=row.text("name"),
                name_en=row.text("name_en", 160),
                department=department,
                theme=row.refer("theme", tables["themes.csv"].values("code"), "themes.csv"),
                audience=_audience(row),
                line=line,
                halls=_offering(row, line, levels, lines),
                minutes=row.whole("minutes", 1, 480),
                fee_fen=row.whole("fee_fen", 0, 100_000_000),
                level_required=row.whole("level_required", 0, 3),
                bookable=row.yes_no("bookable"),
                guide=row.text("guide", 2000),
                guide_en=row.text("guide_en", 4000),
                aliases=_aliases(row),
                residents_of=_residents_of(row),
                requires=tuple(before.get(code, ())),
                pay_first=code in paid_first,
                paid_line=paid_first.get(code),
                materials=tuple(materials.get(code, ())),
            )
        )
    return tuple(found)


def _read_payments(table: Table, items: Table, lines: Lines | None) -> Mapping[str, str | None]:
    """Items to be paid for first, each with the line of those who have paid, if there is one."""
    fees = {row.cells["code"]: row.cells["fee_fen"] for row in items.rows}
    found: dict[str, str | None] = {}
    seen: dict[str, int] = {}
    for row in table.rows:
        item = row.refer("item", items.values("code"), "items.csv")
        row.once(seen, item, "item")
        if fees.get(item) == "0":
            row.wrong("item", f"“{item}”不收费", f"{item!r} costs nothing")
        line = row.plain("paid_line", may_be_empty=True)
        if (
            line is not None
            and lines is not None
            and not any(line in has for has in lines.values())
        ):
            row.wrong("paid_line", f"没有一个厅设有业务队列“{line}”", f"no hall has line {line!r}")
        found[item] = line
    return found


def _read_prerequisites(table: Table, items: Collection[str] | None) -> Mapping[str, Sequence[str]]:
    """For each item those that must be done before it; never in a circle."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in table.rows:
        item = row.refer("item", items, "items.csv")
        before = row.refer("before", items, "items.csv")
        if before in found[item]:
            row.wrong("before", f"“{before}”写了两次", f"{before!r} stands twice")
        elif item in _all_before(before, found):
            row.wrong("before", f"“{before}”与该事项互相等待", f"{before!r} waits for this item")
        else:
            found[item].append(before)
    return found


def _all_before(item: str, known: Mapping[str, Sequence[str]]) -> set[str]:
    """The item, those before it, those before these, and so on."""
    found, left = set[str](), [item]
    while left:
        if (one := left.pop()) not in found:
            found.add(one)
            left += known.get(one, ())
    return found


def _check_owner(row: Row, official_code: str, uscc: str | None) -> None:
    if uscc and OFFICIAL_CODE.pattern.fullmatch(official_code) and official_code[:18] != uscc:
        row.wrong(
            "official_code",
            f"前18位与部门的统一社会信用代码 {uscc} 不符",
            f"does not begin with the department's code {uscc}",
        )


def _audience(row: Row) -> tuple[str, ...]:
    """Attributes any one of which makes the item concern a person."""
    words = tuple(part.strip() for part in (row.plain("audience") or "").split(";"))
    if words == ("",):
        return ()
    for word in dict.fromkeys(words):
        if word not in AUDIENCES and not AGE.fullmatch(word):
            row.wrong(
                "audience",
                f"“{word}”不在可选范围：{'、'.join(AUDIENCES)}，或年龄如 age>=60",
                f"{word!r} is neither a known attribute nor an age like age>=60",
            )
        if words.count(word) > 1:
            row.wrong("audience", f"“{word}”写了两次", f"{word!r} stands twice")
    if "anyone" in words and len(words) > 1:
        row.wrong("audience", "anyone 应单独填写", "anyone must stand alone")
    return words


def _residents_of(row: Row) -> str:
    """Whose residents a hall takes for the item; an empty cell means everybody."""
    if row.plain("residents_of", may_be_empty=True) is None:
        return ANYWHERE
    return row.one_of("residents_of", LIMITS)


def _aliases(row: Row) -> tuple[str, ...]:
    """Everyday words for the item, which its search knows."""
    words = tuple(part.strip() for part in row.text("aliases", 200, may_be_empty=True).split(";"))
    if words == ("",):
        return ()
    for word in dict.fromkeys(words):
        if not 1 <= len(word) <= 20:
            row.wrong("aliases", f"“{word}”应为1到20个字", f"{word!r} must have 1 to 20 characters")
        if "；" in word or "、" in word:
            row.wrong("aliases", "几个叫法请用半角 ; 连接", "join several with a plain ;")
        if words.count(word) > 1:
            row.wrong("aliases", f"“{word}”写了两次", f"{word!r} stands twice")
    return words


def _offering(
    row: Row, line: str, levels: Mapping[str, str], lines: Lines | None
) -> tuple[str, ...]:
    """The halls that offer the item: named or meant by `halls`, and with the item's line."""
    wanted = row.plain("halls")
    if wanted is None or not levels or lines is None:
        return ()
    if wanted == "all" or wanted in LEVELS:
        meant = [hall for hall, level in levels.items() if wanted in ("all", level)]
        offering = tuple(hall for hall in meant if line in lines.get(hall, {}))
        if not offering and LINE_CODE.pattern.fullmatch(line):
            row.wrong(
                "line",
                f"“{wanted}”范围内没有一个厅设有业务队列“{line}”",
                f"no hall of {wanted!r} has line {line!r}",
            )
        return offering
    named = tuple(part.strip() for part in wanted.split(";"))
    for hall in dict.fromkeys(named):
        if hall not in levels:
            row.wrong(
                "halls",
                f"“{hall}”不对，应为 all、{'、'.join(LEVELS)} 或以 ; 分隔的厅代码",
                f"{hall!r} is neither all, a level nor a hall's code",
            )
        elif line not in lines.get(hall, {}):
            row.wrong("line", f"{hall} 没有业务队列“{line}”", f"{hall} has no line {line!r}")
        if named.count(hall) > 1:
            row.wrong("halls", f"“{hall}”写了两次", f"{hall!r} stands twice")
    return named
