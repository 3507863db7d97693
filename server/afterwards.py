"""What is done once a request is answered, so that the time of its answer tells nothing of it."""

import asyncio
from collections.abc import Coroutine
from traceback import extract_tb
from typing import Any

import structlog

log = structlog.get_logger()

FINISH_WITHIN_S = 5.0


class Afterwards:
    """Work under way that nobody waits for. A process that crashes loses it: ask again."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def do(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin some work; should it fail, that is logged by its name and the kind of fault."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._running

    async def finish(self) -> None:
        """Wait for what is under way, a little."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=FINISH_WITHIN_S)
            for task in late:
                log.warning("given_up_afterwards", work=task.get_name())
                task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            # Where, but not what it said: that may quote a name or a number.
            where = [
                f"{frame.filename}:{frame.lineno}" for frame in extract_tb(fault.__traceback__)
            ]
            kind = type(fault).__name__
            log.warning("not_done_afterwards", work=task.get_name(), fault=kind, where=where[-6:])
