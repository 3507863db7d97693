"""What a hall asks of phones: where they are, who is asking, and how often in a day."""

from asyncio import gather
from typing import Any

import pytest

from models.database import rows
from tests.conftest import Api
from tests.counters.halls import code_of
from tests.identity.families import a_child_of, a_named_citizen
from tests.identity.people import a_persona, real_name, through
from tests.people import Person, an_id_number
from tests.tickets.ruling import ruled, standing


async def take_and_give_up(api: Api, who: Person, hall: str, line: str, times: int) -> None:
    for nth in range(times):
        reply = await who.take(hall, api.item(hall, line, nth=nth))
        assert reply.status_code == 201, reply.text
        await who.post(f"/tickets/{reply.json()['id']}/cancel")


async def taken_on_the_day(who: Person) -> list[int]:
    found = await rows(
        "SELECT nth_of_day FROM ticket WHERE citizen_id = $1 ORDER BY nth_of_day",
        who.session["citizen"]["id"],
    )
    return [row["nth_of_day"] for row in found]


# --- where she is


async def test_a_hall_may_insist_on_knowing_where_a_phone_is(
    api: Api, hall: str, lin: Person
) -> None:
    item = api.item(hall, "E")
    with ruled(api, hall, place_required=1):
        assert code_of(await lin.take(hall, item)) == (409, "place_required")
        assert (await lin.take(hall, item, place=standing(api, hall, 900))).status_code == 201


async def test_too_far_says_how_far_and_how_far_is_allowed(
    api: Api, hall: str, lin: Person
) -> None:
    wish = {"hall": hall, "item": api.item(hall, "E"), "place": standing(api, hall, 33_000)}
    reply = await lin.post("/tickets", wish, Accept_Language="en")
    assert code_of(reply) == (409, "too_far")
    assert "33 km away" in reply.json()["detail"]
    assert "within 30 km" in reply.json()["detail"]


async def test_a_hall_may_limit_the_time_on_the_way(api: Api, hall: str, lin: Person) -> None:
    item = api.item(hall, "E")
    with ruled(api, hall, remote_travel_min=15):  # some three kilometres, by the usual pace
        far = await lin.take(hall, item, place=standing(api, hall, 4_000))
        assert code_of(far) == (409, "too_far")
        assert "15 分钟" in far.json()["detail"]
        assert (await lin.take(hall, item, place=standing(api, hall, 2_000))).status_code == 201


async def test_a_hall_may_ask_phones_for_a_surer_identity_than_the_item(
    api: Api, hall: str, lin: Person
) -> None:
    item = api.item(hall, "E")
    with ruled(api, hall, remote_level=2):
        reply = await lin.take(hall, item)
        assert code_of(reply) == (403, "level_too_low")
        assert "2 级" in reply.json()["detail"]
        named = await a_named_citizen(api)
        assert (await named.take(hall, item)).status_code == 201
    assert (await lin.take(hall, item)).status_code == 201


async def test_who_moves_comes_by_phone_too(api: Api, hall: str, lin: Person) -> None:
    other = await api.quiet_hall()
    mine = (await lin.take(hall, api.item(hall, "E"))).json()
    path = f"/tickets/{mine['id']}/move"
    with ruled(api, other, place_required=1, remote_level=2):
        assert code_of(await lin.post(path, {"hall": other})) == (409, "place_required")
        far = {"hall": other, "place": standing(api, other, 60_000)}
        assert code_of(await lin.post(path, far)) == (409, "too_far")
        near = {"hall": other, "place": standing(api, other, 600)}
        assert code_of(await lin.post(path, near)) == (403, "level_too_low")
    assert (await lin.post(path, {"hall": other})).status_code == 200


# --- how often


async def test_so_many_numbers_of_a_line_in_a_day_and_those_given_up_count(
    api: Api, hall: str, lin: Person
) -> None:
    with ruled(api, hall, daily_cap_line=3, daily_cap_hall=4):
        await take_and_give_up(api, lin, hall, "E", 3)
        reply = await lin.take(hall, api.item(hall, "E"))
        assert code_of(reply) == (409, "daily_cap_reached")
        assert "3 次" in reply.json()["detail"]
        await take_and_give_up(api, lin, hall, "A", 1)
        whole = await lin.take(hall, api.item(hall, "A", nth=1))
        assert code_of(whole) == (409, "daily_cap_reached")
        assert "该大厅" in whole.json()["detail"]
        assert await taken_on_the_day(lin) == [1, 2, 3, 4]
        other = await api.quiet_hall()
        assert (await lin.take(other, api.item(other, "E"))).status_code == 201
        # The next day begins anew.
        api.turn_clock("2026-11-24T09:30:00+08:00")
        assert (await lin.take(hall, api.item(hall, "E", nth=1))).status_code == 201


