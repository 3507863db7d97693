"""Reads the city's reference data from PostgreSQL, and notices when it was written anew."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, time
from typing import Any

import msgspec
import structlog

from models.database import Transaction, rows, transaction
from scheduler.booking import BookingRules
from scheduler.calendar import Opening, SpecialDay, Timetable
from scheduler.discipline import Rules
from scheduler.places import Place
from server.halls.directory import (
    BundleEntry,
    BundleStop,
    Directory,
    FormField,
    HallEntry,
    ItemEntry,
    LineEntry,
    MaterialEntry,
)

log = structlog.get_logger()

LOOK_EVERY_S = 15.0


async def read_directory() -> Directory:
    """The reference data as PostgreSQL has it at one moment: what refers to what is all there."""
    async with transaction("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY") as tx:
        return await _read_in(tx)


async def _read_in(tx: Transaction) -> Directory:
    mark = await _mark(tx)
    halls = await tx.rows("SELECT * FROM hall ORDER BY code")
    lines = _by(await tx.rows("SELECT * FROM line ORDER BY code"), "hall_id")
    openings = _by(await tx.rows("SELECT * FROM opening ORDER BY weekday"), "hall_id")
    special = _by(await tx.rows("SELECT * FROM special_day ORDER BY date"), "hall_id")
    offers = _by(
        await tx.rows(
            """
            SELECT o.hall_id, i.code AS item, l.code AS line FROM offering o
            JOIN item i ON i.id = o.item_id JOIN line l ON l.id = o.line_id ORDER BY i.code
            """
        ),
        "hall_id",
    )
    parents = {row["code"]: row["parent_code"] for row in halls}
    entries = [
        _hall(
            row,
            above=_above(row["code"], parents),
            lines=lines[row["id"]],
            timetable=_timetable(openings[row["id"]], special[row["id"]]),
            offers=offers[row["id"]],
        )
        for row in halls
    ]
    halls_by_code = {hall.code: hall for hall in entries}
    return Directory(halls_by_code, await _items(tx), mark, await _bundles(tx))


async def newer_directory(current: Directory) -> Directory | None:
    """The reference data anew, when the rows differ from those that `current` was read from.

    None too when it cannot be read now, or makes no sense: what was read before goes on serving.
    """
    try:
        return None if await _mark() == current.mark else await read_directory()
    except Exception as fault:
        log.warning("catalogue_not_read", fault=type(fault).__name__)
        return None


# `xmin` is the transaction that wrote a row. Lines are written with every number they give, so
# what counts of them is what they say.
_MARK = """
    SELECT concat_ws(' ',
        (SELECT sum(hashtext(concat_ws('|', id, code, name, name_en))) FROM line),
        (SELECT (count(*), sum(xmin::text::bigint)) FROM hall),
        (SELECT (count(*), sum(xmin::text::bigint)) FROM opening),
        (SELECT (count(*), sum(xmin::text::bigint)) FROM special_day),
        (SELECT (count(*), sum(xmin::text::bigint)) FROM department),
        (SELECT (count(*), sum(xmin::text::bigint)) FROM item),
        (SELECT (count(*), sum(xmin::text::bigint)) FROM material),
        (SELECT (count(*), sum(xmin::text::bigint)) FROM bundle),
        (SELECT (count(*), sum(xmin::text::bigint)) FROM offering)
    ) AS mark
"""


async def _mark(tx: Transaction | None = None) -> str:
    [row] = await rows(_MARK, tx=tx)
    mark: str = row["mark"]
    return mark


async def _items(tx: Transaction) -> dict[str, ItemEntry]:
    materials = _by(await tx.rows("SELECT * FROM material ORDER BY position"), "item_id")
    found = await tx.rows(
        """
        SELECT i.*, d.code AS department, d.name AS department_name,
               d.name_en AS department_name_en
        FROM item i JOIN department d ON d.id = i.department_id ORDER BY i.code
        """
    )
    skip = {"department_id", "audience", "aliases", "requires"}
    return {
        row["code"]: ItemEntry(
            **{key: value for key, value in row.items() if key not in skip},
            audience=tuple(row["audience"]),
            aliases=tuple(row["aliases"] or ()),
            requires=tuple(row["requires"]),
            materials=tuple(_material(needed) for needed in materials[row["id"]]),
        )
        for row in found
    }


async def _bundles(tx: Transaction) -> dict[str, BundleEntry]:
    return {
        row["code"]: BundleEntry(
            code=row["code"],
            name=row["name"],
            name_en=row["name_en"],
            guide=row["guide"],
            guide_en=row["guide_en"],
            stops=msgspec.json.decode(row["stops"], type=tuple[BundleStop, ...]),
            form=msgspec.json.decode(row["form"], type=tuple[FormField, ...]),
        )
        for row in await tx.rows("SELECT * FROM bundle ORDER BY code")
    }


def _material(row: dict[str, Any]) -> MaterialEntry:
    return MaterialEntry(
        name=row["name"],
        name_en=row["name_en"],
        kind=row["kind"],
        copies=row["copies"],
        required=row["required"],
        note=row["note"],
        note_en=row["note_en"],
    )


def _above(code: str, parents: Mapping[str, str | None]) -> frozenset[str]:
    found: set[str] = set()
    parent = parents.get(code)
    # Rows may be wrong and lead round in a circle: nobody is above herself, and once is enough.
    while parent is not None and parent != code and parent not in found:
        found.add(parent)
        parent = parents.get(parent)
    return frozenset(found)


def _hall(
    row: dict[str, Any],
    *,
    above: frozenset[str],
    lines: list[dict[str, Any]],
    timetable: Timetable,
    offers: list[dict[str, Any]],
) -> HallEntry:
    known = row["lat"] is not None and row["lng"] is not None
    rules = msgspec.json.decode(row["rules"], type=dict[str, int])
    return HallEntry(
        id=row["id"],
        code=row["code"],
        name=row["name"],
        name_en=row["name_en"],
        level=row["level"],
        address=row["address"],
        phone=row["phone"],
        place=Place(row["lat"], row["lng"], "wgs84") if known else None,
        remote_radius_m=row["remote_radius_m"],
        timetable=timetable,
        lines={
            line["code"]: LineEntry(line["id"], line["code"], line["name"], line["name_en"])
            for line in lines
        },
        offers={offer["item"]: offer["line"] for offer in offers},
        above=above,
        rules=Rules.of(rules),
        booking=BookingRules.of(rules),
    )


def _timetable(openings: list[dict[str, Any]], special: list[dict[str, Any]]) -> Timetable:
    days: defaultdict[date, list[dict[str, Any]]] = defaultdict(list)
    for row in special:
        days[row["date"]].append(row)
    return Timetable(
        weekly=tuple(
            Opening(row["weekday"], _time(row["start_minute"]), _time(row["end_minute"]))
            for row in openings
        ),
        special={day: _special_day(day, rows) for day, rows in days.items()},
    )


def _special_day(day: date, rows: list[dict[str, Any]]) -> SpecialDay:
    hours = tuple(
        (_time(row["start_minute"]), _time(row["end_minute"]))
        for row in rows
        if row["start_minute"] is not None
    )
    return SpecialDay(day, hours, reason=rows[0]["reason"])


def _time(minute: int) -> time:
    """Minutes since midnight as a time; the end of the day is 00:00, as the calendar has it."""
    return time(minute // 60 % 24, minute % 60)


def _by(rows: list[dict[str, Any]], key: str) -> defaultdict[Any, list[dict[str, Any]]]:
    groups: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups
