"""A dry run: how many a rule would concern now and a few of them, masked; nobody is told anything.

Whoever tries rules out must not learn by them what is known of one person: of few people nothing
is said, and how many there are only to the nearest ten, so that two tries differ by nobody.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

import numpy as np

from models.audiences import Page, pages
from models.audit import Detail, Entry, record
from models.consents import Purpose
from models.database import Transaction, transaction
from models.identifiers import mask_name
from models.joined import NoSuchCitizen
from models.knowing import known
from models.sealing import NotOpened, Sealer
from models.tickets import Actor
from scheduler.matching.explaining import Names, whys
from scheduler.matching.rules import Rule
from server.matching.offering import occasions
from server.matching.rule_files import Service
from server.matching.views import AudienceView, Reason, Sampled, groups_of

LEAST: Final = 10
SAMPLE: Final = 5
WITHIN_S: Final = 10.0
# Each looks at everybody: one at a time in a process, and the phones go on.
_ONE_AT_A_TIME: Final = asyncio.Semaphore(1)


@dataclass(frozen=True, slots=True)
class Tried:
    """What is tried out: a rule, or one of the city's with its chain."""

    rule: Rule
    purpose: Purpose
    service: Service | None = None


@dataclass(slots=True)
class _Count:
    looked_at: int = 0
    concerned: int = 0
    complete: bool = True


async def try_audience(
    tried: Tried, names: Names, sealer: Sealer, by: Actor, *, today: date
) -> AudienceView:
    """Whom it would concern on a day, as far as WITHIN_S seconds go; whose names were looked at is
    recorded. Raises ReadsTooMuch.
    """
    count = _Count()
    chosen: list[tuple[UUID, tuple[str, str]]] = []
    async with _ONE_AT_A_TIME:
        until = time.monotonic() + WITHIN_S
        async for page in pages([tried.rule], tried.purpose, today=today):
            count.looked_at += len(page)
            found = await asyncio.to_thread(_look, tried, page, names, today)
            count.concerned += found.many
            chosen += found.some
            if time.monotonic() > until:
                count.complete = False
                break
    enough = count.concerned >= LEAST
    picked = secrets.SystemRandom().sample(chosen, min(SAMPLE, len(chosen))) if enough else []
    return AudienceView(
        purpose=tried.purpose,
        reads=groups_of(tried.rule.reads),
        looked_at=count.looked_at,
        complete=count.complete,
        least=LEAST,
        concerned=round(count.concerned, -1) if enough else None,
        sample=await _shown(tried, picked, sealer, by),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    many: int
    some: Sequence[tuple[UUID, tuple[str, str]]]


def _look(tried: Tried, page: Page, names: Names, today: date) -> _Found:
    """How many of a page, and a few of them with why."""
    if tried.service is not None and tried.service.chain is not None:
        at = np.array([each.at for each in occasions(tried.service, page, today)], dtype=np.intp)
    else:
        at = np.flatnonzero(tried.rule.concerned(page.columns, len(page)))
    if not len(at):
        return _Found(0, [])
    few = np.sort(np.random.default_rng().choice(at, min(SAMPLE, len(at)), replace=False))
    because = whys(tried.rule.expression, page.columns, few, names)
    return _Found(len(at), list(zip(page.ids_at(few), because, strict=True)))


async def _shown(
    tried: Tried, picked: Sequence[tuple[UUID, tuple[str, str]]], sealer: Sealer, by: Actor
) -> list[Sampled]:
    async with transaction() as tx:
        shown = [
            Sampled(await _masked(tx, sealer, who), Reason(*because)) for who, because in picked
        ]
        detail: Detail = {"purpose": tried.purpose.value, "reads": sorted(tried.rule.reads)}
        await record(tx, Entry(by, "audience.tried", "audience", tried.rule.code, detail=detail))
        for who, _ in picked:
            looked: Detail = {"fields": ["name", *sorted(tried.rule.reads)], "masked": True}
            await record(tx, Entry(by, "citizen.looked_at", "citizen", who, detail=looked))
    return shown


async def _masked(tx: Transaction, sealer: Sealer, who: UUID) -> str | None:
    try:
        name = (await known(tx, sealer, who)).name
    except (NotOpened, NoSuchCitizen):
        return None
    return mask_name(name) if name else None
