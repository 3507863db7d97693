"""Taking a number for somebody else: whose it is, who sees it, what is recorded."""

import json
from asyncio import gather
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest
from websockets.asyncio.client import connect

from models.database import rows
from tests.conftest import Api, until
from tests.identity.families import (
    CHILD_BORN,
    a_child_of,
    a_company_of,
    a_named_citizen,
    acting_with_consent,
    add,
    family,
    with_a_phone,
)
from tests.identity.people import a_persona, real_name, through
from tests.people import Person, a_company_code, an_id_number


@pytest.fixture
async def lin(api: Api) -> Person:
    return await a_named_citizen(api)


async def take_for(who: Person, proxy: dict[str, Any], hall: str, item: str) -> httpx.Response:
    return await who.take(hall, item, **{"for": proxy["id"]})


async def test_a_mother_takes_a_number_for_herself_and_one_for_her_child(
    api: Api, hall: str, lin: Person
) -> None:
    item, child = api.item(hall, "E"), await a_child_of(lin)
    hers = (await lin.take(hall, item)).json()
    reply = await take_for(lin, child, hall, item)
    assert reply.status_code == 201, reply.text
    assert reply.json()["for"] == {"id": child["id"], "name": "林**", "relation": "child"}
    assert hers["for"] is None
    listed = (await lin.get("/tickets")).json()["data"]
    assert [ticket["number"] for ticket in listed] == ["E002", "E001"]
    assert listed[0]["for"] == reply.json()["for"]
    again = await take_for(lin, child, hall, item)
    assert (again.status_code, again.json()["code"]) == (409, "already_in_line")


async def test_two_who_act_for_one_child_take_one_number(api: Api, hall: str, lin: Person) -> None:
    number, father = an_id_number(CHILD_BORN), await a_named_citizen(api, "陈明")
    by_mother, by_father = await a_child_of(lin, number), await a_child_of(father, number)
    for nth in range(3):
        item = api.item(hall, "E", nth=nth)
        replies = await gather(
            take_for(lin, by_mother, hall, item), take_for(father, by_father, "dg-00", item)
        )
        assert sorted(reply.status_code for reply in replies) == [201, 409]
        [refused] = [reply.json() for reply in replies if reply.status_code == 409]
        assert refused["code"] == "already_in_line"


async def test_who_has_an_account_holds_one_number_whoever_takes_it(
    api: Api, hall: str, lin: Person
) -> None:
    wang, persona = await with_a_phone(api)
    proxy = await acting_with_consent(api, lin, persona)
    first, second = api.item(hall, "E"), api.item(hall, "E", nth=1)
    taken = await take_for(lin, proxy, hall, first)
    assert taken.status_code == 201
    refused = (await wang.take(hall, first)).json()
    assert (refused["code"], refused["ticket_id"]) == ("already_in_line", taken.json()["id"])
    assert (await wang.take(hall, second)).status_code == 201
    refused = (await take_for(lin, proxy, hall, second)).json()
    assert refused["code"] == "already_in_line"
    assert "ticket_id" not in refused  # that one is Wang's own, and not shown to Lin


async def test_both_see_and_follow_it_and_nobody_else(api: Api, hall: str, lin: Person) -> None:
    wang, persona = await with_a_phone(api)
    proxy = await acting_with_consent(api, lin, persona)
    ticket = (await take_for(lin, proxy, hall, api.item(hall, "E"))).json()
    stranger = await api.citizen()
    for _ in range(2):  # from PostgreSQL, then from memory
        for who in (lin, wang):
            seen = (await who.get(f"/tickets/{ticket['id']}")).json()
            assert (seen["number"], seen["for"]) == (ticket["number"], ticket["for"])
            assert (await who.get("/tickets")).json()["data"][0]["id"] == ticket["id"]
        assert (await stranger.get(f"/tickets/{ticket['id']}")).status_code == 404
        await until(lambda: api.services.feed.memory.ticket(UUID(ticket["id"])))
    looked = [
        (await api.statements(who.get(f"/tickets/{ticket['id']}")))[1]
        for who in (lin, wang)
        for _ in range(4)
    ]
    assert min(looked[:4]) == min(looked[4:]) == 0
    assert (await stranger.post(f"/tickets/{ticket['id']}/cancel")).status_code == 404
    live = api.url.replace("http", "ws") + "/api/v1/live"
    for who, answer in ((lin, "state"), (wang, "state"), (stranger, "error")):
        async with connect(live, proxy=None) as ws:
            await ws.send(json.dumps({"op": "sign_in", "token": who.token}))
            await ws.recv()
            await ws.send(json.dumps({"op": "watch", "topic": f"ticket:{ticket['id']}"}))
            assert json.loads(await ws.recv())["type"] == answer


