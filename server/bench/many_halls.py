"""2,000 busy halls, all kept by the one worker: how soon everybody sees a change in one of them.

They are copies of a town's hall, made past the API, with people who wait and counters that are
open. Each has a change every twenty seconds; what is measured is from its commit to the live state
in an API process, as a board's socket has it. How much of a processor the worker takes for it does
not depend on what else the machine does.
"""

import asyncio
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from server.bench.bench import Bench, BenchFailed, Figure, measurement, percentile
from server.bench.city import (
    admin,
    citizens,
    hall_codes,
    items_by_line,
    serve_some,
    settled,
    worker_of,
)
from server.bench.client import request, send, send_all
from server.bench.sockets import Socket

HALLS: Final = 2_000
WAITING: Final = 30
CHANGE_EVERY_S: Final = 20.0
SECONDS: Final = 30.0
SAMPLES: Final = 20
BAR_S: Final = 1.0
# Foreseeing takes a quarter of the worker at most, and so many halls wait for their turn in it.
WAITS_BAR_S: Final = 60.0
_TOPICS_A_SOCKET: Final = 20
_TAKEN_OVER_S: Final = 90.0


@measurement("busy_halls")
async def busy_halls(bench: Bench) -> list[Figure]:
    """How soon a change is seen, and how soon somebody new has a wait of her own."""
    token = await admin(bench)
    halls = await hall_codes(bench)
    lines = await items_by_line(bench, halls)
    line, [item, *_] = next(iter(sorted(lines.items())))
    bench.say("people are served, so that waits are known")
    await serve_some(bench, token, halls[1], item, line)
    bench.say(f"{HALLS} halls open")
    codes = await _copies(bench, halls[1], line)
    boards = _Boards()
    sockets = await _watch(bench, codes, boards)
    try:
        await _until(lambda: len(boards.waiting) == HALLS, "the worker did not take the halls")
        worker = worker_of(bench.folder)
        before, began = _processor_s(worker), time.perf_counter()
        await _change(bench, token, codes, item, boards=boards)
        spent, took = _processor_s(worker) - before, time.perf_counter() - began
        waits = await _own_waits(bench, codes, item)
    finally:
        for socket in sockets:
            socket.close()
    delays = boards.delays
    p50, p99 = percentile(delays, 50), percentile(delays, 99)
    missing = boards.changes - len(delays)
    note = (
        f"{boards.changes / took:.0f} changes a second; the worker took {spent / took:.0%} of a"
        f" processor, {1000 * spent / boards.changes:.1f} ms a change"
        + (f"; {missing} not seen" if missing else "")
        + (f"; {boards.not_taken} refused" if boards.not_taken else "")
    )
    return [
        Figure(
            what=f"busy_halls: {HALLS:,}, commit to board, p99",
            value=p99,
            unit="seconds",
            bar=BAR_S,
            p50_s=p50,
            p99_s=p99,
            note=note,
        ),
        Figure(
            what="busy_halls: number to her own wait, p90",
            value=percentile(waits, 90),
            unit="seconds",
            bar=WAITS_BAR_S,
            p50_s=percentile(waits, 50),
            note="with the number she is told the line's",
        ),
    ]


class _Boards:
    """What the boards show: how many wait, and how long after a change that was so."""

    def __init__(self) -> None:
        self.waiting: dict[str, int] = {}
        self.delays: list[float] = []
        self.changes = self.not_taken = 0
        self._awaited: dict[str, tuple[int, float]] = {}

    def hear(self, message: bytes) -> None:
        """Take a message of a socket."""
        said = msgspec.json.decode(message)
        if said["type"] != "state":
            return
        hall = said["data"]["hall"]
        waiting = sum(line["waiting"] for line in said["data"]["lines"])
        self.waiting[hall] = waiting
        awaited, at = self._awaited.get(hall, (0, 0.0))
        if awaited and waiting >= awaited:
            del self._awaited[hall]
            self.delays.append(max(0.0, time.perf_counter() - at))

    def expect(self, hall: str) -> None:
        """Somebody joins this hall."""
        self.changes += 1
        self._awaited[hall] = self.waiting[hall] + 1, float("inf")

    def refused(self, hall: str) -> None:
        """She could not."""
        self.changes -= 1
        self.not_taken += 1
        self._awaited.pop(hall, None)

    def committed(self, hall: str) -> None:
        """She has."""
        if hall in self._awaited:
            self._awaited[hall] = self._awaited[hall][0], time.perf_counter()


