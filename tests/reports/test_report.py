"""What a hall's manager reads of its days: what became of tickets, how long, and how true."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from models import promises
from models.database import rows
from scheduler.calendar import business_day
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.waits.foretelling import nothing_foretold
from tests.waits.test_promises import now, promised, settled


@pytest.fixture
async def hall(api: Api) -> AsyncIterator[str]:
    hall = await api.quiet_hall()
    async with nothing_foretold(api, hall):
        await rows("DELETE FROM promise WHERE hall_id = $1", api.services.directory.hall(hall).id)
        yield hall


def today(api: Api) -> date:
    return business_day(now(api))


async def report(api: Api, hall: str, query: str = "") -> dict[str, Any]:
    manager = await api.manager(hall)
    day = today(api)
    reply = await manager.get(f"/halls/{hall}/report?from={day}&to={day}{query}")
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    return told


def row_of(told: dict[str, Any], day: date | None, line: str | None) -> dict[str, Any]:
    text = day.isoformat() if day else None
    [row] = [one for one in told["data"] if (one["day"], one["line"]) == (text, line)]
    return dict(row)


async def test_a_day_without_anybody_has_no_rows(api: Api, hall: str) -> None:
    told = await report(api, hall)
    assert (told["hall"], told["data"], told["next_cursor"]) == (hall, [], None)


async def test_the_report_counts_what_became_of_everybody(api: Api, hall: str) -> None:
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E", "A")
    people = [await a_ticket(api, hall) for _ in range(5)]
    await a_ticket(api, hall, "A")
    await promises.keep([promised(api, people[0][1], 60, 600, 900)])
    api.later(minutes=5)
    await done(clerk, hall, counter, "call-next", "start")
    api.later(minutes=3)
    await done(clerk, hall, counter, "finish")
    await done(clerk, hall, counter, "call-next", "miss")
    assert (await people[2][0].post(f"/tickets/{people[2][1]['id']}/cancel")).status_code == 200
    await done(clerk, hall, counter, "call-next", "start", "park")
    api.later(minutes=30)
    await done(clerk, hall, counter, "resume", "finish")
    await settled(api, hall)
    told = await report(api, hall)
    whole = row_of(told, None, None)
    counted = ("issued", "served", "missed", "cancelled", "lapsed", "open")
    assert [whole[name] for name in counted] == [6, 2, 1, 1, 0, 2]
    line = row_of(told, today(api), "E")
    assert (line["name_en"], [line[name] for name in counted]) == ("General", [5, 2, 1, 1, 0, 1])
    # Called after 5, 8 and 8 minutes; whoever was parked was not served all that time.
    assert line["wait"]["count"] == 3
    assert line["wait"]["mean_s"] == pytest.approx(420, abs=10)
    assert line["wait"]["p50_s"] == pytest.approx(480, abs=10)
    assert line["service"]["count"] == 1
    assert line["service"]["p90_s"] == pytest.approx(180, abs=10)
    true = line["told_issue"]
    assert (true["count"], true["within"], true["live"]) == (1, 1, 1)
    assert true["error_s"] == pytest.approx(300, abs=10)
    assert line["told_near"] is None
    assert row_of(told, None, "A")["wait"] is None
    assert [one["line"] for one in told["data"]] == [None, "A", "E"] * 2


async def test_the_same_figures_come_as_a_table(api: Api, hall: str) -> None:
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await a_ticket(api, hall)
    await done(clerk, hall, counter, "call-next", "start", "finish")
    told = await report(api, hall)
    manager, day = await api.manager(hall), today(api)
    reply = await manager.get(f"/halls/{hall}/report?from={day}&to={day}&format=csv")
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert f'filename="{hall}-{day}-{day}.csv"' in reply.headers["content-disposition"]
    table = list(csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig"))))
    assert len(table) == len(told["data"])
    last, row = table[-1], told["data"][-1]
    assert (last["day"], last["line"], last["name"]) == (row["day"], "E", row["name"])
    assert (last["issued"], last["wait_count"]) == ("1", "1")
    assert last["service_mean_s"] == str(row["service"]["mean_s"])
    assert (table[0]["day"], table[0]["told_near_within"]) == ("", "")


async def test_the_last_seven_days_are_told_unless_others_are_asked_for(
    api: Api, hall: str
) -> None:
    manager = await api.manager(hall)
    told = (await manager.get(f"/halls/{hall}/report")).json()
    day = today(api)
    assert (told["from"], told["to"]) == (str(day - timedelta(days=6)), str(day))


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("from=2026-11-23&to=2026-11-22", (422, "invalid_request")),
        ("from=2026-01-01&to=2026-11-23", (422, "invalid_request")),
        ("to=0001-01-02&format=xls", (422, "invalid_request")),
        ("from=heute", (422, "invalid_request")),
        ("days=3", (422, "invalid_request")),
    ],
)
async def test_what_makes_no_sense_is_refused(
    api: Api, query: str, answer: tuple[int, str]
) -> None:
    manager = await api.manager("dg-01")
    assert code_of(await manager.get(f"/halls/dg-01/report?{query}")) == answer


async def test_the_report_is_for_those_who_manage_the_hall(api: Api) -> None:
    assert code_of(await api.http.get("/api/v1/halls/dg-01/report")) == (401, "not_signed_in")
    for who in (await api.citizen(), await api.clerk("dg-01"), await api.manager("dg-02")):
        assert code_of(await who.get("/halls/dg-01/report")) == (403, "not_allowed")
    supervisor = await api.colleague("supervisor")
    assert code_of(await supervisor.get("/halls/dg-99/report")) == (404, "not_found")
