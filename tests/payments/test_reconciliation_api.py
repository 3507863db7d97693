"""Differences over HTTP: who answers for the city's money lists them, notes, and closes them."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from models.database import rows
from tests.payments.counter import Counter
from tests.payments.reconciled import a_stranger, plant, reconciled
from tests.people import Person


async def a_case(counter: Counter, finance: Person) -> tuple[UUID, dict[str, Any]]:
    """The run and the one difference of a payment that nobody knows of here."""
    number = a_stranger()
    await plant(counter, {"kind": "extra", "number": number, "fen": 4242})
    done = await reconciled(counter)
    listed = await finance.get("/reconciliation-cases?state=open&kind=missing_here&limit=100")
    assert listed.status_code == 200, listed.text
    (found,) = [one for one in listed.json()["data"] if one["number"] == number]
    assert done.run_id is not None
    return done.run_id, found


async def test_a_run_adds_up_and_lists_its_differences(counter: Counter) -> None:
    finance = await counter.api.colleague("supervisor")
    run_id, case = await a_case(counter, finance)
    assert (case["run"], case["theirs_fen"], case["ours_fen"]) == (str(run_id), 4242, None)
    run = (await finance.get(f"/reconciliations/{run_id}")).json()
    listed = (await finance.get(f"/reconciliations?day={run['day']}&channel=wechat")).json()
    assert run in listed["data"]
    apart = sum(
        one["open"] + one["waiting"] + one["closed"]
        for one in run["differences"]
        if one["kind"] != "missing_there"
    )
    assert run["lines"] == run["matched"] + apart
    page = (await finance.get(f"/reconciliations/{run_id}/differences?limit=1")).json()
    assert len(page["data"]) == 1
    assert (await finance.get(f"/reconciliations/{uuid4()}")).status_code == 404
    assert (await finance.get(f"/reconciliations/{uuid4()}/differences")).status_code == 404


async def test_a_person_notes_and_closes_a_difference_for_good(counter: Counter) -> None:
    finance = await counter.api.colleague("supervisor")
    _, case = await a_case(counter, finance)
    path = f"/reconciliation-cases/{case['id']}"
    for _ in range(2):
        noted = await finance.post(f"{path}/notes", {"text": "已致电渠道"}, Idempotency_Key="once")
        assert noted.status_code == 201, noted.text
    assert [note["text"] for note in noted.json()["notes"]] == ["已致电渠道"]
    closed = await finance.post(f"{path}/close", {"reason": "not_ours", "note": "渠道确认"})
    assert closed.status_code == 200, closed.text
    assert (closed.json()["state"], len(closed.json()["notes"])) == ("closed", 2)
    again = await finance.post(f"{path}/close", {"reason": "explained"})
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    await reconciled(counter)
    after = (await finance.get(path)).json()
    assert (after["state"], after["reason"]) == ("closed", "not_ours"), "it stays closed"
    audited = await rows(
        "SELECT action FROM audit_entry WHERE subject_id = $1 ORDER BY seq", case["id"]
    )
    assert [row["action"] for row in audited] == [
        "reconciliation_case.noted",
        "reconciliation_case.closed",
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reason": "whatever"}, "/reason"),
        ({}, "/reason"),
        ({"reason": "explained", "note": ""}, "/note"),
        ({"reason": "explained", "more": 1}, "/more"),
    ],
)
async def test_a_wrong_closing_is_refused(
    counter: Counter, body: dict[str, Any], pointer: str
) -> None:
    finance = await counter.api.colleague("supervisor")
    reply = await finance.post(f"/reconciliation-cases/{uuid4()}/close", body)
    assert reply.status_code == 422, reply.text
    assert pointer in [each["pointer"] for each in reply.json()["errors"]]
    nobody = await finance.post(f"/reconciliation-cases/{uuid4()}/close", {"reason": "explained"})
    assert nobody.status_code == 404


async def test_only_who_belongs_to_every_hall_sees_the_citys_money(counter: Counter) -> None:
    clerk = await counter.api.clerk(counter.hall)
    manager = await counter.api.manager(counter.hall)
    for who in (clerk, manager):
        assert (await who.get("/reconciliations")).status_code == 403
        assert (await who.get("/reconciliation-cases")).status_code == 403
    assert (await counter.api.http.get("/api/v1/reconciliation-cases")).status_code == 401
