"""Campaigns over HTTP: drafts, dry runs, approval by a second person, pause, resume, cancel."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from sanic import Blueprint, Request

from models import campaigns
from models.audit import Detail, Entry, record
from models.consents import Purpose
from models.database import Transaction, transaction
from models.staff import Role
from models.tickets import Actor
from scheduler.calendar import business_day
from server.auth import Principal, own_id, staff
from server.campaigns.refusals import DraftChanged, NeedsSecondPerson
from server.campaigns.running import rule_of
from server.campaigns.views import (
    Approval,
    CampaignGiven,
    CampaignPage,
    CampaignQuery,
    CampaignView,
    campaign_view,
    draft_of,
)
from server.errors import (
    IdempotencyKeyReused,
    InvalidRequest,
    NotFound,
    TooManyRequests,
    WrongStateRefusal,
)
from server.http.endpoint import endpoint
from server.http.idempotency import once
from server.http.limits import AUDIENCE
from server.matching.offering import names_of
from server.matching.rule_files import RuleBook
from server.matching.trying import Tried, try_audience
from server.matching.views import AudienceView
from server.services import services

bp = Blueprint("campaigns", url_prefix="/api/v1/admin/campaigns")
TAG: Final = "campaigns"
# It speaks for the city: only who belongs to all halls.
GUARD: Final = staff(Role.HALL_MANAGER, Role.SUPERVISOR, Role.ADMIN, everywhere=True)
ONE: Final = "/<campaign:str>"


@endpoint(
    bp,
    "GET",
    "",
    summary=("政策通知列表", "Campaigns"),
    tag=TAG,
    guard=GUARD,
    query=CampaignQuery,
    returns=CampaignPage,
)
async def list_campaigns(request: Request, who: Principal, query: CampaignQuery) -> CampaignPage:
    """Campaigns, the newest first, with how each went."""
    found = await campaigns.listed(before=query.cursor, limit=query.limit + 1, state=query.state)
    directory = services(request).directory
    page = [campaign_view(row, directory) for row in found[: query.limit]]
    return CampaignPage(page, page[-1].id if len(found) > query.limit else None)


@endpoint(
    bp,
    "POST",
    "",
    summary=("起草政策通知", "Draft a campaign"),
    tag=TAG,
    guard=GUARD,
    body=CampaignGiven,
    returns=CampaignView,
    status=201,
    idempotent=True,
    refuses=[InvalidRequest, IdempotencyKeyReused],
)
async def draft_campaign(request: Request, who: Principal, body: CampaignGiven) -> CampaignView:
    """Nobody is told anything before somebody else approves it."""
    room, key = services(request), once(request, who.id)
    draft = draft_of(body, _book(request), room.directory, room.clock.now())
    async with transaction() as tx:
        await key.claim(tx)
        row = await campaigns.create(tx, draft, by=who.id)
        view = campaign_view(row, room.directory)
        await key.keep(tx, view, status=201)
        await _record(tx, who, "campaign.drafted", row)
    return view


@endpoint(
    bp,
    "GET",
    ONE,
    summary=("一则政策通知", "One campaign"),
    tag=TAG,
    guard=GUARD,
    returns=CampaignView,
    refuses=[NotFound],
)
async def show_campaign(request: Request, who: Principal, campaign: str) -> CampaignView:
    """What it says, to whom, where it is, and how it went."""
    return campaign_view(await _known(own_id(campaign)), services(request).directory)


@endpoint(
    bp,
    "PUT",
    ONE,
    summary=("修改草稿", "Write a draft anew"),
    tag=TAG,
    guard=GUARD,
    body=CampaignGiven,
    returns=CampaignView,
    refuses=[NotFound, InvalidRequest, WrongStateRefusal],
)
async def rewrite_campaign(
    request: Request, who: Principal, campaign: str, body: CampaignGiven
) -> CampaignView:
    """The draft's next version. Whoever writes it last cannot approve it."""
    room = services(request)
    draft = draft_of(body, _book(request), room.directory, room.clock.now())

    async def step(tx: Transaction, campaign_id: UUID) -> Any:
        return await campaigns.rewrite(tx, campaign_id, draft, by=who.id)

    return await _changed(request, who, campaign, "campaign.rewritten", step)


