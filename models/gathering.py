"""What comes in while a statement is under way gathers for the next: many in one round trip.

For wishes that stand in nobody's way: those that lock halls go through `models.together`.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import asyncpg

Wish = TypeVar("Wish")
Made = TypeVar("Made")

MOST = 64


class Gathered(Generic[Wish, Made]):
    """Makes wishes come true together, a statement at a time.

    `make_all` answers in the order of the wishes; where PostgreSQL refuses what one of them holds,
    halves tell which, and no other suffers. `safe`, where given, returns once what was made is
    kept whatever happens: it is waited for beside the next statement, and nobody is answered
    before.
    """

    def __init__(
        self,
        make_all: Callable[[Sequence[Wish]], Awaitable[Sequence[Made]]],
        *,
        safe: Callable[[Sequence[Made]], Awaitable[None]] | None = None,
        most: int = MOST,
    ) -> None:
        self._make_all = make_all
        self._safe = safe
        self._most = most
        self._waiting: deque[tuple[Wish, asyncio.Future[Made]]] = deque()
        self._running: asyncio.Future[None] | None = None
        self._answering: set[asyncio.Future[None]] = set()

    async def make(self, wish: Wish) -> Made:
        """Make one wish come true. Raises what its statement raised.

        Whoever is cancelled before it has begun wishes nothing any more.
        """
        made: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        self._waiting.append((wish, made))
        if self._running is None:
            self._running = asyncio.ensure_future(self._run())
        return await made

    async def _run(self) -> None:
        try:
            # Whoever is being read from a socket at this moment comes along.
            await asyncio.sleep(0)
            while self._waiting:
                if now := self._next():
                    await self._make_some(now)
                await asyncio.sleep(0)
        finally:
            self._running = None

    def _next(self) -> list[tuple[Wish, "asyncio.Future[Made]"]]:
        now: list[tuple[Wish, asyncio.Future[Made]]] = []
        while self._waiting and len(now) < self._most:
            entry = self._waiting.popleft()
            if not entry[1].done():  # else whoever wished it has gone
                now.append(entry)
        return now

    async def _make_some(self, entries: list[tuple[Wish, "asyncio.Future[Made]"]]) -> None:
        try:
            results = await self._make_all([wish for wish, _ in entries])
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as fault:
            if len(entries) == 1:
                _fail(entries, fault)
                return
            # Nothing was written, because of one of them.
            middle = len(entries) // 2
            await self._make_some(entries[:middle])
            await self._make_some(entries[middle:])
        except Exception as fault:
            _fail(entries, fault)
        except BaseException:
            _fail(entries, ConnectionError("the process ends"))
            raise
        else:
            if self._safe is None:
                _tell(entries, results)
                return
            answering = asyncio.ensure_future(self._answer(entries, results))
            self._answering.add(answering)
            answering.add_done_callback(self._answering.discard)

    async def _answer(
        self, entries: list[tuple[Wish, "asyncio.Future[Made]"]], results: Sequence[Made]
    ) -> None:
        assert self._safe is not None
        try:
            await self._safe(results)
        except Exception as fault:
            _fail(entries, fault)
        except BaseException:
            _fail(entries, ConnectionError("the process ends"))
            raise
        else:
            _tell(entries, results)


def _tell(entries: Sequence[tuple[Wish, "asyncio.Future[Made]"]], results: Sequence[Made]) -> None:
    for (_, made), result in zip(entries, results, strict=True):
        if not made.done():
            made.set_result(result)


def _fail(entries: Sequence[tuple[Wish, "asyncio.Future[Made]"]], fault: Exception) -> None:
    for _, made in entries:
        if not made.done():
            made.set_exception(fault)
