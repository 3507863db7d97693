"""Own lines first, helped ones when idle or when somebody has waited too long, over HTTP."""

import json
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tortoise.connection import get_connection
from uuid_utils.compat import uuid7

from models import decisions, steps
from models.database import rows
from models.together import Patience
from scheduler.discipline import next_up
from tests.conftest import Api
from tests.counters.halls import code_of, done
from tests.people import Person

HALLS = 12
LINES = "ABDE"


async def skills(api: Api, hall: str, counter: str, own: str, helps: str = "") -> None:
    manager = await api.manager(hall)
    body = {"own": list(own), "helps": list(helps)}
    reply = await manager.put(f"/halls/{hall}/counters/{counter}/skills", body)
    assert reply.status_code == 200, reply.text


async def somebody(api: Api, hall: str, line: str, *, waits_min: float, people: int = 1) -> str:
    """Somebody who has waited in a line for so long; written as a past. Answers her number.

    With more `people` each has waited a second longer than the one before.
    """
    now = api.services.clock.now()
    entry = api.services.directory.hall(hall)
    item = api.services.directory.item(api.item(hall, line))
    found = await rows(
        """
        WITH next AS (
            UPDATE line SET last_sequence = last_sequence + $8 WHERE id = $2
            RETURNING last_sequence - $8 AS before),
        crowd AS (
            INSERT INTO ticket (id, hall_id, line_id, item_id, day, sequence, number, state,
                                issued_at, rank_time, version)
            SELECT one.id, $1, $2, $3, $4, before + nth, $5 || lpad((before + nth)::text, 3, '0'),
                   'waiting', since, since, 1
            FROM next, unnest($7::uuid[]) WITH ORDINALITY AS one (id, nth),
                 LATERAL (SELECT $6::timestamptz - make_interval(secs => nth)) AS past (since)
            RETURNING *)
        INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind, line_id, number,
                                  rank_time)
        SELECT id, hall_id, issued_at, 'issue', state, 'system', line_id, number, rank_time
        FROM crowd ORDER BY sequence RETURNING number
        """,
        entry.id,
        entry.lines[line].id,
        item.id,
        now.date(),
        line,
        now - timedelta(minutes=waits_min),
        [uuid7() for _ in range(people)],
        people,
    )
    number: str = found[0]["number"]
    return number


async def called(clerk: Person, hall: str, counter: str) -> str:
    number: str = (await done(clerk, hall, counter, "call-next"))["number"]
    await done(clerk, hall, counter, "start", "finish")
    return number


async def limit(api: Api, hall: str, line: str, minutes: int | None) -> None:
    await rows(
        "UPDATE line SET help_after_min = $2 WHERE id = $1",
        api.services.directory.hall(hall).lines[line].id,
        minutes,
    )


async def test_a_counter_calls_its_own_line_first_and_helps_when_nobody_waits_there(
    api: Api, hall: str
) -> None:
    clerk = await api.clerk(hall)
    await skills(api, hall, "01", own="A", helps="E")
    await done(clerk, hall, "01", "open")
    elder = await somebody(api, hall, "E", waits_min=50)
    mine = [await somebody(api, hall, "A", waits_min=waits) for waits in (10, 5)]
    assert [await called(clerk, hall, "01") for _ in range(3)] == [*mine, elder]
    assert code_of(await clerk.at(hall, "01", "call-next")) == (409, "nobody_waiting")


async def test_who_has_waited_longer_than_her_lines_limit_is_called_as_from_its_own(
    api: Api, hall: str
) -> None:
    clerk = await api.clerk(hall)
    await skills(api, hall, "01", own="A", helps="E")
    await limit(api, hall, "E", 20)
    await done(clerk, hall, "01", "open")
    patient = await somebody(api, hall, "E", waits_min=19)
    over = await somebody(api, hall, "E", waits_min=21)
    first = await somebody(api, hall, "A", waits_min=30)
    last = await somebody(api, hall, "A", waits_min=1)
    numbers = [await called(clerk, hall, "01") for _ in range(4)]
    assert numbers == [first, over, last, patient]


async def test_who_is_sent_to_a_counter_counts_there_as_of_its_own_line(
    api: Api, hall: str
) -> None:
    clerk = await api.clerk(hall)
    await skills(api, hall, "01", own="A", helps="E")
    await skills(api, hall, "02", own="E")
    for counter in ("01", "02"):
        await done(clerk, hall, counter, "open")
    sent = await somebody(api, hall, "E", waits_min=9)
    mine = await somebody(api, hall, "A", waits_min=8)
    await done(clerk, hall, "02", "call-next")
    assert (await clerk.at(hall, "02", "transfer", {"counter": "01"})).status_code == 200
    assert [await called(clerk, hall, "01") for _ in range(2)] == [sent, mine]