@endpoint(
    bp,
    "POST",
    f"{ONE}/dry-run",
    summary=("试算政策通知", "Dry run"),
    tag=TAG,
    guard=GUARD,
    returns=AudienceView,
    refuses=[NotFound, TooManyRequests],
)
async def try_campaign(request: Request, who: Principal, campaign: str) -> AudienceView:
    """How many it would concern now, and a few of them, masked. Nobody is told anything."""
    room = services(request)
    row = await _known(own_id(campaign))
    await room.limits.take([(AUDIENCE, who.id)])
    return await try_audience(
        Tried(rule_of(row), Purpose.POLICIES),
        names_of(_book(request), room.directory),
        room.sealer,
        Actor("staff", who.id),
        today=business_day(room.clock.now()),
    )


@endpoint(
    bp,
    "POST",
    f"{ONE}/approve",
    summary=("审批政策通知", "Approve"),
    tag=TAG,
    guard=GUARD,
    body=Approval,
    returns=CampaignView,
    refuses=[NotFound, NeedsSecondPerson, DraftChanged, WrongStateRefusal],
)
async def approve_campaign(
    request: Request, who: Principal, campaign: str, body: Approval
) -> CampaignView:
    """It begins at its time. By somebody else than whoever wrote it last, of the version read."""

    async def step(tx: Transaction, campaign_id: UUID) -> Any:
        row = await campaigns.held(tx, campaign_id)
        if row is None:
            raise NotFound
        if row["author_id"] == who.id:
            raise NeedsSecondPerson
        if row["version"] != body.version:
            raise DraftChanged
        return await campaigns.approve(tx, campaign_id, by=who.id)

    return await _changed(request, who, campaign, "campaign.approved", step)


@endpoint(
    bp,
    "POST",
    f"{ONE}/pause",
    summary=("暂停发送", "Pause"),
    tag=TAG,
    guard=GUARD,
    returns=CampaignView,
    refuses=[NotFound, WrongStateRefusal],
)
async def pause_campaign(request: Request, who: Principal, campaign: str) -> CampaignView:
    """Nobody more is told; only what is under way at this moment still goes out."""
    return await _changed(request, who, campaign, "campaign.paused", campaigns.pause)


@endpoint(
    bp,
    "POST",
    f"{ONE}/resume",
    summary=("继续发送", "Resume"),
    tag=TAG,
    guard=GUARD,
    returns=CampaignView,
    refuses=[NotFound, WrongStateRefusal],
)
async def resume_campaign(request: Request, who: Principal, campaign: str) -> CampaignView:
    """It goes on where it was paused."""
    return await _changed(request, who, campaign, "campaign.resumed", campaigns.resume)


@endpoint(
    bp,
    "POST",
    f"{ONE}/cancel",
    summary=("取消政策通知", "Cancel"),
    tag=TAG,
    guard=GUARD,
    returns=CampaignView,
    refuses=[NotFound, WrongStateRefusal],
)
async def cancel_campaign(request: Request, who: Principal, campaign: str) -> CampaignView:
    """Nobody more is told, for good. What was sent stays in the inboxes."""
    return await _changed(request, who, campaign, "campaign.cancelled", campaigns.cancel)


def _book(request: Request) -> RuleBook:
    book: RuleBook = request.app.ctx.rule_book
    return book


async def _known(campaign_id: UUID) -> Any:
    row = await campaigns.one(campaign_id)
    if row is None:
        raise NotFound
    return row


async def _changed(
    request: Request,
    who: Principal,
    campaign: str,
    action: str,
    step: Callable[[Transaction, UUID], Awaitable[Any]],
) -> CampaignView:
    """A step of one that there is, recorded with it. Raises NotFound, WrongState."""
    campaign_id = own_id(campaign)
    async with transaction() as tx:
        if await campaigns.held(tx, campaign_id) is None:
            raise NotFound
        row = await step(tx, campaign_id)
        await _record(tx, who, action, row)
    return campaign_view(row, services(request).directory)


async def _record(tx: Transaction, who: Principal, action: str, row: Any) -> None:
    """Last in its transaction, as the log wants."""
    detail: Detail = {"version": row["version"]}
    await record(tx, Entry(Actor("staff", who.id), action, "campaign", row["id"], detail=detail))
