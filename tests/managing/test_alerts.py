"""A clerk's emergency call: never silent, at once with the managers, never on the board."""

import asyncio
import json
from asyncio import gather
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from models.database import rows
from tests.conftest import Api, City, until
from tests.counters.halls import code_of, done
from tests.live.sockets import a_socket, hear, hear_until, say, signed_in
from tests.people import Person, a_member_of_staff
from tests.tickets.ruling import ruled

NOTE = "有人晕倒，请叫救护车"


@pytest.fixture
async def hall(api: Api) -> str:
    hall = await api.quiet_hall()
    await rows("DELETE FROM alert WHERE hall_id = $1", api.services.directory.hall(hall).id)
    for counter in ("01", "03"):
        await done(await api.clerk(hall), hall, counter, "open")
    return hall


async def alerts_of(who: Person, hall: str, query: str = "") -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = (await who.get(f"/halls/{hall}/alerts{query}")).json()["data"]
    return data


async def test_a_call_for_help_is_on_the_managers_screen_at_once(api: Api, hall: str) -> None:
    clerk, manager = await api.clerk(hall), await api.manager(hall)
    async with a_socket(api) as socket:
        await signed_in(socket, manager)
        await say(socket, op="watch", topic=f"staff:{hall}")
        first = await hear(socket)
        assert (first["topic"], first["data"]) == (f"staff:{hall}", {"alerts": []})
        raised = await clerk.at(hall, "03", "emergency", {"note": NOTE})
        assert raised.status_code == 201, raised.text
        heard = await hear(socket)
        assert heard["data"] == {"alerts": [raised.json()]}
        assert heard["version"] > first["version"]
        assert (raised.json()["counter"], raised.json()["note"]) == ("03", NOTE)
        assert (raised.json()["calls"], raised.json()["acknowledged_at"]) == (1, None)
        alert = raised.json()["id"]
        seen = await manager.post(f"/halls/{hall}/alerts/{alert}/acknowledge")
        assert seen.status_code == 200, seen.text
        assert (seen.json()["acknowledged_by"] is not None, seen.json()["note"]) == (True, NOTE)
        assert (await hear(socket))["data"] == {"alerts": []}
    assert await alerts_of(manager, hall) == []
    assert await alerts_of(manager, hall, "?state=all") == [seen.json()]
    again = await manager.post(f"/halls/{hall}/alerts/{alert}/acknowledge")
    assert code_of(again) == (409, "wrong_state")
    found = await rows("SELECT action FROM audit_entry WHERE subject_id = $1 ORDER BY seq", alert)
    assert [row["action"] for row in found] == ["alert.raised", "alert.acknowledged"]


async def test_calling_again_is_the_same_call_and_tells_anew(api: Api, hall: str) -> None:
    clerk, manager = await api.clerk(hall), await api.manager(hall)
    async with a_socket(api) as socket:
        await signed_in(socket, manager)
        await say(socket, op="watch", topic=f"staff:{hall}")
        replies = await gather(*(clerk.at(hall, "01", "emergency") for _ in range(5)))
        assert {reply.status_code for reply in replies} == {201}
        assert len({reply.json()["id"] for reply in replies}) == 1
        await clerk.at(hall, "01", "emergency", {"note": NOTE})
        heard = await hear_until(
            socket, lambda said: any(one["calls"] == 6 for one in said["data"]["alerts"])
        )
        assert heard[-1]["data"]["alerts"][0]["note"] == NOTE
    [open_one] = await alerts_of(clerk, hall)
    await manager.post(f"/halls/{hall}/alerts/{open_one['id']}/acknowledge")
    anew = await clerk.at(hall, "01", "emergency")
    assert anew.json()["id"] != open_one["id"]


async def test_what_is_said_with_later_calls_is_added_to_the_first(api: Api, hall: str) -> None:
    clerk = await api.clerk(hall)
    for nth in range(25):
        await clerk.at(hall, "01", "emergency", {"note": f"{NOTE}{nth}"})
    last = await clerk.at(hall, "01", "emergency")
    assert last.status_code == 201, last.text
    assert (last.json()["note"], last.json()["calls"]) == (f"{NOTE}0", 26)
    assert last.json()["later_notes"] == [f"{NOTE}{nth}" for nth in range(5, 25)]
    assert await alerts_of(clerk, hall) == [last.json()]


async def test_nobody_calls_from_a_closed_counter_and_a_colleague_may_from_an_open_one(
    api: Api, hall: str
) -> None:
    clerk = await api.clerk(hall)
    colleague = await a_member_of_staff(api.http, f"clerk.{hall}.02")
    await done(clerk, hall, "01", "close")
    refused = await clerk.at(hall, "01", "emergency", {"note": NOTE, "pause": True})
    assert code_of(refused) == (409, "counter_closed")
    assert await alerts_of(clerk, hall) == []
    assert (await colleague.at(hall, "03", "emergency", {"note": NOTE})).status_code == 201


async def test_the_board_says_no_more_than_that_the_counter_pauses(api: Api, hall: str) -> None:
    clerk = await api.clerk(hall)
    board = api.services.feed.memory.halls
    await done(clerk, hall, "01", "open")
    await until(lambda: board[hall].board.counters[0].state == "open")
    await clerk.at(hall, "01", "emergency", {"note": NOTE})
    await clerk.at(hall, "02", "emergency", {"note": NOTE, "pause": True})  # it is closed
    shown = (await api.http.get(f"/api/v1/halls/{hall}/board")).text
    assert NOTE not in shown
    assert "emergency" not in shown
    await clerk.at(hall, "01", "emergency", {"pause": True})
    await until(lambda: board[hall].board.counters[0].state == "paused")
    body = (await api.http.get(f"/api/v1/halls/{hall}/board")).json()
    assert (body["counters"][0]["state"], body["counters"][0]["reason"]) == ("paused", "暂停服务")
    assert body["counters"][1]["state"] == "closed"


