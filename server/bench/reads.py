"""What phones ask most: board, hall list, ticket. Compared with an empty Sanic handler."""

import random
import time
from itertools import cycle

from server.bench import client, wrk
from server.bench.bench import Address, Bench, Figure, Load, Pairs, measurement
from server.bench.city import Wish, citizens, hall_codes, items_by_line, settled, statements, take

WARM_UP_S = 1.0
PEOPLE = 100
TICKETS_EACH = 2
PLACES = 10_000
# By itself each API process asks this much: twice for newer catalogues, once for sign-ins that
# ended and once for those that became one (`server/application.py`).
ASKS_BY_ITSELF, ASKS_WITHIN_S = 4, 30.0

Targets = list[tuple[str, str]]


@measurement("board")
async def board(bench: Bench) -> list[Figure]:
    """One hall's board, over and over, as its screens do."""
    await activity(bench)
    return await compare(bench, "board", [("/api/v1/halls/dg-01/board", "")], bar=0.6)


@measurement("hall_list")
async def hall_list(bench: Bench) -> list[Figure]:
    """All halls ranked from one place, as a phone asks again and again."""
    await activity(bench)
    targets = [("/api/v1/halls?lat=22.81899&lng=113.67306", "")]
    return await compare(bench, "hall_list", targets, bar=0.4)


@measurement("hall_list_anywhere")
async def hall_list_anywhere(bench: Bench) -> list[Figure]:
    """All halls ranked from another place at each request, so no cache of answers helps.

    Here the ranking itself is measured; the bar is our own.
    """
    await activity(bench)
    targets = [(f"/api/v1/halls?{there}", "") for there in anywhere()]
    return await compare(bench, "hall_list_anywhere", targets, bar=0.2)


@measurement("ticket_status")
async def ticket_status(bench: Bench) -> list[Figure]:
    """Many citizens, each asking for her own waiting tickets."""
    return await compare(bench, "ticket_status", await activity(bench), bar=0.6)


@measurement("token_check")
async def token_check(bench: Bench) -> list[Figure]:
    """The empty handler with the check of who asks, and without; many citizens ask in turn.

    The one is sent their tokens and believes them, the other neither: what a guard costs.
    """
    bench.say("citizens sign in")
    targets = [("/guarded", token) for token in await citizens(bench, PEOPLE)]
    nothing = [("/", "")] * len(targets)
    pairs = Pairs()
    for address, warm_up in ((bench.empty, nothing), (bench.guarded, targets)):
        await load(bench, address, warm_up, WARM_UP_S)
    for number in range(1, bench.plan.rounds + 1):
        bench.say(f"round {number} of {bench.plan.rounds}")
        pairs.limits.append(await load(bench, bench.empty, nothing, bench.plan.seconds))
        pairs.loads.append(await load(bench, bench.guarded, targets, bench.plan.seconds))
    return [pairs.figure("token_check", limit="empty handler", bar=0.85)]


def anywhere() -> list[str]:
    """Places all over the city, as a query."""
    rng = random.Random(1)  # noqa: S311 the same places in every run
    places = ((rng.uniform(22.65, 23.15), rng.uniform(113.52, 114.25)) for _ in range(PLACES))
    return [f"lat={lat:.5f}&lng={lng:.5f}" for lat, lng in places]


async def activity(bench: Bench) -> Targets:
    """A few hundred people waiting over all the halls; where each asks for her tickets."""
    bench.say("people take tickets")
    halls = await hall_codes(bench)
    lines = await items_by_line(bench, halls)
    items = [code for codes in lines.values() for code in codes]
    people = await citizens(bench, PEOPLE)
    wishes = [
        Wish(token, halls[(at + nth * 7) % len(halls)], items[(at + nth) % len(items)])
        for nth in range(TICKETS_EACH)
        for at, token in enumerate(people)
    ]
    tickets = await take(bench, wishes)
    await settled()
    return [
        (f"/api/v1/tickets/{ticket['id']}", wish.token)
        for wish, ticket in zip(wishes, tickets, strict=True)
    ]


async def compare(bench: Bench, what: str, targets: Targets, *, bar: float) -> list[Figure]:
    """The target and the empty handler in turn, both with as long a list of prepared requests."""
    nothing = [("/", "")] * len(targets)
    await load(bench, bench.empty, nothing, WARM_UP_S)
    await load(bench, bench.api, targets, WARM_UP_S)
    pairs, counted, took, rounds = Pairs(), 0.0, 0.0, bench.plan.rounds
    for number in range(1, rounds + 1):
        bench.say(f"round {number} of {rounds}: empty handler")
        pairs.limits.append(await load(bench, bench.empty, nothing, bench.plan.seconds))
        bench.say(f"round {number} of {rounds}")
        before, began = await statements(bench), time.perf_counter()
        pairs.loads.append(await load(bench, bench.api, targets, bench.plan.seconds))
        counted += await statements(bench) - before
        took += time.perf_counter() - began
    sent = sum(load.requests for load in pairs.loads)
    by_itself = bench.plan.workers * ASKS_BY_ITSELF * (took // ASKS_WITHIN_S + 1)
    note = f"{counted:.0f} statements while {sent} were answered, up to {by_itself:.0f} not theirs"
    return [
        pairs.figure(what, limit="empty handler", bar=bar),
        Figure(
            what=f"{what}: PostgreSQL asked",
            value=max(0.0, counted - by_itself),
            unit="statements",
            bar=0,
            note=note,
        ),
    ]


async def load(bench: Bench, address: Address, targets: Targets, seconds: float) -> Load:
    """One round of these, prepared, as fast as it goes."""
    connections = bench.plan.connections
    if bench.wrk:
        return await wrk.drive(
            bench.wrk,
            address,
            targets,
            connections=connections,
            seconds=seconds,
            folder=bench.folder,
        )
    prepared = [client.request("GET", path, token=token) for path, token in targets]
    done = await client.drive(address, cycle(prepared), connections=connections, seconds=seconds)
    return done.load(200 if address in (bench.api, bench.nation) else 204)
