"""How pages are gone to and looked at: where, in what manner, and that they stand still first."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # only who develops has it
    from playwright.async_api import BrowserContext, Page

PASSWORD: Final = "yiting-demo"  # noqa: S105 the demo's, printed at its start
CENTRE: Final = (23.0207, 113.7518)

Look = Callable[[str, "Page"], Awaitable[None]]
Prepare = Callable[["BrowserContext"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class City:
    """A running demo city: its address, a hall with open counters, and who comes there."""

    url: str
    hall: str = "dg-01"
    counter: str = "01"
    persona: str = "441900199003071233"


@dataclass(frozen=True, slots=True)
class Manner:
    """How the pages are looked at."""

    language: str = "zh"
    large: bool = False
    width: int = 360
    height: int = 780
    # How long a state is left alone before it is looked at: for pictures, until all has moved.
    settled_ms: int = 400
    # What is done to each browser context before anything is opened in it.
    prepare: Prepare | None = None


class Walk:
    """Goes somewhere and looks, when what is wanted there is to be seen."""

    def __init__(self, page: "Page", city: City, manner: Manner, look: Look) -> None:
        self.page, self.city = page, city
        self._settled_ms, self._look = manner.settled_ms, look

    async def to(self, path: str, wanted: str, name: str | None = None) -> None:
        """Go to an address of the city, wait for what is wanted, and look, where it has a name."""
        await self.page.goto(f"{self.city.url}{path}")
        await self.shows(wanted, name)

    async def shows(self, wanted: str, name: str | None = None) -> None:
        """Wait until what is wanted is to be seen, and look."""
        await self.page.locator(wanted).first.wait_for()
        await self.settles(name)

    async def settles(self, name: str | None = None) -> None:
        """Leave it alone for a moment, and look."""
        await self.page.wait_for_timeout(self._settled_ms)
        if name is not None:
            await self._look(name, self.page)
