"""Campaigns as managers see them."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from models.campaigns import CampaignState, Draft
from models.consents import groups_in, kept_as
from server.errors import FieldFault, InvalidRequest
from server.halls.directory import Directory
from server.http.paging import PageQuery
from server.live.reading import shown
from server.matching.audience import read_audience
from server.matching.rule_files import RuleBook
from server.matching.views import Group

LONGEST: Final = timedelta(days=90)
USUAL: Final = timedelta(days=30)
USUAL_PER_MINUTE: Final = 3_000


class CampaignGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy in both languages, whom it concerns, and when it is told.

    `audience` is an expression that reads only the groups in `reads`; empty: everybody who lets
    herself be told of policies. `item` is what it is about, if anything. From `starts_at` (now) to
    `ends_at` (30 days later), `per_minute` people a minute at most.
    """

    title: Annotated[str, Meta(min_length=1, max_length=40)]
    title_en: Annotated[str, Meta(min_length=1, max_length=80)]
    text: Annotated[str, Meta(min_length=1, max_length=500)]
    text_en: Annotated[str, Meta(min_length=1, max_length=1000)]
    audience: Annotated[str, Meta(max_length=1000)] = ""
    reads: Annotated[list[Group], Meta(max_length=7)] = []
    item: Annotated[str, Meta(max_length=64)] | None = None
    starts_at: Annotated[datetime, Meta(tz=True)] | None = None
    ends_at: Annotated[datetime, Meta(tz=True)] | None = None
    per_minute: Annotated[int, Meta(ge=1, le=60_000)] = USUAL_PER_MINUTE


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The version that was read."""

    version: Annotated[int, Meta(ge=1)]


class CampaignQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """Which page, and in which state."""

    state: CampaignState | None = None


class CampaignFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How it went, in people, as counted at `as_of`.

    It was `written` into so many inboxes; for so many it still waits. A channel took it for `sent`,
    and said of `arrived` that it came. `inbox_only`: no channel reaches her, or she wants none;
    `refused`: the platform or she refused it; `failed`: a channel should have told her and did not;
    `withdrawn`: she consents no more; `expired`: not sent before the end. `opened` in the inbox.
    """

    as_of: datetime
    written: int = 0
    waiting: int = 0
    sent: int = 0
    arrived: int = 0
    inbox_only: int = 0
    refused: int = 0
    failed: int = 0
    withdrawn: int = 0
    expired: int = 0
    opened: int = 0


class CampaignView(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign. `author` wrote this `version`; `approved_by` is somebody else.

    `left_out` have been told enough of late: of these it is tried again each day until the end.
    """

    id: UUID
    title: str
    title_en: str
    text: str
    text_en: str
    audience: str
    reads: list[Group]
    item: str | None
    starts_at: datetime
    ends_at: datetime
    per_minute: int
    state: CampaignState
    version: int
    author: UUID
    created_at: datetime
    approved_by: UUID | None
    approved_at: datetime | None
    ended_at: datetime | None
    left_out: int
    figures: CampaignFigures | None


class CampaignPage(msgspec.Struct, frozen=True):
    """Campaigns, the newest first."""

    data: list[CampaignView]
    next_cursor: UUID | None


def draft_of(given: CampaignGiven, book: RuleBook, directory: Directory, now: datetime) -> Draft:
    """What was given, if it can be told to anybody. `now` is business time.

    Raises InvalidRequest.
    """
    read_audience(given.audience, given.reads, at="/audience", book=book, directory=directory)
    item = directory.items.get(given.item) if given.item else None
    if given.item and item is None:
        why = ("没有这个事项。", "there is no such item")
        raise InvalidRequest(errors=[FieldFault("/item", why)])
    for name in ("title", "title_en", "text", "text_en"):
        if not getattr(given, name).strip():
            raise InvalidRequest(errors=[FieldFault(f"/{name}", ("不能为空。", "is empty"))])
    starts_at = given.starts_at or now
    ends_at = given.ends_at or starts_at + USUAL
    if not starts_at < ends_at <= starts_at + LONGEST or ends_at <= now:
        why = (
            "应晚于开始时间和现在，且不超过 90 天。",
            "must be after the start and after now, within 90 days",
        )
        raise InvalidRequest(errors=[FieldFault("/ends_at", why)])
    return Draft(
        title=given.title.strip(),
        title_en=given.title_en.strip(),
        text=given.text.strip(),
        text_en=given.text_en.strip(),
        audience=given.audience,
        reads=kept_as(given.reads),
        item_id=item.id if item else None,
        starts_at=starts_at,
        ends_at=ends_at,
        per_minute=given.per_minute,
    )


def campaign_view(row: Any, directory: Directory) -> CampaignView:
    """A row as it is shown."""
    item = directory.known_item(row["item_id"]) if row["item_id"] else None
    figures = msgspec.json.decode(row["figures"]) if row["figures"] else None
    return CampaignView(
        id=row["id"],
        title=row["title"],
        title_en=row["title_en"],
        text=row["text"],
        text_en=row["text_en"],
        audience=row["audience"],
        reads=groups_in(row["reads"]),  # type: ignore[arg-type]
        item=item.code if item else None,
        starts_at=shown(row["starts_at"]),
        ends_at=shown(row["ends_at"]),
        per_minute=row["per_minute"],
        state=CampaignState(row["state"]),
        version=row["version"],
        author=row["author_id"],
        created_at=shown(row["created_at"]),
        approved_by=row["approved_by"],
        approved_at=row["approved_at"] and shown(row["approved_at"]),
        ended_at=row["ended_at"] and shown(row["ended_at"]),
        left_out=row["left_out"],
        figures=CampaignFigures(as_of=shown(row["counted_at"]), **figures)
        if figures and row["counted_at"]
        else None,
    )
