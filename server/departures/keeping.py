"""Keeping from where and how somebody comes, and what she is told at once."""

from typing import Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from models import decisions, departures
from models.database import Transaction
from models.departures import TravelBasis, Way
from models.tickets import TicketState, WrongState
from scheduler.places import Place, geodesic_m
from scheduler.travel import Paces, Travel, paces_with_roads, travel_times_s
from server.auth import Principal
from server.clock import microseconds
from server.departures.refusals import HallWithoutPlace, TooFarAway
from server.errors import NotFound
from server.faults import is_store_fault
from server.halls.directory import HallEntry
from server.halls.ways import Ways
from server.live.current import current_ticket
from server.live.departing import leave_of
from server.live.memory import Change
from server.live.rows import WayRow
from server.live.state import TicketView
from server.numbers.joining import WithIt
from server.numbers.refusals import AlreadyCheckedIn
from server.services import Services

log = structlog.get_logger()

# By distance. Whoever is farther off mistook the place or the way to travel; the moment to leave
# would mean nothing.
LONGEST_WAY_S: Final = 12 * 3600


async def keep(
    ticket_id: UUID, place: Place, travel: Travel, who: Principal, room: Services
) -> TicketView:
    """Keep where she is and how she comes, instead of what she said before, until she is there.

    `place` is in WGS-84. Raises NotFound, HallWithoutPlace, TooFarAway, AlreadyCheckedIn, or
    WrongState unless she waits.
    """
    mine = await decisions.own(ticket_id, who.id)
    if mine is None:
        raise NotFound
    hall = room.directory.hall_by_id(mine.hall_id)
    way = await way_to(hall, place, travel, room)
    version = await _keep(ticket_id, way, place, who, room)
    if version is not None:
        await room.feed.changed(Change(hall.code, ticket_id, version))
    found = await current_ticket(room.feed, ticket_id)
    if found is None:
        raise NotFound
    if version is None:
        if found.view.state is TicketState.WAITING and found.view.checked_in_at is not None:
            raise AlreadyCheckedIn
        raise WrongState("she does not wait there", found.view.state)
    return found.view


async def with_departure(
    hall_code: str, place: Place, travel: Travel, who: Principal, room: Services
) -> WithIt | None:
    """What keeps the same of a ticket that she is about to take; None where nobody knows the way.

    Too far away she gets her number all the same, and no moment to leave. The way is found before,
    so that no transaction waits for a map. Raises NotFound.
    """
    hall = room.directory.hall(hall_code)
    if hall.place is None:
        return None
    try:
        way = await way_to(hall, place, travel, room)
    except TooFarAway:
        return None

    async def keep_it(tx: Transaction | None, view: TicketView) -> TicketView:
        if view.checked_in_at is not None:
            return view
        try:
            version = await _keep(view.id, way, place, who, room, tx=tx)
        except Exception as fault:
            if tx is not None or not is_store_fault(fault):
                raise
            # The number is given: she may say again how she comes.
            log.warning("departure_not_kept", fault=type(fault).__name__)
            return view
        if version is None:
            return view
        row = WayRow(way.travel, way.travel_s, way.basis.value, told_at=None)
        leave = leave_of(view.wait, row, None, room.clock.now())
        return replace(view, version=version, leave=leave)

    return keep_it


async def forget(ticket_id: UUID, who: Principal, room: Services) -> None:
    """Forget where she is, and tell her nothing any more. Raises NotFound."""
    mine = await decisions.own(ticket_id, who.id)
    if mine is None:
        raise NotFound
    version = await departures.withdraw(ticket_id, version=microseconds())
    if version is not None:
        hall = room.directory.hall_by_id(mine.hall_id)
        await room.feed.changed(Change(hall.code, ticket_id, version))


def estimated(hall: HallEntry, place: Place, travel: Travel, paces: Paces) -> Way:
    """The way to a hall by its distance. Raises HallWithoutPlace."""
    if hall.place is None:
        raise HallWithoutPlace
    [seconds] = travel_times_s([geodesic_m(place, hall.place)], travel, paces=paces)
    return Way(hall.id, travel, in_minutes(seconds), TravelBasis.ESTIMATE)


def in_minutes(seconds: float) -> int:
    """A way in seconds, to the minute: what stands in clear beside a sealed place says no more."""
    return max(1, round(seconds / 60)) * 60


async def way_to(hall: HallEntry, place: Place, travel: Travel, room: Services) -> Way:
    """The way as a map service knows it, where there is one that does in time.

    Raises HallWithoutPlace, or TooFarAway before any map is asked.
    """
    way = estimated(hall, place, travel, paces_with_roads(room.settings.road_factor))
    if way.travel_s > LONGEST_WAY_S:
        raise TooFarAway
    ways: Ways | None = room.ways
    if ways is None or hall.place is None:
        return way
    known = await ways.known(place, {hall.code: hall.place}, travel)
    if hall.code not in known:
        return way
    return Way(hall.id, travel, in_minutes(known[hall.code]), TravelBasis.MAP)


async def _keep(
    ticket_id: UUID,
    way: Way,
    place: Place,
    who: Principal,
    room: Services,
    *,
    tx: Transaction | None = None,
) -> int | None:
    return await departures.keep(
        room.sealer,
        ticket_id,
        way,
        lat=place.lat,
        lng=place.lng,
        citizen_id=who.id,
        version=microseconds(),
        tx=tx,
    )
