"""A hall's day in quarter hours, what its staff have done, and the report as a workbook."""

import io
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from models.database import rows
from scheduler.calendar import business_day
from scheduler.pace import pace_of
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.waits.foretelling import nothing_foretold
from tests.waits.test_promises import now


@pytest.fixture
async def hall(api: Api) -> AsyncIterator[str]:
    hall = await api.quiet_hall()
    async with nothing_foretold(api, hall):
        yield hall


async def test_a_day_is_told_in_quarter_hours_beside_the_usual_one(api: Api, hall: str) -> None:
    clerk, manager = await api.clerk(hall), await api.manager(hall)
    [counter, *_] = await open_counters(clerk, hall, "E", "A")
    empty = (await manager.get(f"/halls/{hall}/report/day")).json()
    assert (empty["data"], empty["usual"], empty["usual_days"]) == ([], [], [])
    # A week ago two came and were served; today three have come, and one is served.
    for _ in range(2):
        await a_ticket(api, hall)
        await done(clerk, hall, counter, "call-next", "start", "finish")
    entry = api.services.directory.hall(hall)
    await rows(
        """
        UPDATE ticket SET day = day - 7, issued_at = issued_at - interval '7 days',
            called_at = called_at - interval '7 days', started_at = started_at - interval '7 days',
            ended_at = ended_at - interval '7 days'
        WHERE hall_id = $1
        """,
        entry.id,
    )
    try:
        for _ in range(3):
            await a_ticket(api, hall)
        api.later(minutes=2)
        await done(clerk, hall, counter, "call-next", "start", "finish")
        reply, statements = await api.statements(manager.get(f"/halls/{hall}/report/day"))
        told = reply.json()
        assert statements <= 2
        assert told["usual_days"] == [str(business_day(now(api)) - timedelta(days=7))]
        assert sum(one["issued"] for one in told["data"]) == 3
        assert sum(one["served"] for one in told["data"]) == 1
        last = told["data"][-1]
        assert last["waiting"] == 2
        assert {"line": "E", "waiting": 2} in last["lines"]
        assert max(one["counters"] for one in told["data"]) == 1
        assert [one["wait_s"] for one in told["data"] if one["wait_s"]] == [
            pytest.approx(120, abs=9)
        ]
        assert sum(one["issued"] for one in told["usual"]) == 2
        assert told["usual"][-1]["waiting"] == 0
    finally:
        await rows(
            """
            UPDATE ticket SET day = day + 7, issued_at = issued_at + interval '7 days',
                called_at = called_at + interval '7 days',
                started_at = started_at + interval '7 days', ended_at = ended_at + interval '7 days'
            WHERE hall_id = $1 AND day < $2
            """,
            entry.id,
            business_day(now(api)),
        )


async def test_clerks_are_measured_against_the_same_items(api: Api, hall: str) -> None:
    clerk, manager = await api.clerk(hall), await api.manager(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    for nth in range(5):
        await a_ticket(api, hall)
        await done(clerk, hall, counter, "call-next", "start")
        api.later(minutes=2 + nth)
        await done(clerk, hall, counter, "finish")
    await a_ticket(api, hall)
    await done(clerk, hall, counter, "call-next", "miss", "undo", "miss")
    day = business_day(now(api))
    told = (await manager.get(f"/halls/{hall}/report/clerks?from={day}&to={day}")).json()
    [row] = told["data"]
    # What was taken back did not happen; five say too little of how quick she is.
    assert (row["served"], row["called"], row["missed"], row["pace"]) == (5, 6, 1, None)
    assert row["service_s"] == pytest.approx(20 * 60, abs=20)
    assert row["usual_s"] == pytest.approx(5 * 4 * 60, abs=20)
    elsewhere = await api.manager("dg-01" if hall != "dg-01" else "dg-03")
    for who in (await api.citizen(), clerk, elsewhere):
        for what in ("clerks", "day"):
            assert code_of(await who.get(f"/halls/{hall}/report/{what}")) == (403, "not_allowed")
    wrong = await manager.get(f"/halls/{hall}/report/clerks?from={day}&to=2020-01-01")
    assert code_of(wrong) == (422, "invalid_request")
    wrong = await manager.get(f"/halls/{hall}/report/day?day=0001-01-01")
    assert wrong.status_code == 200
    assert wrong.json()["data"] == []


def test_a_pace_is_told_with_its_range_and_only_of_enough() -> None:
    assert pace_of(19, 0.1, 0.5) is None
    assert pace_of(20, None, None) is None
    usual = pace_of(100, 0.0, 0.5)
    assert usual is not None
    assert (usual.ratio, usual.low < 1 < usual.high) == (1, True)
    slower = pace_of(400, 0.2, 0.5)
    assert slower is not None
    assert slower.low > 1


async def test_the_report_comes_as_a_workbook(api: Api, hall: str) -> None:
    clerk, manager = await api.clerk(hall), await api.manager(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await a_ticket(api, hall)
    await done(clerk, hall, counter, "call-next", "start", "finish")
    day = business_day(now(api))
    reply = await manager.get(f"/halls/{hall}/report?from={day}&to={day}&format=xlsx")
    assert reply.status_code == 200, reply.text
    assert f'filename="{hall}-{day}-{day}.xlsx"' in reply.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(reply.content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        share = book.read("xl/worksheets/sheet2.xml").decode()
        words = book.read("xl/sharedStrings.xml").decode()
    assert sheet.count("<row ") == 1 + 4
    told = (await manager.get(f"/halls/{hall}/report?from={day}&to={day}")).json()["bookable"]
    assert share.count("<row ") == 1 + 1 + len(told["departments"])
    assert "told_near_within" in words
    assert "<f>" not in sheet
