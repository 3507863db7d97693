"""The same decisions without HTTP: what taking and calling cost until they are kept.

One process makes them through its models, as many at once as the client has connections, so they
stand beside bare INSERTs as those are made: by a program that holds the database's connections.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from models import issuing, steps
from models.database import rows
from models.issuing import NewTicket
from models.opening import open_database
from models.steps import Step
from models.tickets import Actor, Move, TicketState
from scheduler.calendar import business_day
from server.bench.bench import Bench, Figure, Load, Pairs, measurement, percentile
from server.bench.city import (
    admin,
    citizens,
    empty_lines,
    hall_codes,
    items_by_line,
    open_counters,
    settled,
)
from server.bench.inserts import inserts
from server.clock import microseconds

BAR = 0.25
LIMIT = "bare INSERT"
POOL_SIZE = 10
PEOPLE = 2_000
# People before each line and hall when calling begins.
WAITING = 300

# Does one thing; whether it came about.
Doing = Callable[[], Awaitable[bool]]
_STEPS = (
    (Move.CALL, TicketState.WAITING),
    (Move.START, TicketState.CALLED),
    (Move.FINISH, TicketState.SERVING),
)


@measurement("take_decided")
async def take_decided(bench: Bench) -> list[Figure]:
    """Tickets given, spread over all halls, lines and citizens."""
    plan, pairs = bench.plan, Pairs()
    token, halls = await admin(bench), await hall_codes(bench)
    await open_counters(bench, token, halls)
    async with open_database(bench.database_url, pool_size=POOL_SIZE), inserts(bench) as bare:
        takes = await _takes(bench, halls)
        await _drive(takes, plan.connections, 1)
        await bare.drive(1)
        for number in range(1, plan.rounds + 1):
            await empty_lines(bench)
            await settled()
            bench.say(f"round {number} of {plan.rounds}: bare INSERTs")
            pairs.limits.append(await bare.drive(plan.seconds))
            bench.say(f"round {number} of {plan.rounds}")
            done = await _drive(takes, plan.connections, plan.seconds)
            pairs.loads.append(_load([took for _, took, good in done if good], plan.seconds))
    return [pairs.figure("take, decided", limit=LIMIT, bar=BAR, note="without HTTP, one process")]


@measurement("call_next_decided")
async def call_next_decided(bench: Bench) -> list[Figure]:
    """Calls of all counters of all halls, which start and finish in turn; only calls count."""
    plan, pairs = bench.plan, Pairs()
    token, halls = await admin(bench), await hall_codes(bench)
    await open_counters(bench, token, halls)
    async with open_database(bench.database_url, pool_size=POOL_SIZE), inserts(bench) as bare:
        await empty_lines(bench)
        takes = await _takes(bench, halls)
        many = WAITING * len(await rows("SELECT id FROM line"))
        bench.say(f"{many:,} people take tickets")
        await _drive(itertools.islice(takes, many), plan.connections, 120)
        turn = await _turn()
        await bare.drive(1)
        for number in range(1, plan.rounds + 1):
            bench.say(f"round {number} of {plan.rounds}: bare INSERTs")
            pairs.limits.append(await bare.drive(plan.seconds))
            bench.say(f"round {number} of {plan.rounds}")
            done = await _drive(itertools.cycle(turn), plan.connections, plan.seconds)
            pairs.loads.append(_calls(done, len(turn), plan.connections))
            for doing in turn[len(turn) // 3 :]:  # it stopped in the middle of a turn
                await doing()
    note = "without HTTP, one process; calls, starts and finishes in turn, only calls are counted"
    return [pairs.figure("call_next, decided", limit=LIMIT, bar=BAR, note=note)]


async def _takes(bench: Bench, halls: Sequence[str]) -> Iterator[Doing]:
    """Each citizen takes each item once; whoever comes next is another one, at another hall."""
    bench.say("people sign in")
    await citizens(bench, PEOPLE)
    free = [code for codes in (await items_by_line(bench, [*halls])).values() for code in codes]
    places = await rows(
        "SELECT o.hall_id, o.line_id, o.item_id FROM offering o JOIN item ON item.id = o.item_id"
        " WHERE item.code = ANY($1) ORDER BY o.item_id, o.hall_id",
        free,
    )
    # The newest, who have taken nothing yet.
    found = await rows("SELECT id FROM citizen ORDER BY id DESC LIMIT $1", PEOPLE)
    items, many = len(free), len(halls)

    def wishes() -> Iterator[Doing]:
        for number in itertools.count():
            turn, nth = divmod(number, PEOPLE)
            place = places[(turn + nth) % items * many + number % many]
            yield _take(*place, who=found[nth]["id"])

    return wishes()


def _take(hall: UUID, line: UUID, item: UUID, *, who: UUID) -> Doing:
    async def take() -> bool:
        now = datetime.now(UTC)
        new = NewTicket(
            hall_id=hall,
            line_id=line,
            item_id=item,
            citizen_id=who,
            day=business_day(now),
            asked_at=now,
            credit=timedelta(0),
            version=microseconds(),
            level_required=0,
            actor=Actor("citizen", who),
        )
        return await issuing.issue(new) is not None

    return take


async def _turn() -> list[Doing]:
    """A call of every open counter, then all starts, then all finishes."""
    # All halls' first counters, then all their second ones, as in the measurement over HTTP.
    counters = await rows(
        "SELECT hall_id, code, staffed_by FROM counter WHERE state = 'open' ORDER BY code, hall_id"
    )
    return [
        _step(*counter, move=move, before=before) for move, before in _STEPS for counter in counters
    ]


def _step(hall: UUID, counter: str, clerk: UUID, *, move: Move, before: TicketState) -> Doing:
    make = steps.call_first if move is Move.CALL else steps.move_at

    async def step() -> bool:
        actor = Actor("staff", clerk)
        made = Step(hall, move, before, datetime.now(UTC), microseconds(), actor, None)
        return await make(counter, made) is not None

    return step


async def _drive(
    doings: Iterable[Doing], at_once: int, seconds: float
) -> list[tuple[int, float, bool]]:
    """Do things, so many at once, for so long or until none is left; which, how long, and whether
    it came about.
    """
    source, done = iter(enumerate(doings)), list[tuple[int, float, bool]]()
    until = time.perf_counter() + seconds

    async def go_on() -> None:
        while (began := time.perf_counter()) < until:
            nth, doing = next(source, (None, None))
            if nth is None or doing is None:
                return
            good = await doing()
            done.append((nth, time.perf_counter() - began, good))

    await asyncio.gather(*(go_on() for _ in range(at_once)))
    return done


def _calls(done: Sequence[tuple[int, float, bool]], turn: int, at_once: int) -> Load:
    """The calls alone: so many at once, each after the last, are so many ÷ their mean a second."""
    calls = [(took, good) for nth, took, good in done if nth % turn < turn // 3]
    spent = sum(took for took, _ in calls) / at_once
    good = [took for took, good in calls if good]
    return _load(good, spent, refused=len(calls) - len(good))


def _load(took: Sequence[float], seconds: float, *, refused: int = 0) -> Load:
    return Load(len(took), seconds, percentile(took, 50), percentile(took, 99), refused)
