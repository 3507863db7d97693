"""Templates and dead letters over HTTP, for administrators; every change is audited."""

import msgspec
from sanic import Blueprint, Request

from models import notice_letters, notice_templates
from models.audit import Entry, record
from models.database import transaction
from models.notice_kinds import NoticeKind
from models.tickets import Actor, WrongState
from server.auth import ACCOUNTS_ADMIN, Principal, own_id
from server.errors import FieldFault, InvalidRequest, NotFound, WrongStateRefusal
from server.http.endpoint import endpoint
from server.notices.template_views import (
    DeadLetterList,
    DeadLettersQuery,
    TemplateGiven,
    TemplateList,
    TemplatePreview,
    TemplateView,
    dead_letter,
    faults_of,
    preview,
    template_view,
)
from server.notices.templates import CHANNELS, INBOX, Templates, template_of
from server.services import services

bp = Blueprint("notice_templates", url_prefix="/api/v1")
TAG = "admin"
TEMPLATES = "/admin/notice-templates"
ONE = f"{TEMPLATES}/<kind:str>/<channel:str>/<language:str>"
DEAD = "/admin/dead-notices"


@endpoint(
    bp,
    "GET",
    TEMPLATES,
    summary=("通知模板", "Templates of notices"),
    tag=TAG,
    guard=ACCOUNTS_ADMIN,
    returns=TemplateList,
)
async def list_templates(request: Request, who: Principal) -> TemplateList:
    """The versions that count, of every kind, channel and language."""
    templates = await _templates(request)
    return TemplateList([template_view(each) for each in templates.all()])


@endpoint(
    bp,
    "GET",
    f"{ONE}/versions",
    summary=("模板的历史版本", "A template's versions"),
    tag=TAG,
    guard=ACCOUNTS_ADMIN,
    returns=TemplateList,
    refuses=[NotFound],
)
async def list_versions(
    request: Request, who: Principal, kind: str, channel: str, language: str
) -> TemplateList:
    """All that were ever saved of one, the newest first, and at last the city's files' own."""
    found, english = _named(kind, channel, language)
    saved = await notice_templates.versions(found.value, channel, english=english)
    own = (await _templates(request)).original(found.value, channel, english=english)
    every = [template_of(row) for row in saved] + ([own] if own else [])
    return TemplateList([template_view(each) for each in every])


@endpoint(
    bp,
    "PUT",
    ONE,
    summary=("保存通知模板", "Save a template"),
    tag=TAG,
    guard=ACCOUNTS_ADMIN,
    body=TemplateGiven,
    returns=TemplateView,
    refuses=[NotFound, InvalidRequest],
)
async def save_template(
    request: Request, kind: str, channel: str, language: str, *, who: Principal, body: TemplateGiven
) -> TemplateView:
    """The next version, in use everywhere within two seconds; what was sent stays as it was.

    It may name no word but those of its kind, and its fields must be what the platform takes.
    """
    found, english = _named(kind, channel, language)
    _check(request, found, channel, body)
    async with transaction() as tx:
        version = await notice_templates.save(
            tx,
            found.value,
            channel,
            english=english,
            template_id=body.template_id,
            page=body.page,
            patterns=msgspec.json.encode(body.fields).decode(),
            text=body.text,
            by=who.id,
        )
        name = f"{found.value}/{channel}/{language}"
        actor = Actor("staff", who.id)
        detail: dict[str, str | int] = {"version": version, "template_id": body.template_id}
        await record(tx, Entry(actor, "notice.template_saved", "template", name, detail=detail))
    templates = await _templates(request)
    await templates.read()
    [saved, *_] = await notice_templates.versions(found.value, channel, english=english)
    return template_view(template_of(saved))


@endpoint(
    bp,
    "POST",
    f"{ONE}/preview",
    summary=("预览通知模板", "See a template filled in"),
    tag=TAG,
    guard=ACCOUNTS_ADMIN,
    body=TemplateGiven,
    returns=TemplatePreview,
    refuses=[NotFound, InvalidRequest],
)
async def preview_template(
    request: Request, kind: str, channel: str, language: str, *, who: Principal, body: TemplateGiven
) -> TemplatePreview:
    """What somebody would read, cut where the platform takes no more; nothing is saved."""
    found, english = _named(kind, channel, language)
    _check(request, found, channel, body)
    messenger = services(request).platforms.messengers.get(channel)
    try:
        return preview(body, messenger, english=english)
    except ValueError as unfit:
        why = ("填入后不符合平台要求。", "would not be taken once it is filled in")
        raise InvalidRequest(errors=[FieldFault(f"/fields/{unfit}", why)]) from None


@endpoint(
    bp,
    "GET",
    DEAD,
    summary=("无法送达的通知", "Notices that reached nobody"),
    tag=TAG,
    guard=ACCOUNTS_ADMIN,
    query=DeadLettersQuery,
    returns=DeadLetterList,
)
async def list_dead(request: Request, who: Principal, query: DeadLettersQuery) -> DeadLetterList:
    """Those that a channel should have brought and did not, with what each channel said."""
    found = await notice_letters.listed("dead", before=query.cursor, limit=query.limit + 1)
    directory = services(request).directory
    letters = [dead_letter(row, directory) for row in found[: query.limit]]
    return DeadLetterList(letters, letters[-1].id if len(found) > query.limit else None)


@endpoint(
    bp,
    "POST",
    f"{DEAD}/<notice:str>/retry",
    summary=("重新发送", "Try again"),
    tag=TAG,
    guard=ACCOUNTS_ADMIN,
    status=204,
    refuses=[NotFound, WrongStateRefusal],
)
async def retry_dead(request: Request, who: Principal, notice: str) -> None:
    """Try every channel again, once what was wrong is mended; what is of no use now expires."""
    notice_id = own_id(notice)
    async with transaction() as tx:
        revived = await notice_letters.revive(tx, notice_id)
        if revived is None:
            raise NotFound
        if not revived:
            raise WrongState("only a dead notice is tried again")
        actor = Actor("staff", who.id)
        await record(tx, Entry(actor, "notice.retried", "notice", notice_id))


def _named(kind: str, channel: str, language: str) -> tuple[NoticeKind, bool]:
    if kind not in set(NoticeKind) or channel not in CHANNELS or language not in ("zh", "en"):
        raise NotFound(("没有这个模板。", "There is no such template."))
    return NoticeKind(kind), language == "en"


def _check(request: Request, kind: NoticeKind, channel: str, body: TemplateGiven) -> None:
    messenger = services(request).platforms.messengers.get(channel)
    faults = faults_of(kind, channel, body, None if channel == INBOX else messenger)
    if faults:
        raise InvalidRequest(errors=faults)


async def _templates(request: Request) -> Templates:
    templates: Templates = request.app.ctx.notice_templates
    await templates.follow()
    return templates
