"""The post of tests: a courier that goes when told, and what the platforms took from it."""

import asyncio
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any
from uuid import UUID

import httpx

from models.database import rows
from models.notice_kinds import Urgency
from server.notices.courier import Courier
from server.notices.templates import Templates
from tests.conftest import Api
from tests.people import Person

# Starts a process of couriers.
Spawn = Callable[[], BaseProcess]


class Post:
    """What is to be told in the city under test, and what was."""

    def __init__(self, api: Api, sandbox: httpx.AsyncClient) -> None:
        self.api, self.sandbox = api, sandbox

    def courier(self, **more: Any) -> Courier:
        room = self.api.services
        return Courier(
            room.platforms.messengers,
            Templates(),
            directory=lambda: room.directory,
            sealer=room.sealer,
            clock=room.clock,
            **more,
        )

    async def goes(self) -> None:
        """Deliver all that is due now."""
        courier = self.courier()
        while await courier.once():
            pass

    async def goes_with_matters(self) -> None:
        """Deliver what can wait, too."""
        courier = self.courier(most=Urgency.CAMPAIGN)
        while await courier.once():
            pass

    async def due(self, who: Person) -> None:
        """What waits for the morning need not wait any longer."""
        await due_now(who)

    async def allow(self, who: Person, *kinds: str, answer: str = "accept", **more: Any) -> None:
        """She answers a prompt on her phone, and her app tells so."""
        templates = [f"yiting_{kind}" for kind in kinds]
        asked = {"openid": await openid_of(who), "templates": templates, "answer": answer, **more}
        (await self.sandbox.post("/_sandbox/wechat/subscribe", json=asked)).raise_for_status()

    async def allowed(self, who: Person, kind: str) -> int:
        """How many more messages of a kind we believe that she allows on WeChat."""
        shown = (await who.get("/me/subscriptions")).json()["data"]
        [found] = [s for s in shown if (s["kind"], s["channel"]) == (kind, "wechat")]
        credits: int = found["credits"]
        return credits

    async def until_allowed(self, who: Person, kind: str, many: int) -> None:
        """Wait until the platform's word of what she allows has come."""
        deadline = time.monotonic() + 30
        while await self.allowed(who, kind) != many:
            assert time.monotonic() < deadline, await self.allowed(who, kind)
            await asyncio.sleep(0.02)

    async def sent_to(self, who: Person) -> list[dict[str, Any]]:
        """What WeChat took for her."""
        return await self.sent(await openid_of(who))

    async def sent(self, to: str) -> list[dict[str, Any]]:
        reply = await self.sandbox.get("/_sandbox/sent", params={"to": to})
        data: list[dict[str, Any]] = reply.json()["data"]
        return data

    async def fails(self, endpoint: str, kind: str = "error", **more: Any) -> None:
        """An endpoint of a platform misbehaves from now on."""
        fault = {"endpoint": endpoint, "kind": kind, **more}
        (await self.sandbox.put("/_sandbox/faults", json=fault)).raise_for_status()

    async def works_again(self) -> None:
        (await self.sandbox.delete("/_sandbox/faults")).raise_for_status()


async def openid_of(who: Person) -> str:
    [link] = await rows(
        "SELECT subject FROM channel_link WHERE citizen_id = $1 AND platform = 'wechat'",
        UUID(who.session["citizen"]["id"]),
    )
    openid: str = link["subject"]
    return openid


async def notices_of(who: Person, **query: Any) -> list[dict[str, Any]]:
    reply = await who.get("/notices", params=query)
    assert reply.status_code == 200, reply.text
    data: list[dict[str, Any]] = reply.json()["data"]
    return data


async def no_word_of(who: Person) -> None:
    """What was tried was tried so long ago that the platform's word would have come."""
    her = UUID(who.session["citizen"]["id"])
    await rows(
        "UPDATE notice_attempt SET begun_at = begun_at - interval '20 minutes'"
        " WHERE notice_id IN (SELECT id FROM notice WHERE citizen_id = $1)",
        her,
    )
    await due_now(who)


async def due_now(who: Person) -> None:
    """What waits for a platform that was away need not wait any longer."""
    await rows(
        "UPDATE notice SET try_after = now() WHERE citizen_id = $1 AND state = 'waiting'",
        UUID(who.session["citizen"]["id"]),
    )
