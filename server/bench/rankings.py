"""Ranked lists, over a city's halls and over a nation's. Compared with an empty Sanic handler."""

import random
import time

from server.bench.bench import Bench, BenchFailed, Figure, Pairs, measurement
from server.bench.city import admin, hall_codes, items_by_line, open_counters, serve_some, settled
from server.bench.client import request, send_all
from server.bench.nation import CHANGES_A_SECOND, HALLS, ITEM, places
from server.bench.reads import WARM_UP_S, Targets, activity, anywhere, compare, load

PEOPLE = 5_000
# Both processes have been asked from everywhere, as they have on any day but the first.
_EVERYBODY_ASKED_S = 4.0
_FORETOLD_WITHIN_S = 60.0
HERE = "lat=22.81899&lng=113.67306"


@measurement("hall_list_fastest")
async def hall_list_fastest(bench: Bench) -> list[Figure]:
    """All halls of the city by when one is done, as a phone asks again and again."""
    await _at_work(bench)
    targets = [(f"/api/v1/halls?{HERE}&rank=fastest", "")]
    return await compare(bench, "hall_list_fastest", targets, bar=0.4)


@measurement("hall_list_fastest_anywhere")
async def hall_list_fastest_anywhere(bench: Bench) -> list[Figure]:
    """The same from another place at each request, so no answer is kept."""
    await _at_work(bench)
    targets = [(f"/api/v1/halls?{there}&rank=fastest", "") for there in anywhere()]
    return await compare(bench, "hall_list_fastest_anywhere", targets, bar=0.4)


@measurement("nation_nearest")
async def nation_nearest(bench: Bench) -> list[Figure]:
    """The nearest of 44,000 halls, each request from another place."""
    return await _nation(bench, "nearest")


@measurement("nation_fastest")
async def nation_fastest(bench: Bench) -> list[Figure]:
    """The fastest of 44,000 halls for an item, each request from another place."""
    return await _nation(bench, "fastest")


async def _at_work(bench: Bench) -> None:
    """Let the halls be as on a working day: people wait, counters are open, waits are foretold."""
    if await _unforetold(bench) == 0:
        return
    await activity(bench)
    bench.say("counters open, and people are served")
    token, halls = await admin(bench), await hall_codes(bench)
    line, [item, *_] = next(iter(sorted((await items_by_line(bench, halls)).items())))
    await serve_some(bench, token, halls[1], item, line)
    await open_counters(bench, token, [hall for hall in halls if hall != halls[1]])
    until = time.monotonic() + _FORETOLD_WITHIN_S
    while left := await _unforetold(bench):
        if time.monotonic() > until:
            raise BenchFailed(f"of {left} halls no wait is foretold")
        await settled()


async def _unforetold(bench: Bench) -> int:
    """At how many halls nobody knows when somebody who sets off now would be done."""
    [answer] = await send_all(bench.api, [request("GET", f"/api/v1/halls?{HERE}&rank=fastest")])
    return sum(hall["total"] is None for hall in answer.json()["data"])


async def _nation(bench: Bench, rank: str) -> list[Figure]:
    if bench.nation is None:
        return []
    targets = _people(rank)
    nothing = [("/", "")] * len(targets)
    await load(bench, bench.empty, nothing, WARM_UP_S)
    await load(bench, bench.nation, targets, _EVERYBODY_ASKED_S)
    pairs = Pairs()
    for number in range(1, bench.plan.rounds + 1):
        bench.say(f"round {number} of {bench.plan.rounds}: empty handler")
        pairs.limits.append(await load(bench, bench.empty, nothing, bench.plan.seconds))
        bench.say(f"round {number} of {bench.plan.rounds}")
        pairs.loads.append(await load(bench, bench.nation, targets, bench.plan.seconds))
    note = f"{HALLS} halls, {CHANGES_A_SECOND} change a second in each process; 20 are shown"
    return [pairs.figure(f"nation_{rank}", limit="empty handler", bar=0.3, note=note)]


def _people(rank: str) -> Targets:
    """Where people live, somebody stands and asks; no two at one place."""
    rng = random.Random(2)  # noqa: S311 the same people in every run
    known = places()
    around = (rng.choice(known) for _ in range(PEOPLE))
    return [
        (
            f"/api/v1/halls?lat={lat + rng.gauss(0, 0.05):.5f}&lng={lng + rng.gauss(0, 0.05):.5f}"
            f"&datum=wgs84&rank={rank}&item={ITEM}&limit=20",
            "",
        )
        for lat, lng in around
    ]
