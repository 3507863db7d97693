"""What both map services have in common: signed GETs, JSON, places, and geopy's way of asking."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NoReturn

import httpx
import msgspec
from geopy.adapters import AdapterHTTPError, BaseAsyncAdapter
from geopy.exc import (
    GeocoderAuthenticationFailure,
    GeocoderParseError,
    GeocoderQuotaExceeded,
    GeocoderRateLimited,
    GeocoderUnavailable,
    GeopyError,
)
from geopy.location import Location

from integrations.asking import LATER_S, SOON_S, Asking
from integrations.ports import FoundPlace, MapPoint, PlatformUnavailable

# What a day's quota leaves us: asking again within the hour would only be refused again.
OUT_OF_QUOTA_S: Final = 3600
_MOST_S: Final = 7 * 86_400
_json = msgspec.json.Decoder(dict[str, Any])

Params = Mapping[str, str]


class HttpxAdapter(BaseAsyncAdapter):  # type: ignore[misc]
    """Lets geopy's geocoders ask through our client: budgets, discretion, no redirects."""

    def __init__(self, asking: Asking) -> None:
        super().__init__(proxies=None, ssl_context=None)
        self._asking = asking

    async def get_text(self, url: str, *, timeout: float, headers: Params) -> str:
        """A page's text, as geopy wants it."""
        return (await self._got(url, headers)).text

    async def get_json(self, url: str, *, timeout: float, headers: Params) -> dict[str, Any]:
        """A page's JSON, as geopy wants it."""
        answer = await self._got(url, headers)
        try:
            return _json.decode(answer.content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise GeocoderParseError("the answer is not JSON") from None

    async def _got(self, url: str, headers: Params) -> httpx.Response:
        try:
            answer = await self._asking.ask("GET", url, headers=headers)
        except PlatformUnavailable as fault:
            raise GeocoderUnavailable("no answer") from fault
        if answer.status_code != httpx.codes.OK:
            raise AdapterHTTPError(
                "not answered",
                status_code=answer.status_code,
                headers=dict(answer.headers),
                text=None,
            )
        return answer


class MapAsking:
    """Asks one map service, within `budget_s` seconds a question.

    `signed` adds the key and, where there is a secret, the signature to the parameters of a path.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        platform: str,
        host: str,
        signed: Callable[[str, Params], Params],
        *,
        budget_s: float,
    ) -> None:
        self.asking = Asking(http, platform, budget_s=budget_s)
        self._host = host.rstrip("/")
        self._signed = signed

    def adapter(self, **_: object) -> HttpxAdapter:
        """What geopy calls an adapter factory."""
        return HttpxAdapter(self.asking)

    def url(self, path: str, params: Params) -> str:
        """The whole address of a question."""
        return str(httpx.URL(self._host + path, params=dict(self._signed(path, params))))

    async def get(self, path: str, params: Params) -> dict[str, Any]:
        """Ask, and return the answer's JSON. Raises PlatformUnavailable."""
        answer = await self.asking.ask("GET", self.url(path, params))
        if answer.status_code != httpx.codes.OK:
            raise self.asking.unavailable(f"http_{answer.status_code}", LATER_S, path=path)
        return self.asking.read(_json, answer)

    async def find(self, found: Awaitable[list[Location] | None]) -> list[FoundPlace]:
        """The places that one of geopy's geocoders finds. Raises PlatformUnavailable."""
        try:
            async with self.asking.within_budget():
                places = await found
        except GeopyError as fault:
            self.give_up(fault)
        return [
            FoundPlace(
                name=place.address,
                district=place.raw["district"],
                point=MapPoint(place.latitude, place.longitude),
                exact=place.raw["exact"],
            )
            for place in places or ()
        ]

    def give_up(self, fault: GeopyError) -> NoReturn:
        """Log what went wrong, and raise PlatformUnavailable for as long as it will."""
        why = str(fault) or type(fault).__name__
        if isinstance(fault, GeocoderQuotaExceeded) and not isinstance(fault, GeocoderRateLimited):
            raise self.asking.unavailable("quota", OUT_OF_QUOTA_S, said=why) from None
        if isinstance(fault, GeocoderAuthenticationFailure):
            raise self.asking.misconfigured("refused", said=why) from None
        if isinstance(fault, GeocoderRateLimited):
            raise self.asking.unavailable("too_often", SOON_S, said=why) from None
        raise self.asking.unavailable(type(fault).__name__, LATER_S) from None


def whole_seconds(value: object) -> int | None:
    """A time as a service writes it, a number or digits; None for what no way can take."""
    try:
        seconds = round(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds <= _MOST_S else None


def location(name: str, district: str, *, lat: float, lng: float, exact: bool) -> Location:
    """A place as geopy has them. Raises ValueError for numbers that are none on Earth."""
    if not (-90 <= lat <= 90 and -180 <= lng <= 180):
        raise ValueError("no place on Earth")
    return Location(name, (lat, lng), {"district": district, "exact": exact})


def text_of(value: object) -> str:
    """A text; empty where the service wrote an empty list, as AMap does for nothing."""
    return value if isinstance(value, str) else ""
