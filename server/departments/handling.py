"""Opening cases and telling their steps: each once by the department's own number."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from models import cases, sso_people
from models.audit import Detail, Entry, record
from models.cases import LONGEST, MOST_STEPS, NOTE, CaseFileState
from models.database import Transaction
from models.identifiers import IdType, NotAnIdentifier, read_uscc
from models.knowing import held_with_index
from models.proxies import USCC, person_key
from models.sealing import Sealer
from models.tickets import Actor
from scheduler.calendar import business_day
from server.again import until_done
from server.departments.case_shapes import DepartmentCase, NewCase, NewStep, department_case
from server.departments.refusals import CaseNumberReused, StepNumberReused, TooManySteps
from server.errors import FieldFault, InvalidRequest, NotFound, Sentence
from server.halls.directory import Directory
from server.identity.comers import SaysWho, read_comer
from server.identity.refusals import NOT_A_NUMBER
from server.sso.clients import Client

_ONE_OF_THREE: Sentence = (
    "id_number、sub、uscc 应填写且只填写一个。",
    "say exactly one of id_number, sub and uscc",
)
_NOT_KNOWN: Sentence = ("本市没有这一代码。", "is none of this city's codes")
_NO_SUBJECT: Sentence = ("没有以此标识授权本系统的人。", "nobody is known to this system by it")
_AGENT_WANTED: Sentence = ("企业办件应写明经办人。", "a company's case needs who handed it in")
_TYPE_OF_NOTHING: Sentence = ("没有证件号码时请不要填写。", "leave it out without an id number")
_TOO_LATE: Sentence = ("不能晚于现在。", "must not be in the future")
_TOO_EARLY: Sentence = ("早于十年前。", "is more than ten years ago")
_BEFORE_LAST: Sentence = ("早于上一步骤。", "must not be before the step before")
_DUE_BEFORE: Sentence = (
    "应晚于该步骤的时间，且在十年之内。",
    "must be after `at`, within ten years",
)
_ENDED: Sentence = ("已结束的办件没有期限。", "nothing is due once a case is over")


@dataclass(frozen=True, slots=True)
class Desk:
    """What is needed to take down what a department tells; `now` is business time."""

    client: Client
    sealer: Sealer
    directory: Directory
    now: datetime


@dataclass(frozen=True, slots=True)
class _Whose:
    """Whom a case is for and who handed it in, by blind indexes and what SSO calls her."""

    index: str | None
    company: UUID | None
    sub: str | None
    agent: str | None


async def open_case(desk: Desk, told: NewCase) -> DepartmentCase:
    """Write down that a case was accepted, once. Raises InvalidRequest or CaseNumberReused."""
    whose = _read_whose(desk, told)
    places = _read_places(desk, told)
    at = _read_times(desk, told.at, told.due_at)

    async def work(tx: Transaction) -> DepartmentCase:
        people = await _people(tx, desk.client, whose)
        facts = people | places
        row, new = await cases.open_case(tx, desk.client.id, told.number, facts, at=at)
        if new:
            first = _step(desk, told, at, told.note)
            await cases.add_step(tx, row["id"], first | {"nth": 1, "state": row["state"]})
            await _record(tx, desk.client, "case.opened", row["id"], CaseFileState.ACCEPTED)
        elif not await _is_same_case(tx, desk, row, facts, told):
            raise CaseNumberReused
        return await _shown(tx, desk, row["no"])

    return await until_done(work)


async def tell_step(desk: Desk, no: str, told: NewStep) -> DepartmentCase:
    """Write the next step down, once.

    Raises NotFound, InvalidRequest, StepNumberReused, TooManySteps, or WrongState.
    """
    to = CaseFileState(told.state)
    at = _read_times(desk, told.at, told.due_at, to)

    async def work(tx: Transaction) -> DepartmentCase:
        case = await cases.hold(tx, desk.client.id, no)
        if case is None:
            raise NotFound
        before = await cases.steps_of(tx, case["id"])
        same = [step for step in before if step["department_no"] == told.number]
        if same:
            if not _is_same_step(desk, case, same[0], told):
                raise StepNumberReused
            return await _shown(tx, desk, no)
        cases.check_next(CaseFileState(case["state"]), to)
        if len(before) >= MOST_STEPS:
            raise TooManySteps
        if at < before[-1]["at"]:
            raise InvalidRequest(errors=[FieldFault("/at", _BEFORE_LAST)])
        # Of who is erased nothing is kept in words, whenever it is told.
        step = _step(desk, told, at, None if case["erased"] else told.note)
        step |= {"nth": len(before) + 1, "state": to.value, "department_no": told.number}
        await cases.add_step(tx, case["id"], step)
        await _record(tx, desk.client, "case.step", case["id"], to)
        return await _shown(tx, desk, no)

    return await until_done(work)


def _read_whose(desk: Desk, told: NewCase) -> _Whose:
    """Whom it is for. Raises InvalidRequest that names every fault."""
    faults: list[FieldFault] = []
    if sum(one is not None for one in (told.id_number, told.sub, told.uscc)) != 1:
        faults.append(FieldFault("/id_number", _ONE_OF_THREE))
    if told.id_type is not None and told.id_number is None:
        faults.append(FieldFault("/id_type", _TYPE_OF_NOTHING))
    if told.uscc is not None and told.agent is None:
        faults.append(FieldFault("/agent", _AGENT_WANTED))
    index = _index_of(desk, told.id_number, told.id_type, "", faults)
    agent = None
    if told.agent is not None:
        by, kind = told.agent.id_number, told.agent.id_type
        agent = _index_of(desk, by, kind, "/agent", faults)
    company = None
    if told.uscc is not None:
        try:
            company = person_key(desk.sealer.blind_index(USCC, read_uscc(told.uscc)))
        except NotAnIdentifier as wrong:
            faults.append(FieldFault("/uscc", NOT_A_NUMBER[wrong.fault]))
    if faults:
        raise InvalidRequest(errors=faults)
    return _Whose(index, company, told.sub, None if agent == index else agent)


def _index_of(
    desk: Desk, number: str | None, id_type: IdType | None, where: str, faults: list[FieldFault]
) -> str | None:
    if number is None:
        return None
    try:
        document = read_comer(
            SaysWho(id_number=number, id_type=id_type), today=business_day(desk.now)
        ).document
    except InvalidRequest as wrong:
        faults += [FieldFault(where + each.pointer, each.detail) for each in wrong.errors]
        return None
    assert document is not None, "a number was given"
    return desk.sealer.blind_index(document.id_type, document.number)


def _read_places(desk: Desk, told: NewCase) -> dict[str, Any]:
    """The item and the hall. Raises InvalidRequest for one that is not this city's."""
    faults = []
    item = desk.directory.items.get(told.item)
    if item is None:
        faults.append(FieldFault("/item", _NOT_KNOWN))
    hall = desk.directory.halls.get(told.hall) if told.hall is not None else None
    if told.hall is not None and hall is None:
        faults.append(FieldFault("/hall", _NOT_KNOWN))
    if faults or item is None:
        raise InvalidRequest(errors=faults)
    return {"item_id": item.id, "hall_id": hall and hall.id}


