"""Cases as citizens see them."""

from base64 import b64decode
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog

from models.cases import NOTE, CaseFileState
from models.sealing import NotOpened, Sealer
from server.halls.directory import Directory
from server.live.reading import shown

log = structlog.get_logger()


class CaseFileStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a case, and the state that it brought.

    `due_at`: until when what follows it is to be done; `overdue`: it was not done by then, or is
    not yet.
    """

    name: str
    state: CaseFileState
    at: datetime
    by_department: str
    by_department_en: str
    note: str | None
    due_at: datetime | None
    overdue: bool


class CaseFileView(msgspec.Struct, frozen=True, kw_only=True):
    """A case and all its steps, the first one first.

    `for_whom` is masked, and null where it is mine. `due_at` and `overdue` are those of the step
    that it stands at, while it is open. `id` is what it is rated by.
    """

    id: UUID
    no: str
    item: str
    item_name: str
    item_name_en: str
    hall: str | None
    state: CaseFileState
    is_mine: bool
    for_whom: str | None
    opened_at: datetime
    ended_at: datetime | None
    due_at: datetime | None
    overdue: bool
    steps: list[CaseFileStep]


class CaseFilePage(msgspec.Struct, frozen=True):
    """Cases, the newest first, a page at a time."""

    data: list[CaseFileView]
    next_cursor: UUID | None = None


class KeptStep(msgspec.Struct, frozen=True):
    """A step as its row has it; `note` is sealed."""

    id: UUID
    number: str | None
    name: str
    state: CaseFileState
    note: str | None
    at: datetime
    due_at: datetime | None


kept_steps = msgspec.json.Decoder(list[KeptStep]).decode


def case_view(row: Any, directory: Directory, sealer: Sealer, *, now: datetime) -> CaseFileView:
    """A case's row as it is shown to whom it concerns; `now` is business time."""
    kept = kept_steps(row["steps"])
    late = were_late(kept, row["ended_at"], now)
    item = directory.item_by_id(row["item_id"])
    is_open = row["ended_at"] is None
    last = kept[-1]
    return CaseFileView(
        id=row["id"],
        no=row["no"],
        item=item.code,
        item_name=item.name,
        item_name_en=item.name_en,
        hall=directory.hall_by_id(row["hall_id"]).code if row["hall_id"] else None,
        state=CaseFileState(row["state"]),
        is_mine=row["is_hers"],
        for_whom=None if row["is_hers"] else row["shown_as"],
        opened_at=shown(row["opened_at"]),
        ended_at=row["ended_at"] and shown(row["ended_at"]),
        due_at=shown(last.due_at) if is_open and last.due_at else None,
        overdue=is_open and late[-1],
        steps=[
            CaseFileStep(
                name=step.name,
                state=step.state,
                at=shown(step.at),
                by_department=row["department"],
                by_department_en=row["department_en"],
                note=open_note(step, sealer),
                due_at=step.due_at and shown(step.due_at),
                overdue=is_late,
            )
            for step, is_late in zip(kept, late, strict=True)
        ],
    )


def were_late(steps: list[KeptStep], ended_at: datetime | None, now: datetime) -> list[bool]:
    """Of each step, whether what follows it came after it was due, or has not come by now."""
    followed = [*(step.at for step in steps[1:]), ended_at or now]
    return [
        step.due_at is not None and then > step.due_at
        for step, then in zip(steps, followed, strict=True)
    ]


def open_note(step: KeptStep, sealer: Sealer) -> str | None:
    """What the department said to her; None where it said nothing, or it cannot be opened."""
    if step.note is None:
        return None
    try:
        return sealer.open(b64decode(step.note), field=NOTE, owner=step.id)
    except NotOpened:
        log.error("note_not_opened", step=str(step.id))
        return None
