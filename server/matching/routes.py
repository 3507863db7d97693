"""What I let be used of me and for what, my certificates, the topics that I follow."""

from sanic import Blueprint, Request

from models import certificates, consents, topics
from models.consents import Purpose
from server.auth import CITIZEN, Principal
from server.errors import FieldFault, InvalidRequest, LevelTooLow, NotFound, wants_english
from server.http.endpoint import endpoint
from server.http.wording import one_of
from server.matching import consenting
from server.matching.refusals import CertificateUnknown, MoreThanItNeeds
from server.matching.rule_files import Kind, RuleBook
from server.matching.views import (
    CertificateList,
    CertificateView,
    GiveConsent,
    HoldCertificate,
    KindView,
    PurposeList,
    PurposeView,
    Topics,
    certificate_view,
    consent_view,
)
from server.services import services

bp = Blueprint("consents", url_prefix="/api/v1")
TAG = "consents"
CONSENT = "/me/purposes/<purpose:str>"
CERTIFICATE = "/me/certificates/<kind:str>"
_GIVEN = {
    "purpose": "services",
    "name": "个性化服务",
    "what": "按您允许使用的信息，告诉您可以办理的事项。每天最多一条，每周最多三条。",
    "may_use": ["age", "residence", "family", "company", "items", "certificates", "topics"],
    "groups": ["age", "items"],
    "given_at": "2026-11-23T09:30:00+08:00",
}


@endpoint(
    bp,
    "GET",
    "/me/purposes",
    summary=("我的授权", "What I let be used"),
    tag=TAG,
    guard=CITIZEN,
    returns=PurposeList,
)
async def list_purposes(request: Request, who: Principal) -> PurposeList:
    """Every purpose for which something of me may be used, and what I allowed for it."""
    found = {row["purpose"]: row for row in await consents.of_citizen(who.id)}
    english = _in_english(request)
    return PurposeList(
        [consent_view(each, found.get(each.value), english=english) for each in Purpose]
    )


@endpoint(
    bp,
    "PUT",
    CONSENT,
    summary=("同意授权", "Consent"),
    tag=TAG,
    guard=CITIZEN,
    body=GiveConsent,
    returns=PurposeView,
    example=_GIVEN,
    refuses=[NotFound, MoreThanItNeeds, LevelTooLow],
)
async def give_consent(
    request: Request, who: Principal, purpose: str, body: GiveConsent
) -> PurposeView:
    """Let just these groups of attributes be used for a purpose, from now on.

    With fewer than before, what waits to be sent for it is not sent: it was found by more.
    """
    wanted = _purpose(purpose)
    await consenting.give(services(request).sealer, who, wanted, body.groups)
    found = {row["purpose"]: row for row in await consents.of_citizen(who.id)}
    return consent_view(wanted, found.get(wanted.value), english=_in_english(request))


@endpoint(
    bp,
    "DELETE",
    CONSENT,
    summary=("撤回授权", "Withdraw my consent"),
    tag=TAG,
    guard=CITIZEN,
    status=204,
    refuses=[NotFound],
)
async def withdraw_consent(request: Request, who: Principal, purpose: str) -> None:
    """At once: what waits to be sent for this purpose is not sent, and what was kept for it goes.

    Where I never consented nothing changes.
    """
    await consenting.withdraw(services(request).sealer, who, _purpose(purpose))


@endpoint(
    bp,
    "GET",
    "/me/certificates",
    summary=("我的证件", "My certificates"),
    tag=TAG,
    guard=CITIZEN,
    returns=CertificateList,
)
async def list_certificates(request: Request, who: Principal) -> CertificateList:
    """The certificates that I entered, and the kinds there are."""
    english, kinds = _in_english(request), _book(request).kinds
    found = await certificates.of_citizen(who.id)
    return CertificateList(
        [
            certificate_view(kinds[row["kind"]], row["expires_on"], english=english)
            for row in found
            if row["kind"] in kinds
        ],
        [KindView(each.code, each.name[english]) for each in kinds.values()],
    )


@endpoint(
    bp,
    "PUT",
    CERTIFICATE,
    summary=("登记证件", "Enter a certificate"),
    tag=TAG,
    guard=CITIZEN,
    body=HoldCertificate,
    returns=CertificateView,
    refuses=[CertificateUnknown, LevelTooLow],
)
async def hold_certificate(
    request: Request, who: Principal, kind: str, body: HoldCertificate
) -> CertificateView:
    """Say until when it is valid, also once it was renewed: what waits to be said of the former
    day is not sent. I am reminded where I consent to `documents`.
    """
    known = _kind(request, kind)
    await consenting.hold(who, known.code, body.expires_on)
    return certificate_view(known, body.expires_on, english=_in_english(request))


@endpoint(
    bp,
    "DELETE",
    CERTIFICATE,
    summary=("删除证件", "Forget a certificate"),
    tag=TAG,
    guard=CITIZEN,
    status=204,
    refuses=[CertificateUnknown, NotFound, LevelTooLow],
)
async def drop_certificate(request: Request, who: Principal, kind: str) -> None:
    """Forget it, and what waits to be said of it."""
    if not await consenting.drop(who, _kind(request, kind).code):
        raise NotFound


@endpoint(
    bp,
    "GET",
    "/me/topics",
    summary=("我关注的主题", "Topics that I follow"),
    tag=TAG,
    guard=CITIZEN,
    returns=Topics,
)
async def list_topics(request: Request, who: Principal) -> Topics:
    """The themes of the catalogue that I follow."""
    return Topics(await topics.of_citizen(who.id))


@endpoint(
    bp,
    "PUT",
    "/me/topics",
    summary=("关注主题", "Follow topics"),
    tag=TAG,
    guard=CITIZEN,
    body=Topics,
    returns=Topics,
    refuses=[InvalidRequest],
)
async def follow_topics(request: Request, who: Principal, body: Topics) -> Topics:
    """Follow just these themes of the catalogue."""
    themes = services(request).directory.themes
    faults = [
        FieldFault(f"/topics/{nth}", one_of(themes))
        for nth, topic in enumerate(body.topics)
        if topic not in themes
    ]
    if faults:
        raise InvalidRequest(errors=faults)
    await consenting.follow(who, body.topics)
    return Topics(await topics.of_citizen(who.id))


def _in_english(request: Request) -> bool:
    return wants_english(request.headers.get("accept-language"))


def _purpose(text: str) -> Purpose:
    try:
        return Purpose(text)
    except ValueError:
        raise NotFound from None


def _book(request: Request) -> RuleBook:
    book: RuleBook = request.app.ctx.rule_book
    return book


def _kind(request: Request, code: str) -> Kind:
    kind = _book(request).kinds.get(code)
    if kind is None:
        raise CertificateUnknown
    return kind
