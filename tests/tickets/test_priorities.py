"""Priorities, and the order that everybody may ask about."""

from asyncio import gather
from datetime import date
from typing import Any

import pytest

from models.database import rows
from scheduler.discipline import Rules
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.crowds import people_before
from tests.identity.families import (
    CHILD_BORN,
    ELDER_BORN,
    a_child_of,
    a_named_citizen,
    add,
    with_a_phone,
)
from tests.people import Person, an_id_number

SEVENTY_TODAY, SIXTY_NINE = date(1956, 11, 23), date(1956, 11, 24)


async def claiming(
    api: Api, hall: str, claim: str, who: Person | None = None
) -> tuple[Person, dict[str, Any]]:
    lin = who or await api.citizen()
    reply = await lin.take(hall, api.item(hall, "E"), priority_claim=claim)
    assert reply.status_code == 201, reply.text
    return lin, reply.json()


async def order(lin: Person, ticket: dict[str, Any]) -> list[tuple[str, str]]:
    reply = await lin.get(f"/tickets/{ticket['id']}/order")
    assert reply.status_code == 200, reply.text
    return [(one["number"], one["reason"]) for one in reply.json()["ahead"]]


async def confirmed(api: Api, hall: str, ticket: dict[str, Any]) -> dict[str, Any]:
    clerk = await api.clerk(hall)
    reply = await clerk.post(f"/halls/{hall}/tickets/{ticket['number']}/confirm-priority")
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


@pytest.mark.parametrize("claim", ["disabled", "pregnant", "military", "with_infant", "elderly"])
async def test_a_claim_counts_once_a_clerk_has_confirmed_it(
    api: Api, hall: str, claim: str
) -> None:
    lin, first = await a_ticket(api, hall)
    api.later(minutes=10)
    wang, claimed = await claiming(api, hall, claim)
    assert claimed["priority"] == {"kind": claim, "confirmed": False}
    assert claimed["ahead"] == 1
    counts = await confirmed(api, hall, claimed)
    assert (counts["ahead"], counts["priority"]["confirmed"]) == (0, True)
    assert await order(lin, first) == [(claimed["number"], "priority")]
    shown = (await wang.get(f"/tickets/{claimed['id']}")).json()
    assert shown["priority"] == {"kind": claim, "confirmed": True}
    clerk = await api.clerk(hall)
    again = await clerk.post(f"/halls/{hall}/tickets/{claimed['id']}/confirm-priority")
    assert code_of(again) == (409, "no_priority_claim")
    plain = await clerk.post(f"/halls/{hall}/tickets/{first['id']}/confirm-priority")
    assert code_of(plain) == (409, "no_priority_claim")


async def test_a_claim_that_does_not_stand_is_refused_and_she_keeps_her_place(
    api: Api, hall: str
) -> None:
    await a_ticket(api, hall)
    wang, claimed = await claiming(api, hall, "pregnant")
    clerk = await api.clerk(hall)
    refused = await clerk.post(f"/halls/{hall}/tickets/{claimed['number']}/refuse-priority")
    assert refused.status_code == 200, refused.text
    assert (refused.json()["priority"], refused.json()["ahead"]) == (None, claimed["ahead"])
    assert (await wang.get(f"/tickets/{claimed['id']}")).json()["priority"] is None
    for what in ("refuse", "confirm"):
        again = await clerk.post(f"/halls/{hall}/tickets/{claimed['number']}/{what}-priority")
        assert code_of(again) == (409, "no_priority_claim")


async def test_priority_goes_so_far_and_no_further(api: Api, hall: str) -> None:
    _, first = await a_ticket(api, hall)
    api.later(minutes=25)
    _, claimed = await claiming(api, hall, "with_infant")  # twenty minutes, by the usual rule
    assert (await confirmed(api, hall, claimed))["ahead"] == 1
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    assert (await done(clerk, hall, counter, "call-next"))["id"] == first["id"]


