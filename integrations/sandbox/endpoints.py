"""The platforms' endpoints: each is counted and can be made to misbehave."""

from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sanic import HTTPResponse, Request, Sanic, text

from integrations.sandbox.faults import Faults, suffer

App = Sanic[Any, Any]
Clock = Callable[[], float]
Handler = Callable[[Request], Awaitable[HTTPResponse]]
Counted = Callable[[Request], Coroutine[Any, Any, HTTPResponse]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing a platform can be asked.

    `refuse` writes the platform's own error answer for an error code of its own. Platforms that
    sign their answers bring `sign_wrongly`, which spoils the signature of one.
    """

    name: str
    method: str
    path: str
    handler: Handler
    refuse: Callable[[int | str], HTTPResponse]
    sign_wrongly: Callable[[HTTPResponse], HTTPResponse] | None = None


class Endpoints:
    """All endpoints of all platforms, by name."""

    def __init__(self, faults: Faults, clock: Clock) -> None:
        self._faults = faults
        self._clock = clock
        self._endpoints: dict[str, Endpoint] = {}
        self._calls: Counter[str] = Counter()
        self._faulted: Counter[str] = Counter()

    def add(self, app: App, endpoint: Endpoint) -> None:
        """Put the endpoint on the app."""
        app.add_route(
            self.counted(endpoint),
            endpoint.path,
            methods=[endpoint.method],
            name=endpoint.name.replace(".", "_"),
        )

    def counted(self, endpoint: Endpoint) -> Counted:
        """Know the endpoint and return its handler, counted and able to misbehave.

        For platforms that ask everything at one path and so need a route of their own.
        """
        self._endpoints[endpoint.name] = endpoint
        name, handler, refuse = endpoint.name, endpoint.handler, endpoint.refuse
        calls, faults, clock = self._calls, self._faults, self._clock

        # A wrapper each and no middleware: middleware costs a third of the throughput.
        async def counted(request: Request) -> HTTPResponse:
            calls[name] += 1
            fault = faults.take(name, clock())
            if fault is not None:
                self._faulted[name] += 1
                broken = await suffer(fault, refuse)
                if broken is not None:
                    return broken
                if fault.kind == "wrong_signature" and endpoint.sign_wrongly is not None:
                    return endpoint.sign_wrongly(await handler(request))
                if fault.kind == "lost":
                    await handler(request)
                    return text("Bad Gateway", status=502)
            return await handler(request)

        return counted

    def signs(self, name: str) -> bool:
        """Tell whether this endpoint signs its answers, and so can sign them wrongly."""
        return self._endpoints[name].sign_wrongly is not None

    def names(self) -> list[str]:
        """Return the endpoints' names."""
        return list(self._endpoints)

    def described(self) -> list[dict[str, str]]:
        """Return name, method and path of each."""
        return [
            {"name": e.name, "method": e.method, "path": e.path} for e in self._endpoints.values()
        ]

    def calls(self) -> list[dict[str, object]]:
        """Return how often each was called, and how often it had to misbehave."""
        return [
            {"endpoint": name, "calls": self._calls[name], "faulted": self._faulted[name]}
            for name in self._endpoints
        ]
