"""Workers are killed and platforms fail: each is told each thing once, and nothing is lost.

`YITING_CHAOS_NOTICES=20000 pytest -n 0 tests/notices/test_chaos.py` does it at full size.
"""

import asyncio
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import httpx

from models.database import rows
from tests.conftest import Api
from tests.notices.post import Post, Spawn, openid_of
from tests.people import Person

log = logging.getLogger(__name__)
# A line for each message would cost more than the message.
logging.getLogger("httpx").setLevel(logging.WARNING)

NOTICES = int(os.environ.get("YITING_CHAOS_NOTICES", "200"))
PEOPLE = max(60, NOTICES // 40)
# So many workers at a time; one is killed each so many seconds until most is done.
WORKERS, EVERY_S = 2, 2.5
CALLS, CROWD, READERS = (200, 100_000, 1_000) if NOTICES >= 20_000 else (25, 3_000, 40)
TEMPLATE = "yiting_ticket_sent_on"
# One call in ten meets one of these.
FAULTS: list[dict[str, object]] = [
    {"kind": "error", "errcode": -1},
    {"kind": "error", "errcode": 45009},
    {"kind": "error", "errcode": 40001},
    {"kind": "http_500"},
    {"kind": "rubbish"},
    {"kind": "lost"},
    {"kind": "hang", "seconds": 2},
    {"kind": "delay", "seconds": 0.5},
]


async def people_who_allow(api: Api, post: Post, many: int, *kinds: str) -> list[Person]:
    """People who let us send as many messages as there are."""
    people = [await api.citizen() for _ in range(many)]
    for one in people:
        await post.allow(one, *kinds, always=True)
    openids = [await openid_of(one) for one in people]
    await rows(
        "INSERT INTO subscription (platform, subject, template_id, credits, lasting, changed_at)"
        " SELECT 'wechat', subject, 'yiting_' || kind, 0, true, now()"
        " FROM unnest($1::text[]) subject, unnest($2::text[]) kind"
        " ON CONFLICT (platform, subject, template_id) DO UPDATE SET lasting = true",
        openids,
        list(kinds),
    )
    return people


async def write(api: Api, people: list[Person], many: int, *, urgency: int, kind: str) -> None:
    """Write notices straight down, each with a number of its own."""
    now = api.services.clock.now()
    await rows(
        """
        INSERT INTO notice (id, event_key, citizen_id, kind, hall_id, facts, urgency, happened_at,
                            useful_until, state, try_after)
        SELECT uuidv7(), 'chaos:' || $6 || ':' || nth, whom[1 + nth % cardinality(whom)], $6,
               $2, jsonb_build_object('number', $6 || nth), $5, $3,
               $3::timestamptz + interval '2 hours', 'waiting', now()
        FROM generate_series(0, $4 - 1) nth, (SELECT $1::uuid[] AS whom) people
        """,
        [UUID(one.session["citizen"]["id"]) for one in people],
        api.services.directory.hall("dg-01").id,
        now,
        many,
        urgency,
        kind,
    )


async def states(kind: str) -> dict[str, int]:
    found = await rows(
        "SELECT state, count(*) AS many FROM notice WHERE event_key LIKE $1 GROUP BY state",
        f"chaos:{kind}:%",
    )
    return {row["state"]: row["many"] for row in found}


async def more_than(kind: str, state: str, many: int) -> bool:
    return (await states(kind)).get(state, 0) > many


async def none_waits(kind: str) -> bool:
    return "waiting" not in await states(kind)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something of which only the database tells."""
    async with asyncio.timeout(120):
        while True:
            if await true():
                return
            await asyncio.sleep(0.1)


async def numbers_sent(sandbox: httpx.AsyncClient, template: str) -> dict[str, list[datetime]]:
    """What WeChat took by a template: when, by the number that it named.

    Alipay's template of the same kind may bear the same name, and other tests send by it.
    """
    found: dict[str, list[datetime]] = {}
    for one in (await sandbox.get("/_sandbox/sent", timeout=120)).json()["data"]:
        if (one["platform"], one["template"]) == ("wechat", template):
            number = one["fields"]["character_string1"]
            found.setdefault(number, []).append(datetime.fromisoformat(one["at"]))
    return found


async def useful_until(kind: str) -> dict[str, datetime]:
    """Until when each is of use, in business time, by its number."""
    # Of some it is over before anybody sends them, of others while they are being sent.
    found = await rows(
        """
        UPDATE notice SET useful_until = CASE right(event_key, 1)
            WHEN '7' THEN happened_at - interval '1 s'
            WHEN '3' THEN happened_at + interval '1 s' * (8 + random() * $2)
            ELSE useful_until END
        WHERE event_key LIKE 'chaos:' || $1 || ':%'
        RETURNING facts->>'number' AS number, useful_until
        """,
        kind,
        NOTICES / 20,
    )
    return {row["number"]: row["useful_until"] for row in found}


async def test_each_is_told_once_though_workers_die_and_the_platform_fails(
    api: Api, post: Post, spawn: Spawn
) -> None:
    people = await people_who_allow(api, post, PEOPLE, "ticket_sent_on")
    await write(api, people, NOTICES, urgency=0, kind="ticket_sent_on")
    ends = await useful_until("ticket_sent_on")
    assert len(ends) == NOTICES
    began = time.monotonic()
    dice, killed, at_kill = random.Random(8), 0, NOTICES
    workers = [spawn() for _ in range(WORKERS)]
    kill_at, deadline = time.monotonic(), time.monotonic() + max(300, NOTICES / 5)
    while (left := (await states("ticket_sent_on")).get("waiting", 0)) > 0:
        assert time.monotonic() < deadline, await states("ticket_sent_on")
        await post.fails("wechat.subscribe_send", every=10, **dice.choice(FAULTS))  # type: ignore[arg-type]
        # Only what is at work is worth killing, and not for the last few.
        is_due = time.monotonic() >= kill_at and killed < NOTICES // 50
        if is_due and at_kill - left > 15 and left > NOTICES // 10:
            nth = killed % WORKERS
            workers[nth].kill()
            workers[nth] = spawn()
            killed, kill_at, at_kill = killed + 1, time.monotonic() + EVERY_S, left
        await asyncio.sleep(0.25)
    took_s = time.monotonic() - began
    sent = {
        number: each
        for number, each in (await numbers_sent(post.sandbox, TEMPLATE)).items()
        if number in ends
    }
    found = await states("ticket_sent_on")
    told = "%s notices in %.0f s, %s workers killed: %s; the platform took %s"
    log.info(told, NOTICES, took_s, killed, found, Counter(len(each) for each in sent.values()))
    # The platform's own list says it: nobody was told anything twice,
    assert {number: each for number, each in sent.items() if len(each) != 1} == {}
    # nothing is lost but what was of no use any more before it could be sent,
    assert {number for number in ends if number not in sent and number[-1] not in "37"} == set()
    # and nothing came when it was of no use.
    ahead = api.services.clock.now() - datetime.now(UTC)
    assert {number for number, [at] in sent.items() if at + ahead >= ends[number]} == set()
    assert found == {"sent": len(sent), "expired": NOTICES - len(sent)}
    assert killed >= 1


async def test_who_is_next_is_told_in_time_while_a_campaign_runs(
    api: Api, post: Post, spawn: Spawn
) -> None:
    people = await people_who_allow(api, post, READERS, "ticket_sent_on", "ticket_called")
    await write(api, people, CROWD, urgency=2, kind="ticket_sent_on")
    before = await states("ticket_sent_on")
    spawn()
    await until(lambda: more_than("ticket_sent_on", "sent", before.get("sent", 0)))
    written: dict[str, datetime] = {}
    for nth in range(CALLS):
        [row] = await rows(
            """
            INSERT INTO notice (id, event_key, citizen_id, kind, hall_id, facts, urgency,
                                happened_at, useful_until, state, try_after)
            VALUES (uuidv7(), 'chaos:ticket_called:' || $1, $2, 'ticket_called', $3,
                    jsonb_build_object('number', $1::text, 'counter', '03'), 0, $4,
                    $4::timestamptz + interval '30 minutes', 'waiting', now())
            RETURNING clock_timestamp() AS at
            """,
            f"call{nth}",
            UUID(people[nth % len(people)].session["citizen"]["id"]),
            api.services.directory.hall("dg-01").id,
            api.services.clock.now(),
        )
        written[f"call{nth}"] = row["at"]
        await asyncio.sleep(0.1)
    await until(lambda: none_waits("ticket_called"))
    running = (await states("ticket_sent_on")).get("waiting", 0)
    await rows(
        "UPDATE notice SET state = 'expired', settled_at = now() WHERE state = 'waiting'"
        " AND event_key LIKE 'chaos:%'"
    )
    sent = await numbers_sent(post.sandbox, "yiting_ticket_called")
    took = sorted((sent[one][0] - at).total_seconds() for one, at in written.items())
    assert len(took) == CALLS
    told = "p50 %.2f s, p99 %.2f s, %s of the campaign still waited"
    log.info(told, took[CALLS // 2], took[int(CALLS * 0.99)], running)
    # The campaign was running all the while, and what is urgent did not wait for it.
    assert running > 0
    # How soon is measured at full size, on a machine that does nothing else.
    if CROWD >= 100_000:
        assert took[int(CALLS * 0.99)] < 2.0
