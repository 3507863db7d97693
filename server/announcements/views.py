"""What the announcement routes take and answer."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
TextEn = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
Zone = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class MakeAnnouncement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to tell everybody: one line, in English too where there is one.

    `zone` names the part of the hall that it is for. It stands `until` that moment, or to the end
    of the day.
    """

    text: Text
    text_en: TextEn | None = None
    until: datetime | None = None
    zone: Zone | None = None


class AnnouncementView(msgspec.Struct, frozen=True, kw_only=True):
    """An announcement as it stands on the board."""

    id: UUID
    text: str
    text_en: str | None
    zone: str | None
    made_at: datetime
    until: datetime


class AnnouncementList(msgspec.Struct, frozen=True):
    """The announcements that stand on a hall's board, the oldest first; they are few."""

    data: list[AnnouncementView]
    next_cursor: None = None
