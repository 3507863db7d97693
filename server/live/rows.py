"""What of a hall's rows can be seen: read whole, or caught up with from its events.

All that happens to a ticket writes an event under its hall's lock, which is held until the commit.
So a hall's events are numbered in the order in which they can be seen, and those above the last
one seen tell which tickets to read again: a hall costs what happened in it, not who waits in it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec

from models.database import rows
from models.departures import WAY
from models.proxies import TAKEN_FOR
from models.tickets import DAY_ENDED, NEXT_TICKET, OF_APPOINTMENT, Priority, TicketState
from scheduler.calendar import business_day
from scheduler.travel import Travel
from server.live.lines import LINE_COLUMNS, LineRow
from server.live.state import BoardAnnouncement, BoardCounter, OfAppointment, TakenFor

# Phones that still look at a ticket that is over find it here for a while.
ENDED_SHOWN_FOR = timedelta(minutes=15)
ENDED_SHOWN = 50


class WayRow(msgspec.Struct, frozen=True):
    """A way to the hall, and when its owner was told to set off, if she was."""

    travel: Travel
    travel_s: int
    basis: Literal["estimate", "map"]
    told_at: datetime | None


class TicketRow(msgspec.Struct, frozen=True):
    """A ticket, with all that its holder sees of it."""

    id: UUID
    number: str
    state: TicketState
    line: str
    item: str
    citizen_id: UUID | None
    issued_at: datetime
    called_at: datetime | None
    ended_at: datetime | None
    rank_time: datetime
    counter: str | None
    version: int
    acting_id: UUID | None
    taken_for: TakenFor | None
    day_ended: bool | None
    recalls: int
    priority: Priority | None
    priority_at: datetime | None
    shown_as: str | None
    visit_id: UUID | None
    next_ticket: UUID | None
    checked_in_at: datetime | None
    away: bool
    sent_from: str | None
    # When she was called again, if she was, and is still at the counter.
    recalled_at: datetime | None = None
    # How she comes, while she waits elsewhere and said so.
    way: WayRow | None = None
    appointment: OfAppointment | None = None


class BookedRow(msgspec.Struct, frozen=True):
    """An appointment of today, booked, of somebody who has not checked in."""

    id: UUID
    line: str
    item: str
    slot_start: datetime


@dataclass(frozen=True, slots=True)
class HallRows:
    """A hall's rows at one moment: `seen` is the last event in them.

    `helps` are the lines, by counter, from which it calls only when nobody waits in its others.
    `booked` are those who were to come when the hall was last read whole: of them who has checked
    in since has a ticket that says so.
    """

    lines: tuple[LineRow, ...]
    counters: tuple[BoardCounter, ...]
    announcements: tuple[BoardAnnouncement, ...]
    tickets: Mapping[UUID, TicketRow]
    seen: int
    helps: Mapping[str, frozenset[str]] = field(default_factory=dict)
    booked: tuple[BookedRow, ...] = ()


class _Helps(msgspec.Struct, frozen=True):
    code: str
    helps: frozenset[str]


_LINES = """(SELECT coalesce(json_agg(r ORDER BY r.code), '[]') FROM (
        SELECT {columns} FROM line WHERE hall_id = hall.id) r) AS lines""".replace(
    "{columns}", LINE_COLUMNS
)
_COUNTERS = """(SELECT coalesce(json_agg(r ORDER BY r.code), '[]') FROM (
        SELECT c.code, c.name, c.state, t.number,
               CASE WHEN c.state = 'paused' THEN c.pause_reason END AS reason,
               CASE WHEN c.state = 'paused' THEN c.paused_until END AS paused_until,
               CASE WHEN c.state = 'closed' THEN '{}' ELSE c.serving || ARRAY(
                   SELECT line.code FROM line
                   WHERE line.hall_id = hall.id AND c.code = ANY(line.overflow)
                     AND {now} < line.overflow_until AND line.code <> ALL(c.serving)
                   ORDER BY line.code) END AS lines,
               ARRAY(SELECT helped FROM unnest(c.helps) helped WHERE NOT EXISTS (
                   SELECT 1 FROM line
                   WHERE line.hall_id = hall.id AND line.code = helped
                     AND c.code = ANY(line.overflow) AND {now} < line.overflow_until)) AS helps
        FROM counter c
        LEFT JOIN ticket t ON t.counter_id = c.id AND t.state IN ('called', 'serving')
        WHERE c.hall_id = hall.id) r) AS counters"""
_ANNOUNCEMENTS = """(SELECT coalesce(json_agg(r ORDER BY r.id), '[]') FROM (
        SELECT id, text, text_en, zone, until FROM announcement
        WHERE hall_id = hall.id AND until > {now}) r) AS announcements"""
_BOOKED = """(SELECT coalesce(json_agg(r), '[]') FROM (
        SELECT a.id, l.code AS line, i.code AS item, a.slot_start FROM appointment a
        JOIN line l ON l.id = a.line_id
        JOIN item i ON i.id = a.item_id
        WHERE a.hall_id = hall.id AND a.state = 'booked' AND a.day = $5) r) AS booked"""
# Few are called again, so few are looked up; none of those who are over.
_RECALLED_AT = """CASE WHEN t.recalls > 0 AND t.state IN ('called', 'serving') THEN (
                   SELECT e.at FROM ticket_event e
                   WHERE e.ticket_id = t.id AND e.move = 'recall'
                   ORDER BY e.id DESC LIMIT 1) END AS recalled_at"""
_TICKETS = (
    """(SELECT coalesce(json_agg(r), '[]') FROM (
        SELECT {day_ended},
               t.id, t.number, t.state, l.code AS line, i.code AS item, t.citizen_id, t.issued_at,
               t.called_at, t.ended_at, c.code AS counter, t.version, t.rank_time, t.acting_id,
               t.recalls, t.priority, t.priority_at, t.shown_as, t.visit_id, {next_ticket},
               t.checked_in_at, t.away, t.sent_from, {recalled_at},
               {way}, {taken_for}, {of_appointment}
        FROM {source} t
        JOIN line l ON l.id = t.line_id
        JOIN item i ON i.id = t.item_id
        LEFT JOIN counter c ON c.id = t.counter_id) r) AS tickets""".replace(
        "{day_ended}", DAY_ENDED
    )
    .replace("{taken_for}", TAKEN_FOR)
    .replace("{next_ticket}", NEXT_TICKET)
    .replace("{recalled_at}", _RECALLED_AT)
    .replace("{way}", WAY)
    .replace("{of_appointment}", OF_APPOINTMENT)
)


_OPEN_OR_JUST_OVER = """(
        SELECT * FROM ticket WHERE hall_id = hall.id AND ended_at IS NULL
        UNION ALL (
          SELECT * FROM ticket WHERE hall_id = hall.id AND ended_at > $2
          ORDER BY ended_at DESC LIMIT $3))"""
_CHANGED = "(SELECT * FROM ticket WHERE id = ANY(news.changed) AND hall_id = hall.id)"


def _statement(sql: str, *, tickets: str, now: str) -> str:
    for name, part in (
        ("{tickets}", _TICKETS.replace("{source}", tickets)),
        ("{lines}", _LINES),
        ("{counters}", _COUNTERS),
        ("{announcements}", _ANNOUNCEMENTS),
        ("{booked}", _BOOKED),
        ("{now}", now),
    ):
        sql = sql.replace(name, part)
    return sql


# Each is one statement, so one snapshot and one round trip; its parts come as JSON of typed rows.
WHOLE = _statement(
    """
    SELECT hall.id, {lines}, {counters}, {announcements}, {tickets}, {booked},
           coalesce((SELECT max(id) FROM ticket_event WHERE hall_id = hall.id), 0) AS seen
    FROM unnest($1::uuid[]) AS hall (id)
    """,
    tickets=_OPEN_OR_JUST_OVER,
    now="$4",
)
_SINCE = _statement(
    """
    SELECT hall.id, {lines}, {counters}, {announcements}, {tickets},
           news.changed, coalesce(news.seen, hall.seen) AS seen
    FROM unnest($1::uuid[], $2::bigint[]) AS hall (id, seen)
    CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT ticket_id) || $3::uuid[] AS changed,
               max(event.id) AS seen
        FROM ticket_event event WHERE event.hall_id = hall.id AND event.id > hall.seen
    ) news
    """,
    tickets=_CHANGED,
    now="$4::timestamptz",
)

_decode_lines = msgspec.json.Decoder(tuple[LineRow, ...]).decode
_decode_helps = msgspec.json.Decoder(tuple[_Helps, ...]).decode
_decode_counters = msgspec.json.Decoder(tuple[BoardCounter, ...]).decode
_decode_announcements = msgspec.json.Decoder(tuple[BoardAnnouncement, ...]).decode
_decode_booked = msgspec.json.Decoder(tuple[BookedRow, ...]).decode
_decode_tickets = msgspec.json.Decoder(list[TicketRow]).decode


async def read_whole(hall_id: UUID, *, now: datetime) -> HallRows:
    """All rows of a hall that can be seen."""
    return (await read_all_whole([hall_id], now=now))[hall_id]


async def read_all_whole(hall_ids: Iterable[UUID], *, now: datetime) -> dict[UUID, HallRows]:
    """The same of several, in one statement."""
    found = await rows(
        WHOLE, list(hall_ids), now - ENDED_SHOWN_FOR, ENDED_SHOWN, now, business_day(now)
    )
    whole = {}
    for row in found:
        tickets = {ticket.id: ticket for ticket in _decode_tickets(row["tickets"])}
        whole[row["id"]] = _rows_of(row, tickets, _decode_booked(row["booked"]))
    return whole


def _rows_of(
    row: Any, tickets: Mapping[UUID, TicketRow], booked: tuple[BookedRow, ...]
) -> HallRows:
    return HallRows(
        lines=_decode_lines(row["lines"]),
        counters=_decode_counters(row["counters"]),
        announcements=_decode_announcements(row["announcements"]),
        tickets=tickets,
        seen=row["seen"],
        helps=_helps(row["counters"]),
        booked=booked,
    )


def _helps(counters: str) -> dict[str, frozenset[str]]:
    return {each.code: each.helps for each in _decode_helps(counters) if each.helps}


async def catch_up(
    known: Mapping[UUID, HallRows], named: Iterable[UUID], *, now: datetime
) -> dict[UUID, HallRows]:
    """The halls' rows as they are now, by what happened since, in one statement.

    `named` are tickets to be read again though nothing happened to them.
    """
    found = await rows(
        _SINCE, list(known), [hall_rows.seen for hall_rows in known.values()], list(named), now
    )
    caught_up = {}
    for row in found:
        before = known[row["id"]]
        tickets = dict(before.tickets)
        for ticket_id in row["changed"]:
            tickets.pop(ticket_id, None)  # it may have gone to another hall
        tickets.update((ticket.id, ticket) for ticket in _decode_tickets(row["tickets"]))
        caught_up[row["id"]] = _rows_of(row, _shown_at(now, tickets), before.booked)
    return caught_up


def _shown_at(now: datetime, tickets: dict[UUID, TicketRow]) -> dict[UUID, TicketRow]:
    """Without those that have been over for long, as reading the whole leaves them out."""
    over = [(ticket.ended_at, ticket.id) for ticket in tickets.values() if ticket.ended_at]
    over.sort(reverse=True)
    for place, (ended_at, ticket_id) in enumerate(over):
        if place >= ENDED_SHOWN or ended_at <= now - ENDED_SHOWN_FOR:
            del tickets[ticket_id]
    return tickets
