"""The day's end."""

import asyncio
from datetime import datetime
from uuid import UUID

from models.database import rows
from server.live.feed import CHANGED, decode_changes, subscribed
from server.tickets.day_end import lapse_past_days
from tests.conftest import Api, until

NEXT_DAY = datetime.fromisoformat("2026-11-24T00:01:00+08:00")


async def test_the_word_of_a_lapsed_ticket_bears_the_version_of_its_row(api: Api) -> None:
    hall = await api.quiet_hall()
    lin = await api.citizen()
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    ahead = ticket["version"] + 60_000_000  # as written by a machine whose clock is ahead
    await rows("UPDATE ticket SET version = $2 WHERE id = $1", ticket["id"], ahead)
    feed = api.services.feed
    said: dict[UUID | None, int] = {}
    async with subscribed(api.services.valkey, CHANGED) as words:
        assert await lapse_past_days(now=NEXT_DAY, feed=feed) >= 1
        while UUID(ticket["id"]) not in said:
            _, data = await asyncio.wait_for(anext(words), 3)
            said |= {change.ticket: change.version for change in decode_changes(data)}
    [row] = await rows("SELECT state, version FROM ticket WHERE id = $1", ticket["id"])
    assert row["state"] == "cancelled"
    assert said[UUID(ticket["id"])] == row["version"] > ahead
    shown = (await lin.get(f"/tickets/{ticket['id']}")).json()
    assert shown["state"] == "cancelled"
    await until(lambda: feed.memory.halls[hall].waiting == 0)


async def test_a_second_look_finds_nothing_left_of_past_days(api: Api) -> None:
    hall = await api.quiet_hall()
    await (await api.citizen()).take(hall, api.item(hall, "E"))
    assert await lapse_past_days(now=NEXT_DAY, feed=api.services.feed) >= 1
    assert await lapse_past_days(now=NEXT_DAY, feed=api.services.feed) == 0
