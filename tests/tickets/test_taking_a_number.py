"""Taking a number, following it, giving it up."""

import asyncio
from asyncio import gather
from datetime import datetime
from uuid import UUID

import httpx
import pytest

from models import decisions
from models.database import transaction
from tests.conftest import Api, until
from tests.people import Person
from tests.waits.foretelling import nothing_foretold


async def test_numbers_are_dense_per_line(api: Api, hall: str) -> None:
    for expected in ("E001", "E002", "E003"):
        someone = await api.citizen()
        reply = await someone.take(hall, api.item(hall, "E"))
        assert reply.status_code == 201
        assert reply.json()["number"] == expected
    other_line = await (await api.citizen()).take(hall, api.item(hall, "A"))
    assert other_line.json()["number"] == "A001"


async def test_a_new_ticket_says_where_she_stands(api: Api, hall: str, lin: Person) -> None:
    await (await api.citizen()).take(hall, api.item(hall, "E"))
    async with nothing_foretold(api, hall):
        before = api.services.clock.now().replace(microsecond=0)
        ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    assert (ticket["state"], ticket["ahead"], ticket["wait"]) == ("waiting", 1, None)
    assert ticket["hall"] == hall
    issued_at = datetime.fromisoformat(ticket["issued_at"])
    assert before <= issued_at <= api.services.clock.now()
    assert ticket["issued_at"].endswith("+08:00")


async def test_her_ticket_is_hers_alone(api: Api, hall: str, lin: Person) -> None:
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    assert (await lin.get(f"/tickets/{ticket['id']}")).json()["number"] == ticket["number"]
    stranger = await api.citizen()
    reply = await stranger.get(f"/tickets/{ticket['id']}")
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert (await stranger.post(f"/tickets/{ticket['id']}/cancel")).status_code == 404


async def test_one_open_ticket_a_person_and_item(api: Api, hall: str, lin: Person) -> None:
    item = api.item(hall, "E")
    first = await lin.take(hall, item)
    assert first.status_code == 201
    again = await lin.take(hall, item)
    assert (again.status_code, again.json()["code"]) == (409, "already_in_line")
    assert again.json()["ticket_id"] == first.json()["id"]
    elsewhere = await lin.take("dg-00", item)
    assert elsewhere.json()["code"] == "already_in_line"
    assert elsewhere.json()["ticket_id"] == first.json()["id"]
    assert (await lin.take(hall, api.item(hall, "E", nth=1))).status_code == 201


async def test_ten_takes_of_one_person_at_once_make_one_ticket(
    api: Api, hall: str, lin: Person
) -> None:
    item = api.item(hall, "E")
    replies = await gather(*(lin.take(hall, item) for _ in range(10)))
    assert sorted(reply.status_code for reply in replies) == [201] + [409] * 9


async def test_takes_at_two_halls_at_once_make_one_ticket(api: Api, lin: Person) -> None:
    item = api.item("dg-01", "E")
    for _ in range(5):
        replies = await gather(*(lin.take(hall, item) for hall in ("dg-00", "dg-01", "dg-02")))
        assert sorted(reply.status_code for reply in replies) == [201, 409, 409]
        [taken] = [reply.json() for reply in replies if reply.status_code == 201]
        await lin.post(f"/tickets/{taken['id']}/cancel")


async def test_giving_up_frees_the_item_but_not_the_number(
    api: Api, hall: str, lin: Person
) -> None:
    item = api.item(hall, "E")
    first = (await lin.take(hall, item)).json()
    cancelled = await lin.post(f"/tickets/{first['id']}/cancel")
    assert cancelled.json()["state"] == "cancelled"
    assert (await lin.get(f"/tickets/{first['id']}")).json()["state"] == "cancelled"
    second = (await lin.take(hall, item)).json()
    assert (first["number"], second["number"]) == ("E001", "E002")


