"""She says that she is at the hall: believed as far as it goes, and asked for where a hall asks."""

from asyncio import gather
from typing import Any
from uuid import UUID

import pytest

from models.database import rows
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.crowds import people_before
from tests.identity.families import a_child_of, a_named_citizen
from tests.people import Person
from tests.tickets.ruling import ruled, standing


async def check_in(who: Person, ticket: dict[str, Any], place: dict[str, Any]) -> Any:
    return await who.post(f"/tickets/{ticket['id']}/check-in", {"place": place})


def live_ahead(api: Api, ticket: dict[str, Any]) -> int | None:
    live = api.services.feed.memory.ticket(UUID(ticket["id"]))
    return None if live is None else live.view.ahead


async def test_she_checks_in_where_her_phone_is_certainly_at_the_hall(api: Api, hall: str) -> None:
    lin, mine = await a_ticket(api, hall)
    assert (mine["checked_in_at"], mine["check_in_required"]) == (None, False)
    here = standing(api, hall, 100, accuracy_m=30)
    reply = await check_in(lin, mine, here)
    assert reply.status_code == 200, reply.text
    assert reply.json()["checked_in_at"].startswith("2026-11-23T09:30")
    assert reply.json()["state"] == "waiting"
    shown = (await lin.get(f"/tickets/{mine['id']}")).json()
    assert shown["checked_in_at"] == reply.json()["checked_in_at"]
    assert code_of(await check_in(lin, mine, here)) == (409, "already_checked_in")


@pytest.mark.parametrize(
    ("metres", "accuracy_m", "code"),
    [
        (400, 10, "not_at_hall"),
        (5_000, None, "not_at_hall"),
        (190, 30, "place_unsure"),
        (210, 30, "place_unsure"),
        (0, 300, "place_unsure"),
        (5_000, 3_000, "place_unsure"),
    ],
)
async def test_what_her_phone_cannot_tell_is_not_believed(
    api: Api, hall: str, metres: float, accuracy_m: float | None, code: str
) -> None:
    lin, mine = await a_ticket(api, hall)
    place = standing(api, hall, metres, accuracy_m=accuracy_m)
    assert code_of(await check_in(lin, mine, place)) == (409, code)
    assert (await lin.get(f"/tickets/{mine['id']}")).json()["checked_in_at"] is None


@pytest.mark.parametrize(
    ("place", "pointer"),
    [
        (None, "/place"),
        ({"lat": 91, "lng": 113}, "/place/lat"),
        ({"lat": 22, "lng": 113, "accuracy_m": -1}, "/place/accuracy_m"),
        ({"lat": 22, "lng": 113, "datum": "mars"}, "/place/datum"),
        ({"lat": 22}, "/place"),
    ],
)
async def test_what_is_no_place_is_refused_and_says_where(
    api: Api, hall: str, place: Any, pointer: str
) -> None:
    lin, mine = await a_ticket(api, hall)
    reply = await lin.post(f"/tickets/{mine['id']}/check-in", {"place": place})
    assert code_of(reply) == (422, "invalid_request")
    assert reply.json()["errors"][0]["pointer"].startswith(pointer)


async def test_staff_see_her_and_need_no_satellites(api: Api, hall: str) -> None:
    _, mine = await a_ticket(api, hall)
    clerk = await api.clerk(hall)
    path = f"/halls/{hall}/tickets/{mine['number']}/check-in"
    reply = await clerk.post(path)
    assert reply.status_code == 200, reply.text
    assert reply.json()["checked_in_at"] is not None
    assert code_of(await clerk.post(path)) == (409, "already_checked_in")
    missing = await clerk.post(f"/halls/{hall}/tickets/E999/check-in")
    assert code_of(missing) == (404, "not_found")
    elsewhere = await api.clerk("dg-04")
    assert code_of(await elsewhere.post(path)) == (403, "not_allowed")
    events = await rows(
        "SELECT move, actor_kind, here FROM ticket_event WHERE ticket_id = $1 ORDER BY id",
        mine["id"],
    )
    assert [tuple(row) for row in events] == [
        ("issue", "citizen", None),
        ("check_in", "staff", True),
    ]


async def test_only_hers_and_only_while_she_waits(api: Api, hall: str) -> None:
    lin, mine = await a_ticket(api, hall)
    stranger, here = await api.citizen(), standing(api, hall, 0)
    assert code_of(await check_in(stranger, mine, here)) == (404, "not_found")
    clerk = await api.clerk(hall)
    assert (await clerk.post(f"/tickets/{mine['id']}/check-in", {"place": here})).status_code == 403
    [counter, *_] = await open_counters(clerk, hall, "E")
    for action in ("call-next", "start", "finish"):
        await done(clerk, hall, counter, action)
        assert code_of(await check_in(lin, mine, here)) == (409, "wrong_state")
        by_staff = await clerk.post(f"/halls/{hall}/tickets/{mine['id']}/check-in")
        assert code_of(by_staff) == (409, "wrong_state")


async def test_twice_at_once_is_once(api: Api, hall: str) -> None:
    lin, mine = await a_ticket(api, hall)
    here = standing(api, hall, 10)
    replies = await gather(*(check_in(lin, mine, here) for _ in range(5)))
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 4


