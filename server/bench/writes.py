"""What changes a hall: taking a ticket and calling the next. Compared with bare INSERTs."""

from collections.abc import Iterator, Sequence
from itertools import cycle

from server.bench.bench import Bench, Figure, Load, Pairs, measurement, percentile
from server.bench.city import (
    Wish,
    admin,
    citizens,
    empty_lines,
    hall_codes,
    items_by_line,
    open_counters,
    settled,
    take,
)
from server.bench.client import drive, request, send_all
from server.bench.inserts import inserts

# With HTTP, which costs as much again; the decisions alone are in `server.bench.decisions`.
BAR = 0.15
MOST_TAKES_A_SECOND = 3_000
CALLS_A_COUNTER_AND_SECOND = 2.5
# Counters serve several lines, so some lines lose more people than were meant for them.
SPARE = 2.0
LIMIT = "bare INSERT"


@measurement("take")
async def take_a_ticket(bench: Bench) -> list[Figure]:
    """Taking tickets, spread over all halls, lines and citizens."""
    plan = bench.plan
    halls = await hall_codes(bench)
    lines = await items_by_line(bench, halls)
    items = [code for codes in lines.values() for code in codes]
    needed = MOST_TAKES_A_SECOND * (plan.rounds * plan.seconds + 1)
    bench.say("people sign in")
    people = await citizens(bench, round(needed / len(items)) + 1)
    wishes = _wishes(people, halls, items)
    await drive(bench.api, wishes, connections=plan.connections, seconds=1)
    pairs = Pairs()
    async with inserts(bench) as bare:
        await bare.drive(1)
        for number in range(1, plan.rounds + 1):
            # A city where nobody is ever called would fill up from round to round.
            await empty_lines(bench)
            await settled()
            bench.say(f"round {number} of {plan.rounds}: bare INSERTs")
            pairs.limits.append(await bare.drive(plan.seconds))
            bench.say(f"round {number} of {plan.rounds}")
            done = await drive(
                bench.api, wishes, connections=plan.connections, seconds=plan.seconds
            )
            pairs.loads.append(done.load(201))
    return [pairs.figure("take", limit=LIMIT, bar=BAR)]


def _wishes(people: Sequence[str], halls: Sequence[str], items: Sequence[str]) -> Iterator[bytes]:
    """Each citizen wishes each item once; whoever comes next is another one, at another hall."""
    number = 0
    for at in range(len(items)):
        for nth, token in enumerate(people):
            number += 1
            item = items[(at + nth) % len(items)]
            yield Wish(token, halls[number % len(halls)], item).request()


@measurement("call_next")
async def call_next(bench: Bench) -> list[Figure]:
    """Calling at every counter of every hall.

    A counter must finish before it may call again, so all counters call, start and finish in turn.
    """
    plan = bench.plan
    halls = await hall_codes(bench)
    lines = await items_by_line(bench, halls)
    token = await admin(bench)
    opened = await open_counters(bench, token, halls)
    served = {path: [line for line in skills if line in lines] for path, skills in opened.items()}
    counters = {path: known for path, known in served.items() if known}
    # All halls' first counters, then all their second ones: neighbours rarely share a hall.
    paths = sorted(counters, key=lambda path: path.rpartition("/")[2])
    calls = max(1, round(plan.seconds * CALLS_A_COUNTER_AND_SECOND))
    pairs = Pairs()
    async with inserts(bench) as bare:
        await bare.drive(1)
        for number in range(1, plan.rounds + 1):
            for end in _ends(token, paths):  # the last round stopped in the middle of a turn
                await send_all(bench.api, end)
            bench.say(f"round {number} of {plan.rounds}: people take tickets")
            await take(bench, await _people_for(bench, counters, lines, calls))
            await settled()
            bench.say(f"round {number} of {plan.rounds}: bare INSERTs")
            pairs.limits.append(await bare.drive(plan.seconds))
            bench.say(f"round {number} of {plan.rounds}: {len(paths)} counters")
            pairs.loads.append(await _call_in_turns(bench, token, paths, plan.seconds))
    note = f"{len(paths)} counters call, start and finish in turn; only calls are counted"
    return [pairs.figure("call_next", limit=LIMIT, bar=BAR, note=note)]


async def _people_for(
    bench: Bench, counters: dict[str, list[str]], lines: dict[str, list[str]], calls: int
) -> list[Wish]:
    """Enough people before every counter, in all its lines, for so many calls of it."""
    wanted: list[tuple[str, str]] = []
    for path, known in counters.items():
        hall = path.split("/")[4]
        for nth in range(round(calls * SPARE)):
            wanted.append((hall, known[nth % len(known)]))
    free = dict.fromkeys(lines, 0)
    wishes: list[tuple[int, str, str]] = []
    for hall, line in wanted:
        person, item = divmod(free[line], len(lines[line]))
        free[line] += 1
        wishes.append((person, hall, lines[line][item]))
    people = await citizens(bench, max(person for person, _, _ in wishes) + 1)
    return [Wish(people[person], hall, item) for person, hall, item in wishes]


def _ends(token: str, paths: list[str]) -> list[list[bytes]]:
    """What frees every counter."""
    return [
        [request("POST", f"{path}/{verb}", token=token, body={}) for path in paths]
        for verb in ("start", "finish")
    ]


async def _call_in_turns(bench: Bench, token: str, paths: list[str], seconds: float) -> Load:
    """All counters call, start and finish in turn, without a pause; only the calls are counted.

    Their rate follows from how long they took: so many connections, each with one request under
    way, answer connections ÷ mean time a second (Little's law).
    """
    turn = [
        request("POST", f"{path}/{verb}", token=token, body=None if verb == "call-next" else {})
        for verb in ("call-next", "start", "finish")
        for path in paths
    ]
    done = await drive(bench.api, cycle(turn), connections=bench.plan.connections, seconds=seconds)
    calls = [answer for answer in done.answers if answer.index % len(turn) < len(paths)]
    took = [answer.took_s for answer in calls if answer.status == 200]
    seconds_spent = sum(answer.took_s for answer in calls) / bench.plan.connections
    refused = len(calls) - len(took)
    return Load(len(took), seconds_spent, percentile(took, 50), percentile(took, 99), refused)
