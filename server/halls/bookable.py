"""How many of a hall's items may be booked, and of a department's, against the goal of 80 %."""

from collections.abc import Iterable
from typing import Final

import msgspec

from server.halls.directory import Directory, HallEntry, ItemEntry

GOAL: Final = 0.8


class DepartmentShare(msgspec.Struct, frozen=True, kw_only=True):
    """Of a department's items, how many may be booked."""

    department: str
    department_name: str
    department_name_en: str
    items: int
    bookable: int
    share: float
    reached: bool


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """Of the items offered how many may be booked, and by department, the least first.

    `share` is null where nothing is offered; `reached`: it is as much as the goal.
    """

    items: int
    bookable: int
    share: float | None
    goal: float
    reached: bool
    departments: list[DepartmentShare]


def share_of_hall(hall: HallEntry, directory: Directory) -> Share:
    """The share of the items that a hall offers."""
    return share_of(directory.item(code) for code in hall.offers)


def share_of(offered: Iterable[ItemEntry]) -> Share:
    """The share of these items, each counted once."""
    items = list(offered)
    bookable = sum(item.bookable for item in items)
    by_department: dict[str, list[ItemEntry]] = {}
    for item in items:
        by_department.setdefault(item.department, []).append(item)
    departments = sorted(map(_share, by_department.values()), key=lambda d: (d.share, d.department))
    return Share(
        items=len(items),
        bookable=bookable,
        share=round(bookable / len(items), 3) if items else None,
        goal=GOAL,
        reached=_reached(bookable, len(items)),
        departments=departments,
    )


def _share(items: list[ItemEntry]) -> DepartmentShare:
    bookable = sum(item.bookable for item in items)
    return DepartmentShare(
        department=items[0].department,
        department_name=items[0].department_name,
        department_name_en=items[0].department_name_en,
        items=len(items),
        bookable=bookable,
        share=round(bookable / len(items), 3),
        reached=_reached(bookable, len(items)),
    )


def _reached(bookable: int, items: int) -> bool:
    return bookable >= GOAL * items
