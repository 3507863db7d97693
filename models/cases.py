"""Cases 办件: what somebody asked a department to do, and each step as the department tells it.

A case is known to its department by a number of the department's own, to everybody else by `no`.
Its rows are written by departments' systems alone; a step is never changed.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from tortoise import fields
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model
from uuid_utils.compat import uuid7

from models.database import Transaction, rows
from models.joined import HER_ID
from models.people import Citizen
from models.sso import SsoClient
from models.tickets import WrongState

NOTE: Final = "case_step.note"
# A step is not told of that was so long ago, nor due in so long a time: somebody mistyped.
LONGEST: Final = timedelta(days=3660)
# What a citizen's page can still show, and more than any case needs.
MOST_STEPS: Final = 100


class CaseFileState(StrEnum):
    """How far a case has come. The last three are final."""

    ACCEPTED = "accepted"
    WAITING_FOR_MATERIALS = "waiting_for_materials"  # she has to hand something in
    IN_PROGRESS = "in_progress"
    FINISHED = "finished"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


_S = CaseFileState
_ENDS: Final = frozenset({_S.FINISHED, _S.REFUSED, _S.WITHDRAWN})
# state -> the states that a step may bring next. What is not in here cannot happen; docs/cases.md
# draws it.
NEXT: Final[Mapping[CaseFileState, frozenset[CaseFileState]]] = {
    _S.ACCEPTED: frozenset({_S.WAITING_FOR_MATERIALS, _S.IN_PROGRESS}) | _ENDS,
    _S.WAITING_FOR_MATERIALS: frozenset({_S.WAITING_FOR_MATERIALS, _S.IN_PROGRESS}) | _ENDS,
    _S.IN_PROGRESS: frozenset({_S.WAITING_FOR_MATERIALS, _S.IN_PROGRESS}) | _ENDS,
    **dict.fromkeys(_ENDS, frozenset()),
}


class CaseFile(Model):
    """A case. Whose it is is told as a ticket tells it; who has no account yet is a key.

    `acting` handed it in for her, or for the company. Once she is erased it names nobody.
    """

    id = fields.UUIDField(primary_key=True)
    no = fields.CharField(max_length=24, unique=True)
    client: fields.ForeignKeyRelation[SsoClient] = fields.ForeignKeyField(
        "models.SsoClient", "cases", on_delete=OnDelete.RESTRICT
    )
    # What its department calls it: the same asked for again is the same case.
    department_no = fields.CharField(max_length=64)
    citizen: fields.ForeignKeyNullableRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "cases", null=True, on_delete=OnDelete.RESTRICT
    )
    acting: fields.ForeignKeyNullableRelation[Citizen] = fields.ForeignKeyField(
        "models.Citizen", "cases_of_others", null=True, on_delete=OnDelete.RESTRICT
    )
    person_key = fields.UUIDField(null=True)
    acting_key = fields.UUIDField(null=True)
    # She is erased: what comes later of it is not kept in words either.
    erased = fields.BooleanField(db_default=False)
    item_id = fields.UUIDField()
    # Where it was handed in, if at a hall.
    hall_id = fields.UUIDField(null=True)
    state = fields.CharEnumField(CaseFileState, max_length=24)
    opened_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "case_file"
        constraints = (
            UniqueConstraint(fields=("client_id", "department_no"), name="case_file_once"),
            CheckConstraint(
                check="(state IN ('finished', 'refused', 'withdrawn')) = (ended_at IS NOT NULL)",
                name="case_file_until_ended",
            ),
        )
        indexes = (
            Index(fields=("citizen_id", "id"), name="case_file_of_citizen"),
            Index(fields=("acting_id", "id"), name="case_file_of_acting"),
            Index(fields=("person_key",), name="case_file_of_person"),
            Index(fields=("acting_key",), name="case_file_of_agent"),
        )


class CaseStep(Model):
    """One step of a case; a trigger writes what she is told of it."""

    id = fields.UUIDField(primary_key=True)
    case: fields.ForeignKeyRelation[CaseFile] = fields.ForeignKeyField(
        "models.CaseFile", "steps", on_delete=OnDelete.RESTRICT
    )
    # The department's own number of the step; the first has none.
    department_no = fields.CharField(max_length=64, null=True)
    nth = fields.SmallIntField()
    name = fields.CharField(max_length=30)
    # The state that it brought.
    state = fields.CharEnumField(CaseFileState, max_length=24)
    # Sealed: what the department says to her.
    note = fields.BinaryField(null=True)
    at = fields.DatetimeField()
    due_at = fields.DatetimeField(null=True)

    class Meta:
        table = "case_step"
        constraints = (
            UniqueConstraint(fields=("case_id", "nth"), name="case_step_in_order"),
            UniqueConstraint(fields=("case_id", "department_no"), name="case_step_once"),
        )


_CASE: Final = """
    SELECT c.*, d.name AS department, coalesce(d.name_en, d.name) AS department_en, {more} s.steps
    FROM {which} JOIN sso_client d ON d.id = c.client_id CROSS JOIN LATERAL (
        SELECT json_agg(json_build_object('id', s.id, 'number', s.department_no, 'name', s.name,
            'state', s.state, 'note', encode(s.note, 'base64'), 'at', s.at, 'due_at', s.due_at)
            ORDER BY s.nth)::text AS steps
        FROM case_step s WHERE s.case_id = c.id) s
