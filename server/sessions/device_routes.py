"""Where I am signed in, over HTTP: the same for citizens and staff."""

import msgspec
from sanic import Blueprint, Request

from server.auth import SIGNED_IN, Principal, own_id
from server.errors import LevelTooLow, NotFound
from server.http.endpoint import endpoint
from server.services import services
from server.sessions import devices
from server.sessions.devices import Device

bp = Blueprint("devices", url_prefix="/api/v1")


class DeviceList(msgspec.Struct, frozen=True):
    """My sign-ins, all of them."""

    data: list[Device]
    next_cursor: None = None


class Ended(msgspec.Struct, frozen=True):
    """How many sign-ins were ended."""

    ended: int


@endpoint(
    bp,
    "GET",
    "/me/devices",
    summary=("登录设备", "Where I am signed in"),
    tag="sessions",
    guard=SIGNED_IN,
    returns=DeviceList,
)
async def list_devices(request: Request, who: Principal) -> DeviceList:
    """All my sign-ins that go on, the one used last first; for citizens and staff."""
    return DeviceList(await devices.devices_of(who))


@endpoint(
    bp,
    "DELETE",
    "/me/devices/<sign_in:str>",
    summary=("下线设备", "Sign out there"),
    tag="sessions",
    guard=SIGNED_IN,
    status=204,
    refuses=[NotFound, LevelTooLow],
)
async def end_device(request: Request, who: Principal, sign_in: str) -> None:
    """End one of my sign-ins: its tokens are dead at once, on every worker."""
    await devices.end_device(who, own_id(sign_in), services(request).feed)


@endpoint(
    bp,
    "POST",
    "/me/devices/end-others",
    summary=("下线其他设备", "Sign out everywhere else"),
    tag="sessions",
    guard=SIGNED_IN,
    returns=Ended,
    refuses=[LevelTooLow],
)
async def end_other_devices(request: Request, who: Principal) -> Ended:
    """End all my sign-ins but the one that asks."""
    return Ended(await devices.end_others(who, services(request).feed))
