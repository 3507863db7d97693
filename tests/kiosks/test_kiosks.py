"""Kiosks: who makes them, what they may do, and that they are nothing once revoked."""

import asyncio
import json
from uuid import UUID

import pytest
from websockets.asyncio.client import connect

from models.database import rows
from server.auth import Tokens
from server.http.limits import Limits, Rate
from server.sessions.tokens import ended_recently
from tests.city.test_revocation import a_connection_to_each
from tests.conftest import Api, City
from tests.counters.halls import code_of
from tests.kiosks.machines import a_kiosk, a_manager, give, given
from tests.people import Person, a_member_of_staff


@pytest.fixture
async def manager(api: Api, hall: str) -> Person:
    return await a_manager(api, hall)


async def test_a_manager_makes_a_kiosk_whose_token_is_told_once(hall: str, manager: Person) -> None:
    made = await manager.post(f"/halls/{hall}/kiosks", {"name": "  大堂  1 号机 "})
    assert made.status_code == 201, made.text
    kiosk, token = made.json()["kiosk"], made.json()["token"]
    assert (kiosk["name"], kiosk["hall"], kiosk["last_seen_at"]) == ("大堂 1 号机", hall, None)
    listed = (await manager.get(f"/halls/{hall}/kiosks")).json()["data"]
    assert listed[0] == kiosk
    [stored] = await rows("SELECT * FROM kiosk WHERE id = $1", kiosk["id"])
    assert token not in repr(stored)
    again = await manager.post(f"/halls/{hall}/kiosks", {"name": "大堂 1 号机"})
    assert code_of(again) == (409, "kiosk_name_taken")


async def test_who_makes_and_revokes_a_kiosk_is_in_the_audit_log(
    api: Api, hall: str, manager: Person
) -> None:
    kiosk = await a_kiosk(api, hall)
    path = f"/halls/{hall}/kiosks/{kiosk.session['id']}"
    assert (await manager.delete(path)).status_code == 204
    assert code_of(await manager.delete(path)) == (404, "not_found")
    entries = await rows(
        "SELECT action, actor_kind FROM audit_entry WHERE subject_id = $1 ORDER BY seq",
        kiosk.session["id"],
    )
    assert [tuple(entry) for entry in entries] == [
        ("kiosk.made", "staff"),
        ("kiosk.revoked", "staff"),
    ]


async def test_kiosks_are_listed_a_page_at_a_time_newest_first(
    api: Api, hall: str, manager: Person
) -> None:
    made = [(await a_kiosk(api, hall)).session["id"] for _ in range(3)]
    first = (await manager.get(f"/halls/{hall}/kiosks?limit=2")).json()
    assert [one["id"] for one in first["data"]] == made[:0:-1]
    rest = (await manager.get(f"/halls/{hall}/kiosks?cursor={first['next_cursor']}")).json()
    assert rest["data"][0]["id"] == made[0]


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "   "}, {"name": "长" * 41}, {"n": 1}])
async def test_a_kiosk_needs_a_name(hall: str, manager: Person, body: dict[str, object]) -> None:
    assert code_of(await manager.post(f"/halls/{hall}/kiosks", body)) == (422, "invalid_request")


async def test_only_the_halls_own_manager_makes_kiosks(
    api: Api, hall: str, manager: Person
) -> None:
    body, clerk = {"name": "甲"}, await api.clerk(hall)
    other = await api.quiet_hall()
    kiosk, lin = await a_kiosk(api, hall), await api.citizen()
    for who in (clerk, lin, kiosk):
        assert code_of(await who.post(f"/halls/{hall}/kiosks", body)) == (403, "not_allowed")
        assert code_of(await who.get(f"/halls/{hall}/kiosks")) == (403, "not_allowed")
    assert code_of(await manager.post(f"/halls/{other}/kiosks", body)) == (403, "not_allowed")
    theirs = f"/halls/{other}/kiosks/{kiosk.session['id']}"
    assert (await (await a_manager(api, other)).delete(theirs)).status_code == 404
    assert (await give(kiosk, hall, api.item(hall, "E"))).status_code == 201


async def test_a_kiosk_gives_out_numbers_of_its_hall_and_may_do_nothing_else(
    api: Api, hall: str
) -> None:
    kiosk, item = await a_kiosk(api, hall), api.item(hall, "E")
    ticket = await given(kiosk, hall, item)
    assert (ticket["number"], ticket["state"]) == ("E001", "waiting")
    other = await api.quiet_hall()
    assert code_of(await give(kiosk, other, item)) == (403, "not_allowed")
    refused = [
        await kiosk.post("/tickets", {"hall": hall, "item": item}),
        await kiosk.get("/tickets"),
        await kiosk.get(f"/tickets/{ticket['id']}"),
        await kiosk.post(f"/tickets/{ticket['id']}/cancel"),
        await kiosk.get("/me"),
        await kiosk.get("/me/devices"),
        await kiosk.get("/staff/me"),
        await kiosk.delete("/sessions/current"),
        await kiosk.get(f"/halls/{hall}/counters"),
        await kiosk.at(hall, "01", "call-next"),
        await kiosk.post(f"/halls/{hall}/tickets/{ticket['number']}/confirm-priority"),
        await kiosk.get("/admin/staff"),
    ]
    assert {code_of(reply) for reply in refused} == {(403, "not_allowed")}
    assert (await kiosk.get(f"/halls/{hall}/board")).status_code == 200
    events = await rows(
        "SELECT actor_kind, actor_id FROM ticket_event WHERE ticket_id = $1", ticket["id"]
    )
    assert [tuple(event) for event in events] == [("kiosk", UUID(kiosk.session["id"]))]


