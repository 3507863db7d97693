"""A campaign to a hundred thousand people: how fast it goes out, and what is urgent beside it.

Its limit is a bare httpx client that sends the same message to the same platform over as many
connections as couriers of campaigns have. While it runs, people are called at counters, and each
call is followed to the platform that her phone hears of it from.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncpg
import httpx

from models.notice_kinds import Urgency
from server.bench.bench import Bench, BenchFailed, Figure, measurement, percentile
from server.bench.city import (
    Wish,
    admin,
    citizens,
    hall_codes,
    items_by_line,
    open_counters,
    take,
    worker_of,
)
from server.bench.client import request, send, send_all
from server.bench.own_database import city_environment
from server.notices.background import AT_ONCE
from server.settings import DEMO_PASSWORD

PEOPLE: Final = 100_000
CALLED: Final = 200
CALL_EVERY_S: Final = 0.1
BAR: Final = 0.3
NEXT_BAR_S: Final = 2.0
# What is read of whom it concerns, a page at a time, may come and go.
MEMORY_BAR: Final = 1.1
_UNDER_WAY: Final = 2_000  # so many are sent before anything is measured
_WITHIN_S: Final = 60.0
_SEND: Final = "/cgi-bin/message/subscribe/send"
_POLICY: Final = {
    "title": "一件事",
    "title_en": "One thing",
    "text": "新政策自下月起施行。",
    "text_en": "A new policy comes into force next month.",
    "per_minute": 60_000,
}
# $1: their openids, $2: our mini-program.
_FILL: Final = (
    """
    CREATE TEMP TABLE told AS SELECT uuidv7() AS id, openid FROM unnest($1::text[]) openid
    """,
    "INSERT INTO citizen (id, level, created_at) SELECT id, 0, now() FROM told",
    """
    INSERT INTO channel_link (id, citizen_id, platform, app_id, subject, created_at)
    SELECT uuidv7(), id, 'wechat', $1, openid, now() FROM told
    """,
    """
    INSERT INTO consent (id, citizen_id, purpose, groups, given_at)
    SELECT uuidv7(), id, 'policies', 0, now() FROM told
    """,
    """
    INSERT INTO subscription (platform, subject, template_id, credits, lasting, changed_at)
    SELECT 'wechat', openid, 'yiting_policy_news', 0, true, now() FROM told
    """,
)
_ALL_ALLOW: Final = """
    INSERT INTO subscription (platform, subject, template_id, credits, lasting, changed_at)
    SELECT 'wechat', l.subject, 'yiting_ticket_called', 0, true, now()
    FROM channel_link l WHERE l.platform = 'wechat'
    ON CONFLICT (platform, subject, template_id) DO UPDATE SET lasting = true
"""
_PHONES: Final = """
    SELECT t.id, l.subject FROM ticket t JOIN channel_link l ON l.citizen_id = t.citizen_id
    WHERE t.state = 'waiting' AND l.platform = 'wechat'
