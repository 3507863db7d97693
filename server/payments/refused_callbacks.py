"""One audit row for each callback that is turned away, written before it is answered.

All that are turned away at one moment are written in one transaction. Whoever floods us gets a row
for the first so many of a second, and one that counts the rest: else forging would cost us more
than it costs the forger.
"""

import asyncio
import time
from collections import Counter
from typing import Final

import structlog

from models.audit import Entry, record_all
from models.database import transaction
from models.tickets import SYSTEM
from server.faults import is_store_fault

log = structlog.get_logger()

MOST_A_SECOND: Final = 50
_Refused = tuple[str, str]  # the channel, and why


class RefusedCallbacks:
    """The audit of one process's refusals."""

    def __init__(self) -> None:
        self._second = 0
        self._written = 0
        self._flood: Counter[_Refused] = Counter()
        self._waiting: list[tuple[_Refused, asyncio.Future[None]]] = []
        self._come = asyncio.Event()

    async def note(self, channel: str, reason: str) -> bool:
        """Return once it is written, or counted among a flood; whether it has a row of its own.

        Never raises for a store.
        """
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._written = second, 0
        if self._written >= MOST_A_SECOND:
            self._flood[channel, reason] += 1
            return False
        self._written += 1
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(((channel, reason), written))
        self._come.set()
        await written
        return True

    async def write_forever(self) -> None:
        """Write what is noted until cancelled; the flood once a second."""
        while True:
            try:
                await asyncio.wait_for(self._come.wait(), 1.0)
            except TimeoutError:
                if not self._flood:
                    continue
            self._come.clear()
            now, self._waiting = self._waiting, []
            flood: Counter[_Refused] = Counter()
            if not now:
                flood, self._flood = self._flood, flood
            try:
                await self._write([each for each, _ in now], flood)
            except Exception as fault:
                if not is_store_fault(fault):
                    raise
                log.error("refusals_not_audited", many=len(now), fault=type(fault).__name__)
                # They are counted once the store is back.
                self._flood.update(each for each, _ in now)
                self._flood.update(flood)
            finally:
                for _, written in now:
                    if not written.done():
                        written.set_result(None)

    async def _write(self, refused: list[_Refused], flood: "Counter[_Refused]") -> None:
        entries = [_entry(each, {}) for each in refused]
        entries += [_entry(each, {"many": many}) for each, many in flood.items()]
        async with transaction() as tx:
            await record_all(tx, entries)


def _entry(refused: _Refused, counted: dict[str, int]) -> Entry:
    channel, reason = refused
    detail: dict[str, str | int] = {"reason": reason, **counted}
    return Entry(SYSTEM, "callback.refused", "channel", channel, detail=detail)
