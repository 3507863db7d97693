"""Calling the next of 2,000 who wait, compared with calling the next of 20."""

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from server.bench.bench import Bench, BenchFailed, Figure, measurement, percentile
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
from server.bench.client import request, send, send_all

FEW, MANY = 20, 2_000
CALLS = 300
BAR = 1.3


@dataclass(slots=True)
class _Hall:
    """A hall in which so many wait, at each call again."""

    code: str
    waiting: int
    wishes: Iterator[Wish]
    counters: Iterator[str]
    took_s: list[float] = field(default_factory=list)


@measurement("long_line")
async def call_in_a_long_line(bench: Bench) -> list[Figure]:
    """One call at a time, in turn in a hall with a few and in one with many."""
    codes, token = await hall_codes(bench), await admin(bench)
    lines = await items_by_line(bench, codes)
    opened = await open_counters(bench, token, codes)
    await empty_lines(bench)
    few, many = _alike(opened)
    people = iter(await citizens(bench, FEW + MANY + 2 * CALLS))
    halls = []
    for code, waiting in ((few, FEW), (many, MANY)):
        paths = [path for path in opened if path.split("/")[4] == code]
        served = sorted({line for path in paths for line in opened[path]} & lines.keys())
        items = itertools.cycle([lines[line][0] for line in served])
        wishes = map(Wish, people, itertools.repeat(code), items)
        halls.append(_Hall(code, waiting, wishes, itertools.cycle(paths)))
    for hall in halls:
        bench.say(f"{hall.waiting} people take tickets")
        await take(bench, list(itertools.islice(hall.wishes, hall.waiting)))
    await settled(3)
    for nth in range(CALLS):
        bench.say(f"call {nth + 1} of {CALLS}")
        for hall in halls:
            await _call(bench, token, hall)
    short, long = halls
    return [
        Figure(
            what=f"call-next of {MANY:,}",
            value=statistics.median(long.took_s) / statistics.median(short.took_s),
            unit="times",
            bar=BAR,
            p50_s=statistics.median(long.took_s),
            p99_s=percentile(long.took_s, 99),
            limit=f"of {FEW}",
            note=f"with {FEW} waiting: p50 {statistics.median(short.took_s) * 1000:.1f} ms",
        )
    ]


async def _call(bench: Bench, token: str, hall: _Hall) -> None:
    """Call somebody, let her go, and have somebody else join the line."""
    counter = next(hall.counters)
    call = request("POST", f"{counter}/call-next", token=token)
    [called] = await send_all(bench.api, [call], connections=1)
    if called.status == 409:  # nobody in the lines of this counter
        return
    called.json()
    hall.took_s.append(called.took_s)
    for verb in ("start", "finish"):
        await send(bench.api, request("POST", f"{counter}/{verb}", token=token, body={}))
    await send(bench.api, next(hall.wishes).request())


def _alike(opened: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Two halls with as many counters of the same lines. Raises BenchFailed without any."""
    shapes: dict[tuple[tuple[str, ...], ...], str] = {}
    by_hall: dict[str, list[tuple[str, ...]]] = {}
    for path, skills in opened.items():
        by_hall.setdefault(path.split("/")[4], []).append(tuple(skills))
    for code, counters in by_hall.items():
        shape = tuple(sorted(counters))
        if shape in shapes:
            return shapes[shape], code
        shapes[shape] = code
    raise BenchFailed("There are no two halls alike to compare.")
