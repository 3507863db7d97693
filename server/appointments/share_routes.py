"""How many of a hall's items may be booked, against the goal of four in five; from memory."""

from collections.abc import Iterable
from typing import Final

import msgspec
from sanic import Blueprint, Request

from server.errors import NotFound
from server.halls.directory import ItemEntry
from server.http.endpoint import endpoint
from server.services import services

bp = Blueprint("bookable-share", url_prefix="/api/v1")
GOAL: Final = 0.8


class DepartmentShare(msgspec.Struct, frozen=True, kw_only=True):
    """Of a department's items at this hall, how many may be booked."""

    department: str
    department_name: str
    department_name_en: str
    items: int
    bookable: int
    share: float
    reached: bool


class BookableShare(msgspec.Struct, frozen=True, kw_only=True):
    """Of the items that a hall offers, how many may be booked; `reached`: as many as the goal."""

    hall: str
    items: int
    bookable: int
    share: float | None
    goal: float
    reached: bool
    departments: list[DepartmentShare]


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/bookable",
    summary=("可预约率", "Share of items that may be booked"),
    tag="appointments",
    returns=BookableShare,
    from_memory=True,
    refuses=[NotFound],
)
async def show_bookable(request: Request, hall: str) -> BookableShare:
    """Which part of the hall's items may be booked, and by department, least first."""
    directory = services(request).directory
    items = [directory.item(code) for code in directory.hall(hall).offers]
    bookable = sum(item.bookable for item in items)
    by_department: dict[str, list[ItemEntry]] = {}
    for item in items:
        by_department.setdefault(item.department, []).append(item)
    departments = sorted(map(_share, by_department.values()), key=lambda d: (d.share, d.department))
    share = round(bookable / len(items), 3) if items else None
    return BookableShare(
        hall=hall,
        items=len(items),
        bookable=bookable,
        share=share,
        goal=GOAL,
        reached=bookable >= GOAL * len(items),
        departments=departments,
    )


def _share(items: Iterable[ItemEntry]) -> DepartmentShare:
    items = list(items)
    bookable = sum(item.bookable for item in items)
    return DepartmentShare(
        department=items[0].department,
        department_name=items[0].department_name,
        department_name_en=items[0].department_name_en,
        items=len(items),
        bookable=bookable,
        share=round(bookable / len(items), 3),
        reached=bookable >= GOAL * len(items),
    )
