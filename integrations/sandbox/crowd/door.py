"""The only way to the server: HTTP that waits out rate limits, restarts and faults."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from random import Random
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import structlog

from integrations.sandbox.crowd.figures import Figures
from integrations.sandbox.crowd.pace import Gate

log = structlog.get_logger()

Json = dict[str, Any]

_LONGEST_WAIT_S = 5.0
_LONGEST_HOLD_S = 60.0
_COMPLAINS_EVERY_S = 30.0
_FAULTS_BEFORE_GIVING_UP = 8
# Refusals that only somebody meets who asks wrongly: then the crowd is to be mended.
_OUR_MISTAKES = frozenset(
    {
        "invalid_request",
        "malformed_request",
        "method_not_allowed",
        "not_allowed",
        "unsupported_media_type",
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON body; `code` is the stable name of a refusal."""

    status: int
    body: Any = None

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def code(self) -> str:
        """Why it was refused, or an empty text."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


class Door:
    """Asks, and asks again when it should."""

    def __init__(self, http: httpx.AsyncClient, gate: Gate, figures: Figures) -> None:
        self._http = http
        self._gate = gate
        self._figures = figures
        self._quiet_until = 0.0
        self._dice = Random()  # spreads retries; not part of what a seed decides

    @property
    def crowded(self) -> bool:
        """Whether requests already wait for a second, so that new work had better not begin."""
        return self._gate.behind_s > 1

    async def ask(
        self,
        method: str,
        url: str,
        body: object = None,
        *,
        token: str | None = None,
        basic: tuple[str, str] | None = None,
        key: str | None = None,
        few: asyncio.Semaphore | None = None,
    ) -> Answer:
        """Ask until there is an answer, however long the server is away.

        A server fault that stays is answered as it is. `basic` is the id and secret of a system.
        `few` bounds how many such requests are under way at once.
        """
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        tries = faults = 0
        while True:
            await self._gate.passing()
            self._figures.requests += 1
            try:
                async with few or nullcontext():
                    reply = await self._http.request(
                        method, url, json=body, headers=headers, auth=basic
                    )
            except httpx.HTTPError as fault:
                self._figures.errors += 1
                self._complain(type(fault).__name__)
                wait = self._after_failure(tries)
            else:
                if reply.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                    self._figures.held_back += 1
                    wait = held_for_s(reply.headers.get("retry-after")) + self._dice.random()
                elif reply.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    self._figures.errors += 1
                    faults += 1
                    if faults >= _FAULTS_BEFORE_GIVING_UP:
                        return answer_of(reply)
                    wait = self._after_failure(tries)
                else:
                    return self._noted(method, url, answer_of(reply))
            tries += 1
            await asyncio.sleep(wait)

    def _noted(self, method: str, url: str, answer: Answer) -> Answer:
        """Count a refusal by its code; one that we should never meet is an error."""
        if answer.ok or not answer.code:
            return answer
        self._figures.refused[answer.code] += 1
        # A ticket may have gone to another hall; all else that we ask for is there.
        lost = answer.code == "not_found" and "/tickets/" not in url
        if lost or answer.code in _OUR_MISTAKES:
            self._figures.errors += 1
            log.warning("asked_wrongly", what=f"{method} {what_of(url)}", code=answer.code)
        return answer

    def _complain(self, fault: str) -> None:
        if time.monotonic() > self._quiet_until:
            self._quiet_until = time.monotonic() + _COMPLAINS_EVERY_S
            log.warning("server_does_not_answer", fault=fault)

    def _after_failure(self, tries: int) -> float:
        longest = min(_LONGEST_WAIT_S, 0.25 * 2.0 ** min(tries, 8))
        return longest * self._dice.uniform(0.5, 1.0)


class Session:
    """Somebody's sign-in: signs in when needed, refreshes when the token has run out."""

    def __init__(self, door: Door, sign_in: Callable[[], Awaitable[Answer]]) -> None:
        self._door = door
        self._sign_in = sign_in
        self._access: str | None = None
        self._refresh: str | None = None

    async def ask(
        self, method: str, path: str, body: object = None, *, key: str | None = None
    ) -> Answer:
        """Ask as this person. A 401 means that signing in failed three times, too."""
        answer = Answer(HTTPStatus.UNAUTHORIZED)
        for _ in range(3):
            if self._access is None:
                answer = await self._begin()
            if self._access is None:
                continue
            answer = await self._door.ask(method, path, body, token=self._access, key=key)
            if answer.status != HTTPStatus.UNAUTHORIZED:
                return answer
            self._access = None
        return answer

    async def _begin(self) -> Answer:
        if self._refresh is None:
            answer = await self._sign_in()
        else:
            spent, self._refresh = self._refresh, None
            answer = await self._door.ask(
                "POST", "/api/v1/sessions/refresh", {"refresh_token": spent}
            )
        if answer.ok:
            self._access = answer.body["access_token"]
            self._refresh = answer.body["refresh_token"]
        return answer


def held_for_s(retry_after: str | None) -> float:
    """Seconds that a Retry-After header asks for; one where it is missing or no number."""
    try:
        asked = float(retry_after or 1)
    except ValueError:
        return 1.0
    # Written so that "nan" waits longest instead of breaking the sleep.
    return max(asked, 0.0) if asked < _LONGEST_HOLD_S else _LONGEST_HOLD_S


def answer_of(reply: httpx.Response) -> Answer:
    """A reply, with its body where that is JSON."""
    try:
        return Answer(reply.status_code, msgspec.json.decode(reply.content))
    except msgspec.DecodeError:
        return Answer(reply.status_code)


def what_of(url: str) -> str:
    """What an address asks for, without its query and whatever names one thing among many."""
    return "/".join(
        "*" if any(letter.isdigit() for letter in part) and part != "v1" else part
        for part in urlsplit(url).path.split("/")
    )