def test_what_a_citys_files_say_of_a_hall_is_its_rule(api: Api) -> None:
    directory, uncapped = api.services.directory, {"daily_cap_line": 0, "daily_cap_hall": 0}
    city_hall = Rules(grace_min=20, credit_with_infant_min=30, **uncapped)
    assert directory.hall("dg-00").rules == city_hall
    assert directory.hall("dg-01").rules == Rules(**uncapped)


async def test_who_is_seventy_today_needs_no_clerk(api: Api, hall: str) -> None:
    await a_ticket(api, hall)
    api.later(minutes=5)
    elder = await a_named_citizen(api, born=SEVENTY_TODAY)
    _, hers = await claiming(api, hall, "elderly", elder)
    assert (hers["ahead"], hers["priority"]) == (0, {"kind": "elderly", "confirmed": True})
    events = await rows(
        "SELECT move, actor_kind, CASE WHEN move <> 'issue' THEN detail END FROM ticket_event"
        " WHERE ticket_id = $1 ORDER BY id",
        hers["id"],
    )
    assert [tuple(event) for event in events] == [
        ("issue", "citizen", None),
        ("claim", "citizen", "elderly"),
        ("confirm", "system", "id_number"),
    ]


async def test_who_is_seventy_tomorrow_is_refused(api: Api, hall: str) -> None:
    wang = await a_named_citizen(api, born=SIXTY_NINE)
    reply = await wang.take(hall, api.item(hall, "E"), priority_claim="elderly")
    assert code_of(reply) == (422, "claim_not_true")
    assert (await wang.get("/tickets")).json()["data"] == []


async def test_who_is_seventy_need_not_say_so_on_her_phone(api: Api, hall: str) -> None:
    lin, first = await a_ticket(api, hall)
    api.later(minutes=5)
    elder = await a_named_citizen(api, born=SEVENTY_TODAY)
    reply = await elder.take(hall, api.item(hall, "E"))
    assert reply.status_code == 201, reply.text
    hers = reply.json()
    assert (hers["ahead"], hers["priority"]) == (0, {"kind": "elderly", "confirmed": True})
    assert await order(lin, first) == [(hers["number"], "priority")]
    found = await rows(
        "SELECT move, actor_kind, CASE WHEN move <> 'issue' THEN detail END FROM ticket_event"
        " WHERE ticket_id = $1 ORDER BY id",
        hers["id"],
    )
    assert [tuple(event) for event in found] == [
        ("issue", "citizen", None),
        ("claim", "system", "elderly"),
        ("confirm", "system", "id_number"),
    ]
    shown = (await elder.get(f"/tickets/{hers['id']}")).json()
    assert (shown["priority"], shown["version"] >= hers["version"]) == (hers["priority"], True)
    # With a key, and with a claim that papers do not prove, what is proven counts, too.
    wish = {"hall": hall, "item": api.item(hall, "E", nth=1)}
    replies = [await elder.post("/tickets", wish, Idempotency_Key="k70") for _ in range(2)]
    assert replies[0].json() == replies[1].json()
    assert replies[0].json()["priority"] == {"kind": "elderly", "confirmed": True}
    claimed = await elder.take(hall, api.item(hall, "A"), priority_claim="disabled")
    assert claimed.json()["priority"] == {"kind": "elderly", "confirmed": True}


async def test_who_is_not_seventy_pays_no_statement_for_it(api: Api, hall: str) -> None:
    for born in (SIXTY_NINE, date(1990, 1, 1)):
        wang = await a_named_citizen(api, born=born)
        reply, statements = await api.statements(wang.take(hall, api.item(hall, "E")))
        assert (reply.status_code, reply.json()["priority"]) == (201, None)
        assert statements == 2


async def test_of_many_at_once_each_is_as_old_as_she_is(api: Api, hall: str) -> None:
    ages = [SEVENTY_TODAY, SIXTY_NINE, date(1940, 5, 6), date(2001, 2, 3)] * 2
    people = [await a_named_citizen(api, born=born) for born in ages]
    item = api.item(hall, "E")
    replies = await gather(*(person.take(hall, item) for person in people))
    assert [reply.status_code for reply in replies] == [201] * 8
    old = {"kind": "elderly", "confirmed": True}
    assert [reply.json()["priority"] for reply in replies] == [old, None] * 4


