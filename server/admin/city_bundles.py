"""The bundles 一件事 of a city as its files tell them: items in order, and one form for all."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scheduler.visits import NoOrder, Stop, in_order
from server.admin.city_items import SLUG
from server.admin.city_tables import Row, Shape, Table

FIELD_KINDS = ("text", "date", "past_date", "choice", "id_number", "phone")
LEAST_ITEMS, MOST_ITEMS, MOST_FIELDS, LONGEST_TEXT = 2, 8, 30, 500
_FIELD = Shape(SLUG.pattern, "小写字母、数字和短横，如 child-name", "like child-name")


@dataclass(frozen=True, slots=True)
class BundleStopFile:
    """An item of a bundle, and those of its items that come before it."""

    no: int
    item: str
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChoiceFile:
    """One of the answers that may be chosen."""

    value: str
    name: str
    name_en: str


@dataclass(frozen=True, slots=True)
class FieldFile:
    """A field of a bundle's form. `most` is how many characters it takes."""

    no: int
    code: str
    name: str
    name_en: str
    kind: str
    required: bool
    most: int
    choices: tuple[ChoiceFile, ...]


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A bundle: items in their usual order, and the form that is filled in once."""

    code: str
    name: str
    name_en: str
    guide: str
    guide_en: str
    stops: tuple[BundleStopFile, ...]
    form: tuple[FieldFile, ...]


def read_bundles(tables: Mapping[str, Table]) -> tuple[BundleFile, ...]:
    """The bundles with their items and forms."""
    table = tables["bundles.csv"]
    codes = table.values("code")
    stops = _read_stops(tables["bundle_items.csv"], codes, tables["items.csv"].values("code"))
    forms = _read_forms(tables["bundle_fields.csv"], codes)
    seen: dict[str, int] = {}
    found = []
    for row in table.rows:
        code = row.code("code", SLUG)
        row.once(seen, code, "code")
        own = stops.get(code, ())
        if tables["bundle_items.csv"].readable and not LEAST_ITEMS <= len(own) <= MOST_ITEMS:
            row.wrong(
                "code",
                f"bundle_items.csv 中有 {len(own)} 个事项，应为 {LEAST_ITEMS} 到 {MOST_ITEMS} 个",
                f"has {len(own)} items in bundle_items.csv, not {LEAST_ITEMS} to {MOST_ITEMS}",
            )
        if len(forms.get(code, ())) > MOST_FIELDS:
            row.wrong("code", f"表单最多 {MOST_FIELDS} 项", f"has more than {MOST_FIELDS} fields")
        _check_order(row, own)
        found.append(
            BundleFile(
                code=code,
                name=row.text("name", 80),
                name_en=row.text("name_en", 160),
                guide=row.text("guide", 1000),
                guide_en=row.text("guide_en", 2000),
                stops=tuple(own),
                form=tuple(forms.get(code, ())),
            )
        )
    return tuple(found)


def _read_stops(
    table: Table, bundles: Sequence[str] | None, items: Sequence[str] | None
) -> Mapping[str, Sequence[BundleStopFile]]:
    found: dict[str, list[BundleStopFile]] = defaultdict(list)
    numbers: dict[tuple[str, int], int] = {}
    seen: dict[tuple[str, str], int] = {}
    rows: list[tuple[Row, str, BundleStopFile]] = []
    for row in table.rows:
        bundle = row.refer("bundle", bundles, "bundles.csv")
        stop = BundleStopFile(
            no=row.whole("no", 1, 99),
            item=row.refer("item", items, "items.csv"),
            after=_split(row.plain("after", may_be_empty=True)),
        )
        if not row.spoiled:
            row.once(numbers, (bundle, stop.no), "no")
            row.once(seen, (bundle, stop.item), "item")
        found[bundle].append(stop)
        rows.append((row, bundle, stop))
    for row, bundle, stop in rows:
        for before in dict.fromkeys(stop.after):
            if before == stop.item or before not in {one.item for one in found[bundle]}:
                row.wrong(
                    "after",
                    f"“{before}”不是该一件事的另一个事项",
                    f"{before!r} is no other item of this bundle",
                )
            if stop.after.count(before) > 1:
                row.wrong("after", f"“{before}”写了两次", f"{before!r} stands twice")
    return {bundle: sorted(each, key=lambda one: one.no) for bundle, each in found.items()}


def _check_order(row: Row, stops: Sequence[BundleStopFile]) -> None:
    try:
        in_order([Stop(stop.item, 0, 1, frozenset(stop.after)) for stop in stops])
    except NoOrder:
        row.wrong(
            "code",
            "bundle_items.csv 中的先后顺序互相等待",
            "its items in bundle_items.csv wait for each other",
        )


def _read_forms(table: Table, bundles: Sequence[str] | None) -> Mapping[str, Sequence[FieldFile]]:
    found: dict[str, list[FieldFile]] = defaultdict(list)
    numbers: dict[tuple[str, int], int] = {}
    seen: dict[tuple[str, str], int] = {}
    for row in table.rows:
        bundle = row.refer("bundle", bundles, "bundles.csv")
        kind = row.one_of("kind", FIELD_KINDS)
        field = FieldFile(
            no=row.whole("no", 1, 99),
            code=row.code("code", _FIELD, 32),
            name=row.text("name", 40),
            name_en=row.text("name_en", 80),
            kind=kind,
            required=row.yes_no("required"),
            most=row.whole("most", 1, LONGEST_TEXT),
            choices=_choices(row, kind),
        )
        if not row.spoiled:
            row.once(numbers, (bundle, field.no), "no")
            row.once(seen, (bundle, field.code), "code")
        found[bundle].append(field)
    return {bundle: sorted(each, key=lambda one: one.no) for bundle, each in found.items()}


def _choices(row: Row, kind: str) -> tuple[ChoiceFile, ...]:
    """`value:中文:English`, joined with `;`; only a choice has them."""
    given = _split(row.text("choices", 1000, may_be_empty=True))
    if (kind == "choice") != bool(given):
        row.wrong("choices", "choice 类才有、且必须有选项", "a choice has them, and nothing else")
    found: list[ChoiceFile] = []
    for one in given:
        parts = [part.strip() for part in one.split(":")]
        if len(parts) != 3 or not all(parts) or not SLUG.pattern.fullmatch(parts[0]):
            row.wrong(
                "choices",
                f"“{one}”不对，应如 girl:女:Female",
                f"{one!r} is not like girl:女:Female",
            )
            continue
        if parts[0] in {choice.value for choice in found}:
            row.wrong("choices", f"“{parts[0]}”写了两次", f"{parts[0]!r} stands twice")
        found.append(ChoiceFile(*parts))
    return tuple(found)


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";")) if text else ()
