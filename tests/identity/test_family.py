"""Acting for somebody: family members are added, consent, and are let go."""

from asyncio import gather
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from models.database import rows
from models.sealing import Sealer
from server.privacy.key_file import FollowedKeys, read_key_file, rotate
from server.privacy.resealing import require_unused, reseal
from tests.conftest import Api
from tests.identity.families import (
    ADULT_BORN,
    CHILD_BORN,
    ELDER_BORN,
    a_child_of,
    a_named_citizen,
    acting_with_consent,
    add,
    add_company,
    code_sent_to,
    consent,
    family,
    with_a_phone,
)
from tests.identity.people import a_persona, real_name, through
from tests.people import Person, a_company_code, an_id_number


@pytest.fixture
async def lin(api: Api) -> Person:
    return await a_named_citizen(api)


@pytest.mark.parametrize("born", [CHILD_BORN, ELDER_BORN])
async def test_minors_and_the_elderly_are_declared(lin: Person, born: date) -> None:
    number = an_id_number(born)
    reply = await add(lin, number, name="林小满")
    assert reply.status_code == 201, reply.text
    added = reply.json()
    assert (added["proof"], added["state"], added["side"]) == ("declaration", "active", "acting")
    assert (added["name"], added["number"]) == ("林**", f"{number[:4]}**********{number[-4:]}")
    assert await family(lin) == [added]


async def test_who_acts_for_others_is_known_by_her_real_name(api: Api) -> None:
    nobody = await api.citizen()
    for reply in (
        await add(nobody, an_id_number(CHILD_BORN)),
        await add(nobody, an_id_number(ADULT_BORN)),
        await add_company(nobody, a_company_code()),
    ):
        assert (reply.status_code, reply.json()["code"]) == (403, "level_too_low")
    assert await family(nobody) == []


async def test_nobody_is_declared_to_act_for_herself(api: Api) -> None:
    number = an_id_number(ELDER_BORN)
    persona = await a_persona(api, number)
    old_lin = await through(api, "wechat", persona)
    await real_name(old_lin, persona)
    reply = await add(old_lin, number, name=persona.name, relation="other")
    assert (reply.status_code, reply.json()["code"]) == (422, "own_number")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"id_number": "441900201505040010"}, "/id_number"),
        ({"id_number": "441900201502300012"}, "/id_number"),
        ({"id_number": "4419002015050400"}, "/id_number"),
        ({"id_number": "441900203005040019"}, "/id_number"),
        ({"id_type": "passport", "id_number": "十二三四五"}, "/id_number"),
        ({"name": " "}, "/name"),
        ({"relation": "neighbour"}, "/relation"),
        ({"relation": "company"}, "/relation"),
        ({"id_type": "driving_licence"}, "/id_type"),
        ({"id_number": 7}, "/id_number"),
        ({"phone": "13812345678"}, "/phone"),
    ],
)
async def test_what_cannot_be_is_named(lin: Person, body: dict[str, object], pointer: str) -> None:
    whole = {"relation": "child", "name": "林小满", "id_number": an_id_number(CHILD_BORN), **body}
    reply = await lin.post("/me/family", whole)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request"), reply.text
    assert reply.json()["errors"][0]["pointer"] == pointer
    assert str(whole["id_number"]) not in reply.text
    assert await family(lin) == []


async def test_a_child_added_twenty_times_at_once_is_one(lin: Person) -> None:
    number = an_id_number(CHILD_BORN)
    replies = await gather(*(add(lin, number) for _ in range(20)))
    assert sorted(reply.status_code for reply in replies) == [201] + [409] * 19
    assert {reply.json().get("code") for reply in replies} == {None, "already_added"}
    assert len(await family(lin)) == 1


async def test_five_are_declared_and_no_more_also_at_once(lin: Person) -> None:
    replies = await gather(*(add(lin, an_id_number(CHILD_BORN)) for _ in range(9)))
    assert sorted(reply.status_code for reply in replies) == [201] * 5 + [409] * 4
    refused = await add(lin, an_id_number(ELDER_BORN), relation="parent")
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_declared")
    # Whoever consents is not declared, and a company is no person.
    assert (await add(lin, an_id_number(ADULT_BORN), relation="spouse")).status_code == 201
    assert (await add_company(lin, a_company_code())).status_code == 201
    assert (await add(lin, an_id_number(ELDER_BORN), relation="parent")).status_code == 409


