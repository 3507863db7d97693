"""How processes hear of each other: rubbish, lost connections, lost words."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis.asyncio as aioredis
from structlog.testing import capture_logs

from integrations.stores import StoreUrls
from server.clock import microseconds
from server.live import feed as feed_module
from server.live.current import current_ticket
from server.live.feed import CHANGED, ENDED, LIVE, Feed, live_key
from server.live.memory import FORGET_AFTER_US, Change
from server.live.projection import Projector
from tests.conftest import Api, until
from tests.live.wire import a_wire
from tests.people import Person


@asynccontextmanager
async def another_process(api: Api, url: str) -> AsyncIterator[Feed]:
    """The feed of another API process of the same city."""
    valkey = aioredis.from_url(url)
    feed = Feed(valkey, api.services.directory.codes)
    listening = asyncio.create_task(feed.listen_forever())
    try:
        await until(lambda: len(feed.memory.halls) == len(feed.codes))
        yield feed
        assert not listening.done()
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await valkey.aclose()


async def a_ticket_known_to(feed: Feed, api: Api, hall: str) -> tuple[Person, UUID]:
    lin = await api.citizen()
    ticket_id = UUID((await lin.take(hall, api.item(hall, "E"))).json()["id"])
    await until(lambda: feed.memory.ticket(ticket_id) is not None)
    return lin, ticket_id


RUBBISH = (b"", b"rubbish", b"\xff\xfe", b"7", b"[[", b'[{"hall": 7}]', b'[{"x":' + b"[" * 9000)


async def test_rubbish_on_our_channels_is_skipped_by_api_and_worker(api: Api, hall: str) -> None:
    valkey = api.services.valkey
    with capture_logs() as logged:
        for channel in (CHANGED, LIVE, ENDED):
            for data in RUBBISH:
                await valkey.publish(channel, data)
        await valkey.set(live_key("no-such-hall"), b"rubbish")
        await valkey.publish(LIVE, "no-such-hall")
        await valkey.publish(CHANGED, b'[{"hall": "no-such-hall", "version": 1}]')
        ticket = (await (await api.citizen()).take(hall, api.item(hall, "E"))).json()
        await until(lambda: api.services.feed.memory.halls[hall].waiting == 1)
        await until(lambda: api.services.feed.memory.ticket(UUID(ticket["id"])) is not None)
    await valkey.delete(live_key("no-such-hall"))
    assert not any(task.done() for task in api.app.ctx.tasks)
    events = [line["event"] for line in logged]
    assert events.count("word_not_understood") >= 3 * 5
    assert events.count("live_state_unreadable") == 1


async def test_who_cannot_hear_reads_tickets_from_postgres_and_shows_boards_as_they_were(
    api: Api, hall: str, store_urls: StoreUrls, tmp_path: Path
) -> None:
    async with (
        a_wire(store_urls.redis, tmp_path) as wire,
        another_process(api, wire.url) as elsewhere,
    ):
        lin, ticket_id = await a_ticket_known_to(elsewhere, api, hall)
        await wire.cut()
        await until(lambda: elsewhere.memory.ticket(ticket_id) is None)
        before = elsewhere.memory.halls[hall].board
        assert (await lin.post(f"/tickets/{ticket_id}/cancel")).status_code == 200
        now = await current_ticket(elsewhere, ticket_id)
        assert now is not None
        assert now.view.state == "cancelled"
        assert elsewhere.memory.halls[hall].board is before
        await wire.join()
        await until(lambda: elsewhere.memory.ticket(ticket_id) is not None)
        known = elsewhere.memory.ticket(ticket_id)
        assert known is not None
        assert known.view.state == "cancelled"


async def test_a_connection_that_went_silent_is_found_out(
    api: Api,
    hall: str,
    store_urls: StoreUrls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_module, "PING_AFTER_S", 0.2)
    async with (
        a_wire(store_urls.redis, tmp_path) as wire,
        another_process(api, wire.url) as elsewhere,
    ):
        _, ticket_id = await a_ticket_known_to(elsewhere, api, hall)
        wire.fall_silent()
        await until(lambda: elsewhere.memory.ticket(ticket_id) is None)
        wire.speak()
        await until(lambda: elsewhere.memory.ticket(ticket_id) is not None)


async def test_a_silent_valkey_does_not_keep_anybody_waiting(
    api: Api, store_urls: StoreUrls, tmp_path: Path
) -> None:
    async with a_wire(store_urls.redis, tmp_path) as wire:
        feed = Feed(aioredis.from_url(wire.url), [])
        wire.fall_silent()
        await asyncio.wait_for(feed.changed(Change("dg-01", uuid4(), 1)), 3)


async def test_memory_is_looked_after_however_much_is_said(
    api: Api, store_urls: StoreUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "REREAD_EVERY_S", 0.3)
    monkeypatch.setattr(feed_module, "REREAD_TOGETHER", 10)
    async with another_process(api, store_urls.redis) as elsewhere, talking(api):
        await until(lambda: elsewhere.live_age_s() < 3)
        long_ago = microseconds() - FORGET_AFTER_US - 1
        elsewhere.memory.mark([Change("dg-05", uuid4(), long_ago)])
        del elsewhere.memory.halls["dg-06"]  # as if word of it had been lost
        await until(lambda: not elsewhere.memory._changed)
        await until(lambda: "dg-06" in elsewhere.memory.halls)


@asynccontextmanager
async def talking(api: Api) -> AsyncIterator[None]:
    """Word of a projection every few milliseconds."""

    async def talk() -> Any:
        while True:
            await api.services.valkey.publish(LIVE, "dg-05")
            await asyncio.sleep(0.01)

    task = asyncio.create_task(talk())
    try:
        yield
    finally:
        while not task.done():  # a cancellation may get lost in the client, see `is_cancelled`
            task.cancel()
            await asyncio.wait({task}, timeout=1)


async def test_listening_and_projecting_end_when_they_are_cancelled_at_any_moment(
    api: Api, store_urls: StoreUrls
) -> None:
    for wait_s in (0, 0.001, 0.003, 0.006, 0.01, 0.02, 0.05, 0.5, 0.505, 0.51, 0.52, 0.55):
        valkey = aioredis.from_url(store_urls.redis)
        feed = Feed(valkey, api.services.directory.codes)
        projector = Projector(valkey, api.services.directory, api.services.clock)
        tasks = [
            asyncio.create_task(feed.listen_forever()),
            asyncio.create_task(projector.run_forever()),
        ]
        await asyncio.sleep(wait_s)
        for task in tasks:
            task.cancel()
        _, going_on = await asyncio.wait(tasks, timeout=5)
        assert not going_on
        await projector.leases.release()
        await valkey.aclose()
