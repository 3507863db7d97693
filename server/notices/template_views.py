"""Templates and dead letters as administrators see them, and what is wrong with a template."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from integrations.ports_message import Messenger
from models.notice_kinds import RULES, NoticeKind
from models.notices import AttemptResult
from server.errors import FieldFault
from server.halls.directory import Directory
from server.live.reading import shown
from server.notices.templates import INBOX, INBOX_FIELDS, Template, fill, strange_words

Language = Literal["zh", "en"]
AnyChannel = Literal["inbox", "wechat", "alipay", "sms"]
_Pattern = Annotated[str, Meta(min_length=1, max_length=200)]
_FieldName = Annotated[str, Meta(min_length=1, max_length=40)]
# What words look like in a preview: as long as they get in the city's own names.
_EXAMPLES: Final[Mapping[str, tuple[str, str]]] = {
    "number": ("A023", "A023"),
    "hall": ("东莞市民服务中心松山湖分中心政务大厅", "Songshan Lake Government Service Centre"),
    "line": ("综合受理", "General business"),
    "item": ("居民身份证换领", "Renewal of an identity card"),
    "time": ("2026-11-23 09:30", "2026-11-23 09:30"),
    "counter": ("03", "03"),
    "ahead": ("3", "3"),
    "minutes": ("12", "12"),
    "soon": ("约12分钟后", "in about 12 min"),
    "other_hall": ("虎门镇政务服务中心", "Humen Government Service Centre"),
    "until": ("17:30", "17:30"),
    "slot": ("2026-11-24 09:30", "2026-11-24 09:30"),
    "day": ("2026-12-24", "2026-12-24"),
    "many": ("1", "1"),
    "title": ("居民身份证工本费", "Fee for an identity card"),
    "amount": ("¥20.00", "¥20.00"),
    "text": (
        "年满60周岁可申领老年人优待证，乘车、游园享受优待。",
        "From the age of 60 a senior citizen's card gives reduced fares and free parks.",
    ),
    "because": (
        "您收到这条消息，因为：年龄不小于 60。",
        "You get this because your age is at least 60.",
    ),
    "document": ("道路运输从业资格证", "Road transport certificate"),
}


class TemplateGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The words for one channel: each of its fields with a pattern such as `请到{counter}号窗口`.

    `template_id` is the platform's; without one nothing is sent. `page` may name `{ticket}`,
    `{subject}` (the appointment or the bill) and `{notice}`. `text` is the whole text message as
    the carrier knows it, signature first.
    """

    fields: Annotated[dict[_FieldName, _Pattern], Meta(min_length=1, max_length=16)]
    template_id: Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9_\-]*(?!\n)$")] = ""
    page: Annotated[str, Meta(max_length=200)] = ""
    text: Annotated[str, Meta(max_length=500)] = ""


class TemplateView(msgspec.Struct, frozen=True, kw_only=True):
    """A template; version 0 is what the city's files bring. `words` are what it may name."""

    kind: NoticeKind
    channel: AnyChannel
    language: Language
    version: int
    template_id: str
    page: str
    fields: dict[str, str]
    text: str
    words: list[str]


class TemplateList(msgspec.Struct, frozen=True):
    """Templates."""

    data: list[TemplateView]
    next_cursor: None = None


class TemplatePreview(msgspec.Struct, frozen=True):
    """What somebody would read, with names as long as they get; `characters` of the whole text."""

    fields: dict[str, str]
    text: str
    characters: int


class AttemptView(msgspec.Struct, frozen=True):
    """That a channel was asked, and what it said; `result` null: nobody knows (yet)."""

    channel: str
    template_id: str
    begun_at: datetime
    result: AttemptResult | None
    code: str | None


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that somebody should have been told and was not; whom, is not said."""

    id: UUID
    kind: NoticeKind
    hall: str | None
    ticket_id: UUID | None
    at: datetime
    useful_until: datetime
    fault: str | None
    tries: int
    attempts: list[AttemptView]


class DeadLetterList(msgspec.Struct, frozen=True):
    """Dead letters, the newest first."""

    data: list[DeadLetter]
    next_cursor: UUID | None = None


class DeadLettersQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of them."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: UUID | None = None


_attempts = msgspec.json.Decoder(list[AttemptView]).decode


def template_view(template: Template) -> TemplateView:
    """A template as it is shown."""
    return TemplateView(
        kind=template.kind,
        channel=template.channel,  # type: ignore[arg-type]
        language="en" if template.english else "zh",
        version=template.version,
        template_id=template.template_id,
        page=template.page,
        fields=dict(template.patterns),
        text=template.text,
        words=sorted(RULES[template.kind].words),
    )


def faults_of(
    kind: NoticeKind, channel: str, given: TemplateGiven, messenger: Messenger | None
) -> list[FieldFault]:
    """What is wrong with a template: words that it may not name, and what its platform refuses."""
    found = []
    for name, pattern in given.fields.items():
        found += _strange(kind, f"/fields/{name}", pattern)
    found += _strange(kind, "/text", given.text)
    for word in strange_words(kind, given.page, of_page=True):
        found.append(FieldFault("/page", _may_not_name(word)))
    if channel == INBOX:
        if set(given.fields) != INBOX_FIELDS:
            why = ("站内通知须有 title 和 body。", "must have a title and a body, and nothing else")
            found.append(FieldFault("/fields", why))
    elif messenger is not None:
        for fault in messenger.faults_of(given.fields, given.text):
            at = "/text" if fault.name == "text" else f"/fields/{fault.name}".rstrip("/")
            found.append(FieldFault(at, fault.why))
    return found


def _strange(kind: NoticeKind, pointer: str, pattern: str) -> list[FieldFault]:
    return [FieldFault(pointer, _may_not_name(word)) for word in strange_words(kind, pattern)]


def _may_not_name(word: str) -> tuple[str, str]:
    said = word[:20]
    return (f"此类通知不能使用 {{{said}}}。", f"may not name {{{said}}} in this kind of notice")


def preview(given: TemplateGiven, messenger: Messenger | None, *, english: bool) -> TemplatePreview:
    """What somebody would read. Raises ValueError for a field that could not be sent."""
    words = {name: texts[english] for name, texts in _EXAMPLES.items()}
    filled = {name: fill(pattern, words) for name, pattern in given.fields.items()}
    text = fill(given.text, words)
    return TemplatePreview(messenger.fitted(filled) if messenger else filled, text, len(text))


def dead_letter(row: Any, directory: Directory) -> DeadLetter:
    """A dead letter as it is shown."""
    hall = next((h.code for h in directory.halls.values() if h.id == row["hall_id"]), None)
    return DeadLetter(
        id=row["id"],
        kind=NoticeKind(row["kind"]),
        hall=hall,
        ticket_id=row["ticket_id"],
        at=shown(row["happened_at"]),
        useful_until=shown(row["useful_until"]),
        fault=row["fault"],
        tries=row["tries"],
        attempts=_attempts(row["attempts"] or "[]"),
    )