async def test_a_ticket_is_cancelled_once(api: Api, hall: str, lin: Person) -> None:
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    replies = await gather(*(lin.post(f"/tickets/{ticket['id']}/cancel") for _ in range(5)))
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 4


async def test_a_closed_hall_gives_no_number_and_says_when_it_opens(
    api: Api, hall: str, lin: Person
) -> None:
    api.turn_clock("2026-11-23T12:30:00+08:00")
    reply = await lin.take(hall, api.item(hall, "E"))
    assert (reply.status_code, reply.json()["code"]) == (409, "hall_closed")
    assert "14:00" in reply.json()["detail"]


async def test_a_paused_line_gives_no_number(api: Api, hall: str, lin: Person) -> None:
    entry = api.services.directory.hall(hall)
    async with transaction() as tx:
        await tx.run("UPDATE line SET state = 'paused' WHERE id = $1", entry.lines["E"].id)
    reply = await lin.take(hall, api.item(hall, "E"))
    assert (reply.status_code, reply.json()["code"]) == (409, "line_closed")
    assert (await lin.take(hall, api.item(hall, "A"))).status_code == 201


async def test_a_full_line_takes_nobody_else(api: Api, hall: str, lin: Person) -> None:
    entry = api.services.directory.hall(hall)
    async with transaction() as tx:
        await tx.run("UPDATE line SET waiting_limit = 1 WHERE id = $1", entry.lines["E"].id)
    assert (await lin.take(hall, api.item(hall, "E"))).status_code == 201
    reply = await (await api.citizen()).take(hall, api.item(hall, "E"))
    assert reply.json()["code"] == "line_full"


async def test_too_far_away_is_too_far(api: Api, hall: str, lin: Person) -> None:
    beijing = {"lat": 39.9042, "lng": 116.4074, "datum": "gcj02"}
    reply = await lin.take(hall, api.item(hall, "E"), place=beijing)
    assert (reply.status_code, reply.json()["code"]) == (409, "too_far")
    place = api.services.directory.hall(hall).place
    assert place is not None
    near = {"lat": place.lat, "lng": place.lng, "datum": "wgs84"}
    assert (await lin.take(hall, api.item(hall, "E"), place=near)).status_code == 201


async def test_an_item_may_ask_for_a_surer_identity(api: Api, hall: str, lin: Person) -> None:
    reply = await lin.take(hall, api.item(hall, "A", level=2))
    assert (reply.status_code, reply.json()["code"]) == (403, "level_too_low")


async def test_my_tickets_come_newest_first_in_pages(api: Api, hall: str, lin: Person) -> None:
    numbers = [
        (await lin.take(hall, api.item(hall, "E", nth=nth))).json()["number"] for nth in range(3)
    ]
    first = (await lin.get("/tickets?limit=2")).json()
    assert [ticket["number"] for ticket in first["data"]] == numbers[:0:-1]
    second = (await lin.get(f"/tickets?limit=2&cursor={first['next_cursor']}")).json()
    assert [ticket["number"] for ticket in second["data"]] == numbers[:1]
    assert second["next_cursor"] is None


async def test_what_a_line_says_of_her_follows_the_others(api: Api, hall: str, lin: Person) -> None:
    item = api.item(hall, "E")
    before = await api.citizen()
    first = (await before.take(hall, item)).json()
    mine = (await lin.take(hall, item)).json()
    await before.post(f"/tickets/{first['id']}/cancel")

    def moved_up() -> bool:
        live = api.services.feed.memory.ticket(UUID(mine["id"]))
        return live is not None and live.view.ahead == 0

    await until(moved_up)
    now = (await lin.get(f"/tickets/{mine['id']}")).json()
    assert now["ahead"] == 0
    assert now["version"] > mine["version"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"hall": "dg-99", "item": "x"}, 404, "not_found"),
        ({"hall": "dg-01", "item": "no-such-item"}, 404, "not_found"),
        ({"hall": "dg-01"}, 422, "invalid_request"),
        ({"hall": "dg-01", "item": 7}, 422, "invalid_request"),
        ({"hall": "dg-01", "item": "x", "extra": 1}, 422, "invalid_request"),
        ({"hall": "", "item": "x"}, 422, "invalid_request"),
        ([], 422, "invalid_request"),
        ("text", 422, "invalid_request"),
    ],
)
async def test_a_wrong_body_is_refused_and_says_where(
    lin: Person, body: object, status: int, code: str
) -> None:
    reply = await lin.post("/tickets", body)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("place", ['{"lat": NaN, "lng": 1}', '{"lat": 91, "lng": 0}', '{"lat": 1}'])
