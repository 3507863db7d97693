"""What the worker writes of a hall: versions that only rise, whoever wrote before."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest

from models.database import transaction
from server.live.feed import live_key
from server.live.memory import Change
from server.live.projection import lease_key
from server.live.state import UNREADABLE, LiveHall, decode_hall, encode_hall
from tests.conftest import Api, until

AHEAD_US = int(timedelta(minutes=1).total_seconds() * 1_000_000)


@pytest.fixture
async def hall(api: Api) -> str:
    return await api.quiet_hall()


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
