"""Who has erased herself is nobody any more, whatever else was under way at that moment."""

from asyncio import create_task, gather, sleep
from collections.abc import Awaitable
from typing import TypeVar

import httpx

from models.database import rows
from tests.conftest import Api
from tests.identity.families import (
    ELDER_BORN,
    a_named_citizen,
    add,
    code_sent_to,
    consent,
    with_a_phone,
)
from tests.identity.people import a_persona, real_name, sandbox, through

ROUNDS = 10  # one for each delay
Done = TypeVar("Done")


async def a_bit_later(work: Awaitable[Done], nth: int) -> Done:
    await sleep(nth % 10 / 1000)
    return await work


async def nobody_is_erased_and_spoken_for() -> None:
    """No proxy in force is of or for somebody without a way in."""
    found = await rows(
        """
        SELECT p.id FROM proxy p JOIN citizen c ON c.id IN (p.principal_id, p.citizen_id)
        WHERE p.state = 'active'
          AND NOT EXISTS (SELECT 1 FROM channel_link l WHERE l.citizen_id = c.id)
        """
    )
    assert found == []


async def test_who_erases_herself_while_her_name_is_asked_about_stays_erased(api: Api) -> None:
    persona = await a_persona(api)
    lin = await through(api, "wechat", persona)
    her_id = (await lin.get("/me")).json()["id"]
    late = {"endpoint": "identity.real_name", "kind": "delay", "seconds": 0.5, "times": 1}
    await sandbox(api, "PUT", "/faults", late)
    naming = create_task(real_name(lin, persona))
    await sleep(0.2)
    assert (await lin.delete("/me")).status_code == 204
    reply = await naming
    assert (reply.status_code, reply.json()["code"]) == (401, "not_signed_in"), reply.text
    [kept] = await rows("SELECT name, id_index, level FROM citizen WHERE id = $1", her_id)
    assert tuple(kept) == (None, None, 0)


async def test_who_is_erased_while_her_other_account_comes_to_her_stays_erased(api: Api) -> None:
    for nth in range(ROUNDS):
        persona = await a_persona(api)
        first = await through(api, "wechat", persona)
        second = await through(api, "alipay", persona)
        await real_name(first, persona)
        her_id = (await first.get("/me")).json()["id"]
        joined, erased = await gather(
            real_name(second, persona), a_bit_later(first.delete("/me"), nth)
        )
        assert erased.status_code == 204, (nth, erased.text)
        assert joined.status_code in {200, 401}, (nth, joined.text)
        [kept] = await rows("SELECT name, id_index, level FROM citizen WHERE id = $1", her_id)
        assert tuple(kept) == (None, None, 0), nth
        linked = await rows("SELECT 1 FROM channel_link WHERE citizen_id = $1", her_id)
        assert linked == [], nth


async def test_nobody_acts_with_consent_for_somebody_who_is_erased(api: Api) -> None:
    lin = await a_named_citizen(api)
    for nth in range(ROUNDS):
        wang, persona = await with_a_phone(api)
        asked = (await add(lin, persona.id_number, name=persona.name, relation="other")).json()
        code = await code_sent_to(api, persona.phone)
        agreed, erased = await gather(
            a_bit_later(consent(lin, asked, code), nth), wang.delete("/me")
        )
        assert erased.status_code == 204, (nth, erased.text)
        assert agreed.status_code in {200, 404, 422}, (nth, agreed.text)
        await nobody_is_erased_and_spoken_for()


async def test_nobody_is_declared_who_is_erased(api: Api) -> None:
    for nth in range(ROUNDS):
        lin = await a_named_citizen(api)
        grandma, persona = await with_a_phone(api, "林奶奶", born=ELDER_BORN)
        declared, erased = await gather(
            a_bit_later(add(lin, persona.id_number, name=persona.name, relation="parent"), nth),
            grandma.delete("/me"),
        )
        assert (declared.status_code, erased.status_code) == (201, 204), declared.text
        await nobody_is_erased_and_spoken_for()


async def test_who_asks_again_and_erases_herself_is_never_told_to_come_later(api: Api) -> None:
    for nth in range(ROUNDS):
        lin = await a_named_citizen(api)
        wang, persona = await with_a_phone(api)
        said = {"name": persona.name, "relation": "other"}
        asked = (await add(lin, persona.id_number, **said)).json()
        code = await code_sent_to(api, persona.phone)
        replies: list[httpx.Response] = await gather(
            *(add(lin, persona.id_number, **said) for _ in range(3)),
            a_bit_later(consent(lin, asked, code), nth),
            a_bit_later(lin.delete("/me"), nth),
            a_bit_later(wang.delete("/me"), nth),
        )
        statuses = [reply.status_code for reply in replies]
        assert statuses[-2:] == [204, 204], (nth, statuses)
        assert set(statuses[:-2]) <= {200, 201, 401, 404, 409, 422}, (nth, statuses)
        await nobody_is_erased_and_spoken_for()


async def test_a_number_taken_for_somebody_while_she_is_erased_deadlocks_nobody(api: Api) -> None:
    hall = await api.quiet_hall()
    for nth in range(ROUNDS):
        lin = await a_named_citizen(api)
        grandma, persona = await with_a_phone(api, "林奶奶", born=ELDER_BORN)
        proxy = (await add(lin, persona.id_number, name=persona.name, relation="parent")).json()
        taken, erased = await gather(
            a_bit_later(lin.take(hall, api.item(hall, "E"), **{"for": proxy["id"]}), nth),
            grandma.delete("/me"),
        )
        assert erased.status_code == 204, (nth, erased.text)
        assert taken.status_code in {201, 409}, (nth, taken.text)
        left = await rows(
            "SELECT 1 FROM ticket WHERE proxy_id = $1 AND ended_at IS NULL", proxy["id"]
        )
        assert left == [], nth
