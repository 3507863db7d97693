"""Family members and companies, over HTTP: for whom I act, and who acts for me."""

from sanic import Blueprint, Request

from models.proxies import Proof, ProxyKind, ProxyState
from scheduler.calendar import business_day
from server.auth import CITIZEN, Principal, own_id
from server.errors import (
    IdempotencyKeyReused,
    LevelTooLow,
    NotAvailable,
    NotFound,
    TooManyRequests,
    WrongStateRefusal,
)
from server.http.endpoint import address_of, endpoint
from server.http.idempotency import once
from server.http.limits import CONSENT_PERSON, IDENTITY
from server.identity import consenting, proxies, real_names
from server.identity.otp import one_time_codes
from server.identity.proxy_views import Company, ConsentCode, FamilyMember, ProxyList, ProxyView
from server.identity.real_names import read_claim
from server.identity.refusals import (
    AlreadyAdded,
    IdentityMismatch,
    OwnNumber,
    SmsCodeWrong,
    TooManyDeclared,
)
from server.services import services

bp = Blueprint("family", url_prefix="/api/v1")
DECLARED_CHILD = {
    "relation": "child",
    "proof": "declaration",
    "state": "active",
    "active_at": "2026-11-23T09:30:00+08:00",
}
DECLARED_COMPANY = DECLARED_CHILD | {
    "relation": "company",
    "name": "一厅通示范公司",
    "id_type": "uscc",
    "number": "91350100M000100Y43",
}


@endpoint(
    bp,
    "GET",
    "/me/family",
    summary=("家庭成员与代办", "For whom I act, and who acts for me"),
    tag="identity",
    guard=CITIZEN,
    returns=ProxyList,
)
async def list_family(request: Request, who: Principal) -> ProxyList:
    """Family members and companies that I act or want to act for, and whoever may act for me."""
    return ProxyList(await proxies.list_of(services(request).sealer, who.id))


@endpoint(
    bp,
    "POST",
    "/me/family",
    summary=("添加家庭成员", "Act for a family member"),
    tag="identity",
    guard=CITIZEN,
    body=FamilyMember,
    returns=ProxyView,
    status=201,
    idempotent=True,
    example=DECLARED_CHILD,
    refuses=[
        LevelTooLow,
        OwnNumber,
        AlreadyAdded,
        TooManyDeclared,
        IdentityMismatch,
        NotAvailable,
        IdempotencyKeyReused,
        TooManyRequests,
    ],
)
async def add_family_member(request: Request, who: Principal, body: FamilyMember) -> ProxyView:
    """Act for minors (under 18) and the elderly (from 60) by my declaration, five at most.

    Name and number must belong together, as the identity provider says.

    Anybody else is `asked`: if she is known here by this name and number, a code goes to her own
    phone, at most one a minute, good for five minutes and five tries. The answer is the same if
    not. Asking again sends another.
    """
    room = services(request)
    room.limits.check(IDENTITY, who.id)
    today = business_day(room.clock.now())
    claim = read_claim(body.name, body.id_type, body.id_number, today=today)
    wanted = proxies.wanted_person(ProxyKind(body.relation), claim, today=today)
    if wanted.proof is Proof.CONSENT:
        one_time_codes(room)
        # Whether or not a message is sent then.
        await room.limits.take([(CONSENT_PERSON, who.id)])
    else:
        await real_names.of(room).require_pair(who.id, claim, address_of(request))
    view = await proxies.add(
        room.sealer, who, wanted, once(request, who.id), most=room.settings.most_declared
    )
    if view.state is ProxyState.ASKED:
        asking = consenting.ask(
            room.sealer,
            one_time_codes(room),
            proxy_id=view.id,
            citizen_id=who.id,
            person=claim,
        )
        room.afterwards.do("ask_consent", asking)
    return view


@endpoint(
    bp,
    "POST",
    "/me/family/<proxy:str>/consent",
    summary=("填写授权验证码", "She consents"),
    tag="identity",
    guard=CITIZEN,
    body=ConsentCode,
    returns=ProxyView,
    example={"state": "active", "active_at": "2026-11-23T09:31:00+08:00"},
    refuses=[
        NotFound,
        WrongStateRefusal,
        LevelTooLow,
        SmsCodeWrong,
        NotAvailable,
        TooManyRequests,
    ],
)
async def consent_to_proxy(
    request: Request, who: Principal, proxy: str, body: ConsentCode
) -> ProxyView:
    """The code that was sent to the person lets me act for her from now on."""
    room, proxy_id = services(request), own_id(proxy)
    room.limits.check(IDENTITY, who.id)
    await consenting.consent(room.sealer, one_time_codes(room), proxy_id, who, body.code)
    for view in await proxies.list_of(room.sealer, who.id):
        if view.id == proxy_id:
            return view
    raise NotFound  # ended since


@endpoint(
    bp,
    "DELETE",
    "/me/family/<proxy:str>",
    summary=("解除代办关系", "Act for her no longer"),
    tag="identity",
    guard=CITIZEN,
    status=204,
    refuses=[NotFound, LevelTooLow],
)
async def end_proxy(request: Request, who: Principal, proxy: str) -> None:
    """End what I do for somebody, or what somebody does for me. Numbers already taken stay.

    Where the person herself ends it, only her consent begins it again.
    """
    await proxies.end(own_id(proxy), who)


@endpoint(
    bp,
    "POST",
    "/me/companies",
    summary=("添加企业", "Act for a company"),
    tag="identity",
    guard=CITIZEN,
    body=Company,
    returns=ProxyView,
    status=201,
    idempotent=True,
    example=DECLARED_COMPANY,
    refuses=[
        LevelTooLow,
        AlreadyAdded,
        TooManyDeclared,
        IdempotencyKeyReused,
        TooManyRequests,
    ],
)
async def add_company(request: Request, who: Principal, body: Company) -> ProxyView:
    """Act for a company by my declaration; it is listed and ended with the family."""
    room = services(request)
    room.limits.check(IDENTITY, who.id)
    wanted = proxies.wanted_company(body.uscc, body.name)
    return await proxies.add(
        room.sealer, who, wanted, once(request, who.id), most=room.settings.most_companies
    )
