"""Keeping from where and how somebody comes, and what she is told at once."""

from uuid import UUID

from msgspec.structs import replace

from models import decisions, departures
from models.departures import TravelBasis, Way
from models.tickets import TicketState, WrongState
from scheduler.places import Place, geodesic_m
from scheduler.travel import Paces, Travel, paces_with_roads, travel_times_s
from server.auth import Principal
from server.departures.refusals import HallWithoutPlace
from server.errors import NotFound
from server.halls.directory import HallEntry
from server.halls.ways import Ways
from server.live.current import current_ticket
from server.live.memory import Change
from server.live.rows import WayRow
from server.live.state import TicketView
from server.numbers.refusals import AlreadyCheckedIn
from server.services import Services
from server.waits.departing import leave_of


async def keep(
    ticket_id: UUID, place: Place, travel: Travel, who: Principal, room: Services
) -> TicketView:
    """Keep where she is and how she comes, instead of what she said before, until she is there.

    `place` is in WGS-84. Raises NotFound, HallWithoutPlace, AlreadyCheckedIn, or WrongState unless
    she waits.
    """
    mine = await decisions.own(ticket_id, who.id)
    if mine is None:
        raise NotFound
    hall = room.directory.hall_by_id(mine.hall_id)
    way = await _way(hall, place, travel, room)
    kept = await _keep(ticket_id, way, place, who, room)
    found = await current_ticket(room.feed, ticket_id)
    if found is None:
        raise NotFound
    if not kept:
        if found.view.state is TicketState.WAITING and found.view.checked_in_at is not None:
            raise AlreadyCheckedIn
        raise WrongState("she does not wait there", found.view.state)
    await room.feed.changed(Change(hall.code, ticket_id))
    return _shown(found.view, way, room)


async def with_departure(
    view: TicketView, place: Place, travel: Travel, who: Principal, room: Services
) -> TicketView:
    """The same for a ticket that she has just taken; as it is where there is nothing to be kept."""
    hall = room.directory.hall(view.hall)
    if hall.place is None or view.checked_in_at is not None:
        return view
    way = await _way(hall, place, travel, room)
    if not await _keep(view.id, way, place, who, room):
        return view
    await room.feed.changed(Change(hall.code, view.id))
    return _shown(view, way, room)


async def forget(ticket_id: UUID, who: Principal, room: Services) -> None:
    """Forget where she is, and tell her nothing any more. Raises NotFound."""
    mine = await decisions.own(ticket_id, who.id)
    if mine is None:
        raise NotFound
    await departures.forget([ticket_id])
    hall = room.directory.hall_by_id(mine.hall_id)
    await room.feed.changed(Change(hall.code, ticket_id))


def estimated(hall: HallEntry, place: Place, travel: Travel, paces: Paces) -> Way:
    """The way to a hall by its distance. Raises HallWithoutPlace."""
    if hall.place is None:
        raise HallWithoutPlace
    [seconds] = travel_times_s([geodesic_m(place, hall.place)], travel, paces=paces)
    return Way(hall.id, travel, round(seconds), TravelBasis.ESTIMATE)


async def _way(hall: HallEntry, place: Place, travel: Travel, room: Services) -> Way:
    """The way as a map service knows it, where there is one that does in time."""
    way = estimated(hall, place, travel, paces_with_roads(room.settings.road_factor))
    ways: Ways | None = room.ways
    if ways is None or hall.place is None:
        return way
    known = await ways.known(place, {hall.code: hall.place}, travel)
    if hall.code not in known:
        return way
    return Way(hall.id, travel, known[hall.code], TravelBasis.MAP)


async def _keep(ticket_id: UUID, way: Way, place: Place, who: Principal, room: Services) -> bool:
    return await departures.keep(
        room.sealer, ticket_id, way, lat=place.lat, lng=place.lng, citizen_id=who.id
    )


def _shown(view: TicketView, way: Way, room: Services) -> TicketView:
    """With when to leave, by the wait as it was said last; the worker goes on from there."""
    told_at = view.leave.told_at if view.leave else None
    row = WayRow(way.travel, way.travel_s, way.basis.value, told_at)
    return replace(view, leave=leave_of(view.wait, row, room.clock.now()))
