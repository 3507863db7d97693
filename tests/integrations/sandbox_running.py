"""A sandbox on a real loopback socket, on the tests' own loop, with a clock that tests move."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from sanic import Sanic

from integrations.sandbox import SandboxSettings, create_sandbox

Json = dict[str, Any]


class HandClock:
    """Stands still until moved."""

    def __init__(self) -> None:
        self.now = 600_000.0

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class RunningSandbox:
    """Where the sandbox is and short words for asking it."""

    url: str
    settings: SandboxSettings
    clock: HandClock
    http: httpx.AsyncClient

    async def persona(self, id_number: str = "99000119900307001X", **facts: Any) -> Json:
        reply = await self.http.post("/_sandbox/personas", json={"id_number": id_number} | facts)
        assert reply.status_code == 201, reply.text
        return dict(reply.json())

    async def log_in(self, code: str, **other: str) -> Json:
        query = {
            "appid": self.settings.wechat_app_id,
            "secret": self.settings.wechat_secret,
            "js_code": code,
            "grant_type": "authorization_code",
        }
        reply = await self.http.get("/sns/jscode2session", params=query | other)
        assert reply.status_code == 200
        return dict(reply.json())

    async def token(self, **other: Any) -> Json:
        body = {
            "grant_type": "client_credential",
            "appid": self.settings.wechat_app_id,
            "secret": self.settings.wechat_secret,
        }
        reply = await self.http.post("/cgi-bin/stable_token", json=body | other)
        assert reply.status_code == 200
        return dict(reply.json())

    async def phone(self, token: str, code: str) -> Json:
        reply = await self.http.post(
            "/wxa/business/getuserphonenumber", params={"access_token": token}, json={"code": code}
        )
        assert reply.status_code == 200
        return dict(reply.json())

    async def end_token(self, ending: str = "expired") -> None:
        reply = await self.http.post("/_sandbox/wechat/end-token", json={"ending": ending})
        assert reply.status_code == 204, reply.text

    async def break_login(self, kind: str, **how: Any) -> None:
        await self.break_down("wechat.jscode2session", kind, **how)

    async def break_down(self, endpoint: str, kind: str, **how: Any) -> None:
        fault = {"endpoint": endpoint, "kind": kind} | how
        reply = await self.http.put("/_sandbox/faults", json=fault)
        assert reply.status_code == 200, reply.text

    async def mend(self) -> None:
        assert (await self.http.delete("/_sandbox/faults")).status_code == 204

    async def logins_asked(self) -> int:
        return await self.calls("wechat.jscode2session")

    async def calls(self, endpoint: str) -> int:
        reply = await self.http.get("/_sandbox/calls")
        counts = {row["endpoint"]: row["calls"] for row in reply.json()["data"]}
        return int(counts[endpoint])


@asynccontextmanager
async def running(settings: SandboxSettings | None = None) -> AsyncIterator[RunningSandbox]:
    """Run a sandbox of one's own."""
    settings = settings or SandboxSettings()
    clock = HandClock()
    app = create_sandbox(settings, clock=clock)
    # Sanic rewrites its own classes at start, which works once in a process.
    app.config.TOUCHUP = False
    sock = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    server: Any = await app.create_server(sock=sock, return_asyncio_server=True)
    await server.startup()
    await server.before_start()
    await server.after_start()
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        yield RunningSandbox(url, settings, clock, http)
    await server.before_stop()
    await server.close()
    await server.after_stop()
    Sanic.unregister_app(app)