async def test_an_impossible_place_is_refused(lin: Person, place: str) -> None:
    reply = await lin.http.post(
        "/api/v1/tickets",
        content=f'{{"hall": "dg-01", "item": "x", "place": {place}}}',
        headers=lin.headers,
    )
    assert reply.status_code == (400 if "NaN" in place else 422)


async def test_taking_costs_two_statements_or_six_with_a_key_and_looking_none(
    api: Api, hall: str, lin: Person
) -> None:
    item = api.item(hall, "E")
    spent, spent_with_key = [], []
    for nth in range(4):  # the projector and the clean-up share the count: the least is ours
        someone, wish = await api.citizen(), api.item(hall, "E", nth=nth)
        reply, statements = await api.statements(someone.take(hall, wish))
        assert reply.status_code == 201
        spent.append(statements)
        asked = (await api.citizen()).post(
            "/tickets", {"hall": hall, "item": wish}, Idempotency_Key="k"
        )
        reply, statements = await api.statements(asked)
        assert reply.status_code == 201
        spent_with_key.append(statements)
    assert min(spent) == 2
    assert min(spent_with_key) <= 6
    ticket = (await lin.take(hall, item)).json()
    await until(lambda: api.services.feed.memory.ticket(UUID(ticket["id"])))
    looked = []
    for _ in range(5):
        _, statements = await api.statements(lin.get(f"/tickets/{ticket['id']}"))
        looked.append(statements)
    assert min(looked) == 0


async def test_a_hall_that_is_held_does_not_hold_up_another(
    api: Api, hall: str, lin: Person
) -> None:
    other = await api.quiet_hall()
    chen, wang = await api.citizen(), await api.citizen()
    async with transaction() as holder:
        await decisions.lock(holder, api.services.directory.hall(hall).id)
        waiting = asyncio.ensure_future(lin.take(hall, api.item(hall, "E")))
        await asyncio.sleep(0.01)
        for person in (chen, wang):
            item = api.item(other, "E", nth=0 if person is chen else 1)
            assert (await person.take(other, item)).status_code == 201
        assert not waiting.done()
    reply = await waiting
    assert (reply.status_code, reply.json()["number"]) == (201, "E001")


async def test_everybody_is_told_truly_how_many_are_ahead(api: Api, hall: str) -> None:
    people = await asyncio.gather(*(api.citizen() for _ in range(24)))
    item = api.item(hall, "E")
    replies = await asyncio.gather(*(person.take(hall, item) for person in people))
    told = {reply.json()["number"]: reply.json()["ahead"] for reply in replies}
    assert told == {f"E{nth + 1:03d}": nth for nth in range(24)}


async def test_a_phone_that_hangs_up_while_its_number_is_given_is_told_to_the_board(
    api: Api, hall: str, lin: Person
) -> None:
    item = api.item(hall, "E")
    async with transaction() as holder:
        await decisions.lock(holder, api.services.directory.hall(hall).id)
        with pytest.raises(httpx.TimeoutException):
            await lin.http.post(
                "/api/v1/tickets",
                json={"hall": hall, "item": item},
                headers=lin.headers,
                timeout=0.5,
            )
    await until(lambda: api.services.feed.memory.halls[hall].waiting == 1)
