"""Where a hall is, as phones are told: its place, and links that open their maps."""

from urllib.parse import quote

from scheduler.places import Place, to_gcj02
from server.halls.directory import HallEntry
from server.halls.views import Links, PlaceView


def place_view(place: Place | None) -> PlaceView | None:
    """A place as it is stored."""
    return PlaceView(place.lat, place.lng, place.datum) if place else None


def links(hall: HallEntry) -> Links:
    """Navigation links. WeChat's and Alipay's maps and AMap all want GCJ-02."""
    if hall.place is None:
        return Links(None, None, None)
    at = to_gcj02(hall.place)
    name = quote(hall.name)
    lat, lng = f"{at.lat:.6f}", f"{at.lng:.6f}"
    return Links(
        wechat=f"https://apis.map.qq.com/uri/v1/marker?marker=coord:{lat},{lng};title:{name}"
        "&referer=yiting",
        alipay=f"https://uri.amap.com/navigation?to={lng},{lat}&mode=car",
        amap=f"https://uri.amap.com/marker?position={lng},{lat}&name={name}",
    )
