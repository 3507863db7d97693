"""Many decisions of one process in one statement, as they come in at once.

A round trip, a plan and a commit cost several times what one decision writes. While a statement is
under way, what comes in gathers for the next: a lone decision never waits, and a hundred share.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

import asyncpg

Wish = TypeVar("Wish")
Made = TypeVar("Made")

MOST = 64


class Together(Generic[Wish, Made]):
    """Makes wishes come true together, each for itself: one that fails takes no other with it.

    `make_all` runs one statement for many wishes and answers in their order. Wishes of which
    `apart` is equal go into different statements, in the order in which they came.
    """

    def __init__(
        self,
        make_all: Callable[[Sequence[Wish]], Awaitable[Sequence[Made]]],
        *,
        apart: Callable[[Wish], Hashable],
    ) -> None:
        self._make_all = make_all
        self._apart = apart
        self._waiting: list[tuple[Wish, asyncio.Future[Made]]] = []
        self._running: asyncio.Future[None] | None = None

    async def make(self, wish: Wish) -> Made:
        """Make one wish come true. Raises what its statement raised."""
        made: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        self._waiting.append((wish, made))
        if self._running is None:
            self._running = asyncio.ensure_future(self._run())
        return await made

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._make_some(self._take())
        finally:
            self._running = None

    def _take(self) -> list[tuple[Wish, asyncio.Future[Made]]]:
        now: list[tuple[Wish, asyncio.Future[Made]]] = []
        later: list[tuple[Wish, asyncio.Future[Made]]] = []
        keys: set[Hashable] = set()
        for entry in self._waiting:
            key = self._apart(entry[0])
            if len(now) < MOST and key not in keys:
                keys.add(key)
                now.append(entry)
            else:
                # What must stay behind its like also stays behind in later statements.
                keys.add(key)
                later.append(entry)
        self._waiting = later
        return now

    async def _make_some(self, entries: list[tuple[Wish, asyncio.Future[Made]]]) -> None:
        try:
            results = await self._make_all([wish for wish, _ in entries])
        except asyncpg.PostgresError as fault:
            if len(entries) == 1:
                _settle(entries[0][1], fault)
                return
            # Nothing was written, because of one of them: each for itself tells which.
            for entry in entries:
                await self._make_some([entry])
        except BaseException as fault:
            for _, made in entries:
                _settle(made, fault if isinstance(fault, Exception) else ConnectionError("ended"))
            if not isinstance(fault, Exception):
                raise
        else:
            for (_, made), result in zip(entries, results, strict=True):
                if not made.done():
                    made.set_result(result)


def _settle(made: "asyncio.Future[Made]", fault: Exception) -> None:
    """A failed wish; whoever made it may be gone already."""
    if not made.done():
        made.set_exception(fault)
