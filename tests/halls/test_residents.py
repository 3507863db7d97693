"""Items for residents: any hall that offers an item takes everybody, unless it is limited."""

from typing import Any

import httpx
import pytest

from models.database import rows
from scheduler.residence import area, takes
from server.halls.choosing import Choosing
from server.halls.standing import Standing
from server.halls.views import NearQuery
from tests.conftest import MONDAY_MORNING, Api
from tests.counters.halls import code_of
from tests.identity.families import a_child_of, a_named_citizen
from tests.identity.people import a_persona, real_name, through
from tests.people import Person, an_id_number

RELIEF = "minimum-living-allowance"
LOAN = "student-loan"  # of residents of the city


class Hall:
    def __init__(self, code: str, level: str) -> None:
        self.code, self.level = code, level


CITY, TOWN, OTHER, VILLAGE = (
    Hall("c", "city"),
    Hall("t", "town"),
    Hall("o", "town"),
    Hall("v", "village"),
)


async def lives(who: Person, town: str | None) -> httpx.Response:
    return await who.http.put("/api/v1/me/residence", json={"town": town}, headers=who.headers)


@pytest.mark.parametrize(
    ("hall", "above", "limit", "expected"),
    [
        (TOWN, [CITY], "city", "c"),
        (TOWN, [CITY], "town", "t"),
        (VILLAGE, [TOWN, CITY], "town", "t"),
        (VILLAGE, [TOWN, CITY], "village", "v"),
        (TOWN, [CITY], "village", "t"),
        (CITY, [], "town", "c"),
    ],
)
def test_a_hall_takes_the_residents_of_its_own_area(
    hall: Hall, above: list[Hall], limit: str, expected: str
) -> None:
    assert area(hall, above, limit) == expected


def test_who_lives_in_a_village_lives_in_its_town() -> None:
    assert takes(TOWN, [CITY], "town", home="v", above_home=["t", "c"])
    assert takes(VILLAGE, [TOWN, CITY], "town", home="t", above_home=["c"])
    assert not takes(VILLAGE, [TOWN, CITY], "village", home="t", above_home=["c"])
    assert not takes(OTHER, [CITY], "town", home="v", above_home=["t", "c"])
    assert takes(OTHER, [CITY], "anywhere", home="nowhere", above_home=[])


async def test_she_says_where_she_lives_and_it_is_kept_sealed(api: Api, lin: Person) -> None:
    assert (await lin.get("/me")).json()["residence"] is None
    reply = await lives(lin, "dg-24")
    assert (reply.status_code, reply.json()["residence"]) == (200, "dg-24")
    assert (await lin.get("/me")).json()["residence"] == "dg-24"
    assert (await lin.get("/me/export")).json()["residence"] == "dg-24"
    me = lin.session["citizen"]["id"]
    [row] = await rows("SELECT residence FROM citizen WHERE id = $1", me)
    assert b"dg-24" not in row["residence"]
    [entry] = await rows(
        "SELECT detail FROM audit_entry WHERE subject_id = $1 AND action = 'citizen.changed'", me
    )
    assert "dg-24" not in entry["detail"]
    assert (await lives(lin, None)).json()["residence"] is None
    await lives(lin, "dg-24")
    assert (await lin.delete("/me")).status_code == 204
    [row] = await rows("SELECT residence, residence_at FROM citizen WHERE id = $1", me)
    assert tuple(row) == (None, None)


@pytest.mark.parametrize("town", ["dg-00", "dg-99", "", 7, "x" * 17])
async def test_nobody_lives_where_no_town_is(lin: Person, town: Any) -> None:
    reply = await lives(lin, town)
    assert code_of(reply) == (422, "invalid_request")
    assert reply.json()["errors"][0]["pointer"] == "/town"


async def test_an_item_for_residents_of_a_town_is_done_in_their_town(api: Api, lin: Person) -> None:
    assert code_of(await lin.take("dg-24", RELIEF)) == (409, "residence_needed")
    await lives(lin, "dg-24")
    reply = await lin.take("dg-23", RELIEF)
    assert code_of(reply) == (409, "not_resident")
    assert "虎门" in reply.json()["detail"]
    taken = await lin.take("dg-24", RELIEF)
    assert taken.status_code == 201, taken.text
    moved = await lin.post(f"/tickets/{taken.json()['id']}/move", {"hall": "dg-23"})
    assert code_of(moved) == (409, "not_resident")
    await lin.post(f"/tickets/{taken.json()['id']}/cancel")


async def test_whoever_is_known_by_her_number_alone_shows_her_papers_at_the_counter(
    api: Api,
) -> None:
    mother = await a_named_citizen(api)
    child = await a_child_of(mother)
    reply = await mother.take("dg-24", RELIEF, **{"for": child["id"]})
    assert reply.status_code == 201, reply.text
    await mother.post(f"/tickets/{reply.json()['id']}/cancel")


async def test_an_item_for_the_citys_residents_is_done_anywhere_in_it(api: Api) -> None:
    wang = await a_named_citizen(api)
    hall = api.services.directory.hall("dg-23")
    assert LOAN in hall.offers
    assert code_of(await wang.take("dg-23", LOAN)) == (409, "residence_needed")
    await lives(wang, "dg-24")
    reply = await wang.take("dg-23", LOAN)
    assert reply.status_code == 201, reply.text
    await wang.post(f"/tickets/{reply.json()['id']}/cancel")


