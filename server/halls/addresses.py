"""Finding a place by its address, for whoever cannot or will not say where she stands."""

import hashlib
from typing import Annotated, Final

import msgspec
import structlog
from sanic import Blueprint, Request

from integrations.ports import FoundPlace, Maps
from server.errors import NotAvailable
from server.faults import is_store_fault
from server.halls.views import PlaceView
from server.http.endpoint import address_of, endpoint
from server.http.limits import PLACES_ADDRESS
from server.services import Services, services

log = structlog.get_logger()
bp = Blueprint("addresses", url_prefix="/api/v1")

KEPT_S: Final = 24 * 3600


class PlaceQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address as people write it, or the name of a place. An empty one finds nothing."""

    q: Annotated[str, msgspec.Meta(max_length=80, examples=["虎门镇连升中路183号"])]


class PlaceCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """A place that an address may be. `exact`: a house or a named place, not a street or a town."""

    name: str
    district: str
    place: PlaceView
    exact: bool


class PlaceList(msgspec.Struct, frozen=True):
    """Places, best first."""

    data: list[PlaceCandidate]
    next_cursor: None = None


_decode = msgspec.json.Decoder(list[FoundPlace]).decode


@endpoint(
    bp,
    "GET",
    "/places",
    summary=("按地址找位置", "Find a place by its address"),
    tag="halls",
    query=PlaceQuery,
    returns=PlaceList,
    from_memory=True,
    refuses=[NotAvailable],
)
async def find_places(request: Request, query: PlaceQuery) -> PlaceList:
    """The places that an address may be, in GCJ-02, as `GET /halls` takes them.

    Nothing is found: `data` is empty. Who asked, and for what, is not kept.
    """
    room = services(request)
    if room.platforms.maps is None:
        raise NotAvailable
    found = await _found(room, room.platforms.maps, query.q, address_of(request))
    return PlaceList(
        [
            PlaceCandidate(
                name=place.name,
                district=place.district,
                place=PlaceView(place.point.lat, place.point.lng, "gcj02"),
                exact=place.exact,
            )
            for place in found
        ]
    )


async def _found(room: Services, maps: Maps, words: str, address: str) -> list[FoundPlace]:
    """What the map service says, or said of late; it costs, so strangers ask it so often only."""
    city = room.settings.maps_city
    told = " ".join(words.split())
    if not told:
        return []
    key = f"place:{hashlib.blake2b(f'{city}|{told}'.encode(), digest_size=16).hexdigest()}"
    if (kept := await _kept(room, key)) is not None:
        return kept
    await room.limits.take([(PLACES_ADDRESS, address)])
    found = await maps.find(told, city=city)
    try:
        await room.valkey.set(key, msgspec.json.encode(found), ex=KEPT_S)
    except Exception as fault:
        _without_valkey(fault)
    return found


async def _kept(room: Services, key: str) -> list[FoundPlace] | None:
    try:
        kept = await room.valkey.get(key)
        return None if kept is None else _decode(kept)
    except msgspec.MsgspecError:
        return None  # another version's
    except Exception as fault:
        _without_valkey(fault)
        return None


def _without_valkey(fault: Exception) -> None:
    if not is_store_fault(fault):
        raise fault
    log.warning("places_not_kept", fault=type(fault).__name__)