"""
_SENT: Final = "SELECT count(*) FROM notice WHERE kind = 'policy_news' AND state = 'sent'"


@measurement("campaign")
async def campaign(bench: Bench) -> list[Figure]:
    """Messages a second against a bare client; from a call to the platform; the worker's memory."""
    ours = await asyncpg.connect(bench.database_url)
    try:
        env = await city_environment(bench)
        openids = await _audience(bench, ours, env["YITING_WECHAT_APP_ID"])
        calls = await _Calls.of(bench, ours)
        bench.say("a bare client sends")
        bare = [await _bare(bench, env, openids, bench.plan.seconds)]
        worker = worker_of(bench.folder)
        token, path = await _begin(bench)
        bench.say("the campaign begins")
        await _until_sent(ours, _UNDER_WAY)
        await ours.execute("ANALYZE")  # as PostgreSQL does by itself within a minute
        memory = _memory(worker)
        rate = await _rate(ours, asyncio.sleep(3 * bench.plan.seconds))
        bench.say("people are called while it runs")
        called = asyncio.create_task(calls.made())
        beside = await _rate(ours, called)
        took, grown = called.result(), _memory(worker) / memory
        shown = await send(bench.api, request("GET", path, token=token))
        if shown["state"] != "running":
            raise BenchFailed(f"the campaign was {shown['state']} before people were called")
        await send(bench.api, request("POST", f"{path}/cancel", token=token, body={}))
        bare.append(await _bare(bench, env, openids, bench.plan.seconds))
    finally:
        await ours.close()
    limit = sum(bare) / len(bare)
    return [
        Figure(
            what="campaign",
            value=rate / limit,
            unit="ratio",
            bar=BAR,
            rate=rate,
            limit="bare httpx client",
            limit_rate=limit,
            note=f"{AT_ONCE[Urgency.CAMPAIGN]} at a time; "
            f"{beside:.0f}/s while {1 / CALL_EVERY_S:.0f} people a second are called",
        ),
        Figure(
            what="campaign: call to the platform beside it, p99",
            value=percentile(took, 99),
            unit="seconds",
            bar=NEXT_BAR_S,
            p50_s=percentile(took, 50),
            p99_s=percentile(took, 99),
            note=f"{len(took)} calls",
        ),
        Figure(
            what="campaign: the worker's memory, of what it had",
            value=grown,
            unit="times",
            bar=MEMORY_BAR,
            note=f"{memory >> 20} MiB once {_UNDER_WAY:,} were sent",
        ),
    ]


async def _audience(bench: Bench, ours: asyncpg.Connection, app_id: str) -> list[str]:
    """People whom the platform knows and who consent to be told of policies; their openids."""
    bench.say(f"{PEOPLE:,} people consent")
    born = (f"44190019{nth // 10_000 + 40:02d}0101{nth:010d}" for nth in range(PEOPLE))
    asked = [request("POST", "/_sandbox/personas", body={"id_number": one}) for one in born]
    openids = [found.json()["openid"] for found in await send_all(bench.sandbox, asked)]
    first, *others = _FILL
    async with ours.transaction():
        await ours.execute(first, openids)
        for statement in others:
            await ours.execute(statement, *([app_id] if "$1" in statement else []))
    await ours.execute("ANALYZE")
    return openids


async def _bare(bench: Bench, env: dict[str, str], openids: list[str], seconds: float) -> float:
    """How many messages a second the platform takes from a client that does nothing else."""
    host, port = bench.sandbox
    told = {
        "template_id": "yiting_bench",
        "page": "pages/notice/index?id=1",
        "data": {"thing1": {"value": "一件事"}, "time3": {"value": "2026年11月23日 09:30"}},
        "miniprogram_state": "formal",
        "lang": "zh_CN",
    }
    whom, many = itertools.cycle(openids), 0
    at_once = AT_ONCE[Urgency.CAMPAIGN]
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}", limits=limits) as http:
        asked = {
            "grant_type": "client_credential",
            "appid": env["YITING_WECHAT_APP_ID"],
            "secret": env["YITING_WECHAT_SECRET"],
        }
        token = (await http.post("/cgi-bin/stable_token", json=asked)).json()["access_token"]
        began = time.perf_counter()

        async def send_on() -> None:
            nonlocal many
            while time.perf_counter() < began + seconds:
                body = told | {"touser": next(whom)}
                answer = await http.post(_SEND, params={"access_token": token}, json=body)
                if answer.json()["errcode"]:
                    raise BenchFailed(f"the platform answered {answer.text}")
                many += 1

        await asyncio.gather(*(send_on() for _ in range(at_once)))
        return many / (time.perf_counter() - began)


