"""Kiosks for tests, made as a hall's manager makes them."""

from typing import Any

import httpx

from tests.conftest import Api
from tests.people import Person, a_member_of_staff

# Who says at the hall who she is.
NAME, PHONE = "欧阳修远", "13800001234"
_names = iter(range(10**6))


async def a_manager(api: Api, hall: str) -> Person:
    return await a_member_of_staff(api.http, f"manager.{hall}")


async def a_kiosk(api: Api, hall: str) -> Person:
    """A new kiosk of the hall; its session says which."""
    manager = await a_manager(api, hall)
    reply = await manager.post(f"/halls/{hall}/kiosks", {"name": f"测试机 {next(_names)}"})
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return Person(api.http, made["token"], made["kiosk"])


async def give(who: Person, hall: str, item: str, **more: Any) -> httpx.Response:
    return await who.post(f"/halls/{hall}/tickets", {"item": item, **more})


async def given(who: Person, hall: str, item: str, **more: Any) -> dict[str, Any]:
    reply = await give(who, hall, item, **more)
    assert reply.status_code == 201, reply.text
    ticket: dict[str, Any] = reply.json()
    return ticket
