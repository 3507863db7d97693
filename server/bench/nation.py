"""A nation's halls behind the real `GET /halls`, with waits that change all the time.

`python -m server.bench.nation FD` is one process of it, on a listening socket it inherits. There
are 44,000 halls in and around the 16,000 places of `places.csv.gz` (GeoNames, CC BY 4.0), each with
two lines; CHANGES_A_SECOND of them are heard of anew each second, as from the workers of a nation.
"""

import asyncio
import csv
import gzip
import random
import socket
import sys
from collections.abc import Iterator
from datetime import datetime, time
from itertools import chain
from pathlib import Path
from time import time as now_s
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

import numpy as np
import redis.asyncio as aioredis
from sanic import Sanic

from scheduler.calendar import SHANGHAI, Opening, Timetable
from scheduler.places import Pair, Place
from server.clock import Clock
from server.halls import routes
from server.halls.directory import Directory, HallEntry, ItemEntry, LineEntry
from server.halls.listing import HallLists
from server.halls.views import NearQuery
from server.http.incoming import Incoming
from server.http.limits import Limits
from server.live.memory import Memory
from server.live.state import Board, LiveHall, LiveLine, Wait, encode_hall
from server.running.collecting import collect_seldom

HALLS: Final = 44_000
CHANGES_A_SECOND: Final = 500
TICKS_A_SECOND: Final = 20
MADE_FOR_S: Final = 60
ITEM: Final = "social-card-renewal"
START: Final = datetime(2026, 11, 23, 9, 30, tzinfo=SHANGHAI)
PLACES: Final = Path(__file__).with_name("places.csv.gz")
_NOBODY = UUID(int=0)
_LINES = {code: LineEntry(_NOBODY, code, f"{code} 队列", f"Line {code}") for code in "AB"}
_WEEKS = [
    Timetable(
        tuple(
            Opening(day, start, end)
            for day in range(5)
            for start, end in ((morning, time(12)), (time(13, 30), evening))
        )
    )
    for morning, evening in ((time(8, 30), time(17, 30)), (time(9), time(17)))
]


def places() -> list[Pair]:
    """Where people live, WGS-84 degrees."""
    with gzip.open(PLACES, "rt", encoding="utf-8") as lines:
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        return [(float(row["lat"]), float(row["lng"])) for row in rows]


def hall_places(seed: int = 1) -> list[Pair]:
    """Where the halls are: one at each place, the others some kilometres around one."""
    rng = random.Random(seed)  # noqa: S311 the same halls in every run
    known = places()
    around = (rng.choice(known) for _ in range(HALLS - len(known)))
    return known + [(lat + rng.gauss(0, 0.04), lng + rng.gauss(0, 0.04)) for lat, lng in around]


def a_nation() -> Directory:
    """All its halls, and one item that each of them does."""
    halls = {}
    for at, (lat, lng) in enumerate(hall_places()):
        code = f"n-{at:05d}"
        halls[code] = HallEntry(
            id=UUID(int=at + 1),
            code=code,
            name=f"第{at}号政务服务中心",
            name_en=f"Government Service Hall {at}",
            level="town",
            address=f"某县某镇政务路{at % 900 + 1}号",
            phone="12345",
            place=Place(lat, lng, "wgs84"),
            remote_radius_m=30_000,
            timetable=_WEEKS[at % len(_WEEKS)],
            lines=_LINES,
            offers={ITEM: "A"},
        )
    return Directory(halls, {ITEM: _item()})


def _item() -> ItemEntry:
    return ItemEntry(
        id=_NOBODY,
        code=ITEM,
        official_code="",
        name="社会保障卡换领",
        name_en="Social security card renewal",
        department="hrss",
        department_name="人社局",
        department_name_en="Human Resources",
        theme="social",
        theme_name="社保",
        audience=("person",),
        guide="",
        guide_en="",
        fee_fen=0,
        level_required=0,
        bookable=False,
        minutes=10,
        residents_of="anywhere",
        materials=(),
    )


def stored_halls(directory: Directory, rng: random.Random) -> Iterator[bytes]:
    """Live states of halls without end, each with waits of its own and newer than those before."""
    codes = list(directory.halls)
    version = 0
    while True:
        if version % len(codes) == 0:
            rng.shuffle(codes)
        hall = directory.halls[codes[version % len(codes)]]
        version += 1
        lines = tuple(_line(code, rng) for code in _LINES)
        board = Board(hall.code, hall.name, hall.name_en, version, START, (), (), lines)
        yield encode_hall(LiveHall(board, ()))


def _line(code: str, rng: random.Random) -> LiveLine:
    usual = rng.gammavariate(1.5, 900)
    curve = tuple(
        Wait(round(wait * 0.6), round(wait), round(wait * 1.7))
        for wait in (usual * rng.uniform(0.7, 1.4) for _ in range(5))
    )
    return LiveLine(
        code=code,
        name=code,
        name_en=code,
        state="open",
        waiting=round(usual / 240),
        wait=curve[0],
        on_arrival=curve,
    )


async def _change(memory: Memory, states: Iterator[bytes], lists: HallLists, clock: Clock) -> None:
    while True:
        await asyncio.sleep(1 / TICKS_A_SECOND)
        for _ in range(CHANGES_A_SECOND // TICKS_A_SECOND):
            memory.keep(next(states))
        lists.keep_up(clock.second())


def serve(fd: int) -> None:
    """Serve until SIGTERM."""
    app: Sanic[Any, Any] = Sanic("nation", configure_logging=False, request_class=Incoming)
    app.config.AUTO_EXTEND = False
    app.config.KEEP_ALIVE_TIMEOUT = 75
    directory, memory, clock = a_nation(), Memory(), Clock(START, now_s())
    states = stored_halls(directory, random.Random(fd))  # noqa: S311 waits to measure with
    for _ in range(HALLS):
        memory.keep(next(states))
    feed: Any = SimpleNamespace(memory=memory)
    app.ctx.hall_lists = HallLists(directory, feed, START)
    app.ctx.services = SimpleNamespace(
        settings=SimpleNamespace(proxies_count=0),
        clock=clock,
        limits=Limits(aioredis.Redis(), enabled=False),  # never asked
        directory=directory,
        feed=feed,
        ways=None,
    )
    # A worker makes them, not the process that is measured.
    made = [next(states) for _ in range(CHANGES_A_SECOND * MADE_FOR_S)]
    app.blueprint(routes.bp)
    app.ctx.hall_lists.answered(NearQuery(), START)
    # As in a process that has shown every hall before, which takes a day and not some seconds.
    standing = app.ctx.hall_lists.standing
    every = np.arange(HALLS)
    standing.fronts(every, np.array([standing.table.row_of[at, "A"] for at in every.tolist()]))
    app.add_task(_change(memory, chain(made, states), app.ctx.hall_lists, clock))
    app.after_server_start(lambda _: collect_seldom())
    app.run(sock=socket.socket(fileno=fd), single_process=True, motd=False, access_log=False)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
