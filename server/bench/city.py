"""The measured city from outside: its halls, its people, its tickets."""

import asyncio
import itertools
import secrets
import shutil
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import asyncpg

from server.admin.city_files import CITY_FILES
from server.bench.bench import Address, Bench, BenchFailed
from server.bench.client import request, send, send_all
from server.settings import DEMO_PASSWORD

WAITS_KNOWN_AFTER = 30

READY_TIMEOUT_S = 120.0
COUNTED_AFTER_S = 1.5
_family = secrets.randbelow(10_000)
_births = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Wish:
    """A ticket to take."""

    token: str
    hall: str
    item: str

    def request(self, *, key: str | None = None) -> bytes:
        """The request that takes it."""
        wish = {"hall": self.hall, "item": self.item}
        return request("POST", "/api/v1/tickets", token=self.token, body=wish, key=key)


async def until_ready(address: Address, path: str) -> None:
    """Wait for a 200. Raises BenchFailed when there is none in time."""
    url = f"http://{address[0]}:{address[1]}{path}"
    give_up = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < give_up:
        if await asyncio.to_thread(_answers, url):
            return
        await asyncio.sleep(0.1)
    raise BenchFailed(f"{url} was not ready within {READY_TIMEOUT_S:.0f} s")


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 our own http address
            return bool(answer.status < 300)
    except (URLError, OSError):
        return False


def city_without_caps(folder: Path) -> Path:
    """The demo city's files in a new folder, with halls that give a person any number of numbers.

    Measuring takes more of them than people, which the halls' daily caps would end.
    """
    shutil.copytree(CITY_FILES, folder, dirs_exist_ok=True)
    with (folder / "rules.csv").open("a", encoding="utf-8") as rules:
        rules.write("*,daily_cap_line,0\n*,daily_cap_hall,0\n")
    return folder


def city_for_measuring(folder: Path) -> Path:
    """The same, and halls where a person may book as often as she likes, two weeks ahead."""
    city_without_caps(folder)
    with (folder / "rules.csv").open("a", encoding="utf-8") as rules:
        rules.write("*,book_per_week,0\n*,book_per_month,0\n*,book_working_days,10\n")
    return folder


async def hall_codes(bench: Bench) -> list[str]:
    """All halls."""
    found = await send(bench.api, request("GET", "/api/v1/halls?limit=100"))
    return [hall["code"] for hall in found["data"]]


async def citizens(bench: Bench, many: int) -> list[str]:
    """Access tokens of citizens nobody has met before."""
    born = [{"id_number": f"44190019900101{_family:04d}{next(_births):06d}"} for _ in range(many)]
    personas = await send_all(
        bench.sandbox, [request("POST", "/_sandbox/personas", body=who) for who in born]
    )
    codes = [{"code": persona.json()["wechat_code"]} for persona in personas]
    signed_in = await send_all(
        bench.api, [request("POST", "/api/v1/sessions/wechat", body=code) for code in codes]
    )
    return [answer.json()["access_token"] for answer in signed_in]


async def admin(bench: Bench) -> str:
    """An access token that works in every hall."""
    password = {"username": "admin", "password": DEMO_PASSWORD}
    session = await send(bench.api, request("POST", "/api/v1/staff/sessions", body=password))
    token: str = session["access_token"]
    return token


async def items_by_line(bench: Bench, halls: list[str]) -> dict[str, list[str]]:
    """Items that anybody may take a ticket for in every hall, by the line that serves them.

    Lines are learned as a citizen would: by taking a ticket.
    """
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        path = f"/api/v1/items?limit=100{cursor}"
        page = await send(bench.api, request("GET", path))
        found += page["data"]
        if not page.get("next_cursor"):
            break
        cursor = f"&cursor={page['next_cursor']}"
    free = [item for item in found if item["residents_of"] == "anywhere"]
    codes = [item["code"] for item in free if item["level_required"] == 0]
    offered = set(codes)
    for hall in halls:
        detail = await send(bench.api, request("GET", f"/api/v1/halls/{hall}"))
        offered &= set(detail["items"])
    codes = [code for code in codes if code in offered]
    [scout] = await citizens(bench, 1)
    lines = defaultdict(list)
    for ticket in await take(bench, [Wish(scout, halls[0], code) for code in codes]):
        lines[ticket["line"]].append(ticket["item"])
    return dict(lines)


