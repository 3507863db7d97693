"""One hall: its detail, its lines, its board, its hours."""

from datetime import date, datetime
from typing import Any

import httpx
import pytest

from tests.conftest import Api, until


async def get(api: Api, path: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.http.get(f"/api/v1{path}", headers=named)


async def days(api: Api, hall: str, first: str, last: str) -> dict[str, dict[str, Any]]:
    reply = await get(api, f"/halls/{hall}/hours?from={first}&to={last}")
    assert reply.status_code == 200, reply.text
    return {day["date"]: day for day in reply.json()["data"]}


def hours(day: dict[str, Any]) -> list[tuple[str, str]]:
    return [(span["start"][11:16], span["end"][11:16]) for span in day["open"]]


async def test_the_detail_tells_all_about_a_hall(api: Api) -> None:
    detail = (await get(api, "/halls/dg-01")).json()
    entry = api.services.directory.hall("dg-01")
    assert detail["code"] == "dg-01"
    assert (detail["name"], detail["name_en"]) == (entry.name, entry.name_en)
    assert detail["open"] is True
    assert (detail["opens_at"], detail["closes_at"]) == (None, "2026-11-23T12:00:00+08:00")
    assert detail["place"] == {"lat": entry.place.lat, "lng": entry.place.lng, "datum": "wgs84"}  # type: ignore[union-attr]
    assert detail["items"] == sorted(entry.offers)
    assert isinstance(detail["waiting"], int)
    assert datetime.fromisoformat(detail["as_of"]).utcoffset() is not None


async def test_a_closed_hall_says_when_it_opens(api: Api) -> None:
    api.turn_clock("2026-11-23T12:30:00+08:00")
    detail = (await get(api, "/halls/dg-01")).json()
    assert (detail["open"], detail["closes_at"]) == (False, None)
    assert detail["opens_at"] == "2026-11-23T14:00:00+08:00"
    api.turn_clock("2026-11-27T19:00:00+08:00")
    friday_night = (await get(api, "/halls/dg-04")).json()
    assert friday_night["opens_at"] == "2026-11-30T09:00:00+08:00"


async def test_a_hall_is_found_however_its_code_is_written_in_an_address(api: Api) -> None:
    assert (await get(api, "/halls/%64g-01")).json()["code"] == "dg-01"
    assert (await get(api, "/halls/dg%2D01/board")).json()["hall"] == "dg-01"


@pytest.mark.parametrize("part", ["", "/lines", "/hours", "/board"])
@pytest.mark.parametrize("hall", ["dg-99", "DG-01", "%00", "..", "dg-01%20", "大厅"])
async def test_a_hall_that_is_none_is_not_found(api: Api, hall: str, part: str) -> None:
    reply = await get(api, f"/halls/{hall}{part}")
    if hall == "..":  # the client resolves it: another address
        assert reply.status_code == 404
        return
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


async def test_a_week_from_today_unless_asked_otherwise(api: Api) -> None:
    reply = (await get(api, "/halls/dg-04/hours")).json()
    assert [day["date"] for day in reply["data"]] == [f"2026-11-{day}" for day in range(23, 30)]
    monday, saturday = reply["data"][0], reply["data"][5]
    assert (monday["kind"], hours(monday)) == ("working", [("09:00", "12:00"), ("14:00", "17:00")])
    assert (saturday["kind"], hours(saturday)) == ("weekend", [])
    assert monday["open"][0]["start"] == "2026-11-23T09:00:00+08:00"


async def test_a_national_holiday_is_closed_everywhere(api: Api) -> None:
    for hall in ("dg-00", "dg-01", "dg-33"):
        national_day = (await days(api, hall, "2026-10-01", "2026-10-01"))["2026-10-01"]
        assert (national_day["kind"], national_day["open"]) == ("holiday", [])
        assert national_day["name"] == "国庆节"
        assert national_day["name_en"] == "National Day"
        assert national_day["calendar_known"] is True


async def test_a_make_up_saturday_is_worked_like_the_day_it_makes_up(api: Api) -> None:
    made_up = (await days(api, "dg-03", "2026-10-10", "2026-10-10"))["2026-10-10"]
    assert date(2026, 10, 10).weekday() == 5
    assert made_up["kind"] == "makeup"
    assert hours(made_up) == [("09:00", "12:00"), ("14:00", "17:00")]
    city_hall = await days(api, "dg-00", "2026-10-10", "2026-10-17")
    assert hours(city_hall["2026-10-10"]) == [("09:00", "17:00")]
    assert hours(city_hall["2026-10-17"]) == [("09:00", "12:00")]


async def test_a_halls_own_days_come_before_the_week(api: Api) -> None:
    moving = (await days(api, "dg-10", "2026-12-10", "2026-12-10"))["2026-12-10"]
    assert (moving["kind"], moving["open"]) == ("special", [])
    assert moving["name"] == "大厅搬迁新址，暂停服务"
    sunday = (await days(api, "dg-23", "2026-12-20", "2026-12-20"))["2026-12-20"]
    assert hours(sunday) == [("09:00", "12:00")]


async def test_a_year_nobody_has_published_is_marked(api: Api) -> None:
    far = (await days(api, "dg-01", "2040-10-01", "2040-10-01"))["2040-10-01"]
    assert far["calendar_known"] is False
    assert (far["kind"], far["name"], far["open"]) == ("holiday", "国庆节", [])


async def test_ninety_two_days_at_most(api: Api) -> None:
    assert len(await days(api, "dg-01", "2026-01-01", "2026-04-02")) == 92
    too_many = await get(api, "/halls/dg-01/hours?from=2026-01-01&to=2026-04-03")
    assert too_many.json()["errors"][0]["pointer"] == "/to"


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-10-02&to=2026-10-01",
        "from=2026-13-01",
        "from=2026-02-29",
        "from=tomorrow",
        "from=20261001",
        "to=2020-01-01",
        "start=2026-10-01",
        "from=0001-01-01&to=9999-12-31",
        "from=10000-01-01",
        "to=",
        "from=",
        "from=null",
        "from=2026-10-01&from=2026-10-02",
        "from=2026-10-01%00",
    ],
)
async def test_impossible_days_are_refused(api: Api, query: str) -> None:
    reply = await get(api, f"/halls/dg-01/hours?{query}")
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
async def test_the_first_and_the_last_day_can_be_asked_for(api: Api, day: str) -> None:
    assert len(await days(api, "dg-01", day, day)) == 1


