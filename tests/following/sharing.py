"""Codes of tickets for tests, and those who have them."""

from typing import Any

import httpx

from tests.conftest import Api
from tests.people import Person


async def a_code(holder: Person, ticket: dict[str, Any]) -> str:
    reply = await holder.post(f"/tickets/{ticket['id']}/follow-code")
    assert reply.status_code == 201, reply.text
    code: str = reply.json()["code"]
    return code


async def look(api: Api, code: str) -> httpx.Response:
    """What whoever has a code is answered; nobody is signed in."""
    return await api.http.post("/api/v1/follow", json={"code": code})
