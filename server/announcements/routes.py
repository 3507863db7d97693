"""Announcements over HTTP: made, listed and taken down by who manages the hall."""

from sanic import Blueprint, Request

from server.announcements import announcing
from server.announcements.announcing import TooManyAnnouncements
from server.announcements.views import AnnouncementList, AnnouncementView, MakeAnnouncement
from server.auth import HALL_ADMIN, STAFF, Principal, own_id
from server.errors import IdempotencyKeyReused, InvalidRequest, NotFound
from server.http.endpoint import endpoint
from server.http.idempotency import once
from server.services import services

bp = Blueprint("announcements", url_prefix="/api/v1")
ANNOUNCEMENTS = "/halls/<hall:str>/announcements"


@endpoint(
    bp,
    "POST",
    ANNOUNCEMENTS,
    summary=("发布公告", "Announce"),
    tag="managing",
    guard=HALL_ADMIN,
    body=MakeAnnouncement,
    returns=AnnouncementView,
    status=201,
    idempotent=True,
    refuses=[NotFound, InvalidRequest, TooManyAnnouncements, IdempotencyKeyReused],
)
async def make_announcement(
    request: Request, who: Principal, hall: str, body: MakeAnnouncement
) -> AnnouncementView:
    """Tell everybody in the hall something, on its board, until a moment or the end of the day."""
    room = services(request)
    return await announcing.announce(
        room.directory.hall(hall),
        body,
        who,
        once(request, who.id),
        now=room.clock.now(),
        feed=room.feed,
    )


@endpoint(
    bp,
    "GET",
    ANNOUNCEMENTS,
    summary=("大厅公告", "A hall's announcements"),
    tag="managing",
    guard=STAFF,
    returns=AnnouncementList,
    refuses=[NotFound],
)
async def list_announcements(request: Request, who: Principal, hall: str) -> AnnouncementList:
    """Those that stand now. Everybody else reads them on the board."""
    room = services(request)
    entry = room.directory.hall(hall)
    return AnnouncementList(await announcing.announcements_of(entry, now=room.clock.now()))


@endpoint(
    bp,
    "DELETE",
    ANNOUNCEMENTS + "/<announcement:str>",
    summary=("撤下公告", "Take an announcement down"),
    tag="managing",
    guard=HALL_ADMIN,
    status=204,
    refuses=[NotFound],
)
async def take_announcement_down(
    request: Request, who: Principal, hall: str, announcement: str
) -> None:
    """Take it off the board before its time."""
    room = services(request)
    await announcing.take_down(
        room.directory.hall(hall),
        own_id(announcement),
        who,
        now=room.clock.now(),
        feed=room.feed,
    )
