"""What the worker writes of a hall: versions that only rise, whoever wrote before."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import msgspec
import pytest

from integrations.stores import StoreUrls
from models.database import transaction
from server.live.feed import live_key
from server.live.leases import lease_key
from server.live.memory import Change
from server.live.projection import Projector
from server.live.rows import WHOLE
from server.live.state import UNREADABLE, LiveHall, decode_hall, encode_hall
from tests.conftest import MONDAY_MORNING, Api, until

AHEAD_US = int(timedelta(minutes=1).total_seconds() * 1_000_000)
MANY_OLD_CALLS = """
    WITH past AS (
        INSERT INTO ticket (id, hall_id, line_id, item_id, day, sequence, number, state, issued_at,
                            rank_time, ended_at, version)
        SELECT gen_random_uuid(), $1, gen_random_uuid(), gen_random_uuid(), moment, 1, 'A001',
               'finished', moment, moment, moment, 1
        FROM (SELECT $2::timestamptz - n * interval '10 minutes' AS moment
              FROM generate_series(1, 20000) n)
        RETURNING id, ended_at)
    INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind, counter_id)
    SELECT past.id, $1, ended_at, 'call', 'called', 'staff', (SELECT id FROM counter LIMIT 1)
    FROM past, generate_series(1, 10)
"""


async def stored(api: Api, hall: str) -> LiveHall:
    raw = await api.services.valkey.get(live_key(hall))
    assert isinstance(raw, bytes)
    return decode_hall(raw)


async def until_stored_above(api: Api, hall: str, version: int) -> None:
    async with asyncio.timeout(10):
        while True:
            with suppress(AssertionError, *UNREADABLE):
                if (await stored(api, hall)).version > version:
                    return
            await asyncio.sleep(0.02)


async def leave(api: Api, hall: str, state: bytes) -> None:
    """As if another worker had taken the hall, written this, and given the hall away."""
    async with api.services.valkey.pipeline(transaction=True) as pipe:
        pipe.set(live_key(hall), state)
        pipe.delete(lease_key(hall))
        await pipe.execute()


@pytest.mark.parametrize("state", [b"", b"rubbish", b"\xff", b'{"schema": 0}\n[]', b"[\n["])
async def test_an_unreadable_state_is_written_anew(api: Api, hall: str, state: bytes) -> None:
    before = api.services.feed.memory.halls[hall].board
    await leave(api, hall, state)
    ticket = await (await api.citizen()).take(hall, api.item(hall, "E"))
    assert ticket.status_code == 201
    await until_stored_above(api, hall, before.version)


async def test_versions_go_on_above_those_of_another_worker(api: Api, hall: str) -> None:
    last = await stored(api, hall)
    ahead = msgspec.structs.replace(last.board, version=last.version + AHEAD_US)
    await leave(api, hall, encode_hall(LiveHall(ahead, last.tickets)))
    await api.services.feed.changed(Change(hall))
    await until(lambda: api.services.feed.memory.halls[hall].board.version >= ahead.version)
    await (await api.citizen()).take(hall, api.item(hall, "E"))
    await until_stored_above(api, hall, ahead.version)


async def test_versions_go_on_when_all_that_was_stored_is_lost(api: Api, hall: str) -> None:
    before = api.services.feed.memory.halls[hall].board
    async with api.services.valkey.pipeline(transaction=True) as pipe:
        pipe.delete(live_key(hall), lease_key(hall))
        await pipe.execute()
    await (await api.citizen()).take(hall, api.item(hall, "E"))
    await until_stored_above(api, hall, before.version)


async def test_a_hall_is_never_below_a_ticket_of_a_machine_whose_clock_is_ahead(
    api: Api, hall: str
) -> None:
    lin = await api.citizen()
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    ahead = ticket["version"] + AHEAD_US
    async with transaction() as tx:
        await tx.run("UPDATE ticket SET version = $2 WHERE id = $1", ticket["id"], ahead)
    await api.services.feed.changed(Change(hall, None, ahead))
    await until(lambda: api.services.feed.memory.halls[hall].board.version >= ahead)
    shown = await lin.get(f"/tickets/{ticket['id']}")
    assert shown.json()["version"] >= ahead
    cancelled = (await lin.post(f"/tickets/{ticket['id']}/cancel")).json()
    assert cancelled["version"] > ahead
    await until(lambda: api.services.feed.memory.halls[hall].waiting == 0)
    again = (await lin.get(f"/tickets/{ticket['id']}")).json()
    assert (again["state"], again["version"] >= cancelled["version"]) == ("cancelled", True)


@asynccontextmanager
async def postgres_away(database_url: str) -> AsyncIterator[None]:
    """Nobody has a connection to PostgreSQL inside, or gets one."""
    folder = Path(parse_qs(urlsplit(database_url).query)["host"][0])
    door, hidden = folder / ".s.PGSQL.5432", folder / "hidden"
    connection = await asyncpg.connect(database_url)
    door.rename(hidden)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        yield
    finally:
        hidden.rename(door)
        await connection.close()


async def test_every_hall_is_projected_again_after_postgres_was_away(
    api: Api, store_urls: StoreUrls
) -> None:
    feed = api.services.feed
    async with postgres_away(store_urls.database):
        await feed.changed(*(Change(code) for code in feed.codes))
        await asyncio.sleep(3)
    back = time.monotonic()
    await until(lambda: feed.live_age_s() < time.monotonic() - back)
    # And goes on being projected, changed or not.
    assert api.projector.leases.held == set(feed.codes)
    assert all(code in api.projector._turns for code in api.projector.leases.held)


async def test_a_lease_that_is_anothers_by_now_is_not_given_away(api: Api, hall: str) -> None:
    valkey = api.services.valkey
    late = Projector(valkey, api.services.directory, api.services.clock)
    late.leases.held = set(api.services.directory.halls)
    await valkey.set(lease_key("dg-held-by-late"), late.leases.name)
    late.leases.held.add("dg-held-by-late")
    await late.leases.release()
    assert await valkey.get(lease_key("dg-held-by-late")) is None
    assert await valkey.get(lease_key(hall)) == api.projector.leases.name.encode()


async def test_a_hall_is_read_without_looking_at_what_is_over(
    api: Api, store_urls: StoreUrls
) -> None:
    hall_id = api.services.directory.hall("dg-30").id
    connection = await asyncpg.connect(store_urls.database)
    many_old_calls = connection.transaction()
    await many_old_calls.start()
    try:
        await connection.execute(MANY_OLD_CALLS, hall_id, MONDAY_MORNING.replace(hour=0))
        await connection.execute("ANALYZE ticket, ticket_event")
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE now_in AS {WHOLE}")
        plan = await connection.fetchval(
            "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE now_in"
            f"('{{{hall_id}}}', '{MONDAY_MORNING}', 50, '{MONDAY_MORNING}', '2026-11-23')"
        )
    finally:
        await many_old_calls.rollback()
        await connection.close()
    looked_at = [
        node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        for node in nodes(json.loads(plan)[0]["Plan"])
        if node.get("Relation Name") == "ticket_event"
    ]
    assert looked_at
    assert max(looked_at) < 100


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)
