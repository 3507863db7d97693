"""The order in which people are called is the published one, whatever the lines and the skills."""

import asyncio
import random
from datetime import timedelta
from uuid import UUID

import pytest

from models import decisions, standing
from models.database import rows
from models.history import Happened
from models.numbers import next_number
from models.tickets import SYSTEM, Move, TicketState
from scheduler.discipline import next_up
from server.clock import microseconds
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of, open_counters

PEOPLE = 24


@pytest.mark.parametrize("seed", range(3))
async def test_each_call_takes_whom_the_discipline_names(api: Api, seed: int) -> None:
    chance = random.Random(seed)
    hall = await api.quiet_hall()
    hall_id = api.services.directory.hall(hall).id
    clerk = await api.clerk(hall)
    for _ in range(PEOPLE):
        reply = await (await api.citizen()).take(hall, api.item(hall, chance.choice("ABDE")))
        assert reply.status_code == 201, reply.text
    # Rank times as appointments and priorities make them: not in the order of issue, some equal.
    for row in await rows("SELECT id FROM ticket WHERE hall_id = $1", hall_id):
        earlier = timedelta(minutes=chance.randrange(12))
        await rows(
            """
            WITH event AS (UPDATE ticket_event SET rank_time = rank_time - $2::interval
                           WHERE ticket_id = $1)
            UPDATE ticket SET rank_time = rank_time - $2::interval WHERE id = $1
            """,
            row["id"],
            earlier,
        )
    counters = [one["code"] for one in (await clerk.get(f"/halls/{hall}/counters")).json()["data"]]
    for counter in counters:
        await clerk.at(hall, counter, "open")
    called = 0
    while called < PEOPLE:
        counter = chance.choice(counters)
        now = api.services.clock.now()
        facts = await decisions.counter_facts(hall_id, counter, now=now)
        assert facts is not None
        expected = next_up(facts.heads, now)
        reply = await clerk.at(hall, counter, "call-next")
        if expected is None:
            assert reply.json()["code"] == "nobody_waiting"
            continue
        assert reply.json()["id"] == str(expected.id)
        called += 1
        for action in ("start", "finish"):
            assert (await clerk.at(hall, counter, action)).status_code == 200


async def test_whoever_was_sent_on_while_a_counter_waited_its_turn_is_not_called_by_it(
    api: Api,
) -> None:
    # What the counter saw before it got the hall's lock is old: she waits again, but elsewhere.
    hall = await api.quiet_hall()
    clerk = await api.clerk(hall)
    entry, now = api.services.directory.hall(hall), api.services.clock.now()
    _, ticket = await a_ticket(api, hall)
    counter, other, *_ = await open_counters(clerk, hall, "E")
    found = await rows("SELECT id FROM counter WHERE hall_id = $1 AND code = $2", entry.id, other)
    by = found[0]["id"]
    line = entry.lines["A"].id
    async with decisions.deciding_in(entry.id) as tx:
        call = asyncio.create_task(clerk.at(hall, counter, "call-next"))
        await asyncio.sleep(0.4)  # it waits for the hall by now, and has looked before that
        number = await next_number(tx, line, now.date(), now)
        for event in (
            Happened(Move.CALL, TicketState.CALLED, now, entry.id, by),
            Happened(
                Move.TRANSFER, TicketState.WAITING, now, entry.id, by, line_id=line, number=number
            ),
        ):
            held = await standing.hold(tx, UUID(ticket["id"]))
            assert held
            await standing.make(tx, held, event, version=microseconds(), actor=SYSTEM)
    assert code_of(await call) == (409, "nobody_waiting")
