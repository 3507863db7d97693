"""The sandbox's own endpoints under `/_sandbox`: people, outages, and what was sent and called."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta, Struct
from sanic import HTTPResponse, Request, empty

from integrations.sandbox.endpoints import App, Clock, Endpoints
from integrations.sandbox.faults import Fault, Faults
from integrations.sandbox.personas import Persona, Personas
from integrations.sandbox.replies import answer, invalid, read
from integrations.sandbox.sent import Sent

_Line = r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*\Z"
_Text = Annotated[str, Meta(min_length=1, max_length=64, pattern=_Line)]

_LIMIT = re.compile(r"[0-9]{1,6}")
_MOST_A_PAGE = 1000


class Platform(Protocol):
    """A platform that gives people ids and codes."""

    def greet(self, persona: Persona) -> dict[str, str]:
        """Return what this person's phone holds: their ids and fresh one-time codes."""
        ...


class PersonaRequest(Struct):
    """Who is wanted. What is left out stays as it was, or is made up for somebody new.

    Id numbers are not checked beyond their letters: refusing bad ones is the backend's work.
    """

    id_number: Annotated[str, Meta(pattern=r"^[0-9A-Za-z()\-]{5,32}\Z")]
    name: _Text | None = None
    phone: Annotated[str, Meta(pattern=r"^(\+(86|[0-9]{1,3}[ -]))?[0-9]{5,15}\Z")] | None = None
    born: date | None = None
    topics: Annotated[list[_Text], Meta(max_length=64)] | None = None
    blocked: bool | None = None
    level: Annotated[int, Meta(ge=0, le=3)] | None = None


_persona_request = msgspec.json.Decoder(PersonaRequest)
_fault = msgspec.json.Decoder(Fault)


class Inspection:
    """Answers everything under `/_sandbox`."""

    def __init__(
        self,
        *,
        personas: Personas,
        platforms: Sequence[Platform],
        endpoints: Endpoints,
        faults: Faults,
        sent: Sent,
        clock: Clock,
    ) -> None:
        self._personas = personas
        self._platforms = platforms
        self._endpoints = endpoints
        self._faults = faults
        self._sent = sent
        self._clock = clock

    def open(self, app: App) -> None:
        """Put these endpoints on the app."""
        for handler, path, method in (
            (self.ask_for_a_persona, "/_sandbox/personas", "POST"),
            (self.list_personas, "/_sandbox/personas", "GET"),
            (self.list_sent, "/_sandbox/sent", "GET"),
            (self.list_calls, "/_sandbox/calls", "GET"),
            (self.list_faults, "/_sandbox/faults", "GET"),
            (self.set_fault, "/_sandbox/faults", "PUT"),
            (self.clear_faults, "/_sandbox/faults", "DELETE"),
        ):
            app.add_route(handler, path, methods=[method], name=handler.__name__)

    async def ask_for_a_persona(self, request: Request) -> HTTPResponse:
        """Give a person fresh codes, making them up first if nobody has that id number."""
        asked = read(_persona_request, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        persona = self._personas.meet(
            asked.id_number,
            name=asked.name,
            phone=asked.phone,
            born=asked.born,
            topics=None if asked.topics is None else tuple(asked.topics),
            blocked=asked.blocked,
            level=asked.level,
        )
        body = _facts(persona)
        for platform in self._platforms:
            body.update(platform.greet(persona))
        return answer(body, status=201)

    async def list_personas(self, request: Request) -> HTTPResponse:
        """List who exists, oldest first."""
        limit = _number(request, "limit", 50)
        cursor = _number(request, "cursor", 0)
        if limit is None or not 1 <= limit <= _MOST_A_PAGE:
            return invalid([{"pointer": "/limit", "detail": f"1 to {_MOST_A_PAGE}"}])
        if cursor is None:
            return invalid([{"pointer": "/cursor", "detail": "not a cursor of ours"}])
        found = self._personas.after(cursor, limit + 1)
        page = found[:limit]
        more = str(page[-1].serial) if len(found) > limit else None
        return answer({"data": [_facts(p) for p in page], "next_cursor": more})

    async def list_sent(self, request: Request) -> HTTPResponse:
        """List the messages the platforms accepted, oldest first: `?to=`, `?limit=` latest."""
        limit = _number(request, "limit", None)
        if "limit" in request.args and limit is None:
            return invalid([{"pointer": "/limit", "detail": "not a number"}])
        return answer({"data": self._sent.to(request.args.get("to"), limit)})

    async def list_calls(self, _: Request) -> HTTPResponse:
        """List how often each endpoint was called."""
        return answer({"data": self._endpoints.calls()})

    async def list_faults(self, _: Request) -> HTTPResponse:
        """List the faults in force."""
        return answer({"data": self._faults.in_force(self._clock())})

    async def set_fault(self, request: Request) -> HTTPResponse:
        """Make an endpoint misbehave."""
        fault = read(_fault, request.body)
        if isinstance(fault, HTTPResponse):
            return fault
        if fault.endpoint not in self._endpoints.names():
            return self._unknown_endpoint()
        if fault.kind == "wrong_signature" and not self._endpoints.signs(fault.endpoint):
            return invalid([{"pointer": "/kind", "detail": "this endpoint signs nothing"}])
        self._faults.set(fault, self._clock())
        return answer(fault)

    async def clear_faults(self, request: Request) -> HTTPResponse:
        """Let all endpoints work again, or the one of `?endpoint=`."""
        endpoint = request.args.get("endpoint")
        if endpoint is not None and endpoint not in self._endpoints.names():
            return self._unknown_endpoint()
        self._faults.clear(endpoint)
        return empty()

    def _unknown_endpoint(self) -> HTTPResponse:
        known = ", ".join(self._endpoints.names())
        return invalid([{"pointer": "/endpoint", "detail": f"one of {known}"}])


def _facts(persona: Persona) -> dict[str, object]:
    return {
        "id_number": persona.id_number,
        "name": persona.name,
        "phone": persona.phone,
        "born": persona.born,
        "topics": persona.topics,
        "blocked": persona.blocked,
        "level": persona.level,
    }


def _number(request: Request, name: str, default: int | None) -> int | None:
    text = request.args.get(name)
    if text is None:
        return default
    return int(text) if _LIMIT.fullmatch(text) else None
