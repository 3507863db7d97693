"""Acting for somebody: family members are added, consent, and are let go."""

from datetime import date

import pytest

from tests.conftest import Api
from tests.identity.families import (
    CHILD_BORN,
    ELDER_BORN,
    a_named_citizen,
    add,
    code_sent_to,
    consent,
    family,
    messages_to,
    with_a_phone,
)
from tests.people import Person, an_id_number


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