@pytest.mark.parametrize("by_the_person", [True, False])
async def test_either_gives_it_up(api: Api, hall: str, lin: Person, *, by_the_person: bool) -> None:
    wang, persona = await with_a_phone(api)
    proxy = await acting_with_consent(api, lin, persona)
    ticket = (await take_for(lin, proxy, hall, api.item(hall, "E"))).json()
    reply = await (wang if by_the_person else lin).post(f"/tickets/{ticket['id']}/cancel")
    assert (reply.status_code, reply.json()["state"]) == (200, "cancelled"), reply.text
    assert reply.json()["for"] == ticket["for"]
    again = await lin.post(f"/tickets/{ticket['id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")
    events = await rows(
        "SELECT move, on_behalf_of FROM ticket_event WHERE ticket_id = $1 ORDER BY id", ticket["id"]
    )
    hers = UUID((await wang.get("/me")).json()["id"])
    assert [tuple(event) for event in events] == [
        ("issue", hers),
        ("cancel", None if by_the_person else hers),
    ]


async def test_what_was_done_for_whom_is_in_the_audit_log(api: Api, hall: str, lin: Person) -> None:
    child = await a_child_of(lin)
    ticket = (await take_for(lin, child, hall, api.item(hall, "E"))).json()
    await lin.post(f"/tickets/{ticket['id']}/cancel")
    entries = await rows(
        "SELECT action, actor_id, on_behalf_of FROM audit_entry WHERE subject_id = $1 ORDER BY seq",
        ticket["id"],
    )
    # Who has no account is named by the proxy.
    me, child_id = UUID((await lin.get("/me")).json()["id"]), UUID(child["id"])
    assert [tuple(entry) for entry in entries] == [
        ("ticket.taken", me, child_id),
        ("ticket.cancelled", me, child_id),
    ]
    events = await rows(
        "SELECT actor_id, on_behalf_of FROM ticket_event WHERE ticket_id = $1", ticket["id"]
    )
    assert {tuple(event) for event in events} == {(me, child_id)}


async def test_one_that_has_ended_takes_no_number_and_keeps_those_taken(
    api: Api, hall: str, lin: Person
) -> None:
    child = await a_child_of(lin)
    ticket = (await take_for(lin, child, hall, api.item(hall, "E"))).json()
    assert (await lin.delete(f"/me/family/{child['id']}")).status_code == 204
    reply = await take_for(lin, child, hall, api.item(hall, "E", nth=1))
    assert (reply.status_code, reply.json()["code"]) == (409, "proxy_not_active")
    kept = (await lin.get(f"/tickets/{ticket['id']}")).json()
    assert (kept["state"], kept["for"]) == ("waiting", ticket["for"])
    assert (await lin.post(f"/tickets/{ticket['id']}/cancel")).status_code == 200


async def test_ending_and_taking_at_once_leave_no_number_taken_later(
    api: Api, hall: str, lin: Person
) -> None:
    for nth in range(4):
        child, item = await a_child_of(lin), api.item(hall, "E", nth=nth)
        replies = await gather(
            take_for(lin, child, hall, item),
            lin.delete(f"/me/family/{child['id']}"),
            take_for(lin, child, hall, api.item(hall, "A", nth=nth)),
        )
        assert replies[1].status_code == 204
        assert {replies[0].status_code, replies[2].status_code} <= {201, 409}
        later = await take_for(lin, child, hall, item)
        assert later.json()["code"] == "proxy_not_active"


async def test_a_person_only_asked_or_anothers_is_not_acted_for(
    api: Api, hall: str, lin: Person
) -> None:
    item, chen = api.item(hall, "E"), await a_named_citizen(api, "陈明")
    asked = (await add(lin, an_id_number(date(1980, 7, 9)), relation="spouse")).json()
    reply = await take_for(lin, asked, hall, item)
    assert (reply.status_code, reply.json()["code"]) == (409, "proxy_not_active")
    anothers = await take_for(lin, await a_child_of(chen), hall, item)
    assert (anothers.status_code, anothers.json()["code"]) == (404, "not_found")
    nobodys = await take_for(lin, {"id": "019ab1c2-3d4e-7f50-8a9b-0c1d2e3f4a5b"}, hall, item)
    assert (nobodys.status_code, nobodys.json()["code"]) == (404, "not_found")
    malformed = await take_for(lin, {"id": "my-child"}, hall, item)
    assert (malformed.status_code, malformed.json()["errors"][0]["pointer"]) == (422, "/for")


CHILD = {"relation": "child", "name": "林小满"}


async def test_a_child_that_has_come_of_age_speaks_for_herself(
    api: Api, hall: str, lin: Person
) -> None:
    number = an_id_number(date(2008, 11, 24))
    child = await a_child_of(lin, number)
    assert (await take_for(lin, child, hall, api.item(hall, "E"))).status_code == 201
    api.turn_clock("2026-11-24T09:30:00+08:00")
    reply = await take_for(lin, child, hall, api.item(hall, "E", nth=1))
    assert (reply.status_code, reply.json()["code"]) == (409, "proxy_not_active")
    again = await lin.post("/me/family", {**CHILD, "id_number": number})
    assert (again.status_code, again.json()["state"]) == (201, "asked")


