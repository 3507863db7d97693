"""For those who run it: `/healthz`, `/readyz`, `/metrics`."""

import asyncio
from pathlib import Path

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from models.database import rows
from models.opening import DatabaseUnusable
from server.faults import is_store_fault
from server.http.answers import Answer
from server.http.endpoint import Also, endpoint
from server.live.feed import Feed
from server.live.memory import STALE_AFTER_S
from server.running import metrics
from server.services import services

bp = Blueprint("operations")
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
CHECK_TIMEOUT_S = 2.0
NOT_READY = {"status": "not_ready", "checks": {"postgres": "not reachable", "valkey": "ok"}}


class Health(msgspec.Struct, frozen=True):
    """Whether this process is alive, or ready; `checks` says what it looked at."""

    status: str
    checks: dict[str, str]


@endpoint(
    bp,
    "GET",
    "/healthz",
    summary=("存活检查", "Alive"),
    tag="operations",
    returns=Health,
    example={"checks": {}},
    from_memory=True,
)
async def healthz(request: Request) -> Health:
    """The process answers."""
    return Health("ok", {})


@endpoint(
    bp,
    "GET",
    "/readyz",
    summary=("就绪检查", "Ready to serve"),
    tag="operations",
    returns=Health,
    also=[Also(503, "Something needed is away; `checks` says what.", Health, example=NOT_READY)],
    from_memory=True,
)
async def readyz(request: Request) -> HTTPResponse:
    """Stores reachable, migrated, all halls' boards in memory; else 503 and which of them is not.

    `degraded`, with 200: no word of a hall's projection for a minute, so boards stand still with
    their `as_of`. Numbers are still given and called, and another process would know no more: to
    take this one out of service would help nobody. `live` says how old the state is.
    """
    room = services(request)
    needed = {
        "postgres": await _check_postgres(),
        "valkey": await _check_valkey(request),
        "halls": _check_halls(room.feed),
    }
    ready = all(word == "ok" for word in needed.values())
    live = _check_live(room.feed.live_age_s())
    status = "not_ready" if not ready else "ok" if live == "ok" else "degraded"
    return Answer(
        msgspec.json.encode(Health(status, {**needed, "live": live})),
        status=200 if ready else 503,
        content_type="application/json",
    )


@endpoint(
    bp,
    "GET",
    "/metrics",
    summary=("监控指标", "Prometheus metrics"),
    tag="operations",
    returns=str,
    content_type="text/plain",
    from_memory=True,
)
async def show_metrics(request: Request) -> HTTPResponse:
    """Figures of all processes on this machine."""
    metrics.carry_over()
    metrics.LIVE_AGE.set(services(request).feed.live_age_s())
    body, content_type = await asyncio.to_thread(metrics.exposition)
    return Answer(body, content_type=content_type)


def _check_halls(feed: Feed) -> str:
    missing = [code for code in feed.codes if code not in feed.memory.halls]
    if not missing:
        return "ok"
    return f"no live state yet of {len(missing)} of {len(feed.codes)}: is a worker running?"


def _check_live(age_s: float) -> str:
    if age_s < STALE_AFTER_S:
        return "ok"
    return f"stale: a hall was not projected for {age_s:.0f} s: is a worker running?"


async def unapplied_migrations() -> list[str]:
    """Migration files that the database does not know yet."""
    known = await rows("SELECT to_regclass('tortoise_migrations') IS NOT NULL AS found")
    applied: set[str] = set()
    if known[0]["found"]:
        found = await rows("SELECT name FROM tortoise_migrations WHERE app = 'models'")
        applied = {row["name"] for row in found}
    files = sorted(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))
    return [name for name in files if name not in applied]


async def require_migrated() -> None:
    """Raise DatabaseUnusable when the database lacks migrations of this version."""
    if missing := await unapplied_migrations():
        raise DatabaseUnusable(
            f"The database lacks {', '.join(missing)}; run `python app.py migrate`."
        )


async def _check_postgres() -> str:
    try:
        missing = await asyncio.wait_for(unapplied_migrations(), CHECK_TIMEOUT_S)
    except Exception as fault:
        if not is_store_fault(fault):
            raise
        return "not reachable"
    return f"not migrated: {', '.join(missing)}; run `python app.py migrate`" if missing else "ok"


async def _check_valkey(request: Request) -> str:
    try:
        await asyncio.wait_for(services(request).valkey.ping(), CHECK_TIMEOUT_S)
    except Exception as fault:
        if not is_store_fault(fault):
            raise
        return "not reachable"
    return "ok"
