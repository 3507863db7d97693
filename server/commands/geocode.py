"""`geocode-halls`: places for the halls that have an address and no coordinates."""

from dataclasses import dataclass
from typing import Annotated

import typer
from rich.table import Table

from integrations.ports import FoundPlace, Maps, PlatformUnavailable
from models.database import rows
from models.opening import open_database
from scheduler.places import Place, to_wgs84
from server.commands.ground import console, counting, fail, ground_of
from server.running.health import require_migrated
from server.settings import WrongSettings

_PLACELESS = """
    SELECT code, name, address FROM hall WHERE (lat IS NULL OR lng IS NULL) AND address <> ''
    ORDER BY code
"""
# Whoever placed a hall meanwhile knew better.
_PLACE = "UPDATE hall SET lat = $2, lng = $3 WHERE code = $1 AND (lat IS NULL OR lng IS NULL)"


@dataclass(frozen=True, slots=True)
class Placed:
    """A hall and where its address is, None where the map service does not know it well enough."""

    code: str
    name: str
    address: str
    found: FoundPlace | None

    @property
    def place(self) -> Place | None:
        """The place as halls' rows have it, in WGS-84."""
        if self.found is None:
            return None
        return to_wgs84(Place(self.found.point.lat, self.found.point.lng, "gcj02"))


def geocode_halls(
    context: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what was found.")] = False,
    rough: Annotated[
        bool, typer.Option("--rough", help="Take streets and towns too, not only doors.")
    ] = False,
) -> None:
    """按地址补全大厅坐标。 Find coordinates for the halls without any, by the map service."""
    ground = ground_of(context)
    settings = ground.settings()
    maps = ground.maps()
    with ground.plainly():
        if maps is None:
            raise WrongSettings("Set YITING_MAPS_KEY: without a map service no address is found.")

    async def main() -> None:
        async with ground.stores(settings) as urls, open_database(urls.database):
            await require_migrated()
            try:
                placed = await find_places(maps, city=settings.maps_city, rough=rough)
            except PlatformUnavailable as fault:
                again = f"try again in {fault.retry_after_s} s"
                raise fail(f"The map service does not answer; {again}.", 1) from None
            _show(placed)
            if not dry_run:
                await write_places(placed)
        known = sum(hall.found is not None for hall in placed)
        done = "已写入 written" if not dry_run else "未写入 not written (--dry-run)"
        console.print(f"{known}/{len(placed)} 个大厅找到坐标 halls found; {done}.")

    ground.run(main())


async def find_places(maps: Maps, *, city: str | None, rough: bool) -> list[Placed]:
    """Where the halls without coordinates are. Raises PlatformUnavailable."""
    halls = await rows(_PLACELESS)
    placed = []
    with counting("查找地址 looking", quiet=len(halls) < 2) as told:
        for at, hall in enumerate(halls):
            candidates = await maps.find(hall["address"], city=city)
            fitting = [each for each in candidates if each.exact or rough]
            found = fitting[0] if fitting else None
            placed.append(Placed(hall["code"], hall["name"], hall["address"], found))
            told(at + 1, len(halls))
    return placed


async def write_places(placed: list[Placed]) -> None:
    """Write what was found; API processes notice it with the next look at the catalogue."""
    for hall in placed:
        if (place := hall.place) is not None:
            await rows(_PLACE, hall.code, place.lat, place.lng)


def _show(placed: list[Placed]) -> None:
    table = Table("大厅 hall", "地址 address", "找到 found", "纬度 lat", "经度 lng")
    for hall in placed:
        place = hall.place
        table.add_row(
            hall.code,
            hall.address,
            hall.found.name if hall.found else "—",
            f"{place.lat:.6f}" if place else "",
            f"{place.lng:.6f}" if place else "",
        )
    console.print(table)
