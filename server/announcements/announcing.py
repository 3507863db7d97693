"""Announcements made, listed and taken down. The hall's board shows those that stand."""

import unicodedata
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from models import decisions
from models.audit import Entry, record
from models.database import Transaction, rows, transaction
from models.tickets import Actor
from scheduler.calendar import SHANGHAI, end_of_day
from server.announcements.views import AnnouncementView, MakeAnnouncement
from server.auth import Principal
from server.errors import FieldFault, InvalidRequest, NotFound, Refusal, Sentence
from server.halls.directory import HallEntry
from server.http.idempotency import Once
from server.live.feed import Feed
from server.live.memory import Change
from server.live.reading import shown

MOST_AT_ONCE: Final = 10
LONGEST_DAYS: Final = 31
# What could break the board's lines, turn the direction of its other words, or not be seen at all.
_UNFIT: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
_EMPTY: Final = ("不能为空。", "must say something")
_ONE_LINE: Final = (
    "应为一行文字，不含控制字符和不可见字符。",
    "must be one line without control characters or invisible ones",
)
_WHEN: Final = (
    f"应是今后 {LONGEST_DAYS} 天内的时刻，并带时区。",
    f"must be a moment of the next {LONGEST_DAYS} days, with an offset",
)


class TooManyAnnouncements(Refusal):
    """As many stand on the hall's board as anybody reads; take one down first."""

    status, code = 409, "too_many_announcements"
    sentence = (
        f"同时最多 {MOST_AT_ONCE} 条公告，请先撤下一条。",
        f"At most {MOST_AT_ONCE} announcements at once; take one down first.",
    )


async def announce(
    hall: HallEntry,
    said: MakeAnnouncement,
    who: Principal,
    once: Once,
    *,
    now: datetime,
    feed: Feed,
) -> AnnouncementView:
    """Put an announcement on the hall's board. Raises InvalidRequest or TooManyAnnouncements."""
    _check(said, now)
    until = said.until or end_of_day(now)
    async with transaction() as tx:
        await once.claim(tx)
        await decisions.lock(tx, hall.id)
        if len(await _standing(hall.id, now=now, tx=tx)) >= MOST_AT_ONCE:
            raise TooManyAnnouncements
        row = await tx.row(
            """
            INSERT INTO announcement (id, hall_id, text, text_en, zone, made_at, made_by, until)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *
            """,
            uuid7(),
            hall.id,
            said.text,
            said.text_en,
            said.zone,
            now,
            who.id,
            until,
        )
        view = _view(row)
        await once.keep(tx, view, status=201)
        await _record(tx, "announcement.made", view.id, hall, who)
    await feed.changed(Change(hall.code))
    return view


async def announcements_of(hall: HallEntry, *, now: datetime) -> list[AnnouncementView]:
    """Those that stand, in the order in which they were made."""
    return [_view(row) for row in await _standing(hall.id, now=now)]


async def take_down(
    hall: HallEntry, announcement_id: UUID, who: Principal, *, now: datetime, feed: Feed
) -> None:
    """Take an announcement off the board. Raises NotFound when it does not stand there."""
    async with decisions.deciding_in(hall.id) as tx:
        gone = await tx.row(
            "UPDATE announcement SET until = $3 WHERE id = $1 AND hall_id = $2 AND until > $3"
            " RETURNING id",
            announcement_id,
            hall.id,
            now,
        )
        if gone is None:
            raise NotFound
        await _record(tx, "announcement.taken_down", announcement_id, hall, who)
    await feed.changed(Change(hall.code))


async def _standing(hall_id: UUID, *, now: datetime, tx: Transaction | None = None) -> list[Any]:
    return await rows(
        "SELECT * FROM announcement WHERE hall_id = $1 AND until > $2 ORDER BY id",
        hall_id,
        now,
        tx=tx,
    )


def _check(said: MakeAnnouncement, now: datetime) -> None:
    """Raise InvalidRequest for what cannot stand on a board."""
    faults = [
        FieldFault(f"/{name}", wrong)
        for name in ("text", "text_en", "zone")
        if (text := getattr(said, name)) is not None and (wrong := _wrong_with(text))
    ]
    if said.until is not None and not _is_soon(said.until, now):
        faults.append(FieldFault("/until", _WHEN))
    if faults:
        raise InvalidRequest(errors=faults)


def _wrong_with(text: str) -> Sentence | None:
    if any(unicodedata.category(letter) in _UNFIT for letter in text):
        return _ONE_LINE
    return None if text.strip() else _EMPTY


def _is_soon(until: datetime, now: datetime) -> bool:
    return until.tzinfo is not None and 0 < (until - now).total_seconds() <= LONGEST_DAYS * 86400


def _view(row: Any) -> AnnouncementView:
    return AnnouncementView(
        id=row["id"],
        text=row["text"],
        text_en=row["text_en"],
        zone=row["zone"],
        made_at=shown(row["made_at"]),
        until=row["until"].astimezone(SHANGHAI),
    )


async def _record(
    tx: Transaction, action: str, announcement_id: UUID, hall: HallEntry, who: Principal
) -> None:
    detail = {"hall": hall.code}
    actor = Actor("staff", who.id)
    await record(tx, Entry(actor, action, "announcement", announcement_id, detail=detail))
