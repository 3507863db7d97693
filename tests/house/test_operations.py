"""Alive, ready, measured."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import redis.asyncio as aioredis

from models.database import rows, transaction
from server.operations import MIGRATIONS, unapplied_migrations
from tests.conftest import Api, free_port


async def test_alive_says_so_and_asks_nobody(api: Api) -> None:
    reply, statements = await api.statements(api.http.get("/healthz"))
    assert (reply.status_code, reply.json()["status"]) == (200, "ok")
    assert statements == 0


async def test_ready_when_all_is_there(api: Api) -> None:
    reply = await api.http.get("/readyz")
    assert reply.status_code == 200
    assert reply.json()["status"] == "ok"
    assert {"postgres", "valkey", "halls"} <= set(reply.json()["checks"])
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
    monkeypatch.setattr(api.services.feed.memory, "halls", {})
    reply = await api.http.get("/readyz")
    assert reply.status_code == 503
    assert "worker" in reply.json()["checks"]["halls"]


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
