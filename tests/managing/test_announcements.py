"""What a hall tells everybody on its board: made by its manager, gone when its time is over."""

import asyncio
from asyncio import gather
from datetime import datetime, timedelta
from typing import Any

import pytest

from models.database import rows
from server.live.state import BoardAnnouncement
from tests.conftest import Api, until
from tests.counters.halls import code_of
from tests.people import Person

TEXT = "15:00 系统维护约10分钟，请稍候。"


@pytest.fixture
async def hall(api: Api) -> str:
    hall = await api.quiet_hall()
    await rows("DELETE FROM announcement WHERE hall_id = $1", api.services.directory.hall(hall).id)
    return hall


def on_board(api: Api, hall: str) -> list[BoardAnnouncement]:
    return list(api.services.feed.memory.halls[hall].board.announcements)


async def announce(who: Person, hall: str, **said: Any) -> dict[str, Any]:
    reply = await who.post(f"/halls/{hall}/announcements", {"text": TEXT, **said})
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def test_an_announcement_is_on_the_board_at_once_and_off_it_when_taken_down(
    api: Api, hall: str
) -> None:
    manager = await api.manager(hall)
    made = await announce(
        manager,
        hall,
        text_en="Maintenance at 15:00",
        zone="A区",
        until="2026-11-23T16:00:00+08:00",
    )
    await until(lambda: len(on_board(api, hall)) == 1)
    board = (await api.http.get(f"/api/v1/halls/{hall}/board")).json()
    [shown] = board["announcements"]
    assert shown == {key: made[key] for key in ("id", "text", "text_en", "zone", "until")}
    assert shown["until"] == "2026-11-23T16:00:00+08:00"
    listed = (await manager.get(f"/halls/{hall}/announcements")).json()
    assert listed == {"data": [made], "next_cursor": None}
    gone = await manager.delete(f"/halls/{hall}/announcements/{made['id']}")
    assert gone.status_code == 204
    await until(lambda: on_board(api, hall) == [])
    again = await manager.delete(f"/halls/{hall}/announcements/{made['id']}")
    assert code_of(again) == (404, "not_found")
    found = await rows(
        "SELECT action FROM audit_entry WHERE subject_id = $1 ORDER BY seq", made["id"]
    )
    assert [row["action"] for row in found] == ["announcement.made", "announcement.taken_down"]


async def test_without_an_end_it_stands_to_the_end_of_the_day(api: Api, hall: str) -> None:
    manager = await api.manager(hall)
    made = await announce(manager, hall)
    assert made["until"] == "2026-11-24T00:00:00+08:00"
    api.turn_clock("2026-11-24T00:00:01+08:00")
    assert (await manager.get(f"/halls/{hall}/announcements")).json()["data"] == []


async def test_it_leaves_the_board_within_a_second_of_its_end(api: Api, hall: str) -> None:
    manager = await api.manager(hall)
    end = api.services.clock.now().replace(microsecond=0) + timedelta(seconds=4)
    await announce(manager, hall, until=end.isoformat())
    stays = await announce(manager, hall, until="2026-11-23T11:00:00+08:00")
    await until(lambda: len(on_board(api, hall)) == 2)
    await asyncio.sleep((end - api.services.clock.now()).total_seconds() - 0.2)
    assert len(on_board(api, hall)) == 2
    await until(lambda: [str(one.id) for one in on_board(api, hall)] == [stays["id"]])
    assert api.services.clock.now() < end + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/text"),
        ({"text": ""}, "/text"),
        ({"text": "   "}, "/text"),
        ({"text": "一" * 201}, "/text"),
        ({"text": "两行\n公告"}, "/text"),
        ({"text": "x\u202eevil"}, "/text"),
        ({"text": "x\u061cevil"}, "/text"),
        ({"text": "\u200b"}, "/text"),
        ({"text": "x\u0000"}, "/text"),
        ({"text": 5}, "/text"),
        ({"text": TEXT, "text_en": "x" * 401}, "/text_en"),
        ({"text": TEXT, "zone": "区" * 41}, "/zone"),
        ({"text": TEXT, "until": "2026-11-23T09:29:59+08:00"}, "/until"),
        ({"text": TEXT, "until": "2026-11-23T16:00:00"}, "/until"),
        ({"text": TEXT, "until": "2027-01-23T16:00:00+08:00"}, "/until"),
        ({"text": TEXT, "until": "soon"}, "/until"),
        ({"text": TEXT, "colour": "red"}, "/colour"),
    ],
)
async def test_what_cannot_stand_on_a_board_is_refused_by_name(
    api: Api, hall: str, body: dict[str, Any], pointer: str
) -> None:
    manager = await api.manager(hall)
    reply = await manager.post(f"/halls/{hall}/announcements", body)
    assert code_of(reply) == (422, "invalid_request"), reply.text
    assert reply.json()["errors"][0]["pointer"] == pointer
    assert (await manager.get(f"/halls/{hall}/announcements")).json()["data"] == []


async def test_no_more_stand_at_once_than_anybody_reads(api: Api, hall: str) -> None:
    manager = await api.manager(hall)
    replies = await gather(
        *(manager.post(f"/halls/{hall}/announcements", {"text": f"公告{nth}"}) for nth in range(13))
    )
    assert sorted(reply.status_code for reply in replies) == [201] * 10 + [409] * 3
    refused = next(reply for reply in replies if reply.status_code == 409)
    assert code_of(refused) == (409, "too_many_announcements")


async def test_asked_twice_with_one_key_it_stands_once(api: Api, hall: str) -> None:
    manager = await api.manager(hall)
    path, key = f"/halls/{hall}/announcements", f"announce-{datetime.now().timestamp()}"
    first = await manager.post(path, {"text": TEXT}, Idempotency_Key=key)
    second = await manager.post(path, {"text": TEXT}, Idempotency_Key=key)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    other = await manager.post(path, {"text": "别的"}, Idempotency_Key=key)
    assert code_of(other) == (422, "idempotency_key_reused")
    assert len((await manager.get(path)).json()["data"]) == 1


async def test_only_who_manages_this_hall_announces_in_it(api: Api, hall: str) -> None:
    manager, path = await api.manager(hall), f"/halls/{hall}/announcements"
    made = await announce(manager, hall)
    other = await api.quiet_hall()
    strangers = [await api.clerk(hall), await api.manager(other), await api.citizen()]
    for who in strangers:
        assert code_of(await who.post(path, {"text": TEXT})) == (403, "not_allowed")
        assert code_of(await who.delete(f"{path}/{made['id']}")) == (403, "not_allowed")
    elsewhere = await (await api.manager(other)).delete(
        f"/halls/{other}/announcements/{made['id']}"
    )
    assert code_of(elsewhere) == (404, "not_found")
    assert code_of(await manager.delete(f"{path}/nonsense")) == (404, "not_found")
    assert len((await manager.get(path)).json()["data"]) == 1
