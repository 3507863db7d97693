"""Acting for somebody: family members are added, consent, and are let go."""

from asyncio import Event, gather
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from models import proxies
from models.database import rows, transaction
from models.knowing import citizen_with_id
from models.sealing import Sealer
from server.identity import consenting
from server.limits import Limits, Rate
from server.privacy.key_file import FollowedKeys, read_key_file, rotate
from server.privacy.resealing import require_unused, reseal
from server.sessions.purging import purge
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
    messages_to,
    nothing_under_way,
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


async def test_an_adult_consents_by_a_code_sent_to_her_own_phone(api: Api, lin: Person) -> None:
    wang, persona = await with_a_phone(api)
    asked = (await add(lin, persona.id_number, name=persona.name, relation="spouse")).json()
    assert (asked["proof"], asked["state"], asked["active_at"]) == ("consent", "asked", None)
    assert await family(wang) == []
    code = await code_sent_to(api, persona.phone)
    [message] = await messages_to(api, persona.phone)
    assert (message["template"], message["fields"]["name"]) == ("family_consent", "林**")
    reply = await consent(lin, asked, code)
    assert (reply.status_code, reply.json()["state"]) == (200, "active"), reply.text
    [hers] = await family(wang)
    assert (hers["side"], hers["relation"], hers["name"]) == ("spoken_for", "spouse", "林**")
    assert hers["number"] is None
    again = await consent(lin, asked, code)
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")


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
    ("body", "status", "code", "pointer"),
    [
        ({"id_number": "441900201505040010"}, 422, "impossible_number", "id_number"),
        ({"id_number": "441900201502300012"}, 422, "impossible_number", "id_number"),
        ({"id_number": "4419002015050400"}, 422, "impossible_number", "id_number"),
        ({"id_number": "441900203005040019"}, 422, "impossible_number", "id_number"),
        ({"id_type": "passport", "id_number": "十二三四五"}, 422, "impossible_number", "id_number"),
        ({"name": " "}, 400, "invalid_request", "name"),
        ({"relation": "neighbour"}, 400, "invalid_request", "/relation"),
        ({"relation": "company"}, 400, "invalid_request", "/relation"),
        ({"id_type": "driving_licence"}, 400, "invalid_request", "/id_type"),
        ({"id_number": 7}, 400, "invalid_request", "/id_number"),
        ({"phone": "13812345678"}, 400, "invalid_request", ""),
    ],
)
async def test_what_cannot_be_is_named(
    lin: Person, body: dict[str, object], status: int, code: str, pointer: str
) -> None:
    whole = {"relation": "child", "name": "林小满", "id_number": an_id_number(CHILD_BORN), **body}
    reply = await lin.post("/me/family", whole)
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert reply.json()["errors"][0]["pointer"] == pointer
    assert str(whole["id_number"]) not in reply.text
    assert await family(lin) == []


async def test_a_child_added_twenty_times_at_once_is_one(lin: Person) -> None:
    number = an_id_number(CHILD_BORN)
    replies = await gather(*(add(lin, number) for _ in range(20)))
    assert sorted(reply.status_code for reply in replies) == [201] + [409] * 19
    assert {reply.json().get("code") for reply in replies} == {None, "already_added"}
    assert len(await family(lin)) == 1


async def test_an_adult_asked_twenty_times_at_once_is_one(api: Api, lin: Person) -> None:
    _, persona = await with_a_phone(api)
    replies = await gather(
        *(add(lin, persona.id_number, name=persona.name, relation="spouse") for _ in range(20))
    )
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json()["id"] for reply in replies}) == len(await family(lin)) == 1


async def test_five_are_declared_and_no_more_also_at_once(lin: Person) -> None:
    replies = await gather(*(add(lin, an_id_number(CHILD_BORN)) for _ in range(9)))
    assert sorted(reply.status_code for reply in replies) == [201] * 5 + [409] * 4
    refused = await add(lin, an_id_number(ELDER_BORN), relation="parent")
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_declared")
    # Whoever consents is not declared, and a company is no person.
    assert (await add(lin, an_id_number(ADULT_BORN), relation="spouse")).status_code == 201
    assert (await add_company(lin, a_company_code())).status_code == 201
    [first, *_] = [each for each in await family(lin) if each["relation"] == "child"]
    assert (await lin.delete(f"/me/family/{first['id']}")).status_code == 204
    assert (await add(lin, an_id_number(ELDER_BORN), relation="parent")).status_code == 201


async def test_what_is_answered_does_not_tell_who_has_an_account(api: Api, lin: Person) -> None:
    _, known = await with_a_phone(api)
    answers = []
    for number, name in (
        (known.id_number, known.name),
        (known.id_number, "王芬"),  # another name for her number
        (an_id_number(ADULT_BORN), known.name),  # nobody's number
    ):
        who = await a_named_citizen(api)
        reply = await add(who, number, name=name, relation="spouse")
        asked = reply.json()
        wrong = await consent(who, asked, "000000")
        answers.append(
            (reply.status_code, sorted(asked), asked["state"], asked["proof"], wrong.status_code)
        )
        assert wrong.json()["code"] == "sms_code_wrong"
    assert len(set(map(str, answers))) == 1
    await nothing_under_way(api)
    assert len(await messages_to(api, known.phone)) == 1