async def _copies(bench: Bench, hall: str, line: str) -> list[str]:
    """Halls like this one, in which people wait in a line and counters are open; their codes."""
    connection = await asyncpg.connect(bench.database_url)
    try:
        async with connection.transaction():
            for statement in _COPY:
                await connection.execute(statement, hall, HALLS)
            await connection.execute(_PEOPLE, line, WAITING, datetime.now(UTC))
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    return [f"busy-{nth:04d}" for nth in range(1, HALLS + 1)]


async def _watch(bench: Bench, codes: list[str], boards: _Boards) -> list[Socket]:
    """Sockets that are shown every board, once the API has heard of the halls."""
    give_up = time.monotonic() + _TAKEN_OVER_S
    while True:
        paths = (f"/api/v1/halls/{code}/board" for code in (codes[0], codes[-1]))
        answers = await send_all(bench.api, [request("GET", path) for path in paths])
        if all(answer.status == 200 for answer in answers):
            break
        if time.monotonic() > give_up:
            raise BenchFailed("the API did not hear of the halls")
        await asyncio.sleep(1)
    loop, sockets = asyncio.get_running_loop(), []
    for start in range(0, len(codes), _TOPICS_A_SOCKET):
        topics = [f"hall:{code}" for code in codes[start : start + _TOPICS_A_SOCKET]]
        _, socket = await loop.create_connection(partial(Socket, topics, boards.hear), *bench.api)
        sockets.append(socket)
    return sockets


async def _change(
    bench: Bench, token: str, codes: list[str], item: str, *, boards: _Boards
) -> None:
    """Somebody joins each hall every twenty seconds, one hall after the other."""
    began, nth = time.perf_counter(), 0
    under_way: set[asyncio.Task[None]] = set()

    async def join(hall: str) -> None:
        boards.expect(hall)
        path = f"/api/v1/halls/{hall}/tickets"
        try:
            await send(bench.api, request("POST", path, token=token, body={"item": item}))
        except BenchFailed:
            boards.refused(hall)
        else:
            boards.committed(hall)

    while (now := time.perf_counter()) < began + SECONDS:
        while nth < (now - began) * HALLS / CHANGE_EVERY_S:
            task = asyncio.create_task(join(codes[nth % HALLS]))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            nth += 1
        bench.say(f"{nth} changes")
        await asyncio.sleep(0.01)
    await asyncio.gather(*under_way)
    await settled(5)


