"""Makes the API application of one process: opens what it needs, keeps its memory fresh, closes."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine
from functools import partial
from traceback import extract_tb
from typing import Any
from uuid import UUID

import redis.asyncio as aioredis
import structlog
from sanic import Request, Sanic
from tortoise import Tortoise

from integrations.ports import Platforms
from models import orm_config
from models.sealing import Sealer
from scheduler.travel import paces_with_roads
from server.admin import routes as admin
from server.alerts import routes as alerts
from server.announcements import routes as announcements
from server.appointments import appeal_routes as booking_appeals
from server.appointments import demand_routes as booking_demand
from server.appointments import desk_routes as booking_desk
from server.appointments import hall_routes as expected
from server.appointments import leaving_routes as leaving_for_slots
from server.appointments import plan_routes as slot_plans
from server.appointments import routes as appointments
from server.appointments import share_routes as bookable
from server.appointments import slot_routes as slots
from server.appointments import standing_routes as booking_standing
from server.appointments import visit_routes as booked_visits
from server.appointments import waiting_routes as waitlist
from server.appointments.habits import Habits
from server.appointments.slot_book import SlotBook
from server.appointments.soonest import SoonestSlots
from server.appointments.watching import AppointmentWatch
from server.auth import Tokens
from server.board import routes as board
from server.campaigns import routes as campaigns
from server.cases import routes as cases
from server.clock import Clock
from server.counters import more_routes as attending
from server.counters import routes as counters
from server.counters import staffing_routes as staffing
from server.departments import case_routes as departments_cases
from server.departments import routes as departments_systems
from server.departures import routes as departures
from server.following import routes as following
from server.halls import addresses, items
from server.halls import routes as halls
from server.halls.directory import Directory
from server.halls.listing import HallLists
from server.halls.reading import LOOK_EVERY_S, newer_directory, read_directory
from server.halls.ways import Ways
from server.http.incoming import Incoming
from server.http.limits import Limits
from server.http.unrouted import answer_fault
from server.identity import proxy_routes as proxies
from server.identity import residence
from server.identity import routes as identity
from server.keys.token_keys import KeyFile
from server.kiosks import routes as kiosks
from server.lines import arranging_routes as arranging
from server.lines import routes as lines
from server.live import socket
from server.live.current import current_ticket
from server.live.feed import Feed
from server.live.sockets import Sockets, admit
from server.matching import admin_routes as audiences
from server.matching import routes as consents
from server.matching.rule_files import rules_in
from server.notices import admin_routes as notice_templates
from server.notices import callbacks as events
from server.notices import routes as notices
from server.notices import sms_receipts
from server.notices.inbox import InboxWatch
from server.notices.templates import Templates
from server.payments import callbacks
from server.payments import hall_routes as hall_payments
from server.payments import routes as payments
from server.payments.deliveries import Deliveries
from server.payments.refused_callbacks import RefusedCallbacks
from server.payments.settling import Settler
from server.printing import routes as printing
from server.privacy import routes as privacy
from server.privacy.key_file import FollowedKeys
from server.ratings import routes as ratings
from server.receipts import pages as receipt_pages
from server.receipts import routes as receipts
from server.reconciling import batch_routes as bank_batches
from server.reconciling import routes as reconciling
from server.reports import routes as reports
from server.running import health
from server.running.metrics import carry_over_forever
from server.services import Services
from server.sessions import device_routes as devices
from server.sessions import page_routes as page_sessions
from server.sessions import routes as sessions
from server.sessions import staff_routes as staff
from server.sessions.tokens import ended_recently, joined_recently
from server.settings import Settings
from server.sso import admin as sso_admin
from server.sso import routes_browser, routes_client, routes_consent, routes_logout, routes_me
from server.sso.keys import SigningKeys
from server.sso.provider import Provider
from server.tickets import hall_routes as at_hall
from server.tickets import place_routes as places
from server.tickets import routes as tickets
from server.tickets.day_end import lapse_past_days
from server.visits import bundles
from server.visits import routes as visits
from server.waits import routes as waits
from server.waits.accuracy import Accuracies
from server.web import docs, pages

log = structlog.get_logger()

LARGEST_BODY = 64 * 1024
LARGEST_SOCKET_MESSAGE = 8 * 1024
GRACEFUL_STOP_S = 10.0
# A start waits so long for Valkey's words, and goes on without.
HEARING_WITHIN_S = 1.0
LISTS_KEPT_UP_EVERY_S = 0.2
LOOK_FOR_KEYS_EVERY_S = 2.0
# How often PostgreSQL is asked which sign-ins are over: while words are heard, and while none is.
ENDED_EVERY_S, ENDED_UNHEARD_S = 30.0, 0.1
STORE_AWAY_S = 2.0
ISSUER = "yiting"
BLUEPRINTS = (
    sessions.bp,
    page_sessions.bp,
    identity.bp,
    residence.bp,
    proxies.bp,
    devices.bp,
    staff.bp,
    admin.bp,
    privacy.bp,
    halls.bp,
    items.bp,
    addresses.bp,
    waits.bp,
    reports.bp,
    board.bp,
    tickets.bp,
    places.bp,
    departures.bp,
    at_hall.bp,
    kiosks.bp,
    slots.bp,
    appointments.bp,
    booked_visits.bp,
    leaving_for_slots.bp,
    waitlist.bp,
    slot_plans.bp,
    bookable.bp,
    booking_standing.bp,
    booking_appeals.bp,
    booking_demand.bp,
    booking_desk.bp,
    expected.bp,
    bundles.bp,
    visits.bp,
    following.bp,
    payments.bp,
    hall_payments.bp,
    callbacks.bp,
    notices.bp,
    notice_templates.bp,
    events.bp,
    sms_receipts.bp,
    consents.bp,
    audiences.bp,
    campaigns.bp,
    cases.bp,
    ratings.bp,
    reconciling.bp,
    bank_batches.bp,
    receipts.bp,
    receipt_pages.bp,
    departments_systems.bp,
    departments_cases.bp,
    printing.bp,
    counters.bp,
    attending.bp,
    staffing.bp,
    lines.bp,
    arranging.bp,
    announcements.bp,
    alerts.bp,
    socket.bp,
    routes_client.bp,
    routes_browser.bp,
    routes_consent.bp,
    routes_logout.bp,
    routes_me.bp,
    sso_admin.bp,
    health.bp,
    docs.bp,
    pages.bp,
)


class Yiting(Sanic[Any, Any]):
    """Sanic, with sockets refused before their handshake, while a plain answer can be given."""

    async def _websocket_handler(
        self, handler: Callable[..., Any], request: Request, *args: Any, **options: Any
    ) -> None:
        admit(request)
        await super()._websocket_handler(handler, request, *args, **options)  # type: ignore[no-untyped-call]


def create_app(
    settings: Settings, platforms: Platforms, *, name: str = "yiting"
) -> Sanic[Any, Any]:
    """The API, ready to be served. Opens nothing before the server starts."""
    app = Yiting(name, configure_logging=False, strict_slashes=False, request_class=Incoming)
    app.config.update(
        {
            "ACCESS_LOG": False,
            "AUTO_EXTEND": False,
            "MOTD": False,
            "REQUEST_MAX_SIZE": LARGEST_BODY,
            "REQUEST_TIMEOUT": 20,
            "RESPONSE_TIMEOUT": 20,
            "KEEP_ALIVE_TIMEOUT": 75,
            "GRACEFUL_SHUTDOWN_TIMEOUT": GRACEFUL_STOP_S,
            "WEBSOCKET_MAX_SIZE": LARGEST_SOCKET_MESSAGE,
            "WEBSOCKET_PING_INTERVAL": 20,
            "WEBSOCKET_PING_TIMEOUT": 20,
            "PROXIES_COUNT": settings.proxies_count or None,
        }
    )
    for blueprint in BLUEPRINTS:
        app.blueprint(blueprint.copy(f"{blueprint.name}-{name}"))
    app.error_handler.add(Exception, answer_fault)
    app.before_server_start(lambda app: _open(app, settings, platforms))
    app.before_server_stop(_say_goodbye)
    app.after_server_stop(_close)
    return app


async def _open(app: Sanic[Any, Any], settings: Settings, platforms: Platforms) -> None:
    assert settings.database_url
    assert settings.redis_url
    await Tortoise.init(
        config=orm_config(
            settings.database_url.get_secret_value(),
            pool_size=settings.database_pool,
            timeout_s=settings.database_timeout_s,
        ),
        _enable_global_fallback=True,
    )
    valkey = aioredis.from_url(settings.redis_url.get_secret_value())
    directory = await read_directory()
    feed = Feed(valkey, directory.codes)
    key_file = KeyFile(settings.token_keys)
    tokens = Tokens(key_file.first, ISSUER, key_file.newer)
    limits = Limits(valkey, enabled=settings.rate_limits)
    app.ctx.services = Services(
        settings=settings,
        clock=clock_of(settings),
        tokens=tokens,
        sealer=Sealer(FollowedKeys(settings.personal_keys)),
        limits=limits,
        platforms=platforms,
        valkey=valkey,
        feed=feed,
        directory=directory,
        provider=_provider_of(settings),
        ways=Ways(platforms.maps, valkey) if platforms.maps else None,
    )
    room: Services = app.ctx.services
    # What is asked of them may change: the directory with the catalogue, the clock in tests.
    app.ctx.slot_book = SlotBook(valkey, lambda: room.directory, lambda: room.clock)
    use_directory(app, directory)
    app.ctx.slot_answers = slots.Kept()
    app.ctx.habits = Habits()
    app.ctx.settler = Settler(lambda: room.clock)
    app.ctx.deliveries = Deliveries(lambda: room.valkey)
    app.ctx.refused_callbacks = RefusedCallbacks()
    app.ctx.notice_templates = Templates()
    app.ctx.rule_book = rules_in(settings.rules_file)
    app.ctx.sockets = Sockets()
    app.ctx.find_ticket = current_ticket
    appointments_shown = AppointmentWatch(feed, lambda: room.directory, lambda: room.clock)
    room.own_topics["appointment"] = appointments_shown
    inboxes_shown = InboxWatch(feed, app.ctx.notice_templates, lambda: room.directory)
    room.own_topics["inbox"] = inboxes_shown
    feed.on_ended = partial(_end_sign_in, app)
    feed.on_joined = tokens.join
    feed.on_alerted = app.ctx.services.alerts.told
    app.ctx.tasks = [
        _never_ending("feed", feed.listen_forever()),
        _never_ending("limits", limits.add_up_forever()),
        _never_ending("coming", app.ctx.services.coming.add_up_forever()),
        _never_ending("token_keys", _follow_keys(tokens)),
        _never_ending("sockets", app.ctx.sockets.look_after_forever(tokens, feed)),
        _never_ending("catalogue", _follow_catalogue(app)),
        _never_ending("alerts", app.ctx.services.alerts.show_forever()),
        _never_ending("appointments", appointments_shown.show_forever()),
        _never_ending("inboxes", inboxes_shown.show_forever()),
        _never_ending("hall_lists", _keep_lists_up(app)),
        _never_ending("slots", app.ctx.slot_book.follow_forever()),
        _never_ending("settling", app.ctx.settler.run_forever()),
        _never_ending("refused_callbacks", app.ctx.refused_callbacks.write_forever()),
        _never_ending("metrics", carry_over_forever(feed.live_age_s)),
    ]
    await _until_hearing(feed)
    # Nobody is served before the days that went by without us have ended.
    await lapse_past_days(now=app.ctx.services.clock.now(), feed=feed)
    # Listen first, then read: an end that comes between is heard of or found.
    tokens.ended = tokens.ended | await ended_recently()
    tokens.joined = {**await joined_recently(), **tokens.joined}
    app.ctx.tasks.append(_never_ending("ended_sign_ins", _remember_ended(tokens, feed)))


def _provider_of(settings: Settings) -> Provider | None:
    if not settings.sso_keys.is_file():
        return None
    return Provider(settings.issuer, SigningKeys.read(settings.sso_keys))


def use_directory(app: Sanic[Any, Any], directory: Directory) -> None:
    """Answer from this directory from now on; requests under way finish with the one they have."""
    room: Services = app.ctx.services
    room.directory = directory
    room.feed.codes = directory.codes
    app.ctx.hall_lists = HallLists(
        directory,
        room.feed,
        room.clock.now(),
        paces=paces_with_roads(room.settings.road_factor),
        coming=room.coming,
        bookable=partial(SoonestSlots, app.ctx.slot_book),
    )
    app.ctx.accuracies = Accuracies()


async def _keep_lists_up(app: Sanic[Any, Any]) -> None:
    """Let no list wait for all that halls did since the last one was asked for."""
    while True:
        await asyncio.sleep(LISTS_KEPT_UP_EVERY_S)
        app.ctx.hall_lists.keep_up(app.ctx.services.clock.second())


async def _follow_catalogue(app: Sanic[Any, Any]) -> None:
    """Notice within LOOK_EVERY_S seconds that the catalogue was written anew."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if newer := await newer_directory(app.ctx.services.directory):
            use_directory(app, newer)
            log.info("catalogue_read_anew", halls=len(newer.halls), items=len(newer.items))