async def take(bench: Bench, wishes: list[Wish]) -> list[dict[str, Any]]:
    """Take all these tickets."""
    answers = await send_all(bench.api, [wish.request() for wish in wishes])
    return [answer.json() for answer in answers]


async def open_counters(bench: Bench, token: str, halls: list[str]) -> dict[str, list[str]]:
    """Open every counter of these halls; the lines each serves, by its path."""
    listed = await send_all(
        bench.api,
        [request("GET", f"/api/v1/halls/{hall}/counters", token=token) for hall in halls],
    )
    counters = {
        f"/api/v1/halls/{hall}/counters/{counter['code']}": counter["skills"]
        for hall, answer in zip(halls, listed, strict=True)
        for counter in answer.json()["data"]
    }
    opening = [request("POST", f"{path}/open", token=token, body={}) for path in counters]
    for answer in await send_all(bench.api, opening):
        answer.json()
    await _keep_issuing(bench, token, halls)
    return counters


async def serve_some(bench: Bench, token: str, hall: str, item: str, line: str) -> None:
    """Enough people are called in one hall for waits to be foretold in all of them."""
    opened = await open_counters(bench, token, [hall])
    joins = request("POST", f"/api/v1/halls/{hall}/tickets", token=token, body={"item": item})
    for answer in await send_all(bench.api, [joins] * WAITS_KNOWN_AFTER, connections=1):
        answer.json()
    await settled(3)
    counters = [path for path, skills in opened.items() if line in skills]
    for _ in range(WAITS_KNOWN_AFTER // len(counters) + 1):
        for verb in ("call-next", "start", "finish"):
            each = [
                request("POST", f"{path}/{verb}", token=token, body=None if "call" in verb else {})
                for path in counters
            ]
            await send_all(bench.api, each)
        await settled(0.6)


async def _keep_issuing(bench: Bench, token: str, halls: list[str]) -> None:
    """Let every line give numbers all day: more people come than any day could serve."""
    listed = await send_all(
        bench.api, [request("GET", f"/api/v1/halls/{hall}/lines") for hall in halls]
    )
    paths = [
        f"/api/v1/halls/{hall}/lines/{line['code']}/issuing"
        for hall, answer in zip(halls, listed, strict=True)
        for line in answer.json()["data"]
    ]
    let = [request("PUT", path, token=token, body={"mode": "open"}) for path in paths]
    for answer in await send_all(bench.api, let):
        answer.json()


async def empty_lines(bench: Bench) -> None:
    """Send everybody home who waits, past the API: the city is the bench's own."""
    connection = await asyncpg.connect(bench.database_url)
    try:
        await connection.execute(
            "WITH gone AS ("
            " UPDATE ticket SET state = 'cancelled', ended_at = issued_at - interval '1 day',"
            " version = version + 1 WHERE state = 'waiting' RETURNING id, hall_id, ended_at)"
            "INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind)"
            " SELECT id, hall_id, ended_at, 'cancel', 'cancelled', 'system' FROM gone"
        )
    finally:
        await connection.close()


async def settled(seconds: float = 1.5) -> None:
    """Wait until the worker has projected what was just done."""
    await asyncio.sleep(seconds)


async def statements(bench: Bench) -> float:
    """Statements that the API processes have sent to PostgreSQL so far, all together.

    Each process carries its count into the metric once a second, so this waits first.
    """
    await asyncio.sleep(COUNTED_AFTER_S)
    [answer] = await send_all(bench.api, [request("GET", "/metrics")])
    for line in answer.body.decode().splitlines():
        if line.startswith("yiting_database_statements_total"):
            return float(line.split()[-1])
    return 0.0


def worker_of(folder: Path) -> int:
    """The process of the city's worker. Raises BenchFailed where there is none."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            ours = str(folder).encode() in (process / "environ").read_bytes()
        except OSError:
            continue
        if ours and b"work" in command:
            return int(process.name)
    raise BenchFailed("There is no worker.")