async def _begin(bench: Bench) -> tuple[str, str]:
    """Write a campaign to everybody and have it approved; a token and the campaign's path."""
    token = await admin(bench)
    path = "/api/v1/admin/campaigns"
    made = await send(bench.api, request("POST", path, token=token, body=_POLICY))
    password = {"username": "supervisor", "password": DEMO_PASSWORD}
    second = await send(bench.api, request("POST", "/api/v1/staff/sessions", body=password))
    path = f"{path}/{made['id']}"
    approval = request(
        "POST", f"{path}/approve", token=second["access_token"], body={"version": made["version"]}
    )
    await send(bench.api, approval)
    return token, path


async def _until_sent(ours: asyncpg.Connection, many: int) -> None:
    give_up = time.monotonic() + _WITHIN_S
    while await ours.fetchval(_SENT) < many:
        if time.monotonic() > give_up:
            raise BenchFailed(f"{many} messages were not sent within {_WITHIN_S:.0f} s")
        await asyncio.sleep(0.1)


async def _rate(ours: asyncpg.Connection, meanwhile: Awaitable[object]) -> float:
    """How many messages a second are sent until something else is over."""
    before, began = await ours.fetchval(_SENT), time.perf_counter()
    await meanwhile
    sent: int = await ours.fetchval(_SENT) - before
    return sent / (time.perf_counter() - began)


class _Calls:
    """Counters of all halls, before which people wait; `phones` are their openids, by ticket."""

    def __init__(
        self, bench: Bench, token: str, counters: Sequence[str], phones: Mapping[str, str]
    ) -> None:
        self._bench, self._token = bench, token
        self._counters, self._phones = counters, phones

    @classmethod
    async def of(cls, bench: Bench, ours: asyncpg.Connection) -> "_Calls":
        """Enough people take numbers, and let themselves be told of their calls."""
        bench.say("people take numbers")
        token, halls = await admin(bench), await hall_codes(bench)
        lines = await items_by_line(bench, halls)
        skills = await open_counters(bench, token, halls)
        served = {path: [line for line in known if line in lines] for path, known in skills.items()}
        counters = [path for path, known in served.items() if known][:CALLED]
        # A counter serves several lines, and calls at one that was meant for another.
        wanted = [
            (path.split("/")[4], lines[line][0])
            for path in counters
            for line in itertools.islice(itertools.cycle(served[path]), 2)
        ]
        people = await citizens(bench, len(wanted))
        wishes = zip(people, wanted, strict=True)
        await take(bench, [Wish(one, hall, item) for one, (hall, item) in wishes])
        await ours.execute(_ALL_ALLOW)
        phones = {str(row["id"]): row["subject"] for row in await ours.fetch(_PHONES)}
        return cls(bench, token, counters, phones)

    async def made(self) -> list[float]:
        """Call them one by one; seconds from each request to the platform's having it."""
        called: dict[str, float] = {}
        for path in self._counters:
            began = time.time()
            asked = request("POST", f"{path}/call-next", token=self._token)
            ticket = await send(self._bench.api, asked)
            called[self._phones[ticket["id"]]] = began
            await asyncio.sleep(max(0.0, CALL_EVERY_S - (time.time() - began)))
        return await self._followed(called)

    async def _followed(self, called: Mapping[str, float]) -> list[float]:
        host, port = self._bench.sandbox
        give_up, url = time.monotonic() + _WITHIN_S, f"http://{host}:{port}/_sandbox/sent"
        async with httpx.AsyncClient(timeout=_WITHIN_S) as http:
            while True:
                content = (await http.get(url, params={"limit": 50_000})).content
                came = {
                    each["to"]: datetime.fromisoformat(each["at"])
                    for each in json.loads(content)["data"]
                    if each["template"] == "yiting_ticket_called"
                }
                if called.keys() <= came.keys():
                    return [came[one].timestamp() - at for one, at in called.items()]
                if time.monotonic() > give_up:
                    missing = len(called.keys() - came.keys())
                    raise BenchFailed(f"{missing} calls did not reach the platform")
                await asyncio.sleep(0.5)


def _memory(pid: int) -> int:
    """Bytes of memory that a process has to itself or shares."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise BenchFailed("The worker ended.")
