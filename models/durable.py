"""Commits that are flushed together: a decision's locks are not held while the disk works.

A statement for many wishes commits without waiting for its flush (`synchronous_commit` off, for it
alone), so that its halls are free at once for the next, and nobody is answered before the flush.
The write-ahead log is flushed in its order: whatever a later decision saw is kept whenever that
decision is. So nothing acknowledged is lost. A board may have shown for a moment what PostgreSQL
lost when it crashed; it is read anew once PostgreSQL is back.
"""

import asyncio
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from models.database import rows

# Writes a record and commits it as the database usually does, so all before it is flushed as well.
_FLUSH = "SELECT pg_logical_emit_message(true, 'yiting', '')"


async def durable() -> None:
    """Wait until all that has been committed here until now is as safe as any commit.

    Raises what the statement raised: then it may be kept or not, as with a commit unanswered.
    """
    flushes = _flushes.setdefault(asyncio.get_running_loop(), _Flushes())
    await flushes.next()


class _Flushes:
    """A flush at a time; who comes while one is under way is safe with the next."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []
        self._running: asyncio.Future[None] | None = None

    async def next(self) -> None:
        """Wait for a flush that begins from now on."""
        safe: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(safe)
        if self._running is None:
            self._running = asyncio.ensure_future(self._run())
        await safe

    async def _run(self) -> None:
        try:
            while self._waiting:
                now, self._waiting = self._waiting, []
                await _flush(now)
        finally:
            self._running = None


async def _flush(waiting: Sequence["asyncio.Future[None]"]) -> None:
    fault: Exception | None = None
    try:
        await rows(_FLUSH)
    except Exception as failed:
        fault = failed
    except BaseException:
        fault = ConnectionError("the process ends")
        raise
    finally:
        for safe in waiting:
            if safe.done():
                continue
            if fault is None:
                safe.set_result(None)
            else:
                safe.set_exception(fault)


_flushes: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Flushes]" = WeakKeyDictionary()
