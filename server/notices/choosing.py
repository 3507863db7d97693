"""By which channel somebody is told: the first that reaches her, in her order; one is enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from integrations.ports_message import Messenger
from models.notice_kinds import RULES, NoticeKind, Urgency
from models.notices import AttemptResult
from scheduler.quiet import QUIET_FROM, QUIET_TO
from server.notices.templates import Template, Templates

ORDER: Final = ("wechat", "alipay", "sms")
MOST_TRIES: Final = 12
# However often it was claimed: something about it makes workers die.
MOST_CLAIMS: Final = 2000
# What can wait is tried so often by one channel before the next one is asked.
_PATIENCE: Final = 3


class Link(msgspec.Struct, frozen=True):
    """As whom a platform knows her in one of our apps."""

    platform: str
    app_id: str
    subject: str


class Allowed(msgspec.Struct, frozen=True):
    """A template of which a platform's user lets us send another message."""

    platform: str
    subject: str
    template_id: str


class Tried(msgspec.Struct, frozen=True):
    """An attempt that was made, and how many seconds ago it was begun."""

    id: int
    channel: str
    result: AttemptResult | None
    code: str | None
    age_s: float

    @property
    def is_unsure(self) -> bool:
        """Whether nobody knows what became of it."""
        return self.result in (None, AttemptResult.UNSURE)


_links = msgspec.json.Decoder(list[Link]).decode
_allowed = msgspec.json.Decoder(list[Allowed]).decode
_tried = msgspec.json.Decoder(list[Tried]).decode
_names = msgspec.json.Decoder(list[str]).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A notice that was claimed, and all that must be known to deliver it."""

    id: UUID
    citizen_id: UUID
    kind: NoticeKind
    ticket_id: UUID | None
    subject_id: UUID | None
    hall_id: UUID | None
    facts: Mapping[str, Any]
    urgency: int
    happened_at: datetime
    useful_until: datetime
    tries: int
    holds: bool
    phone: bytes | None
    english: bool
    channels: Sequence[str]
    muted: Sequence[str]
    quiet_from: int
    quiet_to: int
    links: Sequence[Link]
    allowed: Sequence[Allowed]
    tried: Sequence[Tried]

    @property
    def is_open(self) -> bool:
        """Whether an attempt was made of which nobody knows what became of it."""
        return any(each.is_unsure for each in self.tried)


@dataclass(frozen=True, slots=True)
class Route:
    """A way to her: a channel, as whom it knows her (null: by her phone), and the words for it."""

    channel: str
    subject: str | None
    template: Template


def due_of(row: Any) -> Due:
    """What a claimed row says."""
    said = row["english"] is not None
    return Due(
        id=row["id"],
        citizen_id=row["citizen_id"],
        kind=NoticeKind(row["kind"]),
        ticket_id=row["ticket_id"],
        subject_id=row["subject_id"],
        hall_id=row["hall_id"],
        facts=msgspec.json.decode(row["facts"]),
        urgency=row["urgency"],
        happened_at=row["happened_at"],
        useful_until=row["useful_until"],
        tries=row["tries"],
        holds=row["holds"],
        phone=row["phone"],
        english=bool(row["english"]),
        channels=_names(row["channels"]) if said else (),
        muted=_names(row["muted"]) if said else (),
        quiet_from=row["quiet_from"] if said else QUIET_FROM,
        quiet_to=row["quiet_to"] if said else QUIET_TO,
        links=_links(row["links"] or "[]"),
        allowed=_allowed(row["allowed"] or "[]"),
        tried=_tried(row["attempts"] or "[]"),
    )


def routes(due: Due, messengers: Mapping[str, Messenger], templates: Templates) -> list[Route]:
    """The ways that are open, the one to be taken first.

    What may have been sent already is asked after on the same way, so that she is not told twice.
    What failed elsewhere goes by another channel at once where it is urgent, else after a while.
    """
    if due.kind in due.muted:
        return []
    refused = {each.channel for each in due.tried if each.result is AttemptResult.REFUSED}
    order = due.channels or ORDER
    found = [
        route
        for channel in order
        if channel not in refused and channel in messengers
        if (route := _route(due, channel, messengers[channel], templates)) is not None
    ]
    if due.tried and due.tried[-1].is_unsure:
        same = [route for route in found if route.channel == due.tried[-1].channel]
        return same or found
    return sorted(found, key=lambda route: _failures(due, route.channel))


def _failures(due: Due, channel: str) -> int:
    many = sum(each.channel == channel for each in due.tried)
    return many if due.urgency == Urgency.TURN else many // _PATIENCE


def _route(due: Due, channel: str, messenger: Messenger, templates: Templates) -> Route | None:
    template = templates.of(due.kind, channel, english=due.english)
    if template is None or not template.template_id:
        return None
    if not messenger.app_id:
        by_phone = due.phone is not None and RULES[due.kind].by_sms
        return Route(channel, None, template) if by_phone else None
    links = [
        each.subject
        for each in due.links
        if each.platform == channel and each.app_id == messenger.app_id
    ]
    if messenger.is_counted:
        # What an unsure attempt spent it may still use.
        unsure = any(each.channel == channel and each.is_unsure for each in due.tried)
        links = [
            subject
            for subject in links
            if unsure or Allowed(channel, subject, template.template_id) in due.allowed
        ]
    return Route(channel, links[0], template) if links else None


def has_failed(due: Due) -> bool:
    """Whether a channel that should have told her did not, through no wish of hers."""
    return any(
        each.result in (AttemptResult.FAILED, AttemptResult.UNSURE, None)
        or (each.code or "").startswith("message_invalid")
        for each in due.tried
    )
