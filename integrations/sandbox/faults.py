"""Outages on demand: an endpoint of a platform misbehaves for some calls or some time."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta, Struct
from sanic import HTTPResponse, html, text

_Seconds = Annotated[float, Meta(ge=0, le=3600)]


class Fault(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one endpoint shall misbehave.

    `delay` is slow, then works; `error` answers `errcode`; `hang` says nothing for `seconds` and
    then drops dead with a 500; `wrong_signature` does what is asked and signs the answer wrongly,
    where answers are signed; `lost` does what is asked, and its answer is lost. Without `times` and
    `for_s` it lasts until taken back; with `every` only each so-manieth call suffers.
    """

    endpoint: str
    kind: Literal["delay", "error", "http_500", "rubbish", "hang", "wrong_signature", "lost"]
    errcode: int | Annotated[str, Meta(max_length=128)] = -1
    seconds: _Seconds | None = None
    times: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    every: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    for_s: Annotated[float, Meta(gt=0, le=86_400)] | None = None


@dataclass(slots=True)
class _Running:
    fault: Fault
    left: float
    until: float
    calls: int = 0


class Faults:
    """The faults now in force, at most one an endpoint."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}

    def set(self, fault: Fault, now: float) -> None:
        """Make the endpoint misbehave from now on, in place of what it did before."""
        self._running[fault.endpoint] = _Running(
            fault,
            left=math.inf if fault.times is None else fault.times,
            until=math.inf if fault.for_s is None else now + fault.for_s,
        )

    def take(self, endpoint: str, now: float) -> Fault | None:
        """Return what this call must suffer, counting it."""
        running = self._running.get(endpoint)
        if running is None:
            return None
        if now >= running.until:
            del self._running[endpoint]
            return None
        running.calls += 1
        if running.calls % running.fault.every:
            return None
        running.left -= 1
        if running.left <= 0:
            del self._running[endpoint]
        return running.fault

    def clear(self, endpoint: str | None = None) -> None:
        """Let the endpoint work again, or all of them."""
        if endpoint is None:
            self._running.clear()
        else:
            self._running.pop(endpoint, None)

    def in_force(self, now: float) -> list[Fault]:
        """Return the faults that the next calls would meet."""
        return [running.fault for running in self._running.values() if now < running.until]


async def suffer(fault: Fault, refuse: Callable[[int | str], HTTPResponse]) -> HTTPResponse | None:
    """Misbehave; None means: go on and answer, late or with a wrong signature."""
    if fault.kind == "delay":
        await asyncio.sleep(1.0 if fault.seconds is None else fault.seconds)
        return None
    if fault.kind in {"wrong_signature", "lost"}:
        return None
    if fault.kind == "error":
        return refuse(fault.errcode)
    if fault.kind == "rubbish":
        return html("<html><body>\ufffd 502 Bad Gateway</body>")
    if fault.kind == "hang":
        await asyncio.sleep(3600.0 if fault.seconds is None else fault.seconds)
    return text("Internal Server Error", status=500)
