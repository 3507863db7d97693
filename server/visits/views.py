"""A visit as it is shown: to its owner, and to the counter that serves her."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from models.database import Transaction, rows
from models.proxies import TAKEN_FOR
from models.sealing import Sealer
from models.tickets import Priority, TicketState
from models.visits import FORM, Left, VisitState
from server.halls.directory import Directory
from server.live.reading import priority_view, shown
from server.live.state import PriorityView, TakenFor
from server.visits.bundles import Needed, needed_for

StopState = Literal[
    "pending",
    "waiting",
    "called",
    "serving",
    "parked",
    "finished",
    "missed",
    "cancelled",
    "left_out",
]


class StopView(msgspec.Struct, frozen=True, kw_only=True):
    """An item of a visit: `pending` until it is its turn, then what its number is.

    `reason` says why one is left out. `after` are the items of the visit to be done before it.
    """

    item: str
    name: str
    name_en: str
    state: StopState
    reason: Left | None
    after: list[str]
    ticket: UUID | None
    number: str | None
    hall: str | None
    line: str | None
    counter: str | None


class VisitSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A visit and how far it is: its stops in the order in which they are done.

    `now` is the open number, if she has one. Where she has none in an open visit, `waiting_for`
    says why: all lines she could join are paused, or she was missed and may come back.
    `priority` is what she claimed when she signed in, with each of her numbers: a clerk confirms it
    with one of them for all that follow.
    """

    id: UUID
    state: VisitState
    hall: str
    bundle: str | None
    begun_at: datetime
    ended_at: datetime | None
    taken_for: TakenFor | None = msgspec.field(name="for")
    now: UUID | None
    waiting_for: Literal["line_open", "return"] | None
    priority: PriorityView | None
    stops: list[StopView]


class VisitView(VisitSummary, frozen=True, kw_only=True):
    """A visit, with what to bring for the stops that are still to be done."""

    materials: list[Needed]


class VisitDetail(VisitView, frozen=True, kw_only=True):
    """A visit, and what was filled in, in clear: for whose it is, and the counter where she is."""

    form: dict[str, str] | None


class VisitPage(msgspec.Struct, frozen=True):
    """Visits, newest first, a page at a time."""

    data: list[VisitSummary]
    next_cursor: str | None


class _StopRow(msgspec.Struct, frozen=True):
    item: str
    after: list[UUID]
    left_out: Left | None
    ticket: UUID | None
    number: str | None
    state: TicketState | None
    hall: str | None
    line: str | None
    counter: str | None
    priority: Priority | None
    priority_at: datetime | None


_decode_stops = msgspec.json.Decoder(list[_StopRow]).decode
_decode_taken_for = msgspec.json.Decoder(TakenFor).decode
_decode_form = msgspec.json.Decoder(dict[str, str]).decode
_encode_form = msgspec.json.Encoder(order="deterministic").encode
_OPEN = frozenset({"waiting", "called", "serving", "parked"})

_VIEW = f"""
    SELECT t.id, t.state, t.bundle, t.begun_at, t.ended_at, t.form, h.code AS hall, {TAKEN_FOR},
           t.citizen_id, t.acting_id, t.proxy_id,
           (SELECT json_agg(r ORDER BY r.turn NULLS LAST, r.place) FROM (
               SELECT i.code AS item, s.after, s.left_out, s.turn, s.place, k.id AS ticket,
                      k.number, k.state, k.priority, k.priority_at,
                      kh.code AS hall, l.code AS line, c.code AS counter
               FROM visit_stop s
               JOIN item i ON i.id = s.item_id
               LEFT JOIN ticket k ON k.id = s.ticket_id
               LEFT JOIN hall kh ON kh.id = k.hall_id
               LEFT JOIN line l ON l.id = k.line_id
               LEFT JOIN counter c ON c.id = k.counter_id
               WHERE s.visit_id = t.id) r) AS stops
"""  # noqa: S608 a text of ours
_OF_CITIZEN = """(
    (SELECT * FROM visit WHERE citizen_id = $1 AND ($2::uuid IS NULL OR id < $2)
     ORDER BY id DESC LIMIT $3)
    UNION ALL
    (SELECT * FROM visit WHERE acting_id = $1 AND citizen_id IS DISTINCT FROM $1
     AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3)
)"""
_ONE = _VIEW + " FROM visit t JOIN hall h ON h.id = t.hall_id WHERE t.id = $1"
_MINE = _ONE + " AND (t.citizen_id = $2 OR t.acting_id = $2)"
_LIST = _VIEW + f" FROM {_OF_CITIZEN} t JOIN hall h ON h.id = t.hall_id ORDER BY t.id DESC LIMIT $3"


