"""The order in which people are called is the published one, whatever the lines and the skills."""

import random
from datetime import timedelta

import pytest

from models import decisions
from models.database import rows
from scheduler.discipline import next_up
from tests.conftest import Api

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
