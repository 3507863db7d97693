"""A person's consent: a code sent to her own phone, and nothing that tells who has an account."""

from asyncio import Event, gather
from typing import Any
from uuid import UUID

import pytest

from models.database import rows, transaction
from models.knowing import citizen_with_id
from server.http.limits import Limits, Rate
from server.identity import consenting
from server.sessions.purging import purge
from tests.conftest import Api
from tests.identity.families import (
    ADULT_BORN,
    a_child_of,
    a_named_citizen,
    add,
    code_sent_to,
    consent,
    family,
    messages_to,
    nothing_under_way,
    with_a_phone,
)
from tests.people import Person, an_id_number


@pytest.fixture
async def lin(api: Api) -> Person:
    return await a_named_citizen(api)


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


async def test_an_adult_asked_twenty_times_at_once_is_one(api: Api, lin: Person) -> None:
    _, persona = await with_a_phone(api)
    replies = await gather(
        *(add(lin, persona.id_number, name=persona.name, relation="spouse") for _ in range(20))
    )
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json()["id"] for reply in replies}) == len(await family(lin)) == 1


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
    monkeypatch.setattr(consenting, "CONSENT_AGAIN", Rate("consent_again_test", 1, 3600))
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


async def test_nobody_is_kept_who_was_asked_and_said_nothing(api: Api, lin: Person) -> None:
    asked = (await add(lin, an_id_number(ADULT_BORN), relation="other")).json()
    child = await a_child_of(lin)
    async with transaction() as tx:
        await tx.run("UPDATE proxy SET asked_at = asked_at - interval '25 hours'")
    await purge()
    assert [each["id"] for each in await family(lin)] == [child["id"]]
    assert (await consent(lin, asked, "123456")).status_code == 404


async def test_whom_a_message_was_sent_is_in_the_audit_log(api: Api, lin: Person) -> None:
    wang, persona = await with_a_phone(api)
    asked = (await add(lin, persona.id_number, name=persona.name, relation="other")).json()
    await code_sent_to(api, persona.phone)
    await nothing_under_way(api)
    me, hers = [(await who.get("/me")).json()["id"] for who in (lin, wang)]
    [entry] = await rows(
        "SELECT actor_id, detail::text AS detail FROM audit_entry"
        " WHERE subject_id = $1 AND action = 'citizen.asked'",
        hers,
    )
    assert str(entry["actor_id"]) == me
    assert asked["id"] in entry["detail"]
