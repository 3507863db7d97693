"""The tickets of a hall for its staff: who waits, is parked, was missed, claims priority."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec

from models.database import rows
from models.identifiers import mask_name
from models.knowing import NAME
from models.proxies import TAKEN_FOR
from models.sealing import NotOpened, Sealer
from models.tickets import OF_APPOINTMENT, OPEN_STATES, TicketState
from scheduler.calendar import SHANGHAI
from server.halls.directory import HallEntry
from server.live.reading import appointment_view, priority_view, shown
from server.live.state import OfAppointment, PriorityView, TakenFor

_decode_taken_for = msgspec.json.Decoder(TakenFor).decode
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Those not over yet in the order of rank time, with the place of each in her line; those that are
# over since midnight, the newest first.
_OPEN = """
    SELECT *, rank_time AS at,
           CASE WHEN state = 'waiting' THEN row_number() OVER (
               PARTITION BY line_id, state ORDER BY rank_time, id) END AS position
    FROM ticket WHERE hall_id = $1 AND ended_at IS NULL AND $8::timestamptz IS NOT NULL"""
_OVER = """
    SELECT *, ended_at AS at, NULL::bigint AS position
    FROM ticket WHERE hall_id = $1 AND ended_at >= $8::timestamptz"""
_LISTED = """
    SELECT t.id, t.at, t.number, t.state, line.code AS line, item.code AS item, t.position,
           t.priority, t.priority_at, t.shown_as, t.checked_in_at, t.away, t.issued_at,
           t.recalls, t.version, counter.code AS counter, t.visit_id, {taken_for},
           {of_appointment},
           CASE WHEN t.acting_id IS NULL THEN t.citizen_id END AS named_id, citizen.name,
           CASE t.state WHEN 'called' THEN t.called_at WHEN 'serving' THEN t.started_at
               WHEN 'parked' THEN (SELECT max(e.at) FROM ticket_event e
                                   WHERE e.ticket_id = t.id AND e.move = 'park')
               ELSE t.at END AS since
    FROM ({which}) t
    JOIN line ON line.id = t.line_id
    JOIN item ON item.id = t.item_id
    LEFT JOIN counter ON counter.id = t.counter_id
    LEFT JOIN citizen ON citizen.id = t.citizen_id AND t.acting_id IS NULL
    WHERE ($2::text IS NULL OR t.state = $2) AND ($3::uuid IS NULL OR t.line_id = $3)
      AND (NOT $4 OR t.priority IS NOT NULL AND t.priority_at IS NULL)
      AND ($5::timestamptz IS NULL OR (t.at, t.id) {after} ($5, $6::uuid))
    ORDER BY t.at {way}, t.id {way} LIMIT $7
"""
_LIST_OPEN: Final = _LISTED.format(
    taken_for=TAKEN_FOR, of_appointment=OF_APPOINTMENT, which=_OPEN, after=">", way=""
)
_LIST_OVER: Final = _LISTED.format(
    taken_for=TAKEN_FOR, of_appointment=OF_APPOINTMENT, which=_OVER, after="<", way="DESC"
)


class HallTicketsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which: of one state (all that are not over, when not given), and of one line.

    `claims`: only those whose claim of priority somebody of staff has yet to confirm.
    """

    state: TicketState | None = None
    line: Annotated[str, msgspec.Meta(min_length=1, max_length=4)] | None = None
    claims: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    cursor: (
        Annotated[
            str,
            msgspec.Meta(
                pattern="^[0-9]{1,17}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
                examples=["1795397400000000-0190c0de-7b3a-7000-8000-00000000a023"],
            ),
        ]
        | None
    ) = None


class HallTicket(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket of the hall. `position` is her place in her line's order, the first is 1.

    `since` is from when on she is in this state, and of who waits, from when on she counts as
    waiting. A `priority` that is not confirmed is a claim: `POST …/confirm-priority` after a look
    at her papers. `check_in_required`: she is passed over until she checks in. `name` is masked;
    null where nobody gave one. `visit` is the visit of several items that it belongs to,
    `appointment` the one with which she checked in. Who is over is listed until midnight.
    """

    id: UUID
    number: str
    state: TicketState
    line: str
    item: str
    position: int | None
    since: datetime
    issued_at: datetime
    counter: str | None
    recalls: int
    priority: PriorityView | None
    checked_in_at: datetime | None
    check_in_required: bool
    name: str | None
    visit: UUID | None
    appointment: OfAppointment | None
    version: int


class HallTicketPage(msgspec.Struct, frozen=True):
    """Tickets a page at a time: in the order of rank time, and those that are over newest first."""

    data: list[HallTicket]
    next_cursor: str | None


async def tickets_of(
    hall: HallEntry,
    query: HallTicketsQuery,
    line_id: UUID | None,
    *,
    sealer: Sealer,
    now: datetime,
) -> HallTicketPage:
    """A page of a hall's tickets, in one statement."""
    is_open = query.state is None or query.state in OPEN_STATES
    after, after_id = _read_cursor(query.cursor)
    found = await rows(
        _LIST_OPEN if is_open else _LIST_OVER,
        hall.id,
        query.state.value if query.state else None,
        line_id,
        query.claims,
        after,
        after_id,
        query.limit + 1,
        now.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0),
    )
    page = found[: query.limit]
    more = len(found) > query.limit
    return HallTicketPage([_view(row, sealer) for row in page], _cursor(page) if more else None)


def _cursor(page: Sequence[Any]) -> str:
    """Where the next page begins: the moment by which they are ordered, and the id."""
    last = page[-1]
    return f"{(last['at'] - _EPOCH) // timedelta(microseconds=1)}-{last['id']}"


def _read_cursor(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    if cursor is None:
        return None, None
    at, _, ticket_id = cursor.partition("-")
    return _EPOCH + timedelta(microseconds=int(at)), UUID(ticket_id)


def _view(row: Any, sealer: Sealer) -> HallTicket:
    checked_in_at = row["checked_in_at"]
    return HallTicket(
        id=row["id"],
        number=row["number"],
        state=TicketState(row["state"]),
        line=row["line"],
        item=row["item"],
        position=row["position"],
        since=shown(row["since"]),
        issued_at=shown(row["issued_at"]),
        counter=row["counter"],
        recalls=row["recalls"],
        priority=priority_view(row["priority"], row["priority_at"]),
        checked_in_at=shown(checked_in_at) if checked_in_at else None,
        check_in_required=row["away"] and row["state"] == TicketState.WAITING,
        name=_name(row, sealer),
        visit=row["visit_id"],
        appointment=appointment_view(row["appointment"]),
        version=row["version"],
    )


def _name(row: Any, sealer: Sealer) -> str | None:
    """What is known of her name, masked: as it was given at the hall, or that of her account."""
    if row["taken_for"]:
        return _decode_taken_for(row["taken_for"]).name
    if row["shown_as"] or not row["name"]:
        given: str | None = row["shown_as"]
        return given
    try:
        return mask_name(sealer.open(row["name"], field=NAME, owner=row["named_id"]))
    except NotOpened:
        return None
