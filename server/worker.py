"""The worker process: projects the halls it holds and runs background jobs."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

import asyncpg
import redis.asyncio as aioredis
import structlog

from integrations.ports import Platforms
from models import CONNECT_TIMEOUT_S
from models.opening import open_database
from models.sealing import Sealer
from scheduler.jobs import Timed, run_jobs
from scheduler.travel import paces_with_roads
from server.application import clock_of
from server.appointments.background import AppointmentWork
from server.campaigns.running import CampaignRunner
from server.clock import Clock
from server.departures.watching import DepartureWatch
from server.faults import is_store_fault
from server.halls.reading import read_directory
from server.live.feed import Feed
from server.live.projection import Projector
from server.matching.nightly import CRON as MATCHING
from server.matching.nightly import match_nightly
from server.matching.offering import names_of
from server.matching.rule_files import rules_in
from server.notices.background import deliver_forever
from server.notices.purging import purge_notices
from server.notices.reminding import remind_what_is_due
from server.notices.watching import NoticeWatch
from server.payments.background import tend_payments_forever
from server.privacy.chain import Notary
from server.privacy.key_file import FollowedKeys
from server.reconciling.nightly import CRON as RECONCILING
from server.reconciling.nightly import reconcile_what_is_due
from server.running.health import require_migrated
from server.sessions.purging import purge
from server.settings import Settings
from server.sso.grants import purge as purge_grants
from server.tickets.day_end import lapse_after_closing, lapse_past_days
from server.visits.tending import TEND_EVERY_S, tend_visits
from server.waits.foresight import Foresight
from server.waits.growing import regrow
from server.waits.remembering import Remembering

log = structlog.get_logger()
RESTART_JOBS_AFTER_S = 2.0


async def work(settings: Settings, platforms: Platforms, stop: asyncio.Event) -> None:
    """Work until told to stop, then give the halls away so that others take them at once.

    Raises DatabaseUnusable when the database cannot be reached or lacks migrations.
    """
    assert settings.database_url
    database_url = settings.database_url.get_secret_value()
    timeout_s = settings.database_timeout_s
    async with open_database(database_url, pool_size=10, timeout_s=timeout_s):
        await require_migrated()
        await _work(settings, platforms, stop)


async def _work(settings: Settings, platforms: Platforms, stop: asyncio.Event) -> None:
    assert settings.redis_url
    rule_book = rules_in(settings.rules_file)
    directory = await read_directory()
    valkey = aioredis.from_url(settings.redis_url.get_secret_value())
    clock = clock_of(settings)
    feed = Feed(valkey, directory.codes)
    foresight = Foresight()
    projector = Projector(valkey, directory, clock, foresight)
    remembering = Remembering(
        foresight,
        held=lambda: projector.leases.held,
        directory=lambda: projector.directory,
        now=clock.now,
    )

    async def lapse() -> None:
        # Telling marks what changed; nobody reads that here, so it is only to be forgotten.
        feed.memory.forget_old_changes()
        if ended := await lapse_past_days(now=clock.now(), feed=feed):
            log.info("past_days_ended", tickets=ended)
        ended = await lapse_after_closing(now=clock.now(), directory=projector.directory, feed=feed)
        if ended:
            log.info("day_ended", tickets=ended)

    sealer = Sealer(FollowedKeys(settings.personal_keys))

    async def grow_trees() -> None:
        await regrow(clock.now())

    departures = DepartureWatch(
        projector,
        said=foresight.said,
        feed=feed,
        valkey=valkey,
        sealer=sealer,
        clock=clock,
        paces=paces_with_roads(settings.road_factor),
    )
    timetable = (
        Timed("end_days", "* * * * *", lapse),
        Timed("witness_audit_log", "* * * * *", Notary(sealer).witness),
        Timed(
            "remind", "* * * * *", partial(remind_what_is_due, clock, lambda: projector.directory)
        ),
        Timed("grow_trees", "7 19 * * *", grow_trees),  # 03:07 in Shanghai
        Timed("reconcile", RECONCILING, partial(reconcile_what_is_due, settings, platforms)),
        Timed(
            "match",
            MATCHING,
            partial(
                match_nightly,
                rule_book,
                lambda: projector.directory,
                sealer,
                clock,
            ),
        ),
        Timed("purge", "17 19 * * *", purge),  # 03:17 in Shanghai
        Timed("purge_notices", "37 19 * * *", purge_notices),  # 03:37 in Shanghai
        Timed("purge_grants", "27 19 * * *", purge_grants),
    )
    # Boards must not show the people of a day that went by while no worker ran.
    await lapse()
    projecting = asyncio.create_task(projector.run_forever())
    jobs = asyncio.create_task(_keep_doing_jobs(settings, timetable))
    tending = asyncio.create_task(_tend_forever(feed, projector, clock))
    appointments = AppointmentWork(valkey, lambda: projector.directory, clock)
    foresight.no_show = appointments.no_show
    booking = asyncio.create_task(appointments.run_forever())
    paying = asyncio.create_task(
        tend_payments_forever(platforms.payments, settings.issuer, clock, feed)
    )
    storing = asyncio.create_task(remembering.run_forever())
    telling = asyncio.create_task(departures.run_forever())
    notices = asyncio.create_task(
        _tell_forever(
            CampaignRunner(lambda: names_of(rule_book, projector.directory), clock),
            deliver_forever(
                platforms.messengers,
                directory=lambda: projector.directory,
                sealer=sealer,
                clock=clock,
            ),
        )
    )
    watching = asyncio.create_task(
        NoticeWatch(
            held=lambda: projector.leases.held,
            shown=projector.shown,
            directory=lambda: projector.directory,
            clock=clock,
        ).run_forever()
    )
    stopped = asyncio.ensure_future(stop.wait())
    try:
        running = (projecting, jobs, tending, storing, telling, booking, paying, notices, watching)
        await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            if task.done():
                task.result()
    finally:
        # The halls first: others wait for them, and jobs may take their time to end.
        await _end(projecting)
        await _end(storing)
        await _end(telling)
        await remembering.say_farewell()
        await projector.leases.release()
        for each in (tending, booking, paying, notices, watching, jobs, stopped):
            await _end(each)
        await valkey.aclose()


async def _tell_forever(campaigns: CampaignRunner, delivering: Coroutine[Any, Any, None]) -> None:
    """Write campaigns, and deliver whatever is written."""
    async with asyncio.TaskGroup() as group:
        group.create_task(campaigns.run_forever())
        group.create_task(delivering)


async def _tend_forever(feed: Feed, projector: Projector, clock: Clock) -> None:
    """Let visits go on that wait for a line to open, in the halls that this worker holds."""
    while True:
        await asyncio.sleep(TEND_EVERY_S)
        try:
            # What was heard of last: the catalogue and the leases follow each other a little later.
            held = projector.leases.held.intersection(projector.directory.codes)
            await tend_visits(held, now=clock.now(), directory=projector.directory, feed=feed)
        except Exception as fault:
            if not is_store_fault(fault):
                raise
            log.warning("visits_not_tended", fault=type(fault).__name__)


async def _end(task: "asyncio.Future[Any]") -> None:
    """Cancel and wait. Never raises what the task failed of: what follows must be done too."""
    task.cancel()
    await asyncio.wait({task})


async def _keep_doing_jobs(settings: Settings, timetable: tuple[Timed, ...]) -> None:
    """PgQueuer on a connection of its own, anew whenever PostgreSQL was away."""
    assert settings.database_url
    while True:
        try:
            connection = await asyncpg.connect(
                settings.database_url.get_secret_value(),
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=settings.database_timeout_s,
            )
            try:
                await run_jobs(connection, timetable)
            finally:
                await connection.close()
        except Exception as fault:
            if not is_store_fault(fault):
                raise
            log.warning("jobs_lost_store", fault=type(fault).__name__)
        await asyncio.sleep(RESTART_JOBS_AFTER_S)
