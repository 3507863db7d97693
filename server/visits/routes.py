"""Visits over HTTP: signed in for once, followed, changed; and as the counter sees one."""

from typing import Annotated
from uuid import UUID

import msgspec
from sanic import Blueprint, Request

from models.audit import Entry, record
from models.database import transaction
from models.tickets import Actor, Priority
from server.auth import CITIZEN, CLERK, Principal, own_id
from server.errors import (
    FieldFault,
    IdempotencyKeyReused,
    InvalidRequest,
    LevelTooLow,
    NotFound,
    WrongStateRefusal,
)
from server.http.endpoint import endpoint
from server.http.idempotency import once
from server.http.paging import PageQuery
from server.numbers.place_given import PlaceGiven
from server.numbers.refusals import (
    AlreadyInLine,
    ClaimNotTrue,
    DailyCapReached,
    HallClosed,
    LineClosed,
    LineFull,
    MissedNumberKept,
    NotOffered,
    NotResident,
    PlaceRequired,
    PlannedInVisit,
    ProxyNotActive,
    ResidenceNeeded,
    TooFar,
)
from server.services import services
from server.visits import changing, signing_in
from server.visits.refusals import NotInVisit
from server.visits.views import (
    VisitDetail,
    VisitPage,
    VisitView,
    visit_detail,
    visits_of,
    without_form,
)

bp = Blueprint("visits", url_prefix="/api/v1")
ItemCode = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Filled = Annotated[str, msgspec.Meta(max_length=500)]
_ONE_OF = ("请在 bundle 和 items 中只填一个。", "Give exactly one of bundle and items.")
_TWICE = ("不能重复。", "must not stand twice")


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Come to a hall for several items: those of a `bundle`, with its form filled in, or `items`.

    `for` is the `id` of one of `GET /me/family`. `priority_claim` is as with a single number, and
    counts at each stop.
    """

    hall: Annotated[str, msgspec.Meta(min_length=1, max_length=16, examples=["dg-24"])]
    bundle: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    items: Annotated[list[ItemCode], msgspec.Meta(min_length=2, max_length=8)] | None = None
    form: Annotated[dict[str, Filled], msgspec.Meta(max_length=30)] | None = None
    place: PlaceGiven | None = None
    proxy: UUID | None = msgspec.field(name="for", default=None)
    priority_claim: Priority | None = None


class Skip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which stop to leave out."""

    item: ItemCode


@endpoint(
    bp,
    "POST",
    "/visits",
    summary=("联办取号", "Sign in for several items"),
    tag="visits",
    guard=CITIZEN,
    body=SignIn,
    returns=VisitView,
    status=201,
    idempotent=True,
    refuses=[
        NotFound,
        InvalidRequest,
        HallClosed,
        LineClosed,
        LineFull,
        TooFar,
        AlreadyInLine,
        MissedNumberKept,
        PlannedInVisit,
        LevelTooLow,
        PlaceRequired,
        DailyCapReached,
        NotOffered,
        ResidenceNeeded,
        NotResident,
        ProxyNotActive,
        ClaimNotTrue,
        IdempotencyKeyReused,
    ],
)
async def begin_visit(request: Request, who: Principal, body: SignIn) -> VisitView:
    """Sign in once for several items: a number for the stop that is best done first, at once.

    When it is finished I am given the next, with my place in every line counted from now. The order
    is the one that makes the whole visit shortest, and is chosen anew at each stop. What the items
    ask of identity is asked of me now, for all of them.
    """
    if (body.bundle is None) == (body.items is None):
        raise InvalidRequest(_ONE_OF)
    items = body.items or []
    if twice := [nth for nth, item in enumerate(items) if item in items[:nth]]:
        raise InvalidRequest(errors=[FieldFault(f"/items/{nth}", _TWICE) for nth in twice])
    room, fix = services(request), body.place.fix() if body.place else None
    return await signing_in.sign_in(
        signing_in.Wish(
            body.hall, body.bundle, items, body.form or {}, fix, body.proxy, body.priority_claim
        ),
        who,
        once(request, who.id),
        sealer=room.sealer,
        now=room.clock.now(),
        directory=room.directory,
        feed=room.feed,
    )


