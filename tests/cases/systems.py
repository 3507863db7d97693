"""A department's system that handles cases, for tests."""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from tests.conftest import Api
from tests.people import an_id_number


@dataclass
class System:
    """A department's system, with its client id and secret."""

    http: httpx.AsyncClient
    code: str
    secret: str
    item: str

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        basic = base64.b64encode(f"{self.code}:{self.secret}".encode()).decode()
        return await self.http.request(
            method,
            f"/api/v1/departments{path}",
            json=body,
            headers={"Authorization": f"Basic {basic}"},
        )

    async def opens(self, number: str, **more: Any) -> httpx.Response:
        body = {"number": number, "item": self.item} | more
        if not {"id_number", "sub", "uscc"} & body.keys():
            body["id_number"] = an_id_number()
        return await self.ask("POST", "/cases", body)

    async def a_case(self, **more: Any) -> dict[str, Any]:
        """A case that it has just accepted."""
        reply = await self.opens(uuid4().hex, **more)
        assert reply.status_code == 201, reply.text
        case: dict[str, Any] = reply.json()
        return case

    async def tells(self, no: str, state: str, **more: Any) -> httpx.Response:
        body = {"number": uuid4().hex, "name": "材料审核", "state": state} | more
        return await self.ask("POST", f"/cases/{no}/steps", body)


async def a_system(api: Api, **facts: Any) -> System:
    """A system newly registered, which may handle cases unless `facts` say otherwise."""
    admin = await api.colleague("admin")
    code = f"dept-{uuid4().hex[:12]}"
    body = {
        "client_id": code,
        "name": "不动产登记中心",
        "name_en": "Real Estate Registration Centre",
        "redirect_uris": ["https://a.test/cb"],
        "may_handle_cases": True,
    }
    reply = await admin.post("/admin/sso/clients", body | facts)
    assert reply.status_code == 201, reply.text
    item = min(api.services.directory.items)
    return System(api.http, code, reply.json()["client_secret"], item)


def hence(api: Api, **time: float) -> str:
    """A moment so far from now, of the business clock."""
    at: datetime = api.services.clock.now() + timedelta(**time)
    return at.isoformat()
