"""What of a hall's rows can be seen: read whole, or caught up with from its events.

All that happens to a ticket writes an event under its hall's lock, which is held until the commit.
So a hall's events are numbered in the order in which they can be seen, and those above the last
one seen tell which tickets to read again: a hall costs what happened in it, not who waits in it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from models.database import rows
from models.proxies import TAKEN_FOR
from models.tickets import DAY_ENDED, NEXT_TICKET, Priority, TicketState
from server.live.lines import LINE_COLUMNS, LineRow
from server.live.state import BoardAnnouncement, BoardCounter, TakenFor

# Who is called again is shown once: kept are as many as may be the same people's.
CALLS_KEPT = 30
# Phones that still look at a ticket that is over find it here for a while.
ENDED_SHOWN_FOR = timedelta(minutes=15)
ENDED_SHOWN = 50


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


class CallRow(msgspec.Struct, frozen=True):
    """That a number was called, or called again; `id` is the event's."""

    id: int
    ticket: UUID
    number: str
    counter: str
    at: datetime


@dataclass(frozen=True, slots=True)
class HallRows:
    """A hall's rows at one moment: `seen` is the last event in them, calls are newest first."""

    lines: tuple[LineRow, ...]
    counters: tuple[BoardCounter, ...]
    announcements: tuple[BoardAnnouncement, ...]
    tickets: Mapping[UUID, TicketRow]
    calls: tuple[CallRow, ...]
    seen: int


_LINES = """(SELECT coalesce(json_agg(r ORDER BY r.code), '[]') FROM (
        SELECT {columns} FROM line WHERE hall_id = hall.id) r) AS lines""".replace(
    "{columns}", LINE_COLUMNS
)
_COUNTERS = """(SELECT coalesce(json_agg(r ORDER BY r.code), '[]') FROM (
        SELECT c.code, c.name, c.state, t.number,
               CASE WHEN c.state = 'paused' THEN c.pause_reason END AS reason,
               CASE WHEN c.state = 'closed' THEN '{}' ELSE c.serving || ARRAY(
                   SELECT line.code FROM line
                   WHERE line.hall_id = hall.id AND c.code = ANY(line.overflow)
                     AND {now} < line.overflow_until AND line.code <> ALL(c.serving)
                   ORDER BY line.code) END AS lines
        FROM counter c
        LEFT JOIN ticket t ON t.counter_id = c.id AND t.state IN ('called', 'serving')
        WHERE c.hall_id = hall.id) r) AS counters"""
_ANNOUNCEMENTS = """(SELECT coalesce(json_agg(r ORDER BY r.id), '[]') FROM (
        SELECT id, text, text_en, zone, until FROM announcement
        WHERE hall_id = hall.id AND until > {now}) r) AS announcements"""
_TICKETS = (
    """(SELECT coalesce(json_agg(r), '[]') FROM (
        SELECT {day_ended},
               t.id, t.number, t.state, l.code AS line, i.code AS item, t.citizen_id, t.issued_at,
               t.called_at, t.ended_at, c.code AS counter, t.version, t.rank_time, t.acting_id,
               t.recalls, t.priority, t.priority_at, t.shown_as, t.visit_id, {next_ticket},
               t.checked_in_at, t.away,
               {taken_for}
        FROM {source} t
        JOIN line l ON l.id = t.line_id
        JOIN item i ON i.id = t.item_id
        LEFT JOIN counter c ON c.id = t.counter_id) r) AS tickets""".replace(
        "{day_ended}", DAY_ENDED
    )
    .replace("{taken_for}", TAKEN_FOR)
    .replace("{next_ticket}", NEXT_TICKET)
)
# The number is the one that she had then: whoever is sent to another line gets another.
_CALLS = """(SELECT coalesce(json_agg(r ORDER BY r.at DESC, r.id DESC), '[]') FROM (
        SELECT coalesce((
                   SELECT b.number FROM ticket_event b
                   WHERE b.ticket_id = e.ticket_id AND b.id < e.id AND b.number IS NOT NULL
                   ORDER BY b.id DESC LIMIT 1), '') AS number,
               c.code AS counter, e.at, e.id, e.ticket_id AS ticket
        FROM {source} e
        JOIN counter c ON c.id = e.counter_id
        WHERE NOT EXISTS (SELECT 1 FROM ticket_event u
                          WHERE u.ticket_id = e.ticket_id
                          AND (u.undoes = e.id OR u.move = 'return_to_line' AND u.id > e.id)
                          OFFSET 0)) r) AS calls"""


_OPEN_OR_JUST_OVER = """(
        SELECT * FROM ticket WHERE hall_id = hall.id AND ended_at IS NULL
        UNION ALL (
          SELECT * FROM ticket WHERE hall_id = hall.id AND ended_at > $2
          ORDER BY ended_at DESC LIMIT $3))"""
