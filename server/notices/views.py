"""Notices and preferences as people see them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from models.consents import Purpose
from models.notice_kinds import NoticeKind
from models.notices import NoticeState
from scheduler.quiet import QUIET_FROM, QUIET_TO
from server.halls.directory import Directory
from server.http.formats import CLOCK_TIME
from server.live.reading import shown
from server.notices.templates import INBOX, Templates
from server.notices.wording import words_of

Channel = Literal["wechat", "alipay", "sms"]
Counted = Literal["wechat", "alipay"]
_TemplateId = Annotated[str, Meta(min_length=1, max_length=64)]
_Minute = Annotated[str, Meta(pattern=CLOCK_TIME)]


class NoticeView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that I was told, in words as they are now.

    `state`: on its way (`waiting`), `sent` by the channel `sent_by`, or only here: no channel
    reached me (`kept`, `dead`), or it was of no use any more (`expired`). `subject_id`: the
    appointment, bill, case or certificate that it is about. `because`: why I get it, where I
    consented to its `purpose`; null for what I do here myself.
    """

    id: UUID
    kind: NoticeKind
    title: str
    body: str
    at: datetime
    hall: str | None
    ticket_id: UUID | None
    subject_id: UUID | None
    state: NoticeState
    sent_by: Channel | None
    read_at: datetime | None
    purpose: Purpose | None = None
    because: str | None = None


class NoticeList(msgspec.Struct, frozen=True):
    """Notices, the newest first, and how many of all are unread."""

    data: list[NoticeView]
    unread: int
    next_cursor: UUID | None = None


class NoticesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page of them; `unread`: only those."""

    unread: bool = False
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: UUID | None = None


class ReadUpTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of my notices up to this one, or all there are."""

    up_to: UUID | None = None


class NowRead(msgspec.Struct, frozen=True):
    """How many were unread until now."""

    read: int


class NoticePreferences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How I want to be told.

    `channels` in the order in which they are tried; what is missing is never used, and the inbox
    has everything. `muted` kinds stand in the inbox alone. From `quiet_from` to `quiet_to`, in
    Shanghai's time, nothing is sent but what is about my turn; the same twice: there are no quiet
    hours. `ahead`: told when so many are before me; null: as the hall does.
    """

    language: Literal["zh", "en"] = "zh"
    channels: Annotated[list[Channel], Meta(max_length=3)] = msgspec.field(
        default_factory=lambda: ["wechat", "alipay", "sms"]
    )
    muted: Annotated[list[NoticeKind], Meta(max_length=40)] = []
    quiet_from: _Minute = "22:00"
    quiet_to: _Minute = "08:00"
    ahead: Annotated[int, Meta(ge=1, le=20)] | None = None


class Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The templates that I allowed at a prompt of the platform, each for one message more."""

    accepted: Annotated[list[_TemplateId], Meta(max_length=20)]
    channel: Counted = "wechat"


class SubscriptionView(msgspec.Struct, frozen=True):
    """A kind of notice, its template at the platform, and how many more messages I allow.

    `lasting`: as many as there are.
    """

    kind: NoticeKind
    channel: Counted
    template_id: str
    credits: int
    lasting: bool


class SubscriptionList(msgspec.Struct, frozen=True):
    """What I may be asked to allow, and have."""

    data: list[SubscriptionView]
    next_cursor: None = None


def notice_view(
    row: Any, templates: Templates, directory: Directory, *, english: bool
) -> NoticeView:
    """A notice in words."""
    words = words_of(
        msgspec.json.decode(row["facts"]),
        hall_id=row["hall_id"],
        at=row["happened_at"],
        directory=directory,
        english=english,
    )
    template = templates.of(row["kind"], INBOX, english=english)
    filled = template.filled(words) if template else {}
    return NoticeView(
        id=row["id"],
        kind=NoticeKind(row["kind"]),
        title=filled.get("title", ""),
        body=filled.get("body", ""),
        at=shown(row["happened_at"]),
        hall=next((h.code for h in directory.halls.values() if h.id == row["hall_id"]), None),
        ticket_id=row["ticket_id"],
        subject_id=row["subject_id"],
        state=NoticeState(row["state"]),
        sent_by=row["channel"] if row["state"] == NoticeState.SENT else None,
        read_at=row["read_at"] and shown(row["read_at"]),
        purpose=Purpose(row["purpose"]) if row["purpose"] else None,
        because=words.get("because"),
    )


def preferences_view(row: Any | None) -> NoticePreferences:
    """How she wants to be told; the usual where she never said."""
    if row is None:
        return NoticePreferences(quiet_from=clock(QUIET_FROM), quiet_to=clock(QUIET_TO))
    return NoticePreferences(
        language="en" if row["english"] else "zh",
        channels=msgspec.json.decode(row["channels"]),
        muted=[NoticeKind(kind) for kind in msgspec.json.decode(row["muted"])],
        quiet_from=clock(row["quiet_from"]),
        quiet_to=clock(row["quiet_to"]),
        ahead=row["ahead"],
    )


def clock(minute: int) -> str:
    """A minute of the day as a clock shows it."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def minute_of(clock: str) -> int:
    """The minute of the day that a clock shows."""
    hours, minutes = clock.split(":")[:2]
    return int(hours) * 60 + int(minutes)
