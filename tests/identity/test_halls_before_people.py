"""Whoever is joined or erased gives numbers up as a hall does: in turn, under the hall's lock."""

from asyncio import create_task, gather, sleep, wait_for
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from models import decisions
from models.database import rows
from tests.conftest import Api
from tests.identity.families import ELDER_BORN, a_named_citizen, add
from tests.identity.people import Persona, a_persona, real_name, through
from tests.people import Person, an_id_number

ROUNDS = 8
Leave = Callable[[Person, Persona], Coroutine[Any, Any, httpx.Response]]


async def erase(who: Person, _: Persona) -> httpx.Response:
    return await who.delete("/me")


@pytest.mark.parametrize("leave", [real_name, erase], ids=["joined", "erased"])
async def test_her_numbers_end_when_nobody_decides_in_their_halls(api: Api, leave: Leave) -> None:
    hall, other = await api.quiet_hall(), await api.quiet_hall()
    persona = await a_persona(api)
    by_wechat = await through(api, "wechat", persona)
    by_alipay = await through(api, "alipay", persona)
    await real_name(by_wechat, persona)
    item = api.item(hall, "E")
    await by_wechat.take(other, item)
    ticket = (await by_alipay.take(hall, item)).json()["id"]
    async with decisions.deciding_in(api.services.directory.hall(hall).id):
        leaving = create_task(leave(by_alipay, persona))
        await sleep(0.3)
        [before] = await rows("SELECT state FROM ticket WHERE id = $1", ticket)
        assert (leaving.done(), before["state"]) == (False, "waiting")
    reply = await wait_for(leaving, 5)
    assert reply.status_code in {200, 204}, reply.text
    [after] = await rows("SELECT state FROM ticket WHERE id = $1", ticket)
    assert after["state"] == "cancelled"


async def test_numbers_taken_for_her_meanwhile_stand_in_nobodys_way(api: Api) -> None:
    hall, other = await api.quiet_hall(), await api.quiet_hall()
    clerk = await api.clerk(hall)
    for nth in range(ROUNDS):
        lin = await a_named_citizen(api)
        persona = await a_persona(api, an_id_number(ELDER_BORN), name="林奶奶")
        by_wechat = await through(api, "wechat", persona)
        by_alipay = await through(api, "alipay", persona)
        await real_name(by_wechat, persona)
        proxy = (await add(lin, persona.id_number, name=persona.name, relation="parent")).json()
        await by_alipay.take(other, api.item(other, "E"))
        said = {"item": api.item(hall, "B"), "id_number": persona.id_number}
        replies = await gather(
            real_name(by_alipay, persona),
            lin.take(hall, api.item(hall, "E"), **{"for": proxy["id"]}),
            clerk.post(f"/halls/{hall}/tickets", said),
            by_wechat.take(hall, api.item(hall, "A")),
            by_alipay.take(other, api.item(other, "A")),
        )
        statuses = [reply.status_code for reply in replies]
        assert statuses[0] in {200, 401}, (nth, replies[0].text)
        assert set(statuses) <= {200, 201, 401, 403, 409}, (nth, [r.text for r in replies])
        doubles = await rows(
            """
            SELECT 1 FROM ticket JOIN citizen ON citizen.id = ticket.citizen_id
            WHERE ended_at IS NULL GROUP BY citizen_id, item_id HAVING count(*) > 1
            """
        )
        assert doubles == []