async def test_whom_the_identity_provider_does_not_know_is_not_declared(lin: Person) -> None:
    number = an_id_number(date(2015, 5, 4))
    invented = await lin.post("/me/family", {**CHILD, "id_number": number})
    assert (invented.status_code, invented.json()["code"]) == (422, "identity_mismatch")
    assert (await lin.get("/me/family")).json()["data"] == []


async def test_the_level_is_asked_of_whoever_acts(api: Api, hall: str, lin: Person) -> None:
    child = await a_child_of(lin)
    reply = await take_for(lin, child, hall, api.item(hall, "A", level=2))
    assert reply.status_code == 201, reply.text
    directory = api.services.directory
    surest = next(
        code for code in directory.hall("dg-00").offers if directory.item(code).level_required == 3
    )
    refused = await take_for(lin, child, "dg-00", surest)
    assert (refused.status_code, refused.json()["code"]) == (403, "level_too_low")


async def test_a_company_holds_one_number_an_item(api: Api, hall: str, lin: Person) -> None:
    code, chen, item = a_company_code(), await a_named_citizen(api, "陈明"), api.item(hall, "E")
    by_lin, by_chen = await a_company_of(lin, code), await a_company_of(chen, code)
    assert (await lin.take(hall, item)).status_code == 201
    ticket = (await take_for(lin, by_lin, hall, item)).json()
    assert ticket["for"] == {"id": by_lin["id"], "name": "示范公司", "relation": "company"}
    assert (await take_for(chen, by_chen, hall, item)).json()["code"] == "already_in_line"
    assert (await chen.get(f"/tickets/{ticket['id']}")).status_code == 404
    await lin.post(f"/tickets/{ticket['id']}/cancel")
    assert (await take_for(chen, by_chen, hall, item)).status_code == 201


async def test_the_clerk_sees_for_whom_it_is(api: Api, hall: str, lin: Person) -> None:
    child, clerk = await a_child_of(lin), await api.clerk(hall)
    await take_for(lin, child, hall, api.item(hall, "E"))
    counters = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
    counter = next(one["code"] for one in counters if "E" in one["skills"])
    await clerk.at(hall, counter, "open")
    for action in ("call-next", "start", "finish"):
        shown = (await clerk.at(hall, counter, action)).json()
        assert shown["for"] == {"id": child["id"], "name": "林**", "relation": "child"}


async def test_a_key_makes_one_number_of_two_requests(api: Api, hall: str, lin: Person) -> None:
    child = await a_child_of(lin)
    wish = {"hall": hall, "item": api.item(hall, "E"), "for": child["id"]}
    first, second = [await lin.post("/tickets", wish, Idempotency_Key="k") for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    for_herself = await lin.post(
        "/tickets", {name: wish[name] for name in ("hall", "item")}, Idempotency_Key="k"
    )
    assert for_herself.json()["code"] == "idempotency_key_reused"


async def test_taking_for_somebody_costs_seven_statements(api: Api, hall: str, lin: Person) -> None:
    child, spent = await a_child_of(lin), []
    for nth in range(4):
        asked = take_for(lin, child, hall, api.item(hall, "E", nth=nth))
        reply, statements = await api.statements(asked)
        assert reply.status_code == 201
        spent.append(statements)
    assert min(spent) <= 7


async def test_who_proves_her_number_finds_what_was_taken_for_her(
    api: Api, hall: str, lin: Person
) -> None:
    persona = await a_persona(api, an_id_number(CHILD_BORN), name="林小满")
    proxy, item, other = (
        await a_child_of(lin, persona.id_number),
        *(api.item(hall, "E", nth=nth) for nth in range(2)),
    )
    taken = [(await take_for(lin, proxy, hall, one)).json() for one in (item, other)]
    child = await through(api, "wechat", persona)
    own = (await child.take(hall, item)).json()
    assert (await real_name(child, persona)).status_code == 200
    states = {
        ticket["id"]: ticket["state"] for ticket in (await child.get("/tickets")).json()["data"]
    }
    # Of two for one item the later is given up.
    assert states == {
        taken[0]["id"]: "waiting",
        taken[1]["id"]: "waiting",
        own["id"]: "cancelled",
    }
    [seen] = await family(child)
    assert (seen["id"], seen["side"]) == (proxy["id"], "spoken_for")
    assert (await child.take(hall, item)).json()["code"] == "already_in_line"
    assert (await lin.get(f"/tickets/{taken[0]['id']}")).status_code == 200


async def test_who_is_erased_takes_along_what_only_she_could_follow(
    api: Api, hall: str, lin: Person
) -> None:
    wang, persona = await with_a_phone(api)
    for_child = (await take_for(lin, await a_child_of(lin), hall, api.item(hall, "E"))).json()
    with_consent = await acting_with_consent(api, lin, persona)
    for_wang = (await take_for(lin, with_consent, hall, api.item(hall, "E"))).json()
    assert (await lin.delete("/me")).status_code == 204
    [child] = await rows("SELECT state, person_key FROM ticket WHERE id = $1", for_child["id"])
    assert tuple(child) == ("cancelled", None)
    kept = (await wang.get(f"/tickets/{for_wang['id']}")).json()
    assert kept["state"] == "waiting"
    assert await family(wang) == []