async def a_day_later(proxy: dict[str, Any]) -> None:
    await rows(
        "UPDATE proxy SET ended_at = ended_at - interval '25 hours' WHERE id = $1", proxy["id"]
    )


async def test_who_takes_turns_with_those_she_declares_declares_no_more_than_five(
    api: Api, lin: Person
) -> None:
    hall = await api.quiet_hall()
    item, taken = api.item(hall, "E"), []
    for _ in range(5):
        child = await a_child_of(lin)
        reply = await lin.take(hall, item, **{"for": child["id"]})
        assert reply.status_code == 201, reply.text
        taken.append((child, reply.json()["id"]))
        assert (await lin.delete(f"/me/family/{child['id']}")).status_code == 204
    refused = await add(lin, an_id_number(CHILD_BORN))
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_declared")
    for child, _ in taken:
        await a_day_later(child)
    refused = await add(lin, an_id_number(CHILD_BORN))
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_declared")
    # Until nobody waits any more for one who ended long ago.
    assert (await lin.post(f"/tickets/{taken[0][1]}/cancel")).status_code == 200
    assert (await add(lin, an_id_number(CHILD_BORN))).status_code == 201
    assert (await add(lin, an_id_number(CHILD_BORN))).status_code == 409


async def test_the_person_sees_who_acts_for_her_and_ends_it(api: Api, lin: Person) -> None:
    grandma, persona = await with_a_phone(api, "林奶奶", born=ELDER_BORN)
    declared = (await add(lin, persona.id_number, name=persona.name, relation="parent")).json()
    assert declared["state"] == "active"
    [seen] = await family(grandma)
    assert (seen["id"], seen["side"], seen["name"]) == (declared["id"], "spoken_for", "林**")
    stranger = await a_named_citizen(api, "陈明")
    assert (await stranger.delete(f"/me/family/{declared['id']}")).status_code == 404
    assert (await grandma.delete(f"/me/family/{declared['id']}")).status_code == 204
    assert await family(grandma) == await family(lin) == []
    assert (await lin.delete(f"/me/family/{declared['id']}")).status_code == 404
    # She said no once: from then on only her own code says yes.
    again = (await add(lin, persona.id_number, name=persona.name, relation="parent")).json()
    assert (again["proof"], again["state"]) == ("consent", "asked")
    assert (await consent(lin, again, await code_sent_to(api, persona.phone))).status_code == 200


async def test_whoever_acts_ends_it_and_may_begin_again(api: Api, lin: Person) -> None:
    number = an_id_number(CHILD_BORN)
    first = await a_child_of(lin, number)
    assert (await lin.delete(f"/me/family/{first['id']}")).status_code == 204
    [kept] = await rows("SELECT * FROM proxy WHERE id = $1", first["id"])
    assert (kept["name"], kept["id_number"], kept["id_index"]) == (None, None, None)
    second = await a_child_of(lin, number)
    assert second["id"] != first["id"]