@endpoint(
    bp,
    "GET",
    "/visits",
    summary=("我的联办", "My visits"),
    tag="visits",
    guard=CITIZEN,
    query=PageQuery,
    returns=VisitPage,
)
async def list_visits(request: Request, who: Principal, query: PageQuery) -> VisitPage:
    """My visits, and those I signed others in for, newest first."""
    directory = services(request).directory
    return await visits_of(who.id, cursor=query.cursor, limit=query.limit, directory=directory)


@endpoint(
    bp,
    "GET",
    "/visits/<visit:str>",
    summary=("联办进度", "One visit"),
    tag="visits",
    guard=CITIZEN,
    returns=VisitDetail,
    refuses=[NotFound],
)
async def show_visit(request: Request, who: Principal, visit: str) -> VisitDetail:
    """How far a visit is: each stop, my number now, what to bring for the rest, my form.

    Follow the number at `now` on the socket; when it is over, follow its `next_ticket`.
    """
    return await _shown(request, who, own_id(visit))


@endpoint(
    bp,
    "POST",
    "/visits/<visit:str>/cancel",
    summary=("取消联办", "Give a visit up"),
    tag="visits",
    guard=CITIZEN,
    returns=VisitView,
    refuses=[NotFound, WrongStateRefusal],
    example={"state": "cancelled", "now": None, "materials": []},
)
async def cancel_visit(request: Request, who: Principal, visit: str) -> VisitView:
    """Give the whole visit up: my number, and the stops still to come. Not while I am served."""
    room, visit_id = services(request), own_id(visit)
    await changing.cancel(
        visit_id, who, now=room.clock.now(), directory=room.directory, feed=room.feed
    )
    return without_form(await _shown(request, who, visit_id))


@endpoint(
    bp,
    "POST",
    "/visits/<visit:str>/skip",
    summary=("跳过一项", "Leave a stop out"),
    tag="visits",
    guard=CITIZEN,
    body=Skip,
    returns=VisitView,
    refuses=[NotFound, NotInVisit, WrongStateRefusal],
)
async def skip_stop(request: Request, who: Principal, visit: str, body: Skip) -> VisitView:
    """Leave one stop out. If it is this one's turn I am given the next number at once."""
    room, visit_id = services(request), own_id(visit)
    await changing.skip(
        visit_id, body.item, who, now=room.clock.now(), directory=room.directory, feed=room.feed
    )
    return without_form(await _shown(request, who, visit_id))


@endpoint(
    bp,
    "GET",
    "/halls/<hall:str>/counters/<counter:str>/visit",
    summary=("窗口当前联办", "The visit at a counter"),
    tag="visits",
    guard=CLERK,
    returns=VisitDetail,
    refuses=[NotFound],
)
async def show_visit_at_counter(
    request: Request, who: Principal, hall: str, counter: str
) -> VisitDetail:
    """The visit of whoever is called to the counter or served there, with the form she filled in.

    Every look is in the audit log.
    """
    room = services(request)
    entry = room.directory.hall(hall)
    async with transaction() as tx:
        found = await tx.row(
            """
            SELECT t.visit_id FROM counter c JOIN ticket t ON t.counter_id = c.id
            WHERE c.hall_id = $1 AND c.code = $2 AND t.state IN ('called', 'serving')
            """,
            entry.id,
            counter,
        )
        if found is None or found["visit_id"] is None:
            raise NotFound(("该窗口当前没有联办。", "Nobody of a visit is at this counter."))
        visit = await visit_detail(
            found["visit_id"], None, sealer=room.sealer, directory=room.directory, tx=tx
        )
        if visit is None:
            raise NotFound
        actor = Actor("staff", who.id)
        detail = {"fields": ["form"]} if visit.form else {}
        await record(tx, Entry(actor, "visit.looked_at", "visit", visit.id, detail=detail))
    return visit


async def _shown(request: Request, who: Principal, visit_id: UUID) -> VisitDetail:
    room = services(request)
    found = await visit_detail(visit_id, who.id, sealer=room.sealer, directory=room.directory)
    if found is None:
        raise NotFound
    return found
