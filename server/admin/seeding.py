"""Puts a city's files into the database. Running it again updates what changed, keeps the rest."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import time
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from models.database import Transaction, rows, transaction
from models.staff import Role
from server.admin.city_files import BundleFile, City, HallFile, ItemFile
from server.admin.city_halls import LineFile
from server.admin.city_items import ThemeFile
from server.sessions.passwords import HASHER

DAY_MINUTES = 24 * 60
Progress = Callable[[str], None]


async def seed_city(city: City, *, progress: Progress = lambda _: None) -> None:
    """Write departments, halls, lines, counters, hours, items and bundles, in one transaction.

    Halls, lines, counters and items are matched by code and never deleted: tickets refer to them.
    An item that the files no longer have is offered nowhere.
    """
    # All halls first and in one order: decisions take their hall's lock first, too.
    async with transaction("SELECT 1 FROM hall ORDER BY id FOR UPDATE") as tx:
        departments = {
            each.code: await _upsert(
                tx,
                "department",
                {"code": each.code},
                {"name": each.name, "name_en": each.name_en, "uscc": each.uscc},
            )
            for each in city.departments
        }
        line_ids: dict[tuple[str, str], UUID] = {}
        hall_ids: dict[str, UUID] = {}
        for hall in city.halls:
            progress(f"大厅 {hall.code} {hall.name}")
            hall_ids[hall.code] = await _hall(tx, hall)
            line_ids |= await _hall_parts(tx, hall, hall_ids[hall.code])
        await tx.run(
            "DELETE FROM offering USING item WHERE item.id = item_id AND NOT item.code = ANY($1)",
            [item.code for item in city.items],
        )
        themes = {theme.code: theme for theme in city.themes}
        for item in city.items:
            progress(f"事项 {item.code} {item.name}")
            item_id = await _item(tx, item, departments[item.department], themes[item.theme])
            await _item_parts(tx, item, item_id, hall_ids, line_ids)
        await _bundles(tx, city.bundles)


async def seed_demo_staff(city: City, password: str) -> list[str]:
    """The demo's accounts: admin, supervisor, a manager for each hall, a clerk for each counter.

    All share one password and are marked as demo accounts. Answers the user names.
    """
    accounts: list[tuple[str, str, Role, list[str]]] = [
        ("admin", "系统管理员", Role.ADMIN, []),
        ("supervisor", "效能监察员", Role.SUPERVISOR, []),
    ]
    for hall in city.halls:
        accounts.append(
            (f"manager.{hall.code}", f"{hall.name}主任", Role.HALL_MANAGER, [hall.code])
        )
        accounts.extend(
            (f"clerk.{hall.code}.{counter.code}", f"{counter.name}", Role.CLERK, [hall.code])
            for counter in hall.counters
        )
    # One hash for all: hashing four hundred times the same password would take half a minute.
    hashed = HASHER.hash(password)
    async with transaction() as tx:
        for username, name, role, halls in accounts:
            await _upsert(
                tx,
                "staff",
                {"username": username},
                {
                    "name": name,
                    "role": role.value,
                    "halls": halls,
                    "password_hash": hashed,
                    "demo": True,
                    "disabled": False,
                },
            )
    return [account[0] for account in accounts]


async def is_seeded() -> bool:
    """Whether the database holds a city already."""
    return bool(await rows("SELECT 1 AS found FROM hall LIMIT 1"))


async def has_demo_staff() -> bool:
    """Whether any account with the printed demo password exists."""
    return bool(await rows("SELECT 1 AS found FROM staff WHERE demo AND NOT disabled LIMIT 1"))


async def _hall(tx: Transaction, hall: HallFile) -> UUID:
    # What was found by its address since is not forgotten.
    where = {"lat": hall.place.lat, "lng": hall.place.lng} if hall.place else {}
    return await _upsert(
        tx,
        "hall",
        {"code": hall.code},
        {
            "name": hall.name,
            "name_en": hall.name_en,
            "level": hall.level,
            "parent_code": hall.parent,
            "address": hall.address,
            "phone": hall.phone,
            **where,
            "remote_radius_m": hall.remote_radius_m,
            "rules": json.dumps(dict(hall.rules)),
        },
    )


def _limits(line: LineFile) -> dict[str, int]:
    """What the files say of a line's limits; where they say nothing, what a manager set stands."""
    return {} if line.help_after_min is None else {"help_after_min": line.help_after_min}