async def _own_waits(bench: Bench, codes: list[str], item: str) -> list[float]:
    """How long after taking a number its holder finds a wait that is her own."""
    halls = codes[:: HALLS // SAMPLES]
    people = await citizens(bench, len(halls))

    async def until_known(hall: str, person: str) -> float:
        wish = {"hall": hall, "item": item}
        ticket = await send(bench.api, request("POST", "/api/v1/tickets", token=person, body=wish))
        taken = time.perf_counter()
        path = f"/api/v1/tickets/{ticket['id']}"
        while time.perf_counter() < taken + 2 * WAITS_BAR_S:
            found = await send(bench.api, request("GET", path, token=person))
            if found["wait"] is not None:
                break
            await asyncio.sleep(0.2)
        return time.perf_counter() - taken

    bench.say("some wait for a wait of their own")
    return list(await asyncio.gather(*map(until_known, halls, people)))


async def _until(true: Callable[[], bool], otherwise: str) -> None:
    give_up = time.monotonic() + _TAKEN_OVER_S
    while not true():
        if time.monotonic() > give_up:
            raise BenchFailed(otherwise)
        await asyncio.sleep(0.1)


def _processor_s(pid: int) -> float:
    """How many seconds of a processor a process has taken so far."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


# $1: the hall to be copied, $2: how often.
_COPY: Final = (
    """
    INSERT INTO hall (id, code, name, name_en, level, parent_code, address, phone, lat, lng,
                      remote_radius_m, rules)
    SELECT gen_random_uuid(), 'busy-' || lpad(n::text, 4, '0'), name, name_en, level, parent_code,
           address, phone, lat + n * 1e-4, lng, 5000000, rules
    FROM hall, generate_series(1, $2::int) n WHERE code = $1
    """,
    """
    INSERT INTO line (id, hall_id, code, name, name_en, state, last_sequence, issuing, issuing_on)
    SELECT gen_random_uuid(), copy.id, line.code, line.name, line.name_en, 'open', 0, line.issuing,
           line.issuing_on
    FROM hall copy, hall JOIN line ON line.hall_id = hall.id
    WHERE hall.code = $1 AND copy.code LIKE 'busy-%' AND $2::int > 0
    """,
    """
    INSERT INTO counter (id, hall_id, code, name, skills, serving, helps, state, opened_on,
                         staffed_by)
    SELECT gen_random_uuid(), copy.id, c.code, c.name, c.skills, c.skills, c.helps, 'open',
           c.opened_on, c.staffed_by
    FROM hall copy, hall JOIN counter c ON c.hall_id = hall.id
    WHERE hall.code = $1 AND copy.code LIKE 'busy-%' AND $2::int > 0
    """,
    """
    INSERT INTO opening (id, hall_id, weekday, start_minute, end_minute)
    SELECT gen_random_uuid(), copy.id, o.weekday, o.start_minute, o.end_minute
    FROM hall copy, hall JOIN opening o ON o.hall_id = hall.id
    WHERE hall.code = $1 AND copy.code LIKE 'busy-%' AND $2::int > 0
    """,
    """
    INSERT INTO offering (id, hall_id, line_id, item_id)
    SELECT gen_random_uuid(), copy.id, theirs.id, o.item_id
    FROM hall copy, hall JOIN offering o ON o.hall_id = hall.id JOIN line ON line.id = o.line_id,
         line theirs
    WHERE hall.code = $1 AND copy.code LIKE 'busy-%' AND $2::int > 0
      AND theirs.hall_id = copy.id AND theirs.code = line.code
    """,
)
# $1: the line, $2: how many people, $3: a moment, as versions are made of.
_PEOPLE: Final = """
    WITH day AS (
        SELECT day, max(issued_at) AS now FROM ticket GROUP BY day ORDER BY day DESC LIMIT 1
    ), given AS (
        INSERT INTO ticket (id, hall_id, line_id, item_id, day, sequence, number, state, issued_at,
                            rank_time, version)
        SELECT gen_random_uuid(), hall.id, line.id, (
                   SELECT item_id FROM offering o WHERE o.line_id = line.id LIMIT 1),
               day.day, n, line.code || lpad(n::text, 3, '0'), 'waiting', at, at,
               (extract(epoch FROM $3::timestamptz) * 1e6)::bigint
        FROM hall JOIN line ON line.hall_id = hall.id AND line.code = $1, day,
             generate_series(1, $2::int) n,
             LATERAL (SELECT day.now - (40 - n) * interval '1 minute' AS at) past
        WHERE hall.code LIKE 'busy-%'
        RETURNING *
    ), numbered AS (
        UPDATE line SET last_sequence = $2, numbered_on = day.day, last_issued_at = day.now
        FROM day, hall
        WHERE hall.id = line.hall_id AND hall.code LIKE 'busy-%' AND line.code = $1
    )
    INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind, line_id, number,
                              rank_time)
    SELECT id, hall_id, issued_at, 'issue', 'waiting', 'system', line_id, number, rank_time
    FROM given
"""
