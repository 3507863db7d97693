"""Ratings as people see them."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import structlog
from msgspec import Meta

from models.ratings import COMMENT
from models.sealing import NotOpened, Sealer
from server.halls.directory import Directory
from server.http.formats import ONE_LINE
from server.live.reading import shown

log = structlog.get_logger()

Subject = Literal["ticket", "case"]
_Tag = Annotated[str, Meta(min_length=1, max_length=20, pattern=ONE_LINE)]
_Stars = Annotated[int, Meta(ge=1, le=5)]


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How I found it: `id` is the ticket's or the case's; 5 stars are very good."""

    subject: Subject
    id: UUID
    stars: _Stars
    tags: Annotated[list[_Tag], Meta(max_length=10)] = []
    comment: Annotated[str, Meta(max_length=500)] = ""


class RatingView(msgspec.Struct, frozen=True, kw_only=True):
    """A rating. One or two stars are answered until `answer_by`: by the hall, or the department.

    `hall` is null for a case that was handed in at none. `comment` is null where nothing was said,
    or it cannot be opened any more; `number` is a case's `no`, null where the ticket is not kept.
    """

    id: UUID
    subject: Subject
    subject_id: UUID
    hall: str | None
    item: str | None
    number: str | None
    stars: int
    tags: list[str]
    comment: str | None
    rated_at: datetime
    answer_by: datetime | None
    answer: str | None
    answered_at: datetime | None


class RatingPage(msgspec.Struct, frozen=True):
    """Ratings, a page at a time."""

    data: list[RatingView]
    next_cursor: UUID | None = None


class RatingFigures(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from"}):
    """A hall's ratings of some days: how many had one star, two and so on; `mean` of all stars.

    `bad` had one or two, of which so many are `answered`.
    """

    start: date
    to: date
    count: int
    mean: float | None
    by_stars: Annotated[list[int], Meta(min_length=5, max_length=5)]
    bad: int
    answered: int


class FiguresQuery(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from"}
):
    """Which days; at most 92, the last seven by default."""

    start: date | None = None
    to: date | None = None


class AnswerRating(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the hall says to who was not content."""

    text: Annotated[str, Meta(min_length=1, max_length=500, pattern=ONE_LINE)]


def rating_view(row: Any, directory: Directory, sealer: Sealer) -> RatingView:
    """A rating as it is shown."""
    item = directory.known_item(row["item_id"])
    return RatingView(
        id=row["id"],
        subject=row["subject"],
        subject_id=row["subject_id"],
        hall=directory.hall_by_id(row["hall_id"]).code if row["hall_id"] else None,
        item=item.code if item else None,
        number=row["number"],
        stars=row["stars"],
        tags=list(row["tags"]),
        comment=opened_comment(row, sealer),
        rated_at=shown(row["rated_at"]),
        answer_by=row["answer_by"] and shown(row["answer_by"]),
        answer=row["answer"],
        answered_at=row["answered_at"] and shown(row["answered_at"]),
    )


def opened_comment(row: Any, sealer: Sealer) -> str | None:
    """What was said; None where nothing was, or it cannot be opened."""
    if row["comment"] is None:
        return None
    try:
        return sealer.open(row["comment"], field=COMMENT, owner=row["id"])
    except NotOpened:
        log.error("comment_not_opened", rating=str(row["id"]))
        return None