async def test_the_answer_comes_before_anybody_looks_whether_she_is_known(
    api: Api, lin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, persona = await with_a_phone(api)
    looked, may_look = [], Event()

    async def look(*given: Any) -> UUID | None:
        await may_look.wait()
        looked.append(given)
        return await citizen_with_id(*given)

    monkeypatch.setattr(consenting, "citizen_with_id", look)
    reply = await add(lin, persona.id_number, name=persona.name, relation="spouse")
    assert (reply.status_code, looked) == (201, [])
    may_look.set()
    assert len(await code_sent_to(api, persona.phone)) == 6
    assert len(looked) == 1


async def test_five_wrong_codes_need_a_new_one(api: Api, lin: Person) -> None:
    _, persona = await with_a_phone(api)
    asked = (await add(lin, persona.id_number, name=persona.name, relation="spouse")).json()
    code = await code_sent_to(api, persona.phone)
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for _ in range(5):
        assert (await consent(lin, asked, wrong)).status_code == 422
    assert (await consent(lin, asked, code)).json()["code"] == "sms_code_wrong"
    again = (await add(lin, persona.id_number, name=persona.name, relation="spouse")).json()
    assert again["id"] == asked["id"]
    newer = await code_sent_to(api, persona.phone, nth=2)
    assert (await consent(lin, asked, newer)).status_code == 200


async def test_one_phone_is_sent_one_message_a_minute_and_nobody_is_told(
    api: Api, lin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    monkeypatch.setattr(consenting, "OTP_AGAIN", Rate("otp_again_family_test", 1, 3600))
    _, persona = await with_a_phone(api)
    chen = await a_named_citizen(api, "陈明")
    for who in (lin, chen, lin):
        reply = await add(who, persona.id_number, name=persona.name, relation="other")
        assert reply.status_code == 201
        await nothing_under_way(api)
    assert len(await messages_to(api, persona.phone)) == 1


async def test_a_code_is_good_for_whoever_asked_and_for_the_name_that_was_said(
    api: Api, lin: Person
) -> None:
    _, persona = await with_a_phone(api)
    asked = (await add(lin, persona.id_number, name=persona.name, relation="spouse")).json()
    code = await code_sent_to(api, persona.phone)
    chen = await a_named_citizen(api, "陈明")
    assert (await consent(chen, asked, code)).status_code == 404
    own = (await add(chen, persona.id_number, name="王芬", relation="spouse")).json()
    assert (await consent(chen, own, code)).json()["code"] == "sms_code_wrong"
    await add(lin, persona.id_number, name="王芬", relation="spouse")
    assert (await consent(lin, asked, code)).json()["code"] == "sms_code_wrong"


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
    ("uscc", "status", "pointer"),
    [
        ("11990001MB0000A040", 422, "uscc"),
        ("91990001MO0000X15U", 422, "uscc"),
        ("529900015000000073X", 422, "uscc"),
        ("52990001500000007", 400, "/uscc"),
        (7, 400, "/uscc"),
    ],
)
async def test_a_wrong_code_of_a_company_is_named(
    lin: Person, uscc: object, status: int, pointer: str
) -> None:
    reply = await lin.post("/me/companies", {"uscc": uscc, "name": "示范公司"})
    assert reply.status_code == status, reply.text
    assert reply.json()["errors"][0]["pointer"] == pointer


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


async def test_nobody_is_kept_who_was_asked_and_said_nothing(api: Api, lin: Person) -> None:
    asked = (await add(lin, an_id_number(ADULT_BORN), relation="other")).json()
    child = await a_child_of(lin)
    async with transaction() as tx:
        await tx.run("UPDATE proxy SET asked_at = asked_at - interval '25 hours'")
    await purge()
    assert [each["id"] for each in await family(lin)] == [child["id"]]
    assert (await consent(lin, asked, "123456")).status_code == 404


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


async def test_when_two_become_one_proxies_of_both_are_kept_and_none_twice(
    api: Api, lin: Person
) -> None:
    chen, number = await a_named_citizen(api, "陈明"), an_id_number(CHILD_BORN)
    kept, double = await a_child_of(lin, number), await a_child_of(chen, number)
    others = await a_child_of(chen)
    me, into = [UUID((await who.get("/me")).json()["id"]) for who in (chen, lin)]
    async with transaction() as tx:
        await proxies.move_to(tx, me, into)
    assert {each["id"] for each in await family(lin)} == {kept["id"], others["id"]}
    [ended] = await rows("SELECT state, citizen_id FROM proxy WHERE id = $1", double["id"])
    assert tuple(ended) == ("ended", into)


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
