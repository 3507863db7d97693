"""Runs the timetable that the worker hands it, on PgQueuer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
from pgqueuer import PgQueuer


@dataclass(frozen=True, slots=True)
class Timed:
    """Something to do again and again. `cron` has five fields, in UTC."""

    name: str
    cron: str
    do: Callable[[], Awaitable[object]]


async def run_jobs(connection: asyncpg.Connection, timetable: tuple[Timed, ...]) -> None:
    """Do what is due until cancelled. Many processes may run this at once: each job runs in one."""
    queue = PgQueuer.from_asyncpg_connection(connection)
    for timed in timetable:
        _schedule(queue, timed)
    try:
        await queue.run()
    except asyncio.CancelledError:
        queue.shutdown.set()
        raise


def _schedule(queue: PgQueuer, timed: Timed) -> None:
    @queue.schedule(timed.name, timed.cron)
    async def run(_: object) -> None:
        await timed.do()
