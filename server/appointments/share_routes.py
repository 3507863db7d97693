"""How much may be booked, over HTTP: of a hall, and of the whole city; from memory."""

import msgspec
from sanic import Blueprint, Request

from server.errors import NotFound
from server.halls.bookable import Share, share_of, share_of_hall
from server.http.endpoint import endpoint
from server.services import services

bp = Blueprint("bookable-share", url_prefix="/api/v1")


class HallShare(msgspec.Struct, frozen=True, kw_only=True):
    """Of the items that a hall offers how many may be booked; `reached`: as many as the goal."""

    hall: str
    items: int
    bookable: int
    share: float | None
    reached: bool


class CityShare(Share, frozen=True, kw_only=True):
    """Of the items that any hall offers, each counted once; and hall by hall, the least first."""

    halls: list[HallShare]


class BookableShare(Share, frozen=True, kw_only=True):
    """Of the items that a hall offers how many may be booked, and by department."""

    hall: str


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
    """Which part of the hall's items may be booked, and by department, the least first."""
    directory = services(request).directory
    found = share_of_hall(directory.hall(hall), directory)
    return BookableShare(hall=hall, **msgspec.structs.asdict(found))


@endpoint(
    bp,
    "GET",
    "/bookable",
    summary=("全市可预约率", "Share of the city's items that may be booked"),
    tag="appointments",
    returns=CityShare,
    from_memory=True,
)
async def show_city_bookable(request: Request) -> CityShare:
    """Which part of all items may be booked, by department and hall by hall, the least first."""
    directory = services(request).directory
    offered = {code for hall in directory.halls.values() for code in hall.offers}
    found = share_of(directory.item(code) for code in sorted(offered))
    halls = []
    for hall in directory.halls.values():
        told = share_of_hall(hall, directory)
        halls.append(
            HallShare(
                hall=hall.code,
                items=told.items,
                bookable=told.bookable,
                share=told.share,
                reached=told.reached,
            )
        )
    halls.sort(key=lambda each: (each.share or 0.0, each.hall))
    return CityShare(halls=halls, **msgspec.structs.asdict(found))