"""
# Hers, those that she handed in, and those of whoever lets her act by a code of her own: what is
# only declared of somebody shows nothing of hers.
_VISIBLE: Final = f"""
    WITH her AS (SELECT {HER_ID} AS id), consented AS (
        SELECT p.principal_id, p.shown_as,
               CASE WHEN p.principal_id IS NULL THEN left(p.id_index, 32)::uuid END AS person_key
        FROM proxy p JOIN her ON p.citizen_id = her.id
        WHERE p.state = 'active' AND p.proof = 'consent'
    ), found AS (
        SELECT id, min(shown_as) AS shown_as FROM (
            SELECT c.id, NULL AS shown_as FROM case_file c JOIN her ON c.citizen_id = her.id
            UNION ALL
            SELECT c.id, NULL FROM case_file c JOIN her ON c.acting_id = her.id
            UNION ALL
            SELECT c.id, p.shown_as FROM case_file c JOIN consented p
                ON c.citizen_id = p.principal_id
            UNION ALL
            SELECT c.id, p.shown_as FROM case_file c JOIN consented p ON c.person_key = p.person_key
        ) each GROUP BY id
    )
"""
_HERS: Final = _CASE.format(
    more="f.shown_as, c.citizen_id IS NOT DISTINCT FROM her.id AS is_hers,",
    which="found f JOIN case_file c ON c.id = f.id CROSS JOIN her",
)
_ONE: Final = _CASE.format(more="", which="case_file c")


async def of_citizen(
    citizen_id: UUID, before: UUID | None, limit: int, *, is_open: bool | None
) -> list[Any]:
    """The cases that she may see, newest first, one more than asked for where there are more."""
    return await rows(
        _VISIBLE + _HERS + " WHERE ($2::uuid IS NULL OR c.id < $2)"
        " AND ($4::bool IS NULL OR (c.ended_at IS NULL) = $4) ORDER BY c.id DESC LIMIT $3",
        citizen_id,
        before,
        limit + 1,
        is_open,
    )


async def one_of_citizen(citizen_id: UUID, no: str) -> Any | None:
    """A case that she may see, by its number or its id."""
    found = await rows(_VISIBLE + _HERS + " WHERE c.no = $2 OR c.id::text = $2", citizen_id, no)
    return found[0] if found else None


async def of_department(client_id: UUID, no: str, tx: Transaction | None = None) -> Any | None:
    """A department's case, by the number that we gave it."""
    found = await rows(_ONE + " WHERE c.client_id = $1 AND c.no = $2", client_id, no, tx=tx)
    return found[0] if found else None


async def open_case(
    tx: Transaction, client_id: UUID, number: str, facts: dict[str, Any], *, at: datetime
) -> tuple[Any, bool]:
    """Write a case down unless its department did; its row, locked, and whether it is new.

    `facts` are whose it is, `item_id` and `hall_id`. Its first step is written by `add_step`.
    """
    given = {"id": uuid7(), "opened_at": at, "client_id": client_id, "department_no": number}
    given |= facts
    places = ", ".join(f"${nth}" for nth in range(1, len(given) + 1))
    row = await tx.row(
        f"""
        INSERT INTO case_file (no, state, {", ".join(given)})
        VALUES ('C' || to_char($2::timestamptz AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD')
                || lpad(nextval('case_no')::text, 8, '0'), 'accepted', {places})
        ON CONFLICT (client_id, department_no) DO NOTHING RETURNING *
        """,
        *given.values(),
    )
    if row is not None:
        return row, True
    found = await tx.row(
        "SELECT * FROM case_file WHERE client_id = $1 AND department_no = $2 FOR UPDATE",
        client_id,
        number,
    )
    assert found is not None, "cases are never deleted"
    return found, False


async def hold(tx: Transaction, client_id: UUID, no: str) -> Any | None:
    """Lock a department's case, by the number that we gave it."""
    return await tx.row(
        "SELECT * FROM case_file WHERE client_id = $1 AND no = $2 FOR UPDATE", client_id, no
    )


async def steps_of(tx: Transaction, case_id: UUID) -> list[Any]:
    """A case's steps, in order."""
    return await tx.rows("SELECT * FROM case_step WHERE case_id = $1 ORDER BY nth", case_id)


def check_next(state: CaseFileState, to: CaseFileState) -> None:
    """Raise WrongState unless a step may bring this state next."""
    if to not in NEXT[state]:
        raise WrongState(f"{to} from {state}", state)


async def add_step(tx: Transaction, case_id: UUID, facts: dict[str, Any]) -> None:
    """Write a step down and let the case be in its state; the case is locked.

    `facts` are the columns but for `case_id`.
    """
    given = {"case_id": case_id} | facts
    places = ", ".join(f"${nth}" for nth in range(1, len(given) + 1))
    state = CaseFileState(facts["state"])
    await tx.run(
        "UPDATE case_file SET state = $2, ended_at = $3 WHERE id = $1",
        case_id,
        state.value,
        facts["at"] if state in _ENDS else None,
    )
    await tx.run(
        f"INSERT INTO case_step ({', '.join(given)}) VALUES ({places})",
        *given.values(),
    )


async def held_case(tx: Transaction, case_id: UUID, citizen_id: UUID) -> Any | None:
    """A case of hers or that she handed in, and who she is now; locked against being changed."""
    return await tx.row(
        f"""
        SELECT c.id, c.state, c.hall_id, c.item_id, her.id AS her_id
        FROM case_file c, (SELECT {HER_ID} AS id) her
        WHERE c.id = $2 AND her.id IN (c.citizen_id, c.acting_id) FOR SHARE OF c
        """,
        citizen_id,
        case_id,
    )