async def test_who_takes_a_number_at_the_hall_is_there(api: Api, hall: str) -> None:
    item = api.item(hall, "E")
    with ruled(api, hall, check_in_required=1):
        for metres, checked_in, required in ((50, True, False), (900, False, True)):
            lin = await api.citizen()
            place = standing(api, hall, metres, accuracy_m=20)
            mine = (await lin.take(hall, item, place=place)).json()
            assert (mine["checked_in_at"] is not None) is checked_in
            assert mine["check_in_required"] is required


async def test_who_has_not_come_keeps_her_place_and_is_passed_over(api: Api, hall: str) -> None:
    with ruled(api, hall, check_in_required=1):
        chen, first = await a_ticket(api, hall)
        lin, second = await a_ticket(api, hall)
        _, third = await a_ticket(api, hall)
        clerk = await api.clerk(hall)
        [counter, *_] = await open_counters(clerk, hall, "E")
        assert code_of(await clerk.at(hall, counter, "call-next")) == (409, "nobody_waiting")
        assert (await check_in(lin, second, standing(api, hall, 20))).json()["ahead"] == 0
        order = (await lin.get(f"/tickets/{second['id']}/order")).json()
        assert [(one["number"], one["away"]) for one in order["ahead"]] == [(first["number"], True)]
        assert (order["total"], order["total_away"], order["check_in_required"]) == (1, 1, False)
        assert "签到" in order["rule"]
        hers = (await chen.get(f"/tickets/{first['id']}/order")).json()
        assert (hers["check_in_required"], hers["total"]) == (True, 0)

        await until(lambda: live_ahead(api, second) == 0)
        lines = (await api.http.get(f"/api/v1/halls/{hall}/board")).json()["lines"]
        [line] = [line for line in lines if line["code"] == "E"]
        assert (line["waiting"], line["away"]) == (3, 2)

        # Both come: the first is before the second again, for her place was kept.
        await check_in(chen, first, standing(api, hall, 20))
        await until(lambda: live_ahead(api, second) == 1)
        called = [await done(clerk, hall, counter, "call-next", "miss") for _ in range(2)]
        assert [one["number"] for one in called] == [first["number"], second["number"]]
        assert code_of(await clerk.at(hall, counter, "call-next")) == (409, "nobody_waiting")
        await clerk.post(f"/halls/{hall}/tickets/{third['number']}/check-in")
        assert (await done(clerk, hall, counter, "call-next"))["id"] == third["id"]


async def test_a_hall_that_asks_for_it_asks_whoever_moves_or_is_sent_there(
    api: Api, hall: str
) -> None:
    other = await api.quiet_hall()
    with ruled(api, other, check_in_required=1):
        lin, mine = await a_ticket(api, hall)
        moved = (await lin.post(f"/tickets/{mine['id']}/move", {"hall": other})).json()
        assert (moved["check_in_required"], moved["checked_in_at"]) == (True, None)
        back = (await lin.post(f"/tickets/{mine['id']}/move", {"hall": hall})).json()
        assert back["check_in_required"] is False
        # Whoever is served here is here, also when she is sent on.
        clerk = await api.clerk(hall)
        [counter, *_] = await open_counters(clerk, hall, "E", "A")
        await done(clerk, hall, counter, "call-next", "start")
        line = await clerk.at(hall, counter, "transfer", {"line": "A"})
        assert line.json()["checked_in_at"] is not None
        await done(clerk, hall, counter, "call-next")
        sent = (await clerk.at(hall, counter, "transfer", {"hall": other})).json()
        assert (sent["check_in_required"], sent["checked_in_at"]) == (True, None)


async def test_who_was_missed_and_stands_at_the_desk_is_there(api: Api, hall: str) -> None:
    with ruled(api, hall, check_in_required=1):
        lin, mine = await a_ticket(api, hall)
        await check_in(lin, mine, standing(api, hall, 0))
        clerk = await api.clerk(hall)
        [counter, *_] = await open_counters(clerk, hall, "E")
        await done(clerk, hall, counter, "call-next", "miss")
        back = (await clerk.post(f"/halls/{hall}/tickets/{mine['number']}/return")).json()
        assert (back["check_in_required"], back["checked_in_at"] is not None) == (False, True)


async def test_who_acts_for_her_checks_her_in_and_it_is_in_the_log(api: Api, hall: str) -> None:
    mother = await a_named_citizen(api)
    child = await a_child_of(mother)
    mine = (await mother.take(hall, api.item(hall, "E"), **{"for": child["id"]})).json()
    assert (await check_in(mother, mine, standing(api, hall, 5))).status_code == 200
    actions = await rows(
        "SELECT action FROM audit_entry WHERE subject_id = $1 ORDER BY seq", mine["id"]
    )
    assert [row["action"] for row in actions] == ["ticket.taken", "ticket.checked_in"]


async def test_the_first_to_call_is_found_at_once_behind_two_thousand_who_have_not_come(
    api: Api, hall: str
) -> None:
    _, mine = await a_ticket(api, hall)
    clerk = await api.clerk(hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    line = api.services.directory.hall(hall).lines["E"].id
    async with people_before(mine, 2000, away=True):
        [plan] = await rows(
            f"""
            EXPLAIN (ANALYZE, FORMAT JSON) SELECT id FROM ticket
            WHERE line_id = '{line}' AND state = 'waiting' AND NOT away
            ORDER BY rank_time, id LIMIT 1
            """
        )
        assert "ticket_waiting" in plan[0], plan[0]
        assert "Rows Removed by Filter" not in plan[0], plan[0]
        assert (await done(clerk, hall, counter, "call-next"))["id"] == mine["id"]