async def test_an_elder_with_an_account_has_it_whoever_takes_the_number(
    api: Api, hall: str
) -> None:
    me = await a_named_citizen(api)
    _, grandmother = await with_a_phone(api, "陈桂英", born=ELDER_BORN)
    added = await add(me, grandmother.id_number, name=grandmother.name, relation="parent")
    proxy = added.json()
    reply = await me.take(hall, api.item(hall, "E"), **{"for": proxy["id"]})
    assert reply.status_code == 201, reply.text
    assert reply.json()["priority"] == {"kind": "elderly", "confirmed": True}
    assert reply.json()["for"]["id"] == proxy["id"]
    # It is her age that counts, not that of who takes it.
    elder = await a_named_citizen(api, born=ELDER_BORN)
    child = await a_child_of(elder, an_id_number(CHILD_BORN))
    reply = await elder.take(hall, api.item(hall, "E"), **{"for": child["id"]})
    assert (reply.status_code, reply.json()["priority"]) == (201, None)


async def test_a_visit_of_several_items_has_it_from_the_first_number_on(
    api: Api, hall: str
) -> None:
    elder = await a_named_citizen(api, born=SEVENTY_TODAY)
    items = [api.item(hall, "E"), api.item(hall, "A")]
    visit = await elder.post("/visits", {"hall": hall, "items": items})
    assert visit.status_code == 201, visit.text
    [first] = (await elder.get("/tickets")).json()["data"]
    assert first["priority"] == {"kind": "elderly", "confirmed": True}


async def test_a_number_that_somebody_gave_for_her_proves_nothing_but_may_contradict(
    api: Api, hall: str
) -> None:
    me = await a_named_citizen(api)
    child = await a_child_of(me, an_id_number(CHILD_BORN))
    grandmother = (
        await add(me, an_id_number(date(1950, 2, 3)), name="陈桂英", relation="parent")
    ).json()
    item = api.item(hall, "E")
    reply = await me.take(hall, item, priority_claim="elderly", **{"for": child["id"]})
    assert code_of(reply) == (422, "claim_not_true")
    reply = await me.take(hall, item, priority_claim="elderly", **{"for": grandmother["id"]})
    assert reply.json()["priority"] == {"kind": "elderly", "confirmed": False}
    assert reply.json()["for"]["id"] == grandmother["id"]
    assert await order(me, reply.json()) == []


async def test_a_claim_with_a_key_is_made_once(api: Api, hall: str) -> None:
    lin = await api.citizen()
    wish = {"hall": hall, "item": api.item(hall, "E"), "priority_claim": "disabled"}
    replies = [await lin.post("/tickets", wish, Idempotency_Key="k1") for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 201]
    assert replies[0].json() == replies[1].json()
    reply = await lin.take(hall, api.item(hall, "E", nth=1), priority_claim="tall")
    assert code_of(reply) == (422, "invalid_request")


async def test_the_order_says_who_is_ahead_and_why_and_not_who_she_is(api: Api, hall: str) -> None:
    _, back = await a_ticket(api, hall)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "miss")
    await clerk.post(f"/halls/{hall}/tickets/{back['id']}/return")
    _, earlier = await a_ticket(api, hall)
    api.later(minutes=6)
    lin, mine = await a_ticket(api, hall)
    _, claimed = await claiming(api, hall, "military")
    await confirmed(api, hall, claimed)
    reply = (await lin.get(f"/tickets/{mine['id']}/order")).json()
    assert [(one["number"], one["reason"]) for one in reply["ahead"]] == [
        (claimed["number"], "priority"),
        (earlier["number"], "earlier"),
        (back["number"], "returned"),
    ]
    assert [set(one) for one in reply["ahead"]] == [
        {"number", "reason", "since", "away", "mine"}
    ] * 3
    assert not any(one["mine"] for one in reply["ahead"])
    assert (reply["total"], reply["since"][:16]) == (3, "2026-11-23T09:36")
    moments = [one["since"] for one in reply["ahead"]]
    assert moments == sorted(moments)
    assert "30 分钟" in reply["rule"]
    path = f"/api/v1/tickets/{mine['id']}/order"
    english = await lin.http.get(path, headers={**lin.headers, "Accept-Language": "en"})
    assert english.json()["rule"].isascii()