_CHANGED = "(SELECT * FROM ticket WHERE id = ANY(news.changed) AND hall_id = hall.id)"
_CALLS_OF_TODAY = """(
        SELECT * FROM ticket_event WHERE hall_id = hall.id AND move IN ('call', 'recall')
        AND at >= $4 ORDER BY at DESC, id DESC LIMIT $5)"""
_CALLS_SINCE = """(
        SELECT * FROM ticket_event
        WHERE hall_id = hall.id AND id > hall.seen AND move IN ('call', 'recall'))"""


def _statement(sql: str, *, tickets: str, calls: str, now: str) -> str:
    for name, part in (
        ("{tickets}", _TICKETS.replace("{source}", tickets)),
        ("{calls}", _CALLS.replace("{source}", calls)),
        ("{lines}", _LINES),
        ("{counters}", _COUNTERS),
        ("{announcements}", _ANNOUNCEMENTS),
        ("{now}", now),
    ):
        sql = sql.replace(name, part)
    return sql


# Each is one statement, so one snapshot and one round trip; its parts come as JSON of typed rows.
WHOLE = _statement(
    """
    SELECT {lines}, {counters}, {announcements}, {tickets}, {calls},
           coalesce((SELECT max(id) FROM ticket_event WHERE hall_id = hall.id), 0) AS seen
    FROM (SELECT $1::uuid AS id) hall
    """,
    tickets=_OPEN_OR_JUST_OVER,
    calls=_CALLS_OF_TODAY,
    now="$6",
)
_SINCE = _statement(
    """
    SELECT hall.id, {lines}, {counters}, {announcements}, {tickets}, {calls},
           news.changed, news.undone, news.returned, coalesce(news.seen, hall.seen) AS seen
    FROM unnest($1::uuid[], $2::bigint[]) AS hall (id, seen)
    CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT ticket_id) || $3::uuid[] AS changed,
               array_agg(undoes) FILTER (WHERE undoes IS NOT NULL) AS undone,
               array_agg(ticket_id) FILTER (WHERE move = 'return_to_line') AS returned,
               max(event.id) AS seen
        FROM ticket_event event WHERE event.hall_id = hall.id AND event.id > hall.seen
    ) news
    """,
    tickets=_CHANGED,
    calls=_CALLS_SINCE,
    now="$4::timestamptz",
)

_decode_lines = msgspec.json.Decoder(tuple[LineRow, ...]).decode
_decode_counters = msgspec.json.Decoder(tuple[BoardCounter, ...]).decode
_decode_announcements = msgspec.json.Decoder(tuple[BoardAnnouncement, ...]).decode
_decode_tickets = msgspec.json.Decoder(list[TicketRow]).decode
_decode_calls = msgspec.json.Decoder(tuple[CallRow, ...]).decode


async def read_whole(hall_id: UUID, *, now: datetime, midnight: datetime) -> HallRows:
    """All rows of a hall that can be seen; its calls are those since midnight."""
    [row] = await rows(
        WHOLE, hall_id, now - ENDED_SHOWN_FOR, ENDED_SHOWN, midnight, CALLS_KEPT, now
    )
    return HallRows(
        lines=_decode_lines(row["lines"]),
        counters=_decode_counters(row["counters"]),
        announcements=_decode_announcements(row["announcements"]),
        tickets={ticket.id: ticket for ticket in _decode_tickets(row["tickets"])},
        calls=_decode_calls(row["calls"]),
        seen=row["seen"],
    )


async def catch_up(
    known: Mapping[UUID, HallRows], named: Iterable[UUID], *, now: datetime, midnight: datetime
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
        taken_back = {*(row["undone"] or ()), *(row["returned"] or ())}
        calls = (
            *_decode_calls(row["calls"]),
            *(call for call in before.calls if taken_back.isdisjoint((call.id, call.ticket))),
        )
        caught_up[row["id"]] = HallRows(
            lines=_decode_lines(row["lines"]),
            counters=_decode_counters(row["counters"]),
            announcements=_decode_announcements(row["announcements"]),
            tickets=_shown_at(now, tickets),
            calls=tuple(call for call in calls if call.at >= midnight)[:CALLS_KEPT],
            seen=row["seen"],
        )
    return caught_up


def _shown_at(now: datetime, tickets: dict[UUID, TicketRow]) -> dict[UUID, TicketRow]:
    """Without those that have been over for long, as reading the whole leaves them out."""
    over = [(ticket.ended_at, ticket.id) for ticket in tickets.values() if ticket.ended_at]
    over.sort(reverse=True)
    for place, (ended_at, ticket_id) in enumerate(over):
        if place >= ENDED_SHOWN or ended_at <= now - ENDED_SHOWN_FOR:
            del tickets[ticket_id]
    return tickets