async def test_a_counter_opened_for_a_line_that_it_helps_serves_just_that(
    api: Api, hall: str
) -> None:
    clerk = await api.clerk(hall)
    await skills(api, hall, "01", own="A", helps="E")
    mine = await somebody(api, hall, "A", waits_min=8)
    theirs = await somebody(api, hall, "E", waits_min=1)
    await clerk.at(hall, "01", "open", {"lines": ["E"]})
    assert await called(clerk, hall, "01") == theirs
    assert code_of(await clerk.at(hall, "01", "call-next")) == (409, "nobody_waiting")
    await clerk.at(hall, "01", "open")
    assert await called(clerk, hall, "01") == mine


async def test_the_rule_that_she_reads_tells_of_helping(api: Api, hall: str) -> None:
    lin = await api.citizen()
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    path = f"/tickets/{ticket['id']}/order"
    assert "主办队列没人等候时，也叫帮办队列的人" in (await lin.get(path)).json()["rule"]
    await limit(api, hall, "E", 25)
    assert "等候超过 25 分钟" in (await lin.get(path)).json()["rule"]
    english = await lin.http.get(f"/api/v1{path}", headers={**lin.headers, "Accept-Language": "en"})
    assert "longer than 25 minutes" in english.json()["rule"]


async def a_random_hall(api: Api, hall: str, chance: random.Random) -> Counter[str]:
    """Random skills, overflow, limits and people; answers how many wait in each line."""
    counters = list(api.skills[hall])
    for line, owner in zip(LINES, counters, strict=False):  # every line is somebody's
        others = chance.sample(LINES.replace(line, ""), chance.randrange(4))
        cut = chance.randrange(len(others) + 1)
        await skills(api, hall, owner, line + "".join(others[:cut]), "".join(others[cut:]))
    until = datetime.fromisoformat("2026-11-23T18:00:00+08:00")
    waiting = Counter[str]()
    for line in LINES:
        await limit(api, hall, line, chance.choice([None, 0, 15, 60]))
        helpers = chance.sample(counters, chance.randrange(3))
        await rows(
            "UPDATE line SET overflow = $2, overflow_until = $3 WHERE id = $1",
            api.services.directory.hall(hall).lines[line].id,
            helpers,
            chance.choice([until, until - timedelta(hours=9)]) if helpers else None,
        )
        waiting[line] = chance.randrange(5)
        for _ in range(waiting[line]):
            await somebody(api, hall, line, waits_min=chance.randrange(80))
    return waiting


@pytest.mark.parametrize("seed", range(HALLS))
async def test_whoever_calls_while_anybody_waits_whom_it_could_serve_gets_whom_the_rule_names(
    api: Api, hall: str, seed: int
) -> None:
    """The statement and the pure rule agree; no counter is idle while somebody waits for it."""
    chance = random.Random(seed)
    clerk, entry = await api.clerk(hall), api.services.directory.hall(hall)
    waiting = await a_random_hall(api, hall, chance)
    counters = [code for code in api.skills[hall] if chance.random() < 0.7] or ["01"]
    for code in counters:
        await done(clerk, hall, code, "open")
    serves = await lines_of(clerk, hall)
    while True:
        able = [code for code in counters if any(waiting[line] for line in serves[code])]
        idle = [code for code in counters if code not in able]
        for code in idle:
            assert code_of(await clerk.at(hall, code, "call-next")) == (409, "nobody_waiting")
        if not able:
            break
        counter = chance.choice(able)
        now = api.services.clock.now()
        facts = await decisions.counter_facts(entry.id, counter, now=now)
        assert facts is not None
        expected = next_up(facts.heads, now)
        assert expected is not None
        ticket = await done(clerk, hall, counter, "call-next")
        assert UUID(ticket["id"]) == expected.id
        waiting[ticket["line"]] -= 1
        await done(clerk, hall, counter, "start", "finish")


async def lines_of(clerk: Person, hall: str) -> dict[str, set[str]]:
    counters: list[dict[str, Any]] = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
    return {one["code"]: {*one["serving"], *one["overflow"]} for one in counters}


async def test_a_call_reads_as_little_of_long_lines_as_of_short_ones(api: Api, hall: str) -> None:
    """Only the first of each line is read, also of those that are helped."""
    clerk = await api.clerk(hall)
    await skills(api, hall, "01", own="A", helps="BDE")
    await done(clerk, hall, "01", "open")
    entry = api.services.directory.hall(hall)
    read = []
    for people in (5, 495):
        for line in LINES:
            await somebody(api, hall, line, waits_min=0, people=people)
        await rows("ANALYZE ticket")
        read.append(await pages_touched(entry.id, api.services.clock.now()))
    assert read[1] <= read[0] * 1.3


async def pages_touched(hall_id: UUID, now: datetime) -> int:
    """How many pages a call touches; it is taken back."""
    statement = steps._CALL_FIRST[Patience.ENDLESS]
    staff = ["call"], ["waiting"], ["called"], [now], [1], ["staff"], [uuid7()], [None], [None]
    async with get_connection("default").acquire_connection() as connection:
        work = connection.transaction()
        await work.start()
        plan = await connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", ["01"], [hall_id], *staff
        )
        await work.rollback()
    top = json.loads(plan)[0]["Plan"]
    return int(top["Shared Hit Blocks"]) + int(top["Shared Read Blocks"])
