"""A worker's part in campaigns: writes them at their per_minute, and counts how it went.

How far a campaign is stands in its row. What a worker keeps besides is only where in the audience
it reads; when it dies, another reads on from the row.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np
import structlog
from uuid_utils.compat import uuid7

from models import campaigns, purpose_notices
from models.audiences import Page, pages
from models.campaigns import AGAIN_AFTER, MOST_WAITING
from models.consents import Purpose, groups_in
from models.database import transaction
from models.notice_kinds import NoticeKind
from models.purpose_notices import Concern, Told
from scheduler.calendar import business_day
from scheduler.matching.explaining import Names, whys
from scheduler.matching.rules import Rule, rule
from server.clock import Clock
from server.faults import is_store_fault

log = structlog.get_logger()

POLL_S: Final = 0.25
STORE_AWAY_S: Final = 1.0
COUNT_EVERY_S: Final = 2.0
# Enough of it waits: it is looked at again after so long.
_WAIT_S: Final = 1.0
# So many people are read at a time, and so many written to in one transaction at most.
_PAGE: Final = 10_000
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Part:
    """Some of whom a campaign concerns, with why; `cursor` is who was looked at last."""

    concerns: Sequence[Concern]
    cursor: UUID


class CampaignRunner:
    """Writes the campaigns that this worker holds."""

    def __init__(self, names: Callable[[], Names], clock: Clock) -> None:
        self._names = names
        self._clock = clock
        self._worker = uuid7()
        # Where in its audience each is read, and the part that is to be written next.
        self._reading: dict[UUID, AsyncIterator[Part]] = {}
        self._next: dict[UUID, tuple[UUID | None, Part | None]] = {}

    async def run_forever(self) -> None:
        """Write what is due, and count, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again_and_again(self.once, POLL_S))
            group.create_task(self._again_and_again(campaigns.count, COUNT_EVERY_S))

    async def _again_and_again(self, work: Callable[[], Any], every_s: float) -> None:
        while True:
            try:
                did = await work()
            except Exception as fault:
                if not is_store_fault(fault):
                    raise
                log.warning("campaigns_not_written", fault=type(fault).__name__)
                await asyncio.sleep(STORE_AWAY_S)
                continue
            if not did:
                await asyncio.sleep(every_s)

    async def once(self) -> int:
        """Write one part of each campaign that is due; to how many people."""
        now = self._clock.now()
        async with transaction() as tx:
            for ended in await campaigns.end_overdue(tx, now=now):
                log.info("campaign_ended", campaign=str(ended))
        told = 0
        for row in await campaigns.claim(self._worker, now=now):
            told += await self._advance(row, now)
        return told

    async def _advance(self, row: Any, now: datetime) -> int:
        if await campaigns.waiting(row["id"]) >= MOST_WAITING:
            await campaigns.wait(row["id"], self._worker, _WAIT_S)
            return 0
        at, part = await self._part(row, now)
        async with transaction() as tx:
            if not await campaigns.still_mine(tx, row["id"], self._worker, at):
                told = None
            elif part is None:
                told = 0
                await self._end_round(tx, row, now)
            else:
                told = await purpose_notices.write(tx, told_by(row["id"]), part.concerns, now=now)
                await campaigns.went_on(
                    tx,
                    row["id"],
                    cursor=part.cursor,
                    looked_at=len(part.concerns),
                    left_out=len(part.concerns) - told,
                )
        if told is None or part is None:
            await self._forget(row["id"])
        else:
            self._next[row["id"]] = (part.cursor, await anext(self._reading[row["id"]], None))
        return told or 0

    async def _part(self, row: Any, now: datetime) -> tuple[UUID | None, Part | None]:
        """What is to be written next, from where the row says."""
        known = self._next.get(row["id"])
        if known is None or known[0] != row["cursor"]:
            await self._forget(row["id"])
            reading = parts(row, self._names(), now)
            self._reading[row["id"]] = reading
            self._next[row["id"]] = row["cursor"], await anext(reading, None)
        return self._next[row["id"]]

    async def _forget(self, campaign_id: UUID) -> None:
        self._next.pop(campaign_id, None)
        reading: Any = self._reading.pop(campaign_id, None)
        if reading is not None:
            await reading.aclose()

    async def _end_round(self, tx: Any, row: Any, now: datetime) -> None:
        again = row["left_out"] > 0 and now + AGAIN_AFTER < row["ends_at"]
        after_s = AGAIN_AFTER.total_seconds() / self._clock.speed if again else None
        await campaigns.round_ended(tx, row["id"], again_after_s=after_s)
        log.info("campaign_round_ended", campaign=str(row["id"]), again=again)


def told_by(campaign_id: UUID) -> Told:
    """What a campaign's notices are."""
    return Told(
        f"campaign:{campaign_id}", Purpose.POLICIES, NoticeKind.POLICY_NEWS, subject_id=campaign_id
    )


def rule_of(row: Any) -> Rule:
    """Whom a campaign concerns, as its row says. Raises WrongExpression."""
    return rule(f"campaign:{row['id']}", row["audience"], groups_in(row["reads"]))


async def parts(row: Any, names: Names, now: datetime) -> AsyncIterator[Part]:
    """Whom a campaign concerns and who was not told yet, behind where its row says."""
    whom, at_once = rule_of(row), max(1, min(_AT_ONCE, row["per_minute"] // 60))
    facts = facts_of(row)
    found = pages(
        [whom], Purpose.POLICIES, today=business_day(now), after=row["cursor"], page=_PAGE
    )
    async with aclosing(found) as every:  # type: ignore[type-var]
        async for page in every:
            at = np.flatnonzero(await asyncio.to_thread(whom.concerned, page.columns, len(page)))
            told_by_it = told_by(row["id"]).rule
            for start in range(0, len(at), at_once):
                some = at[start : start + at_once]
                people = page.ids_at(some)
                new = await purpose_notices.fresh(told_by_it, people, [""] * len(people))
                if new:
                    some = some[np.array(new)]
                    yield Part(_concerns(page, some, whom, facts, names), page.id_at(int(some[-1])))


def facts_of(row: Any) -> dict[str, Any]:
    """What all of a campaign's notices say alike."""
    item = {"item": str(row["item_id"])} if row["item_id"] else {}
    return {name: row[name] for name in ("title", "title_en", "text", "text_en")} | item


def _concerns(
    page: Page, at: np.ndarray[Any, Any], whom: Rule, facts: dict[str, Any], names: Names
) -> list[Concern]:
    because = whys(whom.expression, page.columns, at, names)
    return [
        Concern(
            who,
            "",
            msgspec.json.encode(facts | {"because": zh, "because_en": en}).decode(),
            int(page.groups[nth]),
        )
        for who, nth, (zh, en) in zip(page.ids_at(at), at.tolist(), because, strict=True)
    ]