def _never_ending(name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A background task; should it end before we close, this process ends too."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_end_process)
    return task


def _end_process(dead: asyncio.Task[None]) -> None:
    """Stop serving: without any one of its tasks a process would answer and be wrong.

    Whoever supervises it starts another.
    """
    fault = None if dead.cancelled() else dead.exception()
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    frames = extract_tb(fault.__traceback__)[-6:] if fault else []
    where = [f"{frame.filename}:{frame.lineno}" for frame in frames]
    name, kind = dead.get_name(), type(fault).__name__
    log.critical("background_task_died", task=name, fault=kind, where=where)
    os.kill(os.getpid(), signal.SIGTERM)


def _end_sign_in(app: Sanic[Any, Any], sign_in_id: UUID) -> None:
    room: Services = app.ctx.services
    room.tokens.end(sign_in_id)
    app.ctx.sockets.end_sign_in(sign_in_id, room.feed)


async def _until_hearing(feed: Feed) -> None:
    """Wait until words of other processes are heard and what was said before is read: who takes a
    number from us finds her board here, too. But not for a Valkey that is away.
    """
    give_up = time.monotonic() + HEARING_WITHIN_S
    while not feed.has_read and time.monotonic() < give_up:  # noqa: ASYNC110 seen at start only
        await asyncio.sleep(0.005)


async def _follow_keys(tokens: Tokens) -> None:
    """Notice within LOOK_FOR_KEYS_EVERY_S that the key file was written anew."""
    while True:
        await asyncio.sleep(LOOK_FOR_KEYS_EVERY_S)
        tokens.take_newer_keys()


async def _remember_ended(tokens: Tokens, feed: Feed) -> None:
    """Learn from PostgreSQL which sign-ins are over, in case word of one got lost.

    Now and then while words are heard, again and again while none is, and once when they are
    again: so a sign-in that is over is refused everywhere at once, with or without Valkey.
    """
    heard_by, read_at = feed.hears_by, time.monotonic()
    while True:
        await asyncio.sleep(ENDED_UNHEARD_S)
        quiet = feed.hears_by is not None and feed.hears_by == heard_by
        if quiet and time.monotonic() < read_at + ENDED_EVERY_S:
            continue
        heard_by, read_at = feed.hears_by, time.monotonic()
        before, before_joined = set(tokens.ended), set(tokens.joined)
        try:
            found, joined = await ended_recently(), await joined_recently()
        except Exception as fault:
            log.warning("ended_sign_ins_not_read", fault=type(fault).__name__)
            # Without PostgreSQL nobody signs out either.
            heard_by = None
            await asyncio.sleep(STORE_AWAY_S)
            continue
        # What was heard of while reading may not be in what was read.
        tokens.ended = found | (tokens.ended - before)
        heard = {was: now for was, now in tokens.joined.items() if was not in before_joined}
        tokens.joined = joined | heard


async def _say_goodbye(app: Sanic[Any, Any]) -> None:
    await app.ctx.sockets.say_goodbye()


async def _close(app: Sanic[Any, Any]) -> None:
    running = {task for task in app.ctx.tasks if not task.done()}
    for task in running:
        task.remove_done_callback(_end_process)
    while running:
        for task in running:
            task.cancel()
        # Again after a while: a cancellation may get lost, see `is_cancelled`.
        _, running = await asyncio.wait(running, timeout=1)
    await app.ctx.services.afterwards.finish()
    if app.ctx.services.ways is not None:
        await app.ctx.services.ways.close()
    await app.ctx.services.valkey.aclose()
    await Tortoise.close_connections()


def clock_of(settings: Settings) -> Clock:
    """The business clock that the settings describe."""
    if settings.clock_start is None:
        return Clock()
    return Clock(settings.clock_start, settings.clock_anchor or 0.0, settings.clock_speed)
