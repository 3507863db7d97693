"""Every night: what is known of people is learned anew, and whom something concerns is told."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from models import purpose_notices, traits
from models.audiences import Page, pages
from models.consents import Purpose
from models.database import transaction
from models.sealing import Sealer
from scheduler.calendar import business_day
from scheduler.matching.explaining import Names
from server.clock import Clock
from server.halls.directory import Directory
from server.matching.offering import Occasion, concerns, names_of, occasions, told_by
from server.matching.rule_files import RuleBook, Service, strange_names

log = structlog.get_logger()

CRON: Final = "47 19 * * *"  # 03:47 in Shanghai; what is written waits for the morning
# So many are learned, and told, in one transaction.
_LEARNED_AT_ONCE: Final = 500
_TOLD_AT_ONCE: Final = 1_000
# The worker goes on projecting halls meanwhile: smaller pages than whoever has a process alone.
_PAGE: Final = 20_000


@dataclass(slots=True)
class Night:
    """How many people were looked at, in all purposes, and how many told by which rule."""

    looked_at: int = 0
    learned: int = 0
    told: dict[str, int] = field(default_factory=dict)


async def match_everybody(
    book: RuleBook, *, directory: Directory, sealer: Sealer, now: datetime
) -> Night:
    """Tell everybody whom a rule concerns, once an occasion. `now` is business time.

    Again it changes nothing but what came in between: whoever runs it, and however often.
    """
    night = Night(learned=await learn_anew(sealer))
    names = names_of(book, directory)
    usable = _usable(book, directory)
    for purpose in Purpose:
        services = [each for each in book.of(purpose) if each.rule.code in usable]
        if not services:
            continue
        rules = [each.rule for each in services]
        async for page in pages(rules, purpose, today=business_day(now), page=_PAGE):
            night.looked_at += len(page)
            for service in services:
                told = await _tell(service, page, names, directory, now)
                if told:
                    night.told[service.rule.code] = night.told.get(service.rule.code, 0) + told
    return night


async def match_nightly(
    book: RuleBook, directory: Callable[[], Directory], sealer: Sealer, clock: Clock
) -> None:
    """The night's work, and a line about it."""
    night = await match_everybody(book, directory=directory(), sealer=sealer, now=clock.now())
    log.info(
        "matched", looked_at=night.looked_at, learned=night.learned, told=sum(night.told.values())
    )


async def learn_anew(sealer: Sealer) -> int:
    """Learn of whoever consents what became known of her since; of how many."""
    learned, last = 0, UUID(int=0)
    while True:
        async with transaction() as tx:
            people = await traits.stale(tx, last, _LEARNED_AT_ONCE)
            if people:
                await traits.learn(tx, sealer, people, at=datetime.now(UTC))
        if not people:
            return learned
        learned, last = learned + len(people), people[-1]


def _usable(book: RuleBook, directory: Directory) -> set[str]:
    """The rules whose items, halls and topics the city has."""
    strange = {fault.where.removeprefix("rule ") for fault in strange_names(book, directory)}
    for code in sorted(strange):
        log.warning("rule_not_usable", rule=code)
    return {each.rule.code for each in book.services} - strange


async def _tell(
    service: Service, page: Page, names: Names, directory: Directory, now: datetime
) -> int:
    found = await asyncio.to_thread(occasions, service, page, business_day(now))
    if not found:
        return 0
    told = told_by(service)
    new = 0
    for some in _parts(found):
        people = [page.id_at(each.at) for each in some]
        keys = [each.key for each in some]
        left = [some[nth] for nth in await purpose_notices.fresh(told.rule, people, keys)]
        if not left:
            continue
        said = await asyncio.to_thread(concerns, service, page, left, names, directory)
        async with transaction() as tx:
            new += await purpose_notices.write(tx, told, said, now=now)
    return new


def _parts(found: Sequence[Occasion]) -> list[Sequence[Occasion]]:
    return [found[start : start + _TOLD_AT_ONCE] for start in range(0, len(found), _TOLD_AT_ONCE)]
