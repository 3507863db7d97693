"""Personas as the platforms know them, and the ways they come in."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.conftest import Api
from tests.people import Person, an_id_number


@dataclass
class Persona:
    """Somebody the sandbox knows; each code is good once."""

    name: str
    id_number: str
    phone: str
    codes: dict[str, Any]


async def sandbox(api: Api, method: str, path: str, body: Any = None) -> Any:
    async with httpx.AsyncClient(base_url=api.sandbox_url, trust_env=False) as http:
        reply = await http.request(method, f"/_sandbox{path}", json=body)
        reply.raise_for_status()
        return reply.json() if reply.content else None


async def a_persona(api: Api, id_number: str | None = None, **more: Any) -> Persona:
    """A persona with fresh codes; the same id number is the same person."""
    who = {"name": "林晓", "phone": "13812345678", "id_number": id_number or an_id_number(), **more}
    codes = await sandbox(api, "POST", "/personas", who)
    return Persona(codes["name"], codes["id_number"], codes["phone"], codes)


async def through(api: Api, door: str, persona: Persona) -> Person:
    """Sign in through a door: wechat, alipay or province. The persona's code is spent."""
    reply = await knock(api, door, persona)
    assert reply.status_code == 200, reply.text
    return Person(api.http, reply.json()["access_token"], reply.json(), api.sandbox_url)


async def knock(api: Api, door: str, persona: Persona) -> httpx.Response:
    """The door's answer, whatever it is."""
    if door == "wechat":
        body = {"code": persona.codes["wechat_code"]}
    elif door == "alipay":
        body = {"auth_code": persona.codes["alipay_code"]}
    else:
        begun = await api.http.get("/api/v1/sessions/province/authorize")
        assert begun.status_code == 200, begun.text
        body = {"code": persona.codes["province_code"], "state": begun.json()["state"]}
    return await api.http.post(f"/api/v1/sessions/{door}", json=body)


async def real_name(who: Person, persona: Persona, **more: Any) -> httpx.Response:
    """Prove that she is the persona."""
    said = {"name": persona.name, "id_type": "resident_id", "id_number": persona.id_number}
    return await who.post("/me/real-name", {**said, **more})