def _read_times(
    desk: Desk,
    at: datetime | None,
    due_at: datetime | None,
    state: CaseFileState = CaseFileState.ACCEPTED,
) -> datetime:
    """When it was. Raises InvalidRequest for what cannot be, or is surely mistyped."""
    faults = []
    if at is not None and at > desk.now:
        faults.append(FieldFault("/at", _TOO_LATE))
    if at is not None and at < desk.now - LONGEST:
        faults.append(FieldFault("/at", _TOO_EARLY))
    if due_at is not None and not cases.NEXT[state]:
        faults.append(FieldFault("/due_at", _ENDED))
    elif due_at is not None and not (at or desk.now) < due_at < desk.now + LONGEST:
        faults.append(FieldFault("/due_at", _DUE_BEFORE))
    if faults:
        raise InvalidRequest(errors=faults)
    return at or desk.now


async def _people(tx: Transaction, client: Client, whose: _Whose) -> dict[str, UUID | None]:
    """Whose it is, as its columns say it; nobody comes to have these numbers, or leaves, before."""
    indexes = sorted({index for index in (whose.index, whose.agent) if index is not None})
    for index in indexes:
        await tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", index)
    held = {index: await held_with_index(tx, index) for index in indexes}
    if whose.sub is not None:
        citizen_id = await sso_people.citizen_by(tx, client.sector, whose.sub)
        if citizen_id is None:
            raise InvalidRequest(errors=[FieldFault("/sub", _NO_SUBJECT)])
    else:
        citizen_id = held.get(whose.index) if whose.index else None
    acting_id = held.get(whose.agent) if whose.agent else None
    key = whose.company
    if citizen_id is None and whose.index is not None:
        key = person_key(whose.index)
    return {
        "citizen_id": citizen_id,
        "person_key": key,
        "acting_id": None if acting_id == citizen_id else acting_id,
        "acting_key": person_key(whose.agent) if whose.agent and acting_id is None else None,
    }


async def _is_same_case(
    tx: Transaction, desk: Desk, row: Any, facts: dict[str, Any], told: NewCase
) -> bool:
    # Whose it was is not kept once she is erased, nor who handed it in.
    whose = () if row["erased"] else ("citizen_id", "person_key")
    agent = [name for name in ("acting_id", "acting_key") if row[name] is not None]
    if any(row[name] != facts[name] for name in (*whose, *agent, "item_id", "hall_id")):
        return False
    first = (await cases.steps_of(tx, row["id"]))[0]
    return _is_same_step(desk, row, first, told)


def _is_same_step(desk: Desk, case: Any, step: Any, told: NewCase | NewStep) -> bool:
    note = desk.sealer.open(step["note"], field=NOTE, owner=step["id"]) if step["note"] else None
    return (
        step["name"] == told.name
        and (not isinstance(told, NewStep) or step["state"] == told.state)
        and (case["erased"] or note == told.note)
        and step["due_at"] == told.due_at
        and (told.at is None or step["at"] == told.at)
    )


def _step(desk: Desk, told: NewCase | NewStep, at: datetime, note: str | None) -> dict[str, Any]:
    """What both the first step and any other have, as columns; the note is sealed."""
    id = uuid7()
    return {
        "id": id,
        "name": told.name,
        "note": desk.sealer.seal(note, field=NOTE, owner=id) if note else None,
        "at": at,
        "due_at": told.due_at,
    }


async def _shown(tx: Transaction, desk: Desk, no: str) -> DepartmentCase:
    row = await cases.of_department(desk.client.id, no, tx)
    assert row is not None, "its row is held"
    return department_case(row, desk.directory, desk.sealer, now=desk.now)


async def _record(
    tx: Transaction, client: Client, action: str, case_id: UUID, state: CaseFileState
) -> None:
    """Before what is answered is read; nothing is written after it."""
    actor = Actor("department", client.id)
    detail: Detail = {"client": client.code, "state": state.value}
    await record(tx, Entry(actor, action, "case", case_id, detail=detail))
