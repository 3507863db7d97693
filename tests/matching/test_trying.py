"""Dry runs: figures and a masked sample for managers, and nothing to learn about one person."""

from datetime import date
from typing import Any

import pytest

from models.database import rows
from tests.conftest import Api
from tests.matching.people import consenting_person, known_as

TRY = "/admin/audiences/try"
OLD = {"when": "age >= 101", "reads": ["age"]}


async def test_who_it_would_concern_is_counted_masked_and_told_to_nobody(api: Api) -> None:
    people = [await consenting_person(["age"]) for _ in range(12)]
    for one in people:
        await known_as(one, born=date(1920, 1, 1))
    manager = await api.colleague("supervisor")
    [before] = await rows("SELECT count(*) AS n FROM notice")
    reply = await manager.post(TRY, OLD)
    assert reply.status_code == 200, reply.text
    found = reply.json()
    assert (found["concerned"], found["complete"], len(found["sample"])) == (10, True, 5)
    assert found["sample"][0]["because"]["en"] == "You get this because your age is at least 101."
    assert not any(str(one) in reply.text for one in people)
    [after] = await rows("SELECT count(*) AS n FROM notice")
    assert after["n"] == before["n"]
    [looked] = await rows(
        "SELECT count(*) AS n FROM audit_entry WHERE action = 'citizen.looked_at'"
        " AND subject_id = ANY($1)",
        [str(one) for one in people],
    )
    assert looked["n"] == 5


async def test_of_few_people_nothing_is_said(api: Api) -> None:
    one = await consenting_person(["age", "residence"])
    await known_as(one, born=date(1900, 1, 1), residence="dg-31")
    manager = await api.manager("dg-01")
    narrow = {"when": 'age >= 120 and residence == "dg-31"', "reads": ["age", "residence"]}
    found = (await manager.post(TRY, narrow)).json()
    assert (found["concerned"], found["sample"]) == (None, [])
    nobody = (await manager.post(TRY, narrow | {"when": "age > 300"})).json()
    assert {**nobody, "reads": 0} == {**found, "reads": 0}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"when": "age >=", "reads": ["age"]}, "invalid_request"),
        ({"when": "age > 3"}, "invalid_request"),
        ({"when": "name == 'x'", "reads": ["age"]}, "invalid_request"),
        ({"when": "__import__('os').system('x')", "reads": ["age"]}, "invalid_request"),
        ({"when": "age > 3 and " * 99 + "age > 3", "reads": ["age"]}, "invalid_request"),
        ({"when": "(" * 500 + "age" + ")" * 499, "reads": ["age"]}, "invalid_request"),
        ({"when": "9**9**9**9 > age", "reads": ["age"]}, "invalid_request"),
        ({"when": "age > 3", "reads": ["age"], "purpose": "documents"}, "invalid_request"),
        ({"when": "age > 3", "reads": ["income"]}, "invalid_request"),
        ({"when": "x" * 2001}, "invalid_request"),
        ({"when": 'done("no-such")', "reads": ["items"]}, "invalid_request"),
        ({"when": 'holds("no-such")', "reads": ["certificates"]}, "invalid_request"),
        ({"when": 'follows("no-such")', "reads": ["topics"]}, "invalid_request"),
        ({"when": 'residence == "dg-99"', "reads": ["residence"]}, "invalid_request"),
        ({"rule": "none-such"}, "rule_unknown"),
        ({}, "invalid_request"),
        ({"rule": "elder-card-60", "when": "age > 3"}, "invalid_request"),
    ],
)
async def test_what_is_no_audience_is_refused(api: Api, wrong: dict[str, Any], code: str) -> None:
    manager = await api.colleague("supervisor")
    reply = await manager.post(TRY, wrong)
    assert (reply.status_code, reply.json()["code"]) == (422, code), reply.text


async def test_an_expression_over_its_limits_is_looked_at_without_running(api: Api) -> None:
    manager = await api.colleague("supervisor")
    reply = await manager.post(TRY, {"when": "age > 3 or" * 60, "reads": ["age"]})
    [fault] = reply.json()["errors"]
    assert fault["pointer"] == "/when"


async def test_clerks_and_citizens_try_nothing(api: Api) -> None:
    for person in (await api.clerk("dg-01"), await api.citizen()):
        assert (await person.post(TRY, OLD)).status_code == 403
        assert (await person.get("/admin/audience-rules")).status_code == 403


async def test_every_rule_of_the_city_can_be_tried(api: Api) -> None:
    manager = await api.colleague("supervisor")
    listed, statements = await api.statements(manager.get("/admin/audience-rules"))
    codes = [one["code"] for one in listed.json()["data"]]
    assert (statements, len(codes) >= 40) == (0, True)
    for code in codes:
        reply = await manager.post(TRY, {"rule": code})
        assert reply.status_code == 200, reply.text
