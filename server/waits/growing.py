"""The nightly refit: new trees from the waits that came true."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from multiprocessing import get_context

import structlog

from models.waits import DAYS_LEARNED_FROM, forget_lessons_before, lessons_since, save_trees
from scheduler.calendar import business_day
from scheduler.wait.refit import refit
from server.waits.packing import all_lessons, pack_trees

log = structlog.get_logger()


async def regrow(now: datetime) -> int:
    """Grow trees from the last days' waits and put them into use; answers of how many kinds.

    None grow of too few waits; those that ship serve until then.
    """
    first = business_day(now) - timedelta(days=DAYS_LEARNED_FROM)
    await forget_lessons_before(first)
    lessons = await lessons_since(first)
    # Seconds of one core, so in a process of its own: the halls here go on being kept fresh.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as beside:
        grown = await asyncio.get_running_loop().run_in_executor(
            beside, grow_of, lessons, now.toordinal()
        )
    for kind, (trees, learned_from) in grown.items():
        await save_trees(kind, trees, learned_from=learned_from, at=now)
        log.info("trees_grown", kind=kind, learned_from=learned_from)
    return len(grown)


def grow_of(lessons: Sequence[bytes], seed: int) -> dict[str, tuple[bytes, int]]:
    """Trees by kind, packed, and of how many waits they grew."""
    grown = refit(all_lessons(lessons), seed)
    return {str(kind): (pack_trees(trees), rows) for kind, (trees, rows) in grown.items()}
