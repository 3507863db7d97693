"""Who was served rates it once; what was bad is answered; halls see figures and no names."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.database import rows
from tests.conftest import Api
from tests.counters.halls import a_ticket, done, open_counters
from tests.people import Person


async def served(api: Api, hall: str) -> tuple[Person, dict[str, Any]]:
    """Somebody whose service is over."""
    lin, ticket = await a_ticket(api, hall)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "start", "finish")
    return lin, ticket


def rating(ticket: dict[str, Any], stars: int = 5, **more: Any) -> dict[str, Any]:
    return {"subject": "ticket", "id": ticket["id"], "stars": stars, **more}


async def test_who_was_served_rates_it_once(api: Api, hall: str) -> None:
    lin, ticket = await served(api, hall)
    said = rating(ticket, 4, tags=["耐心", "耐心"], comment=" 办得很快。 ")
    replies = await asyncio.gather(*(lin.post("/ratings", said) for _ in range(5)))
    assert sorted(one.status_code for one in replies) == [201, 409, 409, 409, 409]
    refused = next(one.json() for one in replies if one.status_code == 409)
    assert refused["code"] == "already_rated"
    [made] = [one.json() for one in replies if one.status_code == 201]
    assert (made["stars"], made["tags"], made["comment"]) == (4, ["耐心"], "办得很快。")
    assert (made["number"], made["hall"], made["answer_by"]) == (ticket["number"], hall, None)
    listed = await api.statements(lin.get("/ratings"))
    assert (listed[0].json()["data"], listed[1]) == ([made], 1)
    [row] = await rows("SELECT comment FROM rating WHERE id = $1", made["id"])
    assert "办得很快" not in bytes(row["comment"]).decode(errors="replace")


async def test_the_same_key_gets_the_first_answer(api: Api, hall: str) -> None:
    lin, ticket = await served(api, hall)
    key = uuid4().hex
    first = await lin.post("/ratings", rating(ticket), idempotency_key=key)
    again = await lin.post("/ratings", rating(ticket), idempotency_key=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()


async def test_only_who_was_served_rates_and_only_what_is_over(api: Api, hall: str) -> None:
    lin, ticket = await a_ticket(api, hall)
    early = await lin.post("/ratings", rating(ticket))
    assert (early.status_code, early.json()["code"]) == (409, "wrong_state")
    stranger = await api.citizen()
    assert (await stranger.post("/ratings", rating(ticket))).status_code == 404
    assert (await lin.post("/ratings", rating(ticket) | {"subject": "case"})).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"stars": 0},
        {"stars": 6},
        {"stars": 4.5},
        {"tags": ["x" * 21]},
        {"tags": ["a"] * 11},
        {"tags": ["\n"]},
        {"comment": "长" * 501},
        {"id": "rubbish"},
        {"subject": "hall"},
        {"more": 1},
    ],
)
async def test_what_is_no_rating_is_refused(api: Api, lin: Person, wrong: dict[str, Any]) -> None:
    body = rating({"id": str(uuid4())}) | wrong
    assert (await lin.post("/ratings", body)).status_code == 422


async def test_a_bad_one_is_answered_once_by_its_hall_and_she_reads_it(api: Api, hall: str) -> None:
    lin, ticket = await served(api, hall)
    made = (await lin.post("/ratings", rating(ticket, 1, comment="等了很久"))).json()
    assert made["answer_by"] > made["rated_at"]
    manager = await api.manager(hall)
    waiting = (await manager.get(f"/halls/{hall}/ratings/unanswered")).json()["data"]
    assert made["id"] in [one["id"] for one in waiting]
    assert "citizen_id" not in waiting[0]
    answer = f"/halls/{hall}/ratings/{made['id']}/answer"
    clerk = await api.clerk(hall)
    assert (await clerk.post(answer, {"text": "对不起"})).status_code == 403
    answered = await manager.post(answer, {"text": "对不起，已加开窗口。"})
    assert answered.status_code == 200, answered.text
    again = await manager.post(answer, {"text": "对不起"})
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_answer")
    [mine] = (await lin.get("/ratings")).json()["data"]
    assert mine["answer"] == "对不起，已加开窗口。"
    figures = (await manager.get(f"/halls/{hall}/ratings")).json()
    assert figures["count"] == sum(figures["by_stars"])
    assert figures["by_stars"][0] >= 1
    assert figures["answered"] >= 1
    other = f"/halls/dg-05/ratings/{made['id']}/answer"
    assert (await (await api.manager("dg-05")).post(other, {"text": "x"})).status_code == 404
    wrong = {"from": "2026-01-01", "to": "2026-11-23"}
    assert (await manager.get(f"/halls/{hall}/ratings", params=wrong)).status_code == 422


async def test_erased_her_stars_stay_and_name_nobody(api: Api, hall: str) -> None:
    lin, ticket = await served(api, hall)
    made = (await lin.post("/ratings", rating(ticket, 2, tags=["慢"], comment="慢"))).json()
    assert (await lin.delete("/me")).status_code == 204
    [row] = await rows("SELECT * FROM rating WHERE id = $1", UUID(made["id"]))
    assert (row["stars"], row["citizen_id"], row["comment"], row["tags"]) == (2, None, None, [])
