"""Runs the timetable and the job queue that app.py hands it, on PgQueuer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import asyncpg
from pgqueuer import PgQueuer


@dataclass(frozen=True, slots=True)
class Timed:
    """Something to do again and again. `cron` has five fields, in UTC."""

    name: str
    cron: str
    do: Callable[[], Awaitable[None]]


async def run_jobs(
    connection: asyncpg.Connection,
    timetable: tuple[Timed, ...],
    jobs: Mapping[str, Callable[[bytes | None], Awaitable[None]]],
) -> None:
    """Do what is due until cancelled. Many processes may run this at once: each job runs in one.

    `jobs` maps the name a job was enqueued under to what does it. A job whose worker dies is taken
    up by another when its heartbeat stops.
    """
    queue = PgQueuer.from_asyncpg_connection(connection)
    for timed in timetable:
        _schedule(queue, timed)
    for name, do in jobs.items():
        _serve(queue, name, do)
    try:
        await queue.run()
    except asyncio.CancelledError:
        queue.shutdown.set()
        raise


def _schedule(queue: PgQueuer, timed: Timed) -> None:
    @queue.schedule(timed.name, timed.cron)
    async def run(_: object) -> None:
        await timed.do()


def _serve(queue: PgQueuer, name: str, do: Callable[[bytes | None], Awaitable[None]]) -> None:
    @queue.entrypoint(name)
    async def run(job: object) -> None:
        await do(getattr(job, "payload", None))
