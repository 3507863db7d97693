"""Matching a million people by fifty rules, against PostgreSQL streaming the same columns out.

A pass is a program of its own, on a database of its own. PostgreSQL streams the same columns
before and after it, of everybody at one go, to nobody: no page, no memory, no look at a value.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg

from server.bench.bench import Bench, BenchFailed, Figure, measurement
from server.bench.matching_pass import ELDERS, RULES
from server.bench.own_database import GIB, own_database

PEOPLE: Final = 1_000_000
_CITY: Final = Path(__file__).parents[1] / "admin" / "city" / "dongguan"
# Three in four people are known whole; one in two was at a counter, two in three have a
# certificate, one in two follows a topic. What stands around a ticket no rule looks at.
_FILL: Final = """
    SET session_replication_role = replica;
    CREATE TEMP TABLE person AS
        SELECT nth, uuidv7() AS id FROM generate_series(1, 1000000) nth;
    INSERT INTO consent (id, citizen_id, purpose, groups, given_at)
    SELECT uuidv7(), id, 'services', CASE WHEN nth % 4 = 0 THEN nth / 4 % 128 ELSE 127 END, now()
    FROM person;
    INSERT INTO trait (citizen_id, born, residence, household, youngest_born, has_company,
                       learned_at)
    SELECT id, date '1936-01-01' + (nth * 7919::bigint % 31000)::int,
           'dg-' || lpad((nth % 34)::text, 2, '0'), 1 + nth % 5,
           CASE WHEN nth % 3 = 0 THEN date '2026-11-01' - (nth * 31::bigint % 6000)::int END,
           nth % 9 = 0, now()
    FROM person;
    INSERT INTO certificate (id, citizen_id, kind, expires_on, changed_at)
    SELECT uuidv7(), id,
           (ARRAY['id-card', 'passport', 'residence-permit', 'driving-licence',
                  'disability-certificate', 'food-business-licence'])[1 + nth % 6],
           date '2026-10-01' + (nth * 131::bigint % 3650)::int, now()
    FROM person WHERE nth % 3 <> 0;
    INSERT INTO topic_follow (id, citizen_id, topic)
    SELECT uuidv7(), id, (ARRAY['tax', 'medical', 'business', 'work', 'home', 'housing-fund',
                                'disability', 'veterans', 'social-insurance', 'school']
                           )[1 + nth % 10]
    FROM person WHERE nth % 2 = 0;
    INSERT INTO ticket (id, hall_id, line_id, item_id, citizen_id, day, sequence, number, state,
                        issued_at, rank_time, ended_at, version)
    SELECT uuidv7(), l.hall_id, l.id, i.id, p.id, day, p.nth, 'A' || p.nth, 'finished',
           day, day, day, 1
    FROM (SELECT *, date '2026-11-01' - (nth * 17::bigint % 700)::int AS day FROM person
          WHERE nth % 2 = 1) p
    JOIN (SELECT id, row_number() OVER (ORDER BY code) - 1 AS nth, count(*) OVER () AS many
          FROM item) i ON i.nth = p.nth % i.many,
    (SELECT id, hall_id FROM line LIMIT 1) l;
"""
_ELDERS: Final = """
    SELECT count(*) FROM consent k JOIN trait t USING (citizen_id)
    WHERE k.purpose = 'services' AND k.groups & 17 = 17
      AND t.born <= date '2026-11-23' - interval '60 years'
      AND NOT EXISTS (SELECT FROM ticket x JOIN item i ON i.id = x.item_id
          WHERE x.citizen_id = k.citizen_id AND x.state = 'finished' AND i.code = 'elder-card')
"""


@measurement("matching")
async def matching(bench: Bench) -> list[Figure]:
    """A million people by fifty rules in one pass; one rule is counted once more by plain SQL."""
    bench.say(f"{PEOPLE:,} people consent")
    env = await own_database(bench, "bench_matching", city=_CITY)
    wanted = await _fill(env["YITING_DATABASE_URL"])
    bench.say(f"{PEOPLE:,} people are matched by {RULES} rules")
    found = await asyncio.to_thread(_passed, env)
    if (found["looked_at"], found["concerned"][ELDERS]) != (PEOPLE, wanted):
        raise BenchFailed(
            f"matching looked at {found['looked_at']} people and found"
            f" {found['concerned'][ELDERS]} elders; there are {wanted}"
        )
    streamed_s, took_s = found["streamed_s"], found["took_s"]
    concerned = sum(found["concerned"].values())
    return [
        Figure(
            what="matching: time",
            value=took_s / streamed_s,
            unit="times",
            bar=8.0,
            rate=PEOPLE / took_s,
            limit="COPY of the same columns",
            limit_rate=PEOPLE / streamed_s,
            note=f"{took_s:.1f} s for {RULES} rules, which concern people {concerned:,} times;"
            f" PostgreSQL streams {found['sent'] >> 20} MiB in {streamed_s:.1f} s",
        ),
        Figure(
            what="matching: memory, of 1 GiB",
            value=found["peak"] / GIB,
            unit="times",
            bar=1.0,
            note=f"{found['peak'] >> 20} MiB at most",
        ),
    ]


async def _fill(url: str) -> int:
    """Write a million people; how many of them are elders without a card."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_FILL)
        for table in ("consent", "trait", "certificate", "topic_follow", "ticket"):
            await connection.execute(f"VACUUM ANALYZE {table}")
        await connection.execute("CHECKPOINT")
        return int(await connection.fetchval(_ELDERS))
    finally:
        await connection.close()


def _passed(env: Mapping[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "server.bench.matching_pass"]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=False)  # noqa: S603 ours
    if done.returncode:
        raise BenchFailed(f"the pass ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
