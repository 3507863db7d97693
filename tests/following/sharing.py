"""Codes of tickets for tests, and those who have them."""

from typing import Any

import httpx

from tests.conftest import Api
from tests.identity.families import ELDER_BORN, a_named_citizen
from tests.people import Person


async def a_code(holder: Person, ticket: dict[str, Any]) -> str:
    reply = await holder.post(f"/tickets/{ticket['id']}/follow-code")
    assert reply.status_code == 201, reply.text
    code: str = reply.json()["code"]
    return code


async def look(api: Api, code: str) -> httpx.Response:
    """What whoever has a code is answered; nobody is signed in."""
    return await api.http.post("/api/v1/follow", json={"code": code})


async def keep(who: Person, code: str, **headers: str) -> httpx.Response:
    return await who.post("/me/followed", {"code": code}, **headers)


async def an_elders_ticket(api: Api, hall: str) -> tuple[Person, dict[str, Any]]:
    """An elder with an account, and a ticket of hers that says more than a follower may know."""
    elder = await a_named_citizen(api, born=ELDER_BORN)
    reply = await elder.take(hall, api.item(hall, "E"))
    assert reply.status_code == 201, reply.text
    return elder, reply.json()