async def test_a_kiosk_does_not_sign_in_on_the_socket(api: Api, hall: str) -> None:
    kiosk = await a_kiosk(api, hall)
    await given(kiosk, hall, api.item(hall, "E"))
    async with connect(api.url.replace("http", "ws") + "/api/v1/live") as socket:
        await socket.send(json.dumps({"op": "sign_in", "token": kiosk.token}))
        assert '"not_allowed"' in str(await asyncio.wait_for(socket.recv(), 5))


async def test_a_token_that_is_none_is_refused(api: Api, hall: str) -> None:
    item = api.item(hall, "E")
    for token in ("kiosk_", "kiosk_" + "x" * 43, "kiosk_" + "x" * 400, "kiosk_ä"):
        nobody = [(b"Authorization", f"Bearer {token}".encode())]
        reply = await api.http.post(
            f"/api/v1/halls/{hall}/tickets", json={"item": item}, headers=nobody
        )
        assert code_of(reply) == (401, "not_signed_in")


async def test_a_revoked_kiosk_is_refused_at_once(api: Api, hall: str, manager: Person) -> None:
    kiosk, item = await a_kiosk(api, hall), api.item(hall, "E")
    await given(kiosk, hall, item)
    assert (await manager.delete(f"/halls/{hall}/kiosks/{kiosk.session['id']}")).status_code == 204
    assert code_of(await give(kiosk, hall, item)) == (401, "not_signed_in")
    left = (await manager.get(f"/halls/{hall}/kiosks")).json()["data"]
    assert kiosk.session["id"] not in {one["id"] for one in left}


async def test_whoever_heard_no_word_finds_in_the_database_that_it_is_revoked(
    api: Api, hall: str, manager: Person
) -> None:
    kiosk = await a_kiosk(api, hall)
    await manager.delete(f"/halls/{hall}/kiosks/{kiosk.session['id']}")
    assert UUID(kiosk.session["id"]) in await ended_recently()


async def test_what_was_looked_up_before_it_ended_is_not_remembered_after(
    api: Api, hall: str
) -> None:
    kiosk = await a_kiosk(api, hall)
    await given(kiosk, hall, api.item(hall, "E"))
    tokens = api.services.tokens
    who = tokens.read(kiosk.token)
    tokens.end(who.sign_in_id)
    tokens.learn(kiosk.token, who, for_s=60)
    assert code_of(await give(kiosk, hall, api.item(hall, "E"))) == (401, "not_signed_in")


async def test_a_token_learned_is_known_for_so_long(
    api: Api, hall: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens: Tokens = api.services.tokens
    kiosk = await a_kiosk(api, hall)
    assert not tokens.knows(kiosk.token)
    await given(kiosk, hall, api.item(hall, "E"))
    assert tokens.knows(kiosk.token)
    first = (await rows("SELECT last_seen_at FROM kiosk WHERE id = $1", kiosk.session["id"]))[0][0]
    monkeypatch.setattr("server.auth.time.time", lambda: first.timestamp() + 61)
    assert not tokens.knows(kiosk.token)
    await given(kiosk, hall, api.item(hall, "E"))
    [seen] = await rows("SELECT last_seen_at FROM kiosk WHERE id = $1", kiosk.session["id"])
    assert seen["last_seen_at"] > first


async def test_a_kiosk_has_a_limit_of_its_own(
    api: Api, hall: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiosk, other = await a_kiosk(api, hall), await a_kiosk(api, hall)
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    monkeypatch.setattr("server.http.endpoint.KIOSK", Rate(f"kiosk-{hall}", 3, 3600))
    monkeypatch.setattr("server.http.endpoint.PERSON", Rate(f"person-{hall}", 1, 3600))
    replies = [await give(kiosk, hall, api.item(hall, "E")) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [201, 201, 201, 429]
    assert (await give(other, hall, api.item(hall, "E"))).status_code == 201


async def test_over_two_processes_a_kiosk_works_at_once_and_is_refused_at_once(
    city: City,
) -> None:
    async with a_connection_to_each(city) as clients:
        manager = await a_member_of_staff(clients[0], "manager.dg-05")
        halls = clients[0]
        items = await halls.get("/api/v1/items", params={"hall": "dg-05", "limit": 100})
        item = next(one["code"] for one in items.json()["data"] if one["level_required"] < 2)
        for nth in range(10):
            made = await manager.post("/halls/dg-05/kiosks", {"name": f"{nth}"})
            kiosk = [Person(client, made.json()["token"], {}) for client in clients]
            assert [(await give(one, "dg-05", item)).status_code for one in kiosk] == [201, 201]
            await manager.delete(f"/halls/dg-05/kiosks/{made.json()['kiosk']['id']}")
            # The process that was told, at once; the other as soon as it hears.
            assert (await give(kiosk[0], "dg-05", item)).status_code == 401
            await asyncio.sleep(0.1)
            assert (await give(kiosk[1], "dg-05", item)).status_code == 401
