"""What staff of a hall see of its tickets: who waits, is parked, was missed, claims priority."""

from datetime import timedelta
from typing import Any

import pytest

from scheduler.calendar import SHANGHAI
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.identity.families import a_child_of, a_named_citizen
from tests.kiosks.machines import a_kiosk, given
from tests.people import Person


async def listed(who: Person, hall: str, **query: Any) -> list[dict[str, Any]]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    reply = await who.get(f"/halls/{hall}/tickets?{asked}" if asked else f"/halls/{hall}/tickets")
    assert reply.status_code == 200, reply.text
    data: list[dict[str, Any]] = reply.json()["data"]
    return data


def numbers(found: list[dict[str, Any]]) -> list[str]:
    return [one["number"] for one in found]


async def test_nobody_waits_at_first(hall: str, clerk: Person) -> None:
    reply, query = await clerk.get(f"/halls/{hall}/tickets"), f"/halls/{hall}/tickets?state=missed"
    assert reply.json() == {"data": [], "next_cursor": None}
    assert (await clerk.get(query)).json() == {"data": [], "next_cursor": None}


async def test_who_waits_is_told_in_the_order_of_the_rule_with_her_place(
    api: Api, hall: str, clerk: Person
) -> None:
    _, first = await a_ticket(api, hall)
    _, of_a = await a_ticket(api, hall, "A")
    lin = await api.citizen()
    claimed = (await lin.take(hall, api.item(hall, "E"), priority_claim="pregnant")).json()
    [claim] = await listed(clerk, hall, claims="true")
    assert (claim["id"], claim["position"]) == (claimed["id"], 2)
    assert claim["priority"] == {"kind": "pregnant", "confirmed": False}
    await clerk.post(f"/halls/{hall}/tickets/{claimed['number']}/confirm-priority")
    assert await listed(clerk, hall, claims="true") == []
    found = await listed(clerk, hall, state="waiting")
    assert numbers(found) == [claimed["number"], first["number"], of_a["number"]]
    assert [one["position"] for one in found] == [1, 2, 1]
    assert found[1]["since"] == found[1]["issued_at"] == first["issued_at"]
    assert found[0]["since"] < found[0]["issued_at"]
    assert numbers(await listed(clerk, hall, state="waiting", line="E")) == numbers(found[:2])


async def test_each_state_has_its_list_and_says_since_when(
    api: Api, hall: str, clerk: Person
) -> None:
    tickets = [(await a_ticket(api, hall))[1] for _ in range(5)]
    counters = await open_counters(clerk, hall, "E")
    here, there = counters[:2]
    await done(clerk, hall, here, "call-next", "start", "park")
    await done(clerk, hall, here, "call-next", "miss")
    await done(clerk, hall, here, "call-next", "start")
    await done(clerk, hall, there, "call-next")
    until = api.services.clock.now().astimezone(SHANGHAI)
    api.turn_clock((until + timedelta(minutes=3)).isoformat())
    wanted = ("parked", "missed", "serving", "called", "waiting")
    for state, ticket in zip(wanted, tickets, strict=True):
        [one] = await listed(clerk, hall, state=state)
        assert (one["id"], one["state"]) == (ticket["id"], state)
        assert ticket["issued_at"] <= one["since"] <= until.isoformat()
    assert numbers(await listed(clerk, hall)) == [tickets[nth]["number"] for nth in (0, 2, 3, 4)]
    [called] = await listed(clerk, hall, state="called")
    assert (called["counter"], called["position"]) == (there, None)
    api.turn_clock("2026-11-24T09:30:00+08:00")
    assert await listed(clerk, hall, state="missed") == []


async def test_names_are_masked_where_one_is_known(api: Api, hall: str, clerk: Person) -> None:
    lin = await a_named_citizen(api, "司徒明")
    await lin.take(hall, api.item(hall, "E"))
    child = await a_child_of(lin)
    await lin.take(hall, api.item(hall, "E"), **{"for": child["id"]})
    await given(clerk, hall, api.item(hall, "E"), name="欧阳修远")
    await a_ticket(api, hall)
    reply, statements = await api.statements(clerk.get(f"/halls/{hall}/tickets?state=waiting"))
    assert [one["name"] for one in reply.json()["data"]] == ["司**", "林**", "欧**", None]
    assert statements == 1


async def test_a_long_list_comes_in_pages_and_nobody_twice(
    api: Api, hall: str, clerk: Person
) -> None:
    tickets = [(await a_ticket(api, hall))[1]["number"] for _ in range(5)]
    [counter, *_] = await open_counters(clerk, hall, "E")

    async def pages(state: str) -> list[str]:
        found: list[str] = []
        cursor = ""
        while True:
            path = f"/halls/{hall}/tickets?state={state}&limit=2{cursor}"
            reply = await clerk.get(path)
            assert reply.status_code == 200, reply.text
            found += numbers(reply.json()["data"])
            if reply.json()["next_cursor"] is None:
                return found
            cursor = f"&cursor={reply.json()['next_cursor']}"

    assert await pages("waiting") == tickets
    for _ in range(3):
        await done(clerk, hall, counter, "call-next", "miss")
    # Who was missed last is asked for first.
    assert await pages("missed") == tickets[2::-1]


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("state=gone", (422, "invalid_request")),
        ("line=Z", (404, "not_found")),
        ("limit=0", (422, "invalid_request")),
        ("limit=101", (422, "invalid_request")),
        ("cursor=x", (422, "invalid_request")),
        ("cursor=99999999999999999-0190c0de-7b3a-7000-8000-00000000a023", None),
        ("cursor=1-0190c0de-7b3a-7000-8000-00000000a02", (422, "invalid_request")),
        ("claims=perhaps", (422, "invalid_request")),
        ("name=林", (422, "invalid_request")),
    ],
)
async def test_a_wrong_question_is_refused(
    hall: str, clerk: Person, query: str, refused: tuple[int, str] | None
) -> None:
    reply = await clerk.get(f"/halls/{hall}/tickets?{query}")
    if refused is None:
        assert reply.json() == {"data": [], "next_cursor": None}
    else:
        assert code_of(reply) == refused


async def test_it_is_for_staff_of_the_hall_alone(api: Api, hall: str) -> None:
    other = await api.quiet_hall()
    path = f"/halls/{hall}/tickets"
    assert (await (await api.manager(hall)).get(path)).status_code == 200
    lin, _ = await a_ticket(api, hall)
    for stranger in (lin, await api.clerk(other), await a_kiosk(api, hall)):
        assert code_of(await stranger.get(path)) == (403, "not_allowed")
    assert code_of(await Person(api.http, "nobody", {}).get(path)) == (401, "not_signed_in")
    unknown = await (await api.clerk(hall)).get("/halls/dg-99/tickets")
    assert unknown.status_code in {403, 404}
