"""People with families: whom they add, and what is sent to her phone."""

import asyncio
from datetime import date
from typing import Any

import httpx

from tests.conftest import Api, until
from tests.identity.people import Persona, a_persona, real_name, sandbox, through
from tests.leaks import LEAKS
from tests.people import Person, an_id_number

CHILD_BORN, ELDER_BORN, ADULT_BORN = date(2015, 5, 4), date(1950, 2, 3), date(1980, 7, 9)
_phones = iter(range(10**6))


async def a_named_citizen(
    api: Api, name: str = "林晓", *, born: date | None = None, number: str | None = None
) -> Person:
    """A citizen known by her real name (level 2)."""
    LEAKS.keep_secret(name)
    persona = await a_persona(api, number or an_id_number(born), name=name)
    who = await through(api, "wechat", persona)
    reply = await real_name(who, persona)
    assert reply.json()["assurance_level"] == 2, reply.text
    return who


async def with_a_phone(
    api: Api, name: str = "王芳", *, born: date = ADULT_BORN
) -> tuple[Person, Persona]:
    """A citizen whose name and phone the province vouches for."""
    phone = f"1371{next(_phones):07d}"
    LEAKS.keep_secret(name, phone)
    persona = await a_persona(api, an_id_number(born), name=name, phone=phone)
    return await through(api, "province", persona), persona


async def add(
    who: Person, number: str, *, name: str = "林小满", relation: str = "child", **headers: str
) -> httpx.Response:
    await _born(who, name, number)
    body = {"relation": relation, "name": name, "id_number": number}
    return await who.post("/me/family", body, **headers)


async def _born(who: Person, name: str, number: str) -> None:
    """The identity provider knows a person of this name and number."""
    LEAKS.keep_secret(name)
    if who.sandbox_url:
        persona = {"name": name, "id_number": number, "phone": "13812345678"}
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.post(f"{who.sandbox_url}/_sandbox/personas", json=persona)


async def a_child_of(who: Person, number: str | None = None) -> dict[str, Any]:
    """A child declared by her; the proxy."""
    reply = await add(who, number or an_id_number(CHILD_BORN))
    assert reply.status_code == 201, reply.text
    proxy: dict[str, Any] = reply.json()
    return proxy


async def add_company(who: Person, code: str, **headers: str) -> httpx.Response:
    return await who.post("/me/companies", {"uscc": code, "name": "示范公司"}, **headers)


async def a_company_of(who: Person, code: str) -> dict[str, Any]:
    """A company she acts for; the proxy."""
    reply = await add_company(who, code)
    assert reply.status_code == 201, reply.text
    proxy: dict[str, Any] = reply.json()
    return proxy


async def family(who: Person) -> list[dict[str, Any]]:
    reply = await who.get("/me/family")
    assert reply.status_code == 200, reply.text
    listed: list[dict[str, Any]] = reply.json()["data"]
    return listed


async def messages_to(api: Api, phone: str) -> list[dict[str, Any]]:
    sent: dict[str, list[dict[str, Any]]] = await sandbox(api, "GET", f"/sent?to={phone}&limit=100")
    return sent["data"]


async def code_sent_to(api: Api, phone: str, *, nth: int = 1) -> str:
    """The code of the nth message to a phone, once it has come."""
    for _ in range(200):
        sent = await messages_to(api, phone)
        if len(sent) >= nth:
            newest = max(sent, key=lambda message: message["at"])
            code: str = newest["fields"]["code"]
            return code
        await _a_moment()
    raise AssertionError("no message came")


async def nothing_under_way(api: Api) -> None:
    """Wait until everything is done that nobody waits for."""
    await until(lambda: api.services.afterwards.idle)


async def consent(who: Person, proxy: dict[str, Any], code: str) -> httpx.Response:
    return await who.post(f"/me/family/{proxy['id']}/consent", {"code": code})


async def acting_with_consent(api: Api, actor: Person, person: Persona) -> dict[str, Any]:
    """The actor added this person, who said yes; the proxy."""
    asked = (await add(actor, person.id_number, name=person.name, relation="spouse")).json()
    reply = await consent(actor, asked, await code_sent_to(api, person.phone))
    assert reply.status_code == 200, reply.text
    proxy: dict[str, Any] = reply.json()
    return proxy


async def _a_moment() -> None:
    await asyncio.sleep(0.01)
