"""Prometheus figures. Labels name routes and halls, never people."""

import os
from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from models.database import StatementCount

REQUESTS = Counter("yiting_requests", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "yiting_request_seconds",
    "Time to answer a request",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
STATEMENTS = Counter("yiting_database_statements", "Statements sent to PostgreSQL")
SOCKETS = Gauge("yiting_sockets", "Open live sockets", multiprocess_mode="livesum")
LIVE_AGE = Gauge(
    "yiting_live_state_age_seconds",
    "Since the hall that was heard of longest ago was projected; over 20: no worker",
    multiprocess_mode="livemax",
)

_counted = 0


def route_observer(method: str, route: str) -> Callable[[int, float], None]:
    """A function that counts one answer of a route: its status and its seconds."""
    seconds = SECONDS.labels(method, route)
    by_status: dict[int, Counter] = {}

    def observe(status: int, took_s: float) -> None:
        counter = by_status.get(status)
        if counter is None:
            counter = by_status[status] = REQUESTS.labels(method, route, status)
        counter.inc()
        seconds.observe(took_s)
        # Each process carries its own: whoever asks for `/metrics` reaches only one of them.
        if StatementCount.total != _counted:
            count_statements()

    return observe


def count_statements() -> None:
    """Carry the statements sent since the last call into the metric."""
    global _counted  # noqa: PLW0603 the counter is the process's own
    STATEMENTS.inc(StatementCount.total - _counted)
    _counted = StatementCount.total


def exposition() -> tuple[bytes, str]:
    """All figures of all processes on this machine, and their content type."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST
    return generate_latest(), CONTENT_TYPE_LATEST