async def test_an_elder_who_came_later_is_not_called_earlier(api: Api, hall: str) -> None:
    lin, mine = await a_ticket(api, hall)
    await lin.post(f"/tickets/{mine['id']}/let-pass", {"people": 1})
    api.later(minutes=5)
    elder = await a_named_citizen(api, born=SEVENTY_TODAY)
    hers = (await elder.take(hall, api.item(hall, "E"))).json()
    assert await order(lin, mine) == [(hers["number"], "priority")]
    assert await order(elder, hers) == []


async def test_whom_she_let_pass_is_ahead_for_that(api: Api, hall: str) -> None:
    _, first = await a_ticket(api, hall)
    lin, mine = await a_ticket(api, hall)
    _, third = await a_ticket(api, hall)
    passed = await lin.post(f"/tickets/{mine['id']}/let-pass", {"people": 1})
    assert passed.status_code == 200, passed.text
    assert await order(lin, mine) == [(first["number"], "earlier"), (third["number"], "let_pass")]


async def test_who_came_from_another_hall_or_line_is_said_to_have(api: Api, hall: str) -> None:
    other = await api.quiet_hall()
    wang, moved = await a_ticket(api, other)
    _, sent = await a_ticket(api, hall, "A")
    api.later(minutes=1)
    lin, mine = await a_ticket(api, hall)
    moved = (await wang.post(f"/tickets/{moved['id']}/move", {"hall": hall})).json()
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "A")
    await done(clerk, hall, counter, "call-next")
    sent = (await clerk.at(hall, counter, "transfer", {"line": "E"})).json()
    reply, statements = await api.statements(lin.get(f"/tickets/{mine['id']}/order"))
    assert [(one["number"], one["reason"]) for one in reply.json()["ahead"]] == [
        (moved["number"], "moved"),
        (sent["number"], "transferred"),
    ]
    assert statements == 1


async def test_who_came_while_she_was_away_is_ahead_as_she_returned(api: Api, hall: str) -> None:
    lin, mine = await a_ticket(api, hall)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "miss")
    _, later_on = await a_ticket(api, hall)
    back = await clerk.post(f"/halls/{hall}/tickets/{mine['id']}/return")
    assert back.status_code == 200, back.text
    assert await order(lin, mine) == [(later_on["number"], "returned")]
    [ahead] = (await lin.get(f"/tickets/{mine['id']}/order")).json()["ahead"]
    assert ahead["mine"], "it was I who returned"


async def test_the_order_is_for_her_and_who_acts_for_her_alone(api: Api, hall: str) -> None:
    _, mine = await a_ticket(api, hall)
    stranger = await api.citizen()
    assert code_of(await stranger.get(f"/tickets/{mine['id']}/order")) == (404, "not_found")
    clerk = await api.clerk(hall)
    assert code_of(await clerk.get(f"/tickets/{mine['id']}/order")) == (403, "not_allowed")


async def test_a_long_line_is_told_in_part_and_counted_whole(api: Api, hall: str) -> None:
    lin, mine = await a_ticket(api, hall)
    async with people_before(mine, 60):
        reply = (await lin.get(f"/tickets/{mine['id']}/order")).json()
    assert (len(reply["ahead"]), reply["total"]) == (50, 60)
    assert reply["ahead"][0]["number"] == "E560"


async def test_who_is_called_has_nobody_ahead_and_who_has_left_no_order(
    api: Api, hall: str
) -> None:
    first, called = await a_ticket(api, hall)
    lin, mine = await a_ticket(api, hall)
    assert len(await order(lin, mine)) == 1
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    assert await order(first, called) == []
    await lin.post(f"/tickets/{mine['id']}/cancel")
    reply = await lin.get(f"/tickets/{mine['id']}/order")
    assert code_of(reply) == (409, "wrong_state")
    assert reply.json()["state"] == "cancelled"
