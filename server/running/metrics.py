"""Prometheus figures. Labels name methods, routes and statuses, never people."""

import asyncio
import os
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from models.database import StatementCount

CARRY_OVER_EVERY_S = 1.0
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
REQUESTS = Counter("yiting_requests", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram(
    "yiting_request_seconds",
    "Time to answer a request",
    ["method", "route"],
    buckets=BUCKETS_S,
)
STATEMENTS = Counter("yiting_database_statements", "Statements sent to PostgreSQL")
SOCKETS = Gauge("yiting_sockets", "Open live sockets", multiprocess_mode="livesum")
LIVE_AGE = Gauge(
    "yiting_live_state_age_seconds",
    "Since the hall heard of longest ago was projected, or since the start; over 20: no worker",
    multiprocess_mode="livemax",
)

_counted = 0


class RouteTally:
    """What one route answered since its figures were last carried over.

    prometheus_client asks for the process id at every count, which costs a sixth of a request; so
    requests are tallied in plain numbers, and carried over once a second.
    """

    every: ClassVar[list["RouteTally"]] = []

    def __init__(self, method: str, route: str) -> None:
        self._labels = (method, route)
        self._by_status: dict[int, int] = {}
        self._buckets = [0] * (len(BUCKETS_S) + 1)
        self._seconds = 0.0
        RouteTally.every.append(self)

    def count(self, status: int, took_s: float) -> None:
        """Count one answer."""
        self._by_status[status] = self._by_status.get(status, 0) + 1
        self._buckets[bisect_left(BUCKETS_S, took_s)] += 1
        self._seconds += took_s

    def carry_over(self) -> None:
        """Add the tally to the figures, and begin anew."""
        if not self._by_status:
            return
        for status, times in self._by_status.items():
            REQUESTS.labels(*self._labels, status).inc(times)
        # A histogram takes one observation at a time from outside; ours are counted already.
        seconds = SECONDS.labels(*self._labels)
        for bucket, times in zip(seconds._buckets, self._buckets, strict=True):
            bucket.inc(times)
        seconds._sum.inc(self._seconds)
        self._by_status, self._seconds = {}, 0.0
        self._buckets = [0] * len(self._buckets)


def carry_over() -> None:
    """Add what this process counted since the last time to the figures."""
    global _counted  # noqa: PLW0603 the counter is the process's own
    for tally in RouteTally.every:
        tally.carry_over()
    STATEMENTS.inc(StatementCount.total - _counted)
    _counted = StatementCount.total


async def carry_over_forever(live_age_s: Callable[[], float]) -> None:
    """Carry over once a second until cancelled: whoever asks for `/metrics` reaches one process."""
    while True:
        LIVE_AGE.set(live_age_s())
        await asyncio.sleep(CARRY_OVER_EVERY_S)
        carry_over()


def forget_process(folder: Path, pid: int) -> None:
    """Drop a dead process's gauges from the folder of all processes; what it counted stays."""
    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def exposition() -> tuple[bytes, str]:
    """All figures of all processes on this machine, and their content type."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST
    return generate_latest(), CONTENT_TYPE_LATEST