async def test_a_visit_with_such_an_item_asks_for_it_too(api: Api, lin: Person) -> None:
    items = [RELIEF, api.item("dg-24", "E")]
    body = {"hall": "dg-24", "items": items}
    assert code_of(await lin.post("/visits", body)) == (409, "residence_needed")


async def relief_is_to_come(api: Api, lin: Person, hall: str) -> dict[str, Any]:
    """Her visit at the hall of her town: a number of line A for anybody, the relief afterwards."""
    line = api.services.directory.hall(hall).lines["E"].id
    await lives(lin, hall)
    await rows("UPDATE line SET state = 'paused' WHERE id = $1", line)
    reply = await lin.post("/visits", {"hall": hall, "items": [RELIEF, api.item(hall, "A")]})
    await rows("UPDATE line SET state = 'open' WHERE id = $1", line)
    assert reply.status_code == 201, reply.text
    visit: dict[str, Any] = reply.json()
    assert {stop["item"]: stop["state"] for stop in visit["stops"]}[RELIEF] == "pending"
    return visit


async def test_a_visit_does_not_move_where_she_is_not_taken_for_the_rest(
    api: Api, lin: Person
) -> None:
    hall, other = await api.quiet_hall(), await api.quiet_hall()
    visit = await relief_is_to_come(api, lin, hall)
    moved = await lin.post(f"/tickets/{visit['now']}/move", {"hall": other})
    assert code_of(moved) == (409, "not_resident")
    assert (await lin.get(f"/tickets/{visit['now']}")).json()["hall"] == hall
    skipped = await lin.post(f"/visits/{visit['id']}/skip", {"item": RELIEF})
    assert skipped.status_code == 200, skipped.text
    moved = await lin.post(f"/tickets/{visit['now']}/move", {"hall": other})
    assert moved.status_code == 200, moved.text


async def test_a_visit_with_such_an_item_to_come_stays_when_its_line_stops(
    api: Api, lin: Person
) -> None:
    hall, other = await api.quiet_hall(), await api.quiet_hall()
    visit = await relief_is_to_come(api, lin, hall)
    manager = await api.manager(hall)
    reply = await manager.post(
        f"/halls/{hall}/lines/A/stop", {"reason": "停电", "to": {"hall": other}}
    )
    assert reply.status_code == 200, reply.text
    assert (reply.json()["sent"], reply.json()["stayed"]) == (0, 1)
    assert (await lin.get(f"/tickets/{visit['now']}")).json()["hall"] == hall


async def test_the_catalogue_and_the_list_of_halls_say_whose_residents_are_taken(
    api: Api,
) -> None:
    item = (await api.http.get(f"/api/v1/items/{RELIEF}")).json()
    assert (item["residents_of"], len(item["halls"])) == ("town", 33)
    plain = (await api.http.get(f"/api/v1/items/{api.item('dg-24', 'E')}")).json()
    assert plain["residents_of"] == "anywhere"

    async def halls(**query: str) -> list[str]:
        reply = await api.http.get("/api/v1/halls", params={"limit": "100", **query})
        return [hall["code"] for hall in reply.json()["data"]]

    assert len(await halls(item=RELIEF)) == 33
    assert await halls(item=RELIEF, resident_of="dg-24") == ["dg-24"]
    assert len(await halls(item=LOAN, resident_of="dg-24")) == len(await halls(item=LOAN))
    for query in ({"resident_of": "dg-24"}, {"item": RELIEF, "resident_of": "dg-00"}):
        reply = await api.http.get("/api/v1/halls", params=query)
        assert code_of(reply) == (422, "invalid_request")
        assert reply.json()["errors"][0]["pointer"] == "/resident_of"


async def test_of_two_accounts_that_become_one_the_last_word_counts(api: Api) -> None:
    persona = await a_persona(api, an_id_number())
    by_wechat, by_alipay = [await through(api, door, persona) for door in ("wechat", "alipay")]
    await lives(by_wechat, "dg-01")
    await lives(by_alipay, "dg-24")
    for who in (by_wechat, by_alipay):
        assert (await real_name(who, persona)).status_code == 200
    for who in (by_wechat, by_alipay):
        assert (await who.get("/me")).json()["residence"] == "dg-24"


async def test_an_item_for_everybody_costs_no_look_at_who_lives_where(api: Api) -> None:
    hall, spent = await api.quiet_hall(), []
    for nth in range(4):
        wish = (await api.citizen()).take(hall, api.item(hall, "E", nth=nth))
        reply, statements = await api.statements(wish)
        assert reply.status_code == 201
        spent.append(statements)
    assert min(spent) == 2


def test_where_anybody_is_taken_all_homes_share_one_choice(api: Api) -> None:
    directory = api.services.directory
    standing = Standing(directory, MONDAY_MORNING)
    choosing = Choosing(directory, standing)
    social_card = "social-card-renewal"
    anybody = choosing.chosen(NearQuery(item=social_card))
    for home in ("dg-23", "dg-24"):
        assert choosing.chosen(NearQuery(item=social_card, resident_of=home)) is anybody
    # So do all towns of a city where its residents are taken; where the town's are, each is apart.
    loans, reliefs = (
        [choosing.chosen(NearQuery(item=item, resident_of=home)) for home in ("dg-23", "dg-24")]
        for item in (LOAN, RELIEF)
    )
    assert loans[0] is loans[1]
    assert [asked.halls.tolist() for asked in reliefs] == [
        [standing.number[home]] for home in ("dg-23", "dg-24")
    ]
    assert len(choosing.remembered) == 4