async def test_a_phone_that_asks_twice_is_answered_once(api: Api, lin: Person) -> None:
    number = an_id_number(CHILD_BORN)
    first, second = [await add(lin, number, Idempotency_Key="family") for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    other = await add(lin, an_id_number(CHILD_BORN), Idempotency_Key="family")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_company_is_added_by_its_code(lin: Person) -> None:
    code = a_company_code()
    reply = await add_company(lin, f" {code[:9]}-{code[9:].lower()} ")
    assert reply.status_code == 201, reply.text
    added = reply.json()
    assert (added["relation"], added["number"], added["name"]) == ("company", code, "示范公司")
    assert await family(lin) == [added]
    assert (await add_company(lin, code)).json()["code"] == "already_added"
    assert (await lin.delete(f"/me/family/{added['id']}")).status_code == 204
    assert await family(lin) == []


async def test_five_companies_and_no_more(lin: Person) -> None:
    replies = await gather(*(add_company(lin, a_company_code()) for _ in range(7)))
    assert sorted(reply.status_code for reply in replies) == [201] * 5 + [409] * 2


@pytest.mark.parametrize(
    "uscc",
    [
        "11990001MB0000A040",
        "91990001MO0000X15U",
        "529900015000000073X",
        "52990001500000007",
        7,
    ],
)
async def test_a_wrong_code_of_a_company_is_named(lin: Person, uscc: object) -> None:
    reply = await lin.post("/me/companies", {"uscc": uscc, "name": "示范公司"})
    assert reply.status_code == 422, reply.text
    assert reply.json()["errors"][0]["pointer"] == "/uscc"


async def test_the_database_holds_no_name_and_no_number_in_clear(lin: Person) -> None:
    number = an_id_number(CHILD_BORN)
    child = await a_child_of(lin, number)
    [kept] = await rows(
        "SELECT to_jsonb(proxy)::text AS all_of_it FROM proxy WHERE id = $1", child["id"]
    )
    for secret in (number, "林小满", number.encode().hex(), "林小满".encode().hex()):
        assert secret not in kept["all_of_it"]


async def test_what_was_declared_asked_and_ended_is_in_the_audit_log(api: Api, lin: Person) -> None:
    wang, persona = await with_a_phone(api)
    proxy = await acting_with_consent(api, lin, persona)
    await lin.delete(f"/me/family/{proxy['id']}")
    entries = await rows(
        "SELECT action, actor_id, on_behalf_of FROM audit_entry WHERE subject_id = $1 ORDER BY seq",
        proxy["id"],
    )
    me, hers = [UUID((await who.get("/me")).json()["id"]) for who in (lin, wang)]
    assert [tuple(entry) for entry in entries] == [
        ("proxy.asked", me, None),
        ("proxy.consented", me, hers),
        ("proxy.ended", me, hers),
    ]


async def test_both_sides_are_told_everything_in_their_export(api: Api, lin: Person) -> None:
    wang, persona = await with_a_phone(api)
    await acting_with_consent(api, lin, persona)
    number = an_id_number(CHILD_BORN)
    ended = await a_child_of(lin)
    await a_child_of(lin, number)
    await lin.delete(f"/me/family/{ended['id']}")
    told = (await lin.get("/me/export")).json()["family"]
    assert [(each["name"], each["number"], each["state"]) for each in told] == [
        (persona.name, persona.id_number, "active"),
        ("林**", None, "ended"),
        ("林小满", number, "active"),
    ]
    [hers] = (await wang.get("/me/export")).json()["family"]
    assert (hers["side"], hers["name"], hers["number"]) == ("spoken_for", "林**", None)


async def test_who_is_erased_is_forgotten_on_both_sides(api: Api, lin: Person) -> None:
    wang, persona = await with_a_phone(api)
    of_wang = await acting_with_consent(api, lin, persona)
    of_child = await a_child_of(lin)
    assert (await wang.delete("/me")).status_code == 204
    assert [each["id"] for each in await family(lin)] == [of_child["id"]]
    [kept] = await rows("SELECT * FROM proxy WHERE id = $1", of_wang["id"])
    assert (kept["state"], kept["name"], kept["shown_as"]) == ("ended", None, None)
    assert (await lin.delete("/me")).status_code == 204
    [kept] = await rows("SELECT * FROM proxy WHERE id = $1", of_child["id"])
    assert (kept["state"], kept["name"], kept["id_index"]) == ("ended", None, None)


async def test_names_and_numbers_are_sealed_anew_when_keys_rotate(api: Api, lin: Person) -> None:
    path = api.settings.personal_keys
    old = read_key_file(path).first.id
    child = await a_child_of(lin)
    rotate(path)
    await reseal(Sealer(FollowedKeys(path)))
    await require_unused(old)
    assert await family(lin) == [child]


async def test_adding_is_refused_without_a_token_and_to_staff(api: Api) -> None:
    reply = await api.http.get("/api/v1/me/family")
    assert reply.status_code == 401
    clerk = await api.clerk("dg-01")
    assert (await clerk.get("/me/family")).status_code == 403