def seal_form(sealer: Sealer, visit_id: UUID, form: Mapping[str, str]) -> bytes | None:
    """What was filled in as it is stored; nothing where there was no form."""
    if not form:
        return None
    return sealer.seal(_encode_form(form).decode(), field=FORM, owner=visit_id)


def open_form(sealer: Sealer, visit_id: UUID, sealed: bytes | None) -> dict[str, str] | None:
    """What was filled in, in clear: for its owner and for the counter that serves her."""
    return _decode_form(sealer.open(sealed, field=FORM, owner=visit_id)) if sealed else None


async def visit_detail(
    visit_id: UUID,
    citizen_id: UUID | None,
    *,
    sealer: Sealer,
    directory: Directory,
    tx: Transaction | None = None,
) -> VisitDetail | None:
    """A visit of a citizen's, or of anybody's (None); None when there is none, or not of hers."""
    if citizen_id is None:
        found = await rows(_ONE, visit_id, tx=tx)
    else:
        found = await rows(_MINE, visit_id, citizen_id, tx=tx)
    if not found:
        return None
    short = _summary(found[0], directory)
    left = [stop.item for stop in short.stops if stop.state == "pending" or stop.state in _OPEN]
    return VisitDetail(
        **{name: getattr(short, name) for name in VisitSummary.__struct_fields__},
        materials=needed_for(directory.item(item) for item in left),
        form=open_form(sealer, visit_id, found[0]["form"]),
    )


def without_form(visit: VisitDetail) -> VisitView:
    """The same without what was filled in, which only who asks for it is told."""
    return VisitView(**{name: getattr(visit, name) for name in VisitView.__struct_fields__})


async def visits_of(
    citizen_id: UUID, *, cursor: UUID | None, limit: int, directory: Directory
) -> VisitPage:
    """Her visits and those she signed others in for, newest first."""
    found = await rows(_LIST, citizen_id, cursor, limit + 1)
    page = [_summary(row, directory) for row in found[:limit]]
    return VisitPage(page, str(page[-1].id) if len(found) > limit else None)


def _summary(row: Any, directory: Directory) -> VisitSummary:
    found = _decode_stops(row["stops"] or "[]")
    stops = [_stop(each, directory) for each in found]
    last = next((each for each in reversed(found) if each.ticket is not None), None)
    now = next((stop.ticket for stop in reversed(stops) if stop.state in _OPEN), None)
    state = VisitState(row["state"])
    return VisitSummary(
        id=row["id"],
        state=state,
        hall=row["hall"],
        bundle=row["bundle"],
        begun_at=shown(row["begun_at"]),
        ended_at=shown(row["ended_at"]) if row["ended_at"] else None,
        taken_for=_decode_taken_for(row["taken_for"]) if row["taken_for"] else None,
        now=now,
        waiting_for=_waiting_for(stops) if state is VisitState.OPEN and now is None else None,
        priority=priority_view(last.priority, last.priority_at) if last else None,
        stops=stops,
    )


def _waiting_for(stops: list[StopView]) -> Literal["line_open", "return"]:
    had_turn = [stop for stop in stops if stop.ticket is not None]
    return "return" if had_turn and had_turn[-1].state == "missed" else "line_open"


def _stop(row: _StopRow, directory: Directory) -> StopView:
    item = directory.item(row.item)
    state: str = row.state.value if row.state else "pending"
    if row.left_out is not None and state not in {*_OPEN, "finished"}:
        state = "left_out"
    return StopView(
        item=item.code,
        name=item.name,
        name_en=item.name_en,
        state=state,  # type: ignore[arg-type]
        reason=row.left_out if state == "left_out" else None,
        after=[directory.item_by_id(before).code for before in row.after],
        ticket=row.ticket,
        number=row.number,
        hall=row.hall,
        line=row.line,
        counter=row.counter,
    )
