"""My notices over HTTP: the inbox, how I want to be told, and what platforms may send me."""

from datetime import UTC, datetime

from sanic import Blueprint, Request

from models import notices, subscriptions
from models.database import transaction
from models.joined import held
from server.auth import CITIZEN, Principal, own_id
from server.errors import FieldFault, InvalidRequest, NotFound, wants_english
from server.http.endpoint import endpoint
from server.notices.refusals import ChannelNotLinked, TemplateUnknown
from server.notices.templates import Templates
from server.notices.views import (
    Accepted,
    NoticeList,
    NoticePreferences,
    NoticesQuery,
    NoticeView,
    NowRead,
    ReadUpTo,
    SubscriptionList,
    SubscriptionView,
    minute_of,
    notice_view,
    preferences_view,
)
from server.services import Services, services

bp = Blueprint("notices", url_prefix="/api/v1")
TAG = "notices"
PREFERENCES = "/me/notice-preferences"
SUBSCRIPTIONS = "/me/subscriptions"


@endpoint(
    bp,
    "GET",
    "/notices",
    summary=("我的通知", "My notices"),
    tag=TAG,
    guard=CITIZEN,
    query=NoticesQuery,
    returns=NoticeList,
)
async def list_notices(request: Request, who: Principal, query: NoticesQuery) -> NoticeList:
    """All that I was told, the newest first, whether another channel brought it or not."""
    room, templates = services(request), await _templates(request)
    found, unread = await notices.inbox(
        who.id, before=query.cursor, limit=query.limit, unread=query.unread
    )
    english = _in_english(request)
    shown = [
        notice_view(row, templates, room.directory, english=english) for row in found[: query.limit]
    ]
    return NoticeList(shown, unread, shown[-1].id if len(found) > query.limit else None)


@endpoint(
    bp,
    "POST",
    "/notices/<notice:str>/read",
    summary=("标为已读", "I have read it"),
    tag=TAG,
    guard=CITIZEN,
    returns=NoticeView,
    refuses=[NotFound],
)
async def read_notice(request: Request, who: Principal, notice: str) -> NoticeView:
    """Note that I have read it. Again, it stays as it was."""
    room, templates = services(request), await _templates(request)
    found = await notices.mark_read(who.id, own_id(notice), now=room.clock.now())
    if found is None:
        raise NotFound
    return notice_view(
        found,
        templates,
        room.directory,
        english=_in_english(request),
    )


@endpoint(
    bp,
    "POST",
    "/notices/read",
    summary=("全部标为已读", "I have read them all"),
    tag=TAG,
    guard=CITIZEN,
    body=ReadUpTo,
    returns=NowRead,
)
async def read_all(request: Request, who: Principal, body: ReadUpTo) -> NowRead:
    """Note that I have read all, or all up to one: those that come meanwhile stay unread."""
    now = services(request).clock.now()
    return NowRead(await notices.mark_all_read(who.id, up_to=body.up_to, now=now))


@endpoint(
    bp,
    "GET",
    PREFERENCES,
    summary=("通知偏好", "How I want to be told"),
    tag=TAG,
    guard=CITIZEN,
    returns=NoticePreferences,
)
async def show_preferences(request: Request, who: Principal) -> NoticePreferences:
    """How I want to be told, or how everybody is who never said."""
    return preferences_view(await subscriptions.preference_of(who.id))


@endpoint(
    bp,
    "PUT",
    PREFERENCES,
    summary=("设置通知偏好", "Say how I want to be told"),
    tag=TAG,
    guard=CITIZEN,
    body=NoticePreferences,
    returns=NoticePreferences,
    refuses=[InvalidRequest],
)
async def set_preferences(
    request: Request, who: Principal, body: NoticePreferences
) -> NoticePreferences:
    """From now on, also for what is on its way. What I leave out is as usual."""
    if len(set(body.channels)) != len(body.channels):
        twice = ("同一渠道只能出现一次。", "names a channel twice")
        raise InvalidRequest(errors=[FieldFault("/channels", twice)])
    async with transaction() as tx:
        await subscriptions.prefer(
            tx,
            await held(tx, who.id),
            english=body.language == "en",
            channels=body.channels,
            muted=sorted({kind.value for kind in body.muted}),
            quiet_from=minute_of(body.quiet_from),
            quiet_to=minute_of(body.quiet_to),
            ahead=body.ahead,
            at=datetime.now(UTC),
        )
    return preferences_view(await subscriptions.preference_of(who.id))


@endpoint(
    bp,
    "GET",
    SUBSCRIPTIONS,
    summary=("可订阅的消息", "What I allow to be sent"),
    tag=TAG,
    guard=CITIZEN,
    returns=SubscriptionList,
)
async def show_subscriptions(request: Request, who: Principal) -> SubscriptionList:
    """The templates that an app may prompt me for, by kind, and how many messages I allow of each.

    Only of platforms that I come by.
    """
    return await _subscriptions(request, who)


@endpoint(
    bp,
    "POST",
    SUBSCRIPTIONS,
    summary=("登记订阅授权", "I allowed messages"),
    tag=TAG,
    guard=CITIZEN,
    body=Accepted,
    returns=SubscriptionList,
    refuses=[ChannelNotLinked, TemplateUnknown],
)
async def allow_messages(request: Request, who: Principal, body: Accepted) -> SubscriptionList:
    """Each template that I accepted at a prompt lets one more message be sent.

    The platform tells of it, too; told by both, it counts once.
    """
    room, templates = services(request), await _templates(request)
    known = {each.template_id for each in templates.all() if each.channel == body.channel}
    if not known.issuperset(body.accepted):
        raise TemplateUnknown
    async with transaction() as tx:
        me = await held(tx, who.id)
        app_id = _app_of(room, body.channel)
        subject = app_id and await subscriptions.subject_of(me, body.channel, app_id, tx=tx)
        if not subject:
            raise ChannelNotLinked
        await subscriptions.grant(tx, body.channel, subject, body.accepted)
    return await _subscriptions(request, who)


async def _subscriptions(request: Request, who: Principal) -> SubscriptionList:
    room, templates = services(request), await _templates(request)
    links = await subscriptions.links_of(who.id)
    hers = {
        row["platform"]: row["subject"]
        for row in links
        if row["app_id"] == _app_of(room, row["platform"])
    }
    found = []
    for platform, subject in sorted(hers.items()):
        allowed = {
            row["template_id"]: row for row in await subscriptions.credits_of(platform, subject)
        }
        for each in templates.all():
            if each.channel == platform and each.template_id and not each.english:
                row = allowed.get(each.template_id)
                found.append(
                    SubscriptionView(
                        each.kind,
                        platform,
                        each.template_id,
                        row["credits"] if row else 0,
                        bool(row and row["lasting"]),
                    )
                )
    return SubscriptionList(found)


def _in_english(request: Request) -> bool:
    return wants_english(request.headers.get("accept-language"))


def _app_of(room: Services, platform: str) -> str | None:
    messenger = room.platforms.messengers.get(platform)
    return messenger.app_id if messenger and messenger.is_counted else None


async def _templates(request: Request) -> Templates:
    templates: Templates = request.app.ctx.notice_templates
    await templates.follow()
    return templates
