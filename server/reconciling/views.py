"""Runs, differences and notes as they are shown."""

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from models.database import Transaction, rows
from models.reconciliation import CaseState, CloseReason, DifferenceKind, Statement
from scheduler.calendar import SHANGHAI
from server.reconciling.summing_up import Summary


class Differing(msgspec.Struct, frozen=True, kw_only=True):
    """How many differences of one kind, and what became of them."""

    kind: DifferenceKind
    open: int
    waiting: int
    repaired: int
    agreed: int
    closed: int


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """One channel's statement of a day, compared with our ledger.

    `lines` to `fees_fen` is what the statement says, `ours` to `ours_refunded_fen` what we say of
    that day. `matched` are lines that agree, those that were repaired too.
    """

    id: UUID
    day: date
    channel: str
    statement: Statement
    ran_at: datetime
    lines: int
    paid_fen: int
    refunded_fen: int
    fees_fen: int
    ours: int
    ours_paid_fen: int
    ours_refunded_fen: int
    matched: int
    differences: list[Differing]


class RunPage(msgspec.Struct, frozen=True):
    """Runs, newest first, a page at a time."""

    data: list[RunView]
    next_cursor: str | None


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between a statement and us. `theirs_…` is what the statement says.

    `waiting`: near midnight, so the next statement may have it. `repaired`: the channel was asked
    and we agree now. `agreed`: the difference went away. `closed`: a person says why.
    """

    id: UUID
    run: UUID
    day: date
    channel: str
    statement: Statement
    kind: DifferenceKind
    state: CaseState
    number: str
    refund: bool
    channel_no: str
    theirs_fen: int | None
    ours_fen: int | None
    theirs_state: str | None
    ours_state: str | None
    happened_at: datetime | None
    opened_at: datetime
    ended_at: datetime | None
    reason: CloseReason | None


class CasePage(msgspec.Struct, frozen=True):
    """Differences, newest first, a page at a time."""

    data: list[CaseView]
    next_cursor: str | None


class NoteView(msgspec.Struct, frozen=True):
    """What a person wrote about a difference."""

    id: UUID
    at: datetime
    by: str
    text: str


class CaseWithNotes(CaseView, frozen=True, kw_only=True):
    """A difference and what was written about it, oldest first."""

    notes: list[NoteView]


_CASES: Final = """
    SELECT c.*, r.day, r.channel, r.statement FROM reconciliation_case c
    JOIN reconciliation_run r ON r.id = c.run_id
"""


def run_view(one: Summary) -> RunView:
    """A run as it is shown."""
    return RunView(
        id=one.id,
        day=one.day,
        channel=one.channel,
        statement=one.statement,
        ran_at=one.ran_at,
        lines=one.lines,
        paid_fen=one.paid_fen,
        refunded_fen=one.back_fen,
        fees_fen=one.fees_fen,
        ours=one.ours,
        ours_paid_fen=one.ours_paid_fen,
        ours_refunded_fen=one.ours_back_fen,
        matched=one.matched,
        differences=[
            Differing(kind=kind, **{state.value: one.count(state, kind) for state in CaseState})
            for kind in DifferenceKind
        ],
    )


async def cases(
    after: UUID | None,
    most: int,
    *,
    run: UUID | None = None,
    state: CaseState | None = None,
    kind: DifferenceKind | None = None,
    channel: str | None = None,
) -> CasePage:
    """Differences, newest first, from the one after `after` on."""
    found = await rows(
        _CASES + " WHERE ($1::uuid IS NULL OR c.id < $1) AND ($3::uuid IS NULL OR c.run_id = $3)"
        " AND ($4::text IS NULL OR c.state = $4) AND ($5::text IS NULL OR c.kind = $5)"
        " AND ($6::text IS NULL OR r.channel = $6) ORDER BY c.id DESC LIMIT $2",
        after,
        most + 1,
        run,
        state and state.value,
        kind and kind.value,
        channel,
    )
    page = [CaseView(**_facts(row)) for row in found[:most]]
    return CasePage(page, str(page[-1].id) if len(found) > most else None)


async def case(case_id: UUID, tx: Transaction | None = None) -> CaseWithNotes | None:
    """One difference with its notes; None where there is none."""
    found = await rows(_CASES + " WHERE c.id = $1", case_id, tx=tx)
    if not found:
        return None
    notes = await rows(
        "SELECT n.id, n.at, s.username, n.text FROM reconciliation_note n"
        " JOIN staff s ON s.id = n.by_id WHERE n.case_id = $1 ORDER BY n.id",
        case_id,
        tx=tx,
    )
    shown = [
        NoteView(n["id"], n["at"].astimezone(SHANGHAI), n["username"], n["text"]) for n in notes
    ]
    return CaseWithNotes(**_facts(found[0]), notes=shown)


def _facts(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "run": row["run_id"],
        "day": row["day"],
        "channel": row["channel"],
        "statement": Statement(row["statement"]),
        "kind": DifferenceKind(row["kind"]),
        "state": CaseState(row["state"]),
        "number": row["number"],
        "refund": row["is_refund"],
        "channel_no": row["channel_no"],
        "theirs_fen": row["theirs_fen"],
        "ours_fen": row["ours_fen"],
        "theirs_state": row["theirs_state"],
        "ours_state": row["ours_state"],
        "happened_at": _local(row["happened_at"]),
        "opened_at": row["opened_at"].astimezone(SHANGHAI),
        "ended_at": _local(row["ended_at"]),
        "reason": CloseReason(row["reason"]) if row["reason"] else None,
    }


def _local(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(SHANGHAI)
