"""Cases as departments' systems tell of them and see them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from models.cases import CaseFileState
from models.identifiers import IdType
from models.sealing import Sealer
from server.cases.views import kept_steps, open_note, were_late
from server.halls.directory import Directory
from server.http.formats import ONE_LINE, PLAIN_NUMBER
from server.live.reading import shown

Number = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=PLAIN_NUMBER, examples=["2026-0042"])
]
StepName = Annotated[str, Meta(min_length=1, max_length=30, pattern=ONE_LINE)]
Note = Annotated[str, Meta(min_length=1, max_length=500)]
Code = Annotated[str, Meta(min_length=1, max_length=40)]
IdNumber = Annotated[str, Meta(min_length=1, max_length=40)]
Moment = Annotated[datetime, Meta(tz=True)]
Wanted = Literal["waiting_for_materials", "in_progress", "finished", "refused", "withdrawn"]


class Agent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who handed it in for her, or for the company."""

    id_number: IdNumber
    id_type: IdType = "resident_id"


class NewCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A case that the department has accepted, and its first step.

    `number` is the department's own: the same again is the same case. Whose it is is told by her id
    number, who may not have come to us yet (she then finds it); by `sub`, as single sign-on names
    her to this system; or by a company's `uscc`: then an `agent` sees it. `at`: now if left out.
    """

    number: Number
    item: Code
    id_number: IdNumber | None = None
    id_type: IdType | None = None
    sub: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    uscc: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    agent: Agent | None = None
    hall: Code | None = None
    name: StepName = "受理"
    note: Note | None = None
    at: Moment | None = None
    due_at: Moment | None = None


class NewStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The next step of a case, and the state that it brings.

    `number` is the department's own: the same again is the same step. `due_at`: until when what
    follows is to be done. `note` is read by whoever the case is for. `at`: now if left out.
    """

    number: Number
    name: StepName
    state: Wanted
    note: Note | None = None
    at: Moment | None = None
    due_at: Moment | None = None


class DepartmentStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step as its department told it; the first has no number."""

    number: str | None
    name: str
    state: CaseFileState
    note: str | None
    at: datetime
    due_at: datetime | None
    overdue: bool


class DepartmentCase(msgspec.Struct, frozen=True, kw_only=True):
    """A department's case. `number` is the department's, `no` what citizens see and steps name."""

    number: str
    no: str
    item: str
    hall: str | None
    state: CaseFileState
    opened_at: datetime
    ended_at: datetime | None
    steps: list[DepartmentStep]


class CaseRating(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody found one of the department's cases; nobody is named."""

    id: UUID
    no: str
    stars: int
    tags: list[str]
    comment: str | None
    rated_at: datetime
    answer_by: datetime | None
    answer: str | None
    answered_at: datetime | None


class CaseRatingPage(msgspec.Struct, frozen=True):
    """Ratings, a page at a time."""

    data: list[CaseRating]
    next_cursor: UUID | None = None


def department_case(
    row: Any, directory: Directory, sealer: Sealer, *, now: datetime
) -> DepartmentCase:
    """A case's row as its department sees it; `now` is business time."""
    kept = kept_steps(row["steps"])
    return DepartmentCase(
        number=row["department_no"],
        no=row["no"],
        item=directory.item_by_id(row["item_id"]).code,
        hall=directory.hall_by_id(row["hall_id"]).code if row["hall_id"] else None,
        state=CaseFileState(row["state"]),
        opened_at=shown(row["opened_at"]),
        ended_at=row["ended_at"] and shown(row["ended_at"]),
        steps=[
            DepartmentStep(
                number=step.number,
                name=step.name,
                state=step.state,
                note=open_note(step, sealer),
                at=shown(step.at),
                due_at=step.due_at and shown(step.due_at),
                overdue=is_late,
            )
            for step, is_late in zip(kept, were_late(kept, row["ended_at"], now), strict=True)
        ],
    )
