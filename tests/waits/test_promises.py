"""What people are told about their waits is kept as it was told, and what came true is added."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models import promises
from models.database import rows
from models.promises import Basis, NewPromise, Told
from scheduler.calendar import business_day
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.people import Person
from tests.waits.foretelling import nothing_foretold

HALF_A_MINUTE = timedelta(seconds=30)


@pytest.fixture
async def hall(api: Api) -> AsyncIterator[str]:
    hall = await api.quiet_hall()
    async with nothing_foretold(api, hall):
        await rows("DELETE FROM promise WHERE hall_id = $1", api.services.directory.hall(hall).id)
        yield hall


def now(api: Api) -> datetime:
    return api.services.clock.now()


def promised(
    api: Api, ticket: dict[str, Any], *seconds: int, told: Told = Told.ISSUE, line: str = "E"
) -> NewPromise:
    entry = api.services.directory.hall(ticket["hall"])
    at = now(api)
    p10, p50, p90 = seconds or (60, 300, 900)
    return NewPromise(
        ticket_id=UUID(ticket["id"]),
        hall_id=entry.id,
        line_id=entry.lines[line].id,
        day=business_day(at),
        told=told,
        made_at=at,
        ahead=0,
        p10_s=p10,
        p50_s=p50,
        p90_s=p90,
        basis=Basis.LIVE,
    )


async def settled(api: Api, hall: str) -> int:
    """How many are settled once nothing that was done can be taken back any more."""
    entry = api.services.directory.hall(hall)
    return await promises.settle([entry.id], now=now(api) + promises.STANDS_AFTER)


async def came_true(ticket: dict[str, Any], told: Told = Told.ISSUE) -> int | None:
    [row] = await rows(
        "SELECT wait_s, settled_at FROM promise WHERE ticket_id = $1 AND told = $2",
        UUID(ticket["id"]),
        told.value,
    )
    assert row["settled_at"] is not None
    wait_s: int | None = row["wait_s"]
    return wait_s


async def a_counter(api: Api, hall: str) -> tuple[Person, str]:
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    return clerk, counter


async def test_the_wait_until_the_first_call_came_true(api: Api, hall: str) -> None:
    clerk, counter = await a_counter(api, hall)
    _, ticket = await a_ticket(api, hall)
    await promises.keep([promised(api, ticket)])
    assert await settled(api, hall) == 0
    api.later(minutes=7)
    await promises.keep([promised(api, ticket, told=Told.NEAR)])
    api.later(minutes=5)
    await done(clerk, hall, counter, "call-next", "start", "finish")
    assert await settled(api, hall) == 2
    assert await came_true(ticket) == pytest.approx(720, abs=5)
    assert await came_true(ticket, Told.NEAR) == pytest.approx(300, abs=5)
    assert await settled(api, hall) == 0


async def test_what_was_told_first_stands(api: Api, hall: str) -> None:
    _, ticket = await a_ticket(api, hall)
    first = promised(api, ticket, 1, 2, 3)
    await promises.keep([first])
    await promises.keep([promised(api, ticket, 10, 20, 30), promised(api, ticket, told=Told.NEAR)])
    told = await rows(
        "SELECT told, p50_s FROM promise WHERE ticket_id = $1 ORDER BY told", UUID(ticket["id"])
    )
    assert [tuple(row) for row in told] == [("issue", 2), ("near", 300)]


async def test_who_left_or_let_others_pass_was_told_nothing_that_can_come_true(
    api: Api, hall: str
) -> None:
    leaving, gone = await a_ticket(api, hall)
    patient, passed = await a_ticket(api, hall)
    await a_ticket(api, hall)
    await promises.keep([promised(api, gone), promised(api, passed)])
    assert (await leaving.post(f"/tickets/{gone['id']}/cancel")).status_code == 200
    reply = await patient.post(f"/tickets/{passed['id']}/let-pass", {"people": 1})
    assert reply.status_code == 200, reply.text
    assert await settled(api, hall) == 2
    assert (await came_true(gone), await came_true(passed)) == (None, None)


async def test_a_call_that_is_taken_back_was_none(api: Api, hall: str) -> None:
    clerk, counter = await a_counter(api, hall)
    _, ticket = await a_ticket(api, hall)
    await promises.keep([promised(api, ticket)])
    api.later(minutes=1)
    await done(clerk, hall, counter, "call-next", "undo")
    assert await settled(api, hall) == 0
    api.later(minutes=2)
    await done(clerk, hall, counter, "call-next")
    assert await settled(api, hall) == 1
    assert await came_true(ticket) == pytest.approx(180, abs=5)


async def test_a_call_that_may_still_be_taken_back_settles_nothing(api: Api, hall: str) -> None:
    clerk, counter = await a_counter(api, hall)
    _, ticket = await a_ticket(api, hall)
    await promises.keep([promised(api, ticket)])
    await done(clerk, hall, counter, "call-next")
    entry = api.services.directory.hall(hall)
    assert await promises.settle([entry.id], now=now(api) + HALF_A_MINUTE) == 0
    assert await settled(api, hall) == 1


async def test_everybody_may_see_how_true_the_told_waits_were(api: Api, hall: str) -> None:
    clerk, counter = await a_counter(api, hall)
    tickets = [(await a_ticket(api, hall))[1] for _ in range(4)]
    ranges = [(60, 300, 900), (60, 400, 900), (400, 500, 900), (10, 20, 30)]
    await promises.keep(
        [promised(api, each, *range_) for each, range_ in zip(tickets, ranges, strict=True)]
    )
    api.later(minutes=5)
    for _ in tickets:
        await done(clerk, hall, counter, "call-next", "start", "finish")
    await settled(api, hall)
    today = business_day(now(api)).isoformat()
    api.app.ctx.accuracies.forget()
    reply = await api.http.get(f"/api/v1/halls/{hall}/accuracy?from={today}&to={today}")
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert (told["hall"], told["from"], told["to"]) == (hall, today, today)
    whole, line = told["data"]
    assert (whole["line"], line["line"], line["name_en"]) == (None, "E", "General")
    for row in (whole, line):
        assert (row["told"], row["tickets"], row["live"]) == ("issue", 4, 1)
        assert row["error_s"] == pytest.approx((0 + 100 + 200 + 280) / 4, abs=5)
        assert row["bias_s"] == pytest.approx((0 + 100 + 200 - 280) / 4, abs=5)
        assert (row["within"], row["sooner"], row["later"]) == (0.5, 0.25, 0.25)


async def test_phones_that_repeat_the_question_do_not_reach_the_database(
    api: Api, hall: str
) -> None:
    path = f"/api/v1/halls/{hall}/accuracy"
    api.app.ctx.accuracies.forget()
    assert (await api.http.get(path)).json()["data"] == []
    reply, statements = await api.statements(api.http.get(path))
    assert (reply.status_code, statements) == (200, 0)


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("from=2026-11-23&to=2026-11-22", (422, "invalid_request")),
        ("from=2026-01-01&to=2026-11-23", (422, "invalid_request")),
        ("from=heute", (422, "invalid_request")),
        ("days=3", (422, "invalid_request")),
    ],
)
async def test_days_that_make_no_sense_are_refused(
    api: Api, query: str, answer: tuple[int, str]
) -> None:
    assert code_of(await api.http.get(f"/api/v1/halls/dg-01/accuracy?{query}")) == answer


async def test_the_first_days_of_the_calendar_are_days_like_others(api: Api) -> None:
    reply = await api.http.get("/api/v1/halls/dg-01/accuracy?to=0001-01-02")
    assert (reply.status_code, reply.json()["from"]) == (200, "0001-01-01")