async def test_only_who_watches_over_the_hall_is_shown_its_calls(api: Api, hall: str) -> None:
    other = await api.quiet_hall()
    async with a_socket(api) as socket:
        await say(socket, op="watch", topic=f"staff:{hall}")
        assert (await hear(socket))["code"] == "not_signed_in"
        for who in (await api.citizen(), await api.clerk(hall), await api.manager(other)):
            await signed_in(socket, who)
            await say(socket, op="watch", topic=f"staff:{hall}")
            assert (await hear(socket))["code"] == "not_allowed"
        await signed_in(socket, await api.manager(hall))
        await say(socket, op="watch", topic="staff:dg-99")
        assert (await hear(socket))["code"] == "not_allowed"


async def test_who_signs_out_hears_of_no_call_any_more(api: Api, hall: str) -> None:
    manager = await a_member_of_staff(api.http, f"manager.{hall}")
    clerk = await api.clerk(hall)
    async with a_socket(api) as socket:
        await signed_in(socket, manager)
        await say(socket, op="watch", topic=f"staff:{hall}")
        await hear(socket)
        assert (await manager.delete("/sessions/current")).status_code == 204
        assert (await hear(socket))["type"] == "signed_out"
        await clerk.at(hall, "01", "emergency", {"note": NOTE})
        with pytest.raises(TimeoutError):
            await hear(socket, within_s=0.5)


async def test_calls_are_listed_newest_first_a_page_at_a_time(api: Api, hall: str) -> None:
    clerk, manager = await api.clerk(hall), await api.manager(hall)
    await done(clerk, hall, "02", "open")
    raised = [(await clerk.at(hall, code, "emergency")).json()["id"] for code in ("01", "02", "03")]
    page = (await manager.get(f"/halls/{hall}/alerts?limit=2")).json()
    assert [one["id"] for one in page["data"]] == raised[:0:-1]
    rest = (await manager.get(f"/halls/{hall}/alerts?cursor={page['next_cursor']}")).json()
    assert ([one["id"] for one in rest["data"]], rest["next_cursor"]) == (raised[:1], None)
    wrong = await manager.get(f"/halls/{hall}/alerts?state=loud")
    assert code_of(wrong) == (422, "invalid_request")


async def test_what_is_not_hers_to_do_is_refused(api: Api, hall: str) -> None:
    clerk, manager = await api.clerk(hall), await api.manager(hall)
    other = await api.quiet_hall()
    stranger, citizen = await api.manager(other), await api.citizen()
    alert = (await clerk.at(hall, "01", "emergency")).json()["id"]
    seeing = f"/halls/{hall}/alerts/{alert}/acknowledge"
    for who in (clerk, stranger, citizen):
        assert code_of(await who.post(seeing)) == (403, "not_allowed")
    elsewhere = await stranger.post(f"/halls/{other}/alerts/{alert}/acknowledge")
    assert code_of(elsewhere) == (404, "not_found")
    for who in (stranger, citizen):
        assert code_of(await who.at(hall, "01", "emergency")) == (403, "not_allowed")
        assert code_of(await who.get(f"/halls/{hall}/alerts")) == (403, "not_allowed")
    assert code_of(await clerk.at(hall, "99", "emergency")) == (404, "not_found")
    too_long = await clerk.at(hall, "01", "emergency", {"note": "救" * 201})
    assert code_of(too_long) == (422, "invalid_request")
    assert len(await alerts_of(manager, hall)) == 1


async def test_a_call_reaches_managers_at_every_process(city: City) -> None:
    hall = "dg-28"
    async with httpx.AsyncClient(base_url=city.url, trust_env=False, timeout=30) as http:
        clerk = await a_member_of_staff(http, f"clerk.{hall}.01")
        manager = await a_member_of_staff(http, f"manager.{hall}")
        url = city.url.replace("http", "ws") + "/api/v1/live"
        sockets = [await connect(url, proxy=None) for _ in range(12)]
        for socket in sockets:
            await signed_in(socket, manager)
            await say(socket, op="watch", topic=f"staff:{hall}")
            await hear(socket)
        await done(clerk, hall, "02", "open")
        await clerk.at(hall, "02", "emergency", {"note": NOTE})
        for socket in sockets:
            async with asyncio.timeout(1.5):
                said = json.loads(await socket.recv())
            assert said["data"]["alerts"][0]["note"] == NOTE
            await socket.close()


async def test_a_hall_decides_from_when_on_something_needs_somebody(api: Api, hall: str) -> None:
    clerk = await api.clerk(hall)
    usual = await clerk.get(f"/halls/{hall}/alert-limits")
    assert usual.json() == {"wait_s": 2700, "call_s": 300, "usual_times": 3}
    with ruled(api, hall, alert_wait_min=20, alert_call_min=2, alert_usual_times=5):
        decided = await clerk.get(f"/halls/{hall}/alert-limits")
    assert decided.json() == {"wait_s": 1200, "call_s": 120, "usual_times": 5}
    citizen = await api.citizen()
    assert code_of(await citizen.get(f"/halls/{hall}/alert-limits")) == (403, "not_allowed")