async def test_a_number_counts_where_it_was_taken_wherever_it_went_since(
    api: Api, hall: str, lin: Person
) -> None:
    other = await api.quiet_hall()
    with ruled(api, hall, other, daily_cap_line=1, daily_cap_hall=1):
        mine = (await lin.take(hall, api.item(hall, "E"))).json()
        moved = await lin.post(f"/tickets/{mine['id']}/move", {"hall": other})
        assert moved.status_code == 200, moved.text
        again = await lin.take(hall, api.item(hall, "E", nth=1))
        assert code_of(again) == (409, "daily_cap_reached")
        assert (await lin.take(other, api.item(other, "E", nth=1))).status_code == 201


async def test_caps_are_the_halls_and_no_limit_of_requests(
    api: Api, hall: str, lin: Person
) -> None:
    assert not api.settings.rate_limits
    with ruled(api, hall, daily_cap_line=2):
        await take_and_give_up(api, lin, hall, "E", 2)
        again = await lin.take(hall, api.item(hall, "E"))
        assert code_of(again) == (409, "daily_cap_reached")
    with ruled(api, hall, daily_cap_line=0, daily_cap_hall=0):
        await take_and_give_up(api, lin, hall, "E", 2)


@pytest.mark.parametrize("with_keys", [False, True])
async def test_ten_at_once_are_never_more_than_the_cap(
    api: Api, hall: str, lin: Person, with_keys: bool
) -> None:
    with ruled(api, hall, daily_cap_line=3, daily_cap_hall=4):
        wishes = [
            {"hall": hall, "item": api.item(hall, line, nth=nth)}
            for nth in range(5)
            for line in ("E", "A")
        ]
        replies = await gather(
            *(
                lin.post("/tickets", wish, **({"Idempotency_Key": f"k{n}"} if with_keys else {}))
                for n, wish in enumerate(wishes)
            )
        )
    assert sorted(reply.status_code for reply in replies) == [201] * 4 + [409] * 6
    refused = {reply.json()["code"] for reply in replies if reply.status_code == 409}
    assert refused == {"daily_cap_reached"}
    lines = [reply.json()["line"] for reply in replies if reply.status_code == 201]
    assert max(lines.count(line) for line in ("A", "E")) <= 3


async def test_it_is_the_person_who_is_counted_whoever_takes_the_number(
    api: Api, hall: str
) -> None:
    mother = await a_named_citizen(api)
    child = await a_child_of(mother)
    with ruled(api, hall, daily_cap_line=1, daily_cap_hall=1):
        for_child: dict[str, Any] = {"for": child["id"]}
        assert (await mother.take(hall, api.item(hall, "E"), **for_child)).status_code == 201
        second = await mother.take(hall, api.item(hall, "E", nth=1), **for_child)
        assert code_of(second) == (409, "daily_cap_reached")
        assert (await mother.take(hall, api.item(hall, "E", nth=1))).status_code == 201


async def test_two_accounts_of_one_person_count_together_once_they_are_one(
    api: Api, hall: str
) -> None:
    persona = await a_persona(api, an_id_number())
    by_wechat, by_alipay = [await through(api, door, persona) for door in ("wechat", "alipay")]
    with ruled(api, hall, daily_cap_line=4):
        await take_and_give_up(api, by_wechat, hall, "E", 3)
        await take_and_give_up(api, by_alipay, hall, "E", 2)
        assert (await real_name(by_wechat, persona)).status_code == 200
        assert (await real_name(by_alipay, persona)).status_code == 200
        for who in (by_wechat, by_alipay):
            reply = await who.take(hall, api.item(hall, "E"))
            assert code_of(reply) == (409, "daily_cap_reached")
    assert await taken_on_the_day(by_wechat) == [1, 2, 3, 4, 5]


async def test_counting_costs_no_statement(api: Api, hall: str) -> None:
    spent = []
    with ruled(api, hall, daily_cap_line=5, daily_cap_hall=10, check_in_required=1):
        for nth in range(4):
            wish = (await api.citizen()).take(hall, api.item(hall, "E", nth=nth))
            reply, statements = await api.statements(wish)
            assert reply.status_code == 201
            spent.append(statements)
    assert min(spent) == 2
