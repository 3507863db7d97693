"""Two who may write campaigns, and a worker that writes when told."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

from models import campaigns
from models.consents import Purpose
from models.database import rows
from server.campaigns.running import CampaignRunner
from tests.conftest import Api
from tests.matching.people import consenting_person, known_as
from tests.people import Person

POLICY = {
    "title": "老年人优待证可网上申领",
    "title_en": "Senior citizens' cards online",
    "text": "年满 60 周岁的市民可网上申领。",
    "text_en": "Citizens of 60 and more can apply online.",
    "audience": "age >= 60",
    "reads": ["age"],
    "per_minute": 60_000,
}


class Office:
    """`author` writes, `second` approves."""

    def __init__(self, api: Api, author: Person, second: Person) -> None:
        self.api, self.author, self.second = api, author, second

    def runner(self) -> CampaignRunner:
        """A worker of its own."""
        return CampaignRunner(dict, self.api.services.clock)

    async def draft(self, **other: Any) -> dict[str, Any]:
        reply = await self.author.post("/admin/campaigns", {**POLICY, **other})
        assert reply.status_code == 201, reply.text
        view: dict[str, Any] = reply.json()
        return view

    async def approved(self, **other: Any) -> str:
        """One that may begin; its id."""
        one: str = (await self.draft(**other))["id"]
        reply = await self.second.post(path(one, "approve"), {"version": 1})
        assert (reply.status_code, reply.json()["state"]) == (200, "approved")
        return one

    async def runs(self, one: str, runner: CampaignRunner | None = None) -> dict[str, Any]:
        """Let it be written to its end, or to where it waits for another day; how it is then."""
        runner = runner or self.runner()
        async with asyncio.timeout(60):
            while (await self.shown(one))["state"] in ("approved", "running"):
                if not await runner.once() and await waits_long(one):
                    break
                await asyncio.sleep(0.005)
        return await self.counted(one)

    async def counted(self, one: str) -> dict[str, Any]:
        """How it is, counted now."""
        await rows("UPDATE campaign SET counted_at = NULL WHERE id = $1", UUID(one))
        while await campaigns.count():
            pass
        return await self.shown(one)

    async def shown(self, one: str) -> dict[str, Any]:
        view: dict[str, Any] = (await self.author.get(path(one))).json()
        return view

    async def step(self, one: str, what: str) -> Any:
        return await self.author.post(path(one, what))


def path(one: str, *more: str) -> str:
    return "/".join(["/admin/campaigns", one, *more])


async def waits_long(one: str) -> bool:
    [row] = await rows(
        "SELECT next_at > now() + interval '1 minute' AS so FROM campaign WHERE id = $1", UUID(one)
    )
    found: bool = row["so"]
    return found


async def people_born(born: str, many: int) -> list[UUID]:
    """People who let themselves be told of policies, and let their age be used for it."""
    found = [await consenting_person(["age"], Purpose.POLICIES) for _ in range(many)]
    for one in found:
        await known_as(one, born=date.fromisoformat(born))
    return found


async def written(one: str) -> list[Any]:
    """The notices of a campaign."""
    return await rows(
        "SELECT citizen_id, state, fault, facts, purpose, try_after = 'infinity' AS is_held"
        " FROM notice WHERE subject_id = $1 ORDER BY citizen_id",
        UUID(one),
    )
