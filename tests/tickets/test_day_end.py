"""The day's end."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

from models.database import rows
from server.live.feed import CHANGED, decode_changes, subscribed
from server.live.reading import live_hall
from server.live.rows import read_whole
from server.tickets.day_end import lapse_past_days
from tests.conftest import Api, until
from tests.people import Person

MONDAY_EVENING = datetime.fromisoformat("2026-11-23T20:00:00+08:00")
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
    assert (shown["state"], shown["reason"]) == ("cancelled", "day_ended")
    await until(lambda: feed.memory.halls[hall].waiting == 0)


async def test_a_ticket_says_that_its_day_ended_wherever_it_is_read(api: Api) -> None:
    hall = await api.quiet_hall()
    lin = await api.citizen()
    lapsed = (await lin.take(hall, api.item(hall, "E"))).json()
    assert lapsed["reason"] is None
    await lapse_past_days(now=NEXT_DAY, feed=api.services.feed)
    [listed] = (await lin.get("/tickets")).json()["data"]
    assert (listed["state"], listed["reason"]) == ("cancelled", "day_ended")
    entry = api.services.directory.hall(hall)
    found = await read_whole(entry.id, now=NEXT_DAY)
    hall_now = live_hall(entry, found, None, now=NEXT_DAY, version=1)
    [projected] = [live.view for live in hall_now.tickets if str(live.view.id) == lapsed["id"]]
    assert (projected.state, projected.reason) == ("cancelled", "day_ended")


async def test_a_ticket_that_somebody_ended_gives_no_reason_even_after_midnight(api: Api) -> None:
    hall = await api.quiet_hall()
    lin = await api.citizen()
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    cancelled = (await lin.post(f"/tickets/{ticket['id']}/cancel")).json()
    assert (cancelled["state"], cancelled["reason"]) == ("cancelled", None)
    # As if she had been faster than the day's end by a second.
    await rows(
        """
        WITH event AS (UPDATE ticket_event SET at = $2 WHERE ticket_id = $1 AND move = 'cancel')
        UPDATE ticket SET ended_at = $2 WHERE id = $1
        """,
        ticket["id"],
        NEXT_DAY,
    )
    [listed] = (await lin.get("/tickets")).json()["data"]
    assert (listed["state"], listed["reason"]) == ("cancelled", None)


async def test_a_second_look_finds_nothing_left_of_past_days(api: Api) -> None:
    hall = await api.quiet_hall()
    await (await api.citizen()).take(hall, api.item(hall, "E"))
    assert await lapse_past_days(now=NEXT_DAY, feed=api.services.feed) >= 1
    assert await lapse_past_days(now=NEXT_DAY, feed=api.services.feed) == 0


async def test_the_day_closes_counters_that_nobody_closed(api: Api) -> None:
    hall = await api.quiet_hall()
    clerk = await api.clerk(hall)
    [left_open, paused, *_] = [one["code"] for one in await counters_of(clerk, hall)]
    for code in (left_open, paused):
        assert (await clerk.at(hall, code, "open")).status_code == 200
    await clerk.at(hall, paused, "pause", {"reason": "午休"})
    await lapse_past_days(now=MONDAY_EVENING, feed=api.services.feed)
    assert {one["state"] for one in await counters_of(clerk, hall)} == {"open", "paused", "closed"}
    await lapse_past_days(now=NEXT_DAY, feed=api.services.feed)
    after = await counters_of(clerk, hall)
    assert {one["state"] for one in after} == {"closed"}
    assert all(one["serving"] == one["skills"] for one in after)
    await until(lambda: on_board(api, hall) == {"closed"})


async def counters_of(clerk: Person, hall: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
    return found


def on_board(api: Api, hall: str) -> set[str]:
    """The states of the hall's counters as its board shows them."""
    return {str(one.state) for one in api.services.feed.memory.halls[hall].board.counters}
