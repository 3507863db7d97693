"""Alive, ready, measured."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import redis.asyncio as aioredis

import app as yiting
from models.database import rows, transaction
from server.running.health import MIGRATIONS, unapplied_migrations
from server.running.metrics import carry_over_forever
from tests.conftest import Api, free_port, until


async def test_alive_says_so_and_asks_nobody(api: Api) -> None:
    asked = []
    for _ in range(5):  # the worker beside it may be asking just now
        reply, statements = await api.statements(api.http.get("/healthz"))
        assert (reply.status_code, reply.json()["status"]) == (200, "ok")
        asked.append(statements)
    assert min(asked) == 0


async def test_ready_when_all_is_there(api: Api) -> None:
    reply = await api.http.get("/readyz")
    assert reply.status_code == 200
    assert reply.json()["status"] == "ok"
    assert {"postgres", "valkey", "halls", "live"} <= set(reply.json()["checks"])
    assert set(reply.json()["checks"].values()) == {"ok"}


@asynccontextmanager
async def forgotten(migration: str) -> AsyncIterator[None]:
    """Inside, the database does not know that it has this migration."""
    [row] = await rows("SELECT * FROM tortoise_migrations WHERE name = $1", migration)
    async with transaction() as tx:
        await tx.run("DELETE FROM tortoise_migrations WHERE name = $1", migration)
    try:
        yield
    finally:
        names = ", ".join(row.keys())
        marks = ", ".join(f"${at}" for at in range(1, len(row) + 1))
        async with transaction() as tx:
            await tx.run(
                f"INSERT INTO tortoise_migrations ({names}) VALUES ({marks})", *row.values()
            )


async def test_a_migration_the_database_does_not_know_is_named(api: Api) -> None:
    assert await unapplied_migrations() == []
    last = sorted(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))[-1]
    async with forgotten(last):
        assert await unapplied_migrations() == [last]
    assert await unapplied_migrations() == []


async def test_not_ready_before_the_database_is_migrated(api: Api) -> None:
    last = sorted(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))[-1]
    async with forgotten(last):
        reply = await api.http.get("/readyz")
    assert reply.status_code == 503
    assert reply.json()["status"] == "not_ready"
    assert last in reply.json()["checks"]["postgres"]
    assert "migrate" in reply.json()["checks"]["postgres"]
    assert (await api.http.get("/readyz")).status_code == 200


async def test_not_ready_without_valkey(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_there = aioredis.from_url(f"redis://127.0.0.1:{free_port()}")
    monkeypatch.setattr(api.services, "valkey", nobody_there)
    reply = await api.http.get("/readyz")
    assert reply.status_code == 503
    assert reply.json()["checks"]["valkey"] == "not reachable"
    assert reply.json()["checks"]["postgres"] == "ok"
    assert (await api.http.get("/healthz")).status_code == 200
    await nobody_there.aclose()


async def test_not_ready_before_a_worker_has_projected_the_halls(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    halls = dict(api.services.feed.memory.halls)
    halls.pop("dg-17")
    for some in ({}, halls):
        monkeypatch.setattr(api.services.feed.memory, "halls", some)
        reply = await api.http.get("/readyz")
        assert reply.status_code == 503
        missing = f"no live state yet of {34 - len(some)} of 34: is a worker running?"
        assert reply.json()["checks"]["halls"] == missing


async def test_serving_but_degraded_while_nobody_projects(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = api.services.feed.memory
    monkeypatch.setattr(memory, "_heard_at", dict.fromkeys(memory.halls, time.monotonic() - 75))
    reply = await api.http.get("/readyz")
    assert (reply.status_code, reply.json()["status"]) == (200, "degraded")
    assert reply.json()["checks"]["live"].startswith("stale: a hall was not projected for 7")
    assert reply.json()["checks"]["halls"] == "ok"
    age = figure((await api.http.get("/metrics")).text, "yiting_live_state_age_seconds")
    assert 74 < age < 90


async def test_the_age_of_what_is_live_is_told_each_second(api: Api) -> None:
    told: list[float] = []

    def age() -> float:
        told.append(12.5)
        return 12.5

    telling = asyncio.create_task(carry_over_forever(age))
    await until(lambda: len(told) >= 2)
    telling.cancel()


async def test_a_process_ends_when_a_background_task_dies(api: Api) -> None:
    """Whoever supervises it then starts another: without the task it would answer and be wrong."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WITH_A_DYING_TASK, str(listening.fileno())),
            env=os.environ | api.settings.environment(),
            cwd=yiting.HERE,
            pass_fds=[listening.fileno()],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 30)
    lines = [json.loads(line) for line in output.decode().splitlines() if line.startswith("{")]
    [died] = [line for line in lines if line["event"] == "background_task_died"]
    assert (died["task"], died["fault"]) == ("feed", "ZeroDivisionError")
    assert died["where"]
    assert "Traceback" not in output.decode()
    # Before it serves, the signal that it sends itself ends it at once.
    assert process.returncode in {0, -signal.SIGTERM}


WITH_A_DYING_TASK = """
import asyncio, socket, sys, app
from server.live.feed import Feed

async def die(feed):
    await asyncio.sleep(2)
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(1 / 0))

Feed.listen_forever = die
settings = app.read_settings()
app.configure_logs("info")
api = app.create_app(settings, app.open_platforms(app.platforms_or_exit(), settings.redis))
app.serve_here(api, socket.socket(fileno=int(sys.argv[1])))
"""


def figure(text: str, line: str) -> float:
    found = re.search(rf"^{re.escape(line)} ([0-9.e+]+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_metrics_count_routes_and_not_people(api: Api) -> None:
    line = 'yiting_requests_total{method="GET",route="/api/v1/halls/<hall:str>/board",status="200"}'
    before = figure((await api.http.get("/metrics")).text, line)
    for _ in range(3):
        await api.http.get("/api/v1/halls/dg-01/board")
    lin = await api.citizen()
    await lin.get(f"/tickets/{lin.session['citizen']['id']}")
    reply = await api.http.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain")
    assert figure(reply.text, line) == before + 3
    assert lin.session["citizen"]["id"] not in reply.text
    assert "yiting_request_seconds_bucket" in reply.text
    assert "yiting_database_statements_total" in reply.text


async def test_unknown_addresses_do_not_make_new_figures(api: Api) -> None:
    for number in range(5):
        await api.http.get(f"/nowhere-{number}")
    text = (await api.http.get("/metrics")).text
    assert "nowhere" not in text
    assert 'route="(no route)",status="404"' in text


async def test_about_tells_the_business_time(api: Api) -> None:
    about = (await api.http.get("/about.json")).json()
    assert about["mode"] == "demo"
    assert about["sandbox_url"] == api.sandbox_url
    assert about["now"].startswith("2026-11-23T09:30")
    assert about["now"].endswith("+08:00")
    assert about["clock_speed"] == 1.0
    assert datetime.fromisoformat(about["now"]).astimezone(UTC).hour == 1
