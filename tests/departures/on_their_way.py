"""People on their way to a hall, and who watches over them."""

from typing import Any
from uuid import UUID

from models.database import rows
from scheduler.travel import PACES
from server.departures.watching import DepartureWatch
from tests.conftest import Api, until
from tests.people import Person

SOMEWHERE = {"lat": 22.95, "lng": 113.75, "datum": "wgs84"}
AN_HOUR = (3000, 3600, 4800)


class Waiting:
    """A hall where everybody waits for an hour, and who watches over those who are to come."""

    def __init__(self, api: Api, hall: str, said: Any) -> None:
        self.api, self.hall, self.said = api, hall, said

    def watch(self) -> DepartureWatch:
        room = self.api.services
        return DepartureWatch(
            self.api.projector,
            said=self.said,
            feed=room.feed,
            valkey=room.valkey,
            sealer=room.sealer,
            clock=room.clock,
            paces=PACES,
        )

    async def shows(self, ticket: dict[str, Any], true: Any) -> dict[str, Any]:
        """The ticket as the live state has it, once that is so."""
        seen: dict[str, Any] = {}

        def holds() -> bool:
            found = self.api.services.feed.memory.projected(UUID(ticket["id"]))
            seen["view"] = found and found.view
            return found is not None and bool(true(found.view))

        await until(holds)
        view: dict[str, Any] = seen
        return view


def near(api: Api, hall: str) -> dict[str, Any]:
    """A place a few minutes from the hall."""
    place = api.services.directory.hall(hall).place
    assert place is not None
    return {"lat": round(place.lat + 0.01, 3), "lng": round(place.lng, 3), "datum": "wgs84"}


async def said_where(
    api: Api, lin: Person, ticket: dict[str, Any], *, at: str = "", **more: Any
) -> dict[str, Any]:
    """She says that she is near her hall, or near another."""
    place = near(api, at or ticket["hall"])
    reply = await lin.put(f"/tickets/{ticket['id']}/place", {"place": place, **more})
    assert reply.status_code == 200, reply.text
    view: dict[str, Any] = reply.json()
    return view


async def kept(ticket: dict[str, Any]) -> Any:
    [row] = await rows("SELECT * FROM departure WHERE id = $1", UUID(ticket["id"]))
    return row
