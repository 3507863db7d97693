"""How we ask a platform over HTTP: within a budget, discreetly, repeating only what is safe."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import httpx
import structlog
from msgspec import MsgspecError
from msgspec.json import Decoder

from integrations.discretion import hush_httpx
from integrations.ports import NotDone, PlatformRefused, PlatformUnavailable

log = structlog.get_logger()

T = TypeVar("T")

SOON_S: Final = 1
LATER_S: Final = 5
AFTER_REPAIR_S: Final = 60
_PAUSE_S: Final = 0.2

# Nothing was sent, so asking again cannot do anything twice.
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class NeverSent(NotDone):
    """The question surely never left, so that nothing can have come of it."""


def require_code(code: str, *, longest: int = 512) -> None:
    """Refuse, without asking, what no platform can have given out as a one-time code.

    Raises PlatformRefused.
    """
    if not (0 < len(code) <= longest and code.isascii() and code.isprintable()):
        raise PlatformRefused("code_invalid")


class Asking:
    """Asks one platform; whatever goes wrong on the way becomes PlatformUnavailable and a log line.

    `platform` begins the names of its log events. `budget_s` is for all requests of one
    `within_budget` together.
    """

    def __init__(self, http: httpx.AsyncClient, platform: str, *, budget_s: float = 5.0) -> None:
        hush_httpx()
        self._http = http
        self._platform = platform
        self._budget_s = budget_s
        # A dead address must leave time for the second try.
        self._patience = httpx.Timeout(budget_s, connect=budget_s * 0.4, pool=budget_s * 0.4)

    @asynccontextmanager
    async def within_budget(self) -> AsyncIterator[None]:
        """Give up with PlatformUnavailable when the budget is spent."""
        try:
            async with asyncio.timeout(self._budget_s):
                yield
        except TimeoutError:
            raise self.unavailable("too_slow") from None

    async def ask(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Ask, and ask once more only if the first question surely never left.

        Redirects are not followed: they would carry our secrets elsewhere.
        """
        for last_try in (False, True):
            try:
                return await self._http.request(
                    method,
                    url,
                    params=params,
                    data=form,
                    content=content,
                    headers=headers,
                    timeout=self._patience,
                    follow_redirects=False,
                )
            except _NEVER_SENT:
                if last_try:
                    raise NeverSent(self.unavailable("unreachable").retry_after_s) from None
            except httpx.RequestError as error:
                # Only the kind of error: its request holds secrets and people.
                raise self.unavailable(type(error).__name__) from None
            await asyncio.sleep(_PAUSE_S)
        raise AssertionError("the second try returns or raises")

    def read(self, decoder: Decoder[T], answer: httpx.Response) -> T:
        """Decode an answer, whatever Content-Type it claims."""
        try:
            return decoder.decode(answer.content)
        except (MsgspecError, UnicodeDecodeError, RecursionError):
            raise self.unavailable("rubbish", status=answer.status_code) from None

    def unavailable(
        self, why: str, retry_after_s: int = LATER_S, **facts: int | str
    ) -> PlatformUnavailable:
        """Log that no usable answer came, and return the exception that says so."""
        log.warning(f"{self._platform}_unavailable", why=why, **facts)
        return PlatformUnavailable(retry_after_s)

    def misconfigured(self, why: str, **facts: int | str) -> PlatformUnavailable:
        """Log that nothing will work until we mend our side, and return the exception."""
        log.error(f"{self._platform}_misconfigured", why=why, **facts)
        return PlatformUnavailable(AFTER_REPAIR_S)