@pytest.mark.parametrize("query", ["from=9999-12-30", "from=0001-01-01"])
async def test_a_week_at_the_edge_of_the_calendar_is_no_fault(api: Api, query: str) -> None:
    assert (await get(api, f"/halls/dg-01/hours?{query}")).status_code in (200, 422)


async def lines_and_board(api: Api, hall: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both of one version: waits are foretold anew now and then."""
    while True:
        lines = (await get(api, f"/halls/{hall}/lines")).json()
        board = (await get(api, f"/halls/{hall}/board")).json()
        if lines["version"] == board["version"]:
            return lines, board


async def test_lines_and_board_agree(api: Api) -> None:
    hall = await api.quiet_hall()
    await (await api.citizen()).take(hall, api.item(hall, "E"))
    await until(lambda: api.services.feed.memory.halls[hall].waiting == 1)
    lines, board = await lines_and_board(api, hall)
    assert lines["as_of"] == board["as_of"]
    assert lines["data"] == board["lines"]
    by_code = {line["code"]: line for line in lines["data"]}
    assert set(by_code) == set(api.services.directory.hall(hall).lines)
    assert by_code["E"]["waiting"] == 1
    assert by_code["E"]["state"] == "open"
    assert (await get(api, f"/halls/{hall}")).json()["waiting"] == 1


async def test_the_board_has_its_shape_and_no_names(api: Api) -> None:
    board = (await get(api, "/halls/dg-01/board")).json()
    assert {"version", "as_of", "counters", "called", "lines", "hall", "name"} <= set(board)
    assert board["hall"] == "dg-01"
    assert isinstance(board["version"], int)
    assert 0 < board["version"] < 2**53
    for counter in board["counters"]:
        assert {"code", "state", "number"} <= set(counter)
    assert [counter["code"] for counter in board["counters"]] == sorted(
        counter["code"] for counter in board["counters"]
    )


async def test_a_board_that_has_not_changed_is_not_sent_again(api: Api) -> None:
    first = await get(api, "/halls/dg-02/board")
    etag = first.headers["etag"]
    again = await get(api, "/halls/dg-02/board", If_None_Match=etag)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag
    other = await get(api, "/halls/dg-02/board", If_None_Match='W/"1"')
    assert (other.status_code, other.json()) == (200, first.json())
    among = await get(api, "/halls/dg-02/board", If_None_Match=f'W/"1", {etag}')
    assert among.status_code in (200, 304)


async def test_a_board_that_has_changed_is_sent(api: Api) -> None:
    hall = await api.quiet_hall()
    etag = (await get(api, f"/halls/{hall}/board")).headers["etag"]
    await (await api.citizen()).take(hall, api.item(hall, "E"))
    await until(lambda: api.services.feed.memory.halls[hall].etag != etag)
    reply = await get(api, f"/halls/{hall}/board", If_None_Match=etag)
    assert reply.status_code == 200
    assert reply.headers["etag"] != etag


async def test_a_hall_whose_state_is_not_known_yet_is_briefly_unavailable(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {code: kept for code, kept in api.services.feed.memory.halls.items() if code != "dg-05"}
    monkeypatch.setattr(api.services.feed.memory, "halls", known)
    for part in ("board", "lines"):
        reply = await get(api, f"/halls/dg-05/{part}")
        assert (reply.status_code, reply.json()["code"]) == (503, "unavailable")
        assert reply.headers["retry-after"] == "1"
    detail = (await get(api, "/halls/dg-05")).json()
    assert (detail["waiting"], detail["as_of"]) == (None, None)


@pytest.mark.parametrize(
    "path",
    [
        "/halls",
        "/halls?lat=22.8&lng=113.7&item=social-card-renewal&open_now=true",
        "/halls/dg-01",
        "/halls/dg-01/lines",
        "/halls/dg-01/hours",
        "/halls/dg-01/board",
        "/items",
        "/items/social-card-renewal",
    ],
)
async def test_looking_costs_the_database_nothing(api: Api, path: str) -> None:
    spent = []
    for _ in range(5):  # the projector shares the count: the least is ours
        reply, statements = await api.statements(get(api, path))
        assert reply.status_code == 200
        spent.append(statements)
    assert min(spent) == 0