async def _hall_parts(
    tx: Transaction, hall: HallFile, hall_id: UUID
) -> dict[tuple[str, str], UUID]:
    line_ids = {
        (hall.code, line.code): await _upsert(
            tx,
            "line",
            {"hall_id": hall_id, "code": line.code},
            {"name": line.name, "name_en": line.name_en, **_limits(line)},
            first={"state": "open", "last_sequence": 0},
        )
        for line in hall.lines
    }
    for counter in hall.counters:
        lines = list(counter.lines)
        await _upsert(
            tx,
            "counter",
            {"hall_id": hall_id, "code": counter.code},
            {"name": counter.name, "skills": lines, "helps": list(counter.helps)},
            first={"state": "closed", "serving": lines},
        )
    await tx.run("DELETE FROM opening WHERE hall_id = $1", hall_id)
    for opening in hall.openings:
        await _insert(
            tx,
            "opening",
            {
                "hall_id": hall_id,
                "weekday": opening.weekday,
                "start_minute": _minute(opening.opens),
                "end_minute": _minute(opening.closes) or DAY_MINUTES,
            },
        )
    await tx.run("DELETE FROM special_day WHERE hall_id = $1", hall_id)
    for day in hall.special_days:
        closed = day.opens is None or day.closes is None
        await _insert(
            tx,
            "special_day",
            {
                "hall_id": hall_id,
                "date": day.date,
                "start_minute": None if closed else _minute(day.opens),
                "end_minute": None if closed else _minute(day.closes) or DAY_MINUTES,
                "reason": day.reason,
            },
        )
    return line_ids


async def _item(tx: Transaction, item: ItemFile, department_id: UUID, theme: ThemeFile) -> UUID:
    return await _upsert(
        tx,
        "item",
        {"code": item.code},
        {
            "official_code": item.official_code,
            "name": item.name,
            "name_en": item.name_en,
            "department_id": department_id,
            "theme": item.theme,
            "theme_name": theme.name,
            "theme_name_en": theme.name_en,
            "audience": list(item.audience),
            "aliases": list(item.aliases),
            "guide": item.guide,
            "guide_en": item.guide_en,
            "fee_fen": item.fee_fen,
            "level_required": item.level_required,
            "bookable": item.bookable,
            "residents_of": item.residents_of,
            "requires": list(item.requires),
            "pay_first": item.pay_first,
            "minutes": item.minutes,
        },
    )


async def _item_parts(
    tx: Transaction,
    item: ItemFile,
    item_id: UUID,
    hall_ids: dict[str, UUID],
    line_ids: dict[tuple[str, str], UUID],
) -> None:
    await tx.run("DELETE FROM material WHERE item_id = $1", item_id)
    for material in item.materials:
        await _insert(
            tx,
            "material",
            {
                "item_id": item_id,
                "position": material.no,
                "name": material.name,
                "name_en": material.name_en,
                "kind": material.kind,
                "copies": material.copies,
                "required": material.required,
                "note": material.note,
                "note_en": material.note_en,
            },
        )
    await tx.run("DELETE FROM offering WHERE item_id = $1", item_id)
    for hall in item.halls:
        await _insert(
            tx,
            "offering",
            {
                "item_id": item_id,
                "hall_id": hall_ids[hall],
                "line_id": line_ids[hall, item.line],
                # A hall without such a line serves everybody in the usual one.
                "paid_line_id": line_ids.get((hall, item.paid_line or "")),
            },
        )


async def _bundles(tx: Transaction, bundles: Sequence[BundleFile]) -> None:
    """Nothing refers to a bundle but by its code, so those gone from the files go."""
    await tx.run("DELETE FROM bundle WHERE NOT code = ANY($1)", [each.code for each in bundles])
    for bundle in bundles:
        stops = [{"item": stop.item, "after": stop.after} for stop in bundle.stops]
        await _upsert(
            tx,
            "bundle",
            {"code": bundle.code},
            {
                "name": bundle.name,
                "name_en": bundle.name_en,
                "guide": bundle.guide,
                "guide_en": bundle.guide_en,
                "stops": json.dumps(stops),
                "form": json.dumps([asdict(field) for field in bundle.form], ensure_ascii=False),
            },
        )


async def _upsert(
    tx: Transaction,
    table: str,
    key: dict[str, Any],
    values: dict[str, Any],
    *,
    first: dict[str, Any] | None = None,
) -> UUID:
    """Insert a row, or update the one with that key; `first` is only for a new row."""
    new = {"id": uuid7(), **key, **values, **(first or {})}
    changes = ", ".join(f"{name} = excluded.{name}" for name in values)
    row = await tx.row(
        f"INSERT INTO {table} ({', '.join(new)}) VALUES ({_parameters(new)})"  # noqa: S608 our names
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes} RETURNING id",
        *new.values(),
    )
    assert row is not None
    row_id: UUID = row["id"]
    return row_id


async def _insert(tx: Transaction, table: str, values: dict[str, Any]) -> None:
    new = {"id": uuid7(), **values}
    await tx.run(
        f"INSERT INTO {table} ({', '.join(new)}) VALUES ({_parameters(new)})",  # noqa: S608 our names
        *new.values(),
    )


def _parameters(values: Iterable[Any]) -> str:
    return ", ".join(f"${at}" for at, _ in enumerate(values, 1))


def _minute(at: time | None) -> int:
    return 0 if at is None else at.hour * 60 + at.minute
