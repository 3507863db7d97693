"""Departments' systems open cases and tell their steps: once each, in order, nothing strange."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest_asyncio

from models.cases import MOST_STEPS, NEXT, CaseFileState
from models.database import rows
from tests.cases.systems import System, a_system, hence
from tests.conftest import Api
from tests.people import a_company_code, an_id_number


@pytest_asyncio.fixture
async def system(api: Api) -> System:
    return await a_system(api)


async def test_a_case_is_opened_once_by_the_departments_number(api: Api, system: System) -> None:
    who, other = an_id_number(), await a_system(api)
    told = {"id_number": who, "note": "已收齐材料", "due_at": hence(api, days=7)}
    replies = await asyncio.gather(*(system.opens("2026-1", **told) for _ in range(5)))
    assert {one.status_code for one in replies} == {201}, replies[0].text
    first = replies[0].json()
    assert all(one.json() == first for one in replies)
    assert (first["number"], first["state"], len(first["steps"])) == ("2026-1", "accepted", 1)
    assert who not in replies[0].text
    for change in (
        {"id_number": an_id_number()},
        {"note": "x"},
        {"name": "收件"},
        {"hall": "dg-01"},
        {"item": max(api.services.directory.items)},
    ):
        refused = await system.opens("2026-1", **(told | change))
        assert (refused.status_code, refused.json()["code"]) == (409, "case_number_reused"), change
    its_own = (await other.opens("2026-1")).json()
    assert its_own["no"] != first["no"]
    assert (await other.ask("GET", f"/cases/{first['no']}")).status_code == 404
    assert (await other.tells(first["no"], "finished")).status_code == 404


async def test_steps_are_told_once_in_order_and_by_the_machine(system: System) -> None:
    no = (await system.a_case())["no"]
    step = {"number": "s1", "name": "补正材料", "note": "请补交身份证复印件"}
    replies = await asyncio.gather(
        *(system.tells(no, "waiting_for_materials", **step) for _ in range(5))
    )
    assert {one.status_code for one in replies} == {201}, replies[0].text
    case = replies[0].json()
    assert [one["state"] for one in case["steps"]] == ["accepted", "waiting_for_materials"]
    assert case["steps"][1]["note"] == "请补交身份证复印件"
    again = await system.tells(no, "in_progress", **step)
    assert (again.status_code, again.json()["code"]) == (409, "step_number_reused")
    assert (await system.tells(no, "finished", name="发证")).json()["state"] == "finished"
    over = await system.tells(no, "in_progress")
    assert (over.status_code, over.json()["code"]) == (409, "wrong_state")
    assert over.json()["state"] == "finished"
    assert (await system.tells("C2026112399999999", "finished")).status_code == 404
    seen = (await system.ask("GET", f"/cases/{no}")).json()
    assert seen["ended_at"] == seen["steps"][-1]["at"]


async def test_two_ends_at_once_are_one(system: System) -> None:
    no = (await system.a_case())["no"]
    replies = await asyncio.gather(*(system.tells(no, "finished") for _ in range(6)))
    assert sorted(one.status_code for one in replies) == [201, 409, 409, 409, 409, 409]


def test_the_machine_is_the_one_that_is_drawn() -> None:
    ends = {CaseFileState.FINISHED, CaseFileState.REFUSED, CaseFileState.WITHDRAWN}
    assert set(NEXT) == set(CaseFileState)
    assert {state for state in NEXT if not NEXT[state]} == ends
    assert not any(CaseFileState.ACCEPTED in after for after in NEXT.values())
    assert all(ends < NEXT[state] for state in set(CaseFileState) - ends)


async def test_a_case_has_so_many_steps_and_no_more(system: System) -> None:
    no = (await system.a_case())["no"]
    await rows(
        "INSERT INTO case_step (id, case_id, nth, name, state, at)"
        " SELECT uuidv7(), c.id, n, '复核', 'in_progress', c.opened_at"
        " FROM case_file c, generate_series(2, $2::int) n WHERE c.no = $1",
        no,
        MOST_STEPS,
    )
    refused = await system.tells(no, "in_progress")
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_steps")


async def test_what_cannot_be_is_refused_field_by_field(api: Api, system: System) -> None:
    no = (await system.a_case(at=hence(api, days=-1)))["no"]
    company = a_company_code()
    for body, pointer in (
        ({"item": "nothing"}, "/item"),
        ({"hall": "dg-99"}, "/hall"),
        ({"id_number": "441900199003070017"}, "/id_number"),
        ({"id_number": an_id_number(), "sub": "x"}, "/id_number"),
        ({"sub": "nobody-of-this-name"}, "/sub"),
        ({"sub": "x", "id_type": "passport"}, "/id_type"),
        ({"uscc": company}, "/agent"),
        ({"uscc": company[:-1] + "!", "agent": {"id_number": an_id_number()}}, "/uscc"),
        ({"agent": {"id_number": "1"}}, "/agent/id_number"),
        ({"at": hence(api, hours=1)}, "/at"),
        ({"at": "1900-01-01T00:00:00+08:00"}, "/at"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "/at"),
        ({"at": "2026-11-23T00:00:00"}, "/at"),
        ({"due_at": hence(api, days=-2)}, "/due_at"),
        ({"due_at": "9999-12-31T23:59:59-12:00"}, "/due_at"),
        ({"name": "x" * 31}, "/name"),
        ({"name": "a\n"}, "/name"),
        ({"note": "长" * 501}, "/note"),
        ({"note": "\0"}, "/note"),
        ({"number": "a b"}, "/number"),
        ({"more": 1}, "/more"),
    ):
        reply = await system.opens(**({"number": uuid4().hex} | body))
        assert reply.status_code == 422, (body, reply.text)
        assert pointer in [each["pointer"] for each in reply.json()["errors"]], (body, reply.text)
    for step, pointer in (
        ({"at": hence(api, days=-2)}, "/at"),
        ({"state": "accepted"}, "/state"),
        ({"state": "finished", "due_at": hence(api, days=1)}, "/due_at"),
        ({"due_at": hence(api, days=-1)}, "/due_at"),
        ({"name": ""}, "/name"),
    ):
        reply = await system.tells(no, **({"state": "in_progress"} | step))
        assert reply.status_code == 422, (step, reply.text)
        assert pointer in [each["pointer"] for each in reply.json()["errors"]]


async def test_only_a_system_that_handles_cases_and_proves_itself_does(
    api: Api, system: System
) -> None:
    biller = await a_system(api, may_handle_cases=False, may_bill=True)
    wrong = System(api.http, system.code, "wrong", system.item)
    no = (await system.a_case())["no"]
    asked: list[tuple[str, str, Any]] = [
        ("GET", f"/cases/{no}", None),
        ("GET", "/case-ratings", None),
        ("POST", f"/cases/{no}/answer", {"text": "x"}),
    ]
    for method, path, body in asked:
        assert (await biller.ask(method, path, body)).json()["code"] == "not_allowed"
        assert (await wrong.ask(method, path, body)).json()["code"] == "not_signed_in"
    assert (await biller.opens("1")).status_code == 403
    assert (await wrong.tells(no, "finished")).status_code == 401
    citizen = await api.citizen()
    assert (await citizen.get(f"/departments/cases/{no}")).status_code == 401


async def test_statements_of_departments_routes(api: Api, system: System) -> None:
    reply, opened = await api.statements(system.opens(uuid4().hex))
    assert (reply.status_code, opened <= 11) == (201, True), opened
    no = reply.json()["no"]
    reply, told = await api.statements(system.tells(no, "in_progress"))
    assert (reply.status_code, told <= 9) == (201, True), told
    reply, seen = await api.statements(system.ask("GET", f"/cases/{no}"))
    assert (reply.status_code, seen) == (200, 2), "who asks, and the case"
