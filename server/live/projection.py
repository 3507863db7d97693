"""The worker's part: reads halls once per burst of changes and writes their live state to Valkey.

What happened in them is read, and each hall as a whole now and then; those due at one moment
together, because a round trip costs more than a hall. Where something happened comes first.

Workers share the halls by lease, and only the holder's state is accepted.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from random import uniform
from uuid import UUID

import redis.asyncio as aioredis
import structlog

from server.clock import Clock, microseconds
from server.faults import is_store_fault
from server.halls.directory import Directory
from server.halls.reading import LOOK_EVERY_S, newer_directory
from server.live.feed import (
    CHANGED,
    RECONNECT_AFTER_S,
    batched,
    decode_changes,
    is_cancelled,
    subscribed,
)
from server.live.foreseen import NOTHING_FORESEEN, Foreseeing
from server.live.leases import Leases
from server.live.lines import Outlook
from server.live.memory import Change
from server.live.outlook import look_ahead
from server.live.reading import NOBODY, live_hall, next_edge
from server.live.rows import HallRows, catch_up, read_all_whole
from server.live.state import (
    UNREADABLE,
    BetterHall,
    LiveHall,
    above_rows,
)
from server.live.storing import Writing, stored_hall
from server.live.turns import AT_LEAST_EVERY_S, Turns

log = structlog.get_logger()

TEND_LEASES_EVERY_S = 1.0
# So that a city of a thousand halls does not keep its leases waiting.
AT_MOST_TOGETHER = 40
# Nobody's news waits for more whole halls than this, or for more in which nothing happened.
WHOLE_AT_ONCE = 8
UNCHANGED_AT_ONCE = 10
# A worker of a few hundred halls reads each whole every AT_LEAST_EVERY_S; one of more takes longer.
WHOLE_A_SECOND = 40


class Projector:
    """Keeps the live state of the halls that this worker holds."""

    def __init__(
        self,
        valkey: aioredis.Redis,
        directory: Directory,
        clock: Clock,
        foresight: Foreseeing | None = None,
    ) -> None:
        self._foresight = foresight
        self._valkey = valkey
        self._directory = directory
        self._clock = clock
        self.leases = Leases(valkey)
        # What we wrote of each hall under the lease we hold: nobody can have written since.
        self._last: dict[str, LiveHall] = {}
        # The rows that we have of each hall, and when (monotonic) all are to be read anew.
        self._rows: dict[str, HallRows] = {}
        self._whole_again_at: dict[str, float] = {}
        # Halls to be read whole the next time.
        self._unsure_of: set[str] = set()
        # Tickets said to have changed, by hall: they are read whether their events tell or not.
        self._named: dict[str, set[UUID]] = {}
        # The highest version we know of each hall, should what is stored be lost.
        self._highest: dict[str, int] = {}
        self._turns = Turns()
        # What is known of how many numbers the halls' lines can still give today.
        self._outlook: dict[str, Mapping[str, Outlook]] = {}
        # The halls where tickets of a hall would have their turn earlier.
        self._better: dict[str, Mapping[UUID, BetterHall]] = {}
        self._wake = asyncio.Event()
        self._write = Writing(valkey, self.leases.name)

    @property
    def directory(self) -> Directory:
        """The catalogue as it was read last."""
        return self._directory

    def shown(self, code: str) -> LiveHall | None:
        """A hall as we wrote it last; None where it is not ours."""
        return self._last.get(code) if code in self.leases.held else None

    async def run_forever(self) -> None:
        """Hold leases, hear of changes and project, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again_on_loss(self._tend_leases))
            group.create_task(self._again_on_loss(self._hear_changes))
            group.create_task(self._again_on_loss(self._project_due))
            group.create_task(self._follow_catalogue())

    async def _again_on_loss(self, part: Callable[[], Awaitable[None]]) -> None:
        while not is_cancelled():
            try:
                await part()
            except Exception as fault:
                if not is_store_fault(fault) or is_cancelled():
                    raise
                log.warning("projector_lost_store", fault=type(fault).__name__)
                await asyncio.sleep(RECONNECT_AFTER_S)

    async def _tend_leases(self) -> None:
        while not is_cancelled():
            lost, taken = await self.leases.tend(self._directory.codes)
            for code in lost | taken:
                self._forget(code)
            for code in taken:
                self._ask_for(code, at_once=True)
            await asyncio.sleep(TEND_LEASES_EVERY_S)

    def _forget(self, code: str) -> None:
        """Forget all that held only while the hall was ours."""
        for kept in (
            self._last,
            self._rows,
            self._named,
            self._outlook,
            self._better,
        ):
            kept.pop(code, None)
        self._turns.forget(code)
        if self._foresight is not None:
            self._foresight.forget(code)

    # --- when ------------------------------------------------------------------------------

    async def _hear_changes(self) -> None:
        async with subscribed(self._valkey, CHANGED) as words:
            for code in self.leases.held:
                self._unsure_of.add(code)
                self._ask_for(code, at_once=True)
            async for _, data in words:
                for change in _changes_in(data):
                    if change.hall in self.leases.held:
                        self._take_note(change)

    def _take_note(self, change: Change) -> None:
        if change.ticket is None:
            # Something of the hall itself, or somebody has left it: no event here tells that.
            self._unsure_of.add(change.hall)
        else:
            self._named.setdefault(change.hall, set()).add(change.ticket)
        self._ask_for(change.hall)

    def _ask_for(self, code: str, *, at_once: bool = False) -> None:
        """Make a hall due: now when it has been quiet, else when its shortest interval is over."""
        self._turns.ask(code, time.monotonic(), at_once=at_once)
        self._wake.set()

    async def _project_due(self) -> None:
        while not is_cancelled():
            changed = self._held(self._turns.changed(time.monotonic()))
            whole = [code for code in changed if self._must_be_read_whole(code, AT_LEAST_EVERY_S)]
            # Reading a whole hall takes its time: nobody else's news waits for many.
            news = set(changed).difference(whole)
            for codes in (
                *batched([code for code in changed if code in news], AT_MOST_TOGETHER),
                whole[:WHOLE_AT_ONCE],
            ):
                await self._project_in_turn(self._held(codes))
            unchanged = self._turns.unchanged(time.monotonic(), UNCHANGED_AT_ONCE)
            await self._project_in_turn(self._held(unchanged))
            await self._sleep_until_due()

    def _held(self, codes: Sequence[str]) -> list[str]:
        """Those of these halls that are still ours; of the others nothing is due here."""
        for code in codes:
            if code not in self.leases.held:
                self._turns.forget(code)
        return [code for code in codes if code in self.leases.held]

    async def _project_in_turn(self, codes: Sequence[str]) -> None:
        if not codes:
            return
        self._turns.begin(codes, time.monotonic())
        try:
            await self._project(codes)
        except Exception:
            for code in codes:
                self._unsure_of.add(code)
                self._ask_for(code, at_once=True)
            raise
        for code in codes:
            self._come_back_at_edge(code)

    def _come_back_at_edge(self, code: str) -> None:
        now, hall = self._clock.now(), self._last.get(code)
        if hall and (edge := next_edge(hall.board, now)):
            at = time.monotonic() + (edge - now).total_seconds() / self._clock.speed
            self._turns.again(code, at)

    async def _sleep_until_due(self) -> None:
        self._wake.clear()
        rest = max(0.0, self._turns.next_at() - time.monotonic())
        # Not `wait_for`: woken and cancelled at once, it would forget that it was cancelled.
        with suppress(TimeoutError):
            async with asyncio.timeout(min(rest, TEND_LEASES_EVERY_S)):
                await self._wake.wait()

    # --- what ------------------------------------------------------------------------------

    async def _project(self, codes: Sequence[str]) -> None:
        for code in codes:
            if code not in self._last and (stored := await stored_hall(self._valkey, code)):
                self._last[code] = stored
        if self._foresight is not None:
            await self._foresight.recall(codes)
        now = self._clock.now()
        found = await self._read(codes, now)
        halls = [self._live(code, hall_rows, now) for code, hall_rows in found.items()]
        written = await self._write(halls)
        for hall in halls:
            if hall.code in written:
                self._last[hall.code], self._rows[hall.code] = hall, found[hall.code]
                self._highest[hall.code] = hall.version
            else:
                self.leases.held.discard(hall.code)
                self._forget(hall.code)

    def _live(self, code: str, found: HallRows, now: datetime) -> LiveHall:
        version = max(microseconds(), self._highest.get(code, 0) + 1)
        hall, last = self._directory.hall(code), self._last.get(code)
        waits = self._foresight.look(hall, found, now) if self._foresight else NOTHING_FORESEEN
        if waits.again_in_s is not None:
            self._turns.again(code, time.monotonic() + waits.again_in_s)
        return above_rows(
            live_hall(
                hall,
                found,
                last,
                now=now,
                version=version,
                outlook=self._outlook.get(code),
                waits=waits,
                better=self._better.get(code, NOBODY),
            )
        )

    async def _read(self, codes: Sequence[str], now: datetime) -> dict[str, HallRows]:
        """The halls' rows: what has happened since we read them, or the whole after a while."""
        ids = {code: self._directory.hall(code).id for code in codes}
        whole = [code for code in codes if self._must_be_read_whole(code)]
        # Before reading: what is said meanwhile counts for the next time.
        self._unsure_of.difference_update(codes)
        named = {code: self._named.pop(code, set()) for code in codes}
        found: dict[UUID, HallRows] = {}
        if known := {ids[code]: self._rows[code] for code in codes if code not in whole}:
            found |= await catch_up(known, set().union(*named.values()), now=now)
        if whole:
            await self._take_outlook(whole, now)
            found |= await read_all_whole([ids[code] for code in whole], now=now)
            self._read_whole_at(time.monotonic(), whole)
        return {code: found[ids[code]] for code in codes}

    def _must_be_read_whole(self, code: str, later_s: float = 0.0) -> bool:
        is_old = self._whole_again_at.get(code, -math.inf) + later_s <= time.monotonic()
        return is_old or code in self._unsure_of or code not in self._rows

    def _read_whole_at(self, now: float, codes: Sequence[str]) -> None:
        every = max(AT_LEAST_EVERY_S, len(self.leases.held) / WHOLE_A_SECOND)
        for code in codes:
            # Not all at once the next time, though they were first read together.
            self._whole_again_at[code] = now + every * uniform(0.6, 1)  # noqa: S311 nothing to guess

    async def _take_outlook(self, codes: Sequence[str], now: datetime) -> None:
        """Work out how many more numbers the lines of halls can give: now and then, and at once
        where something of the hall itself changed, such as a counter that opens.
        """
        halls = [self._directory.hall(code) for code in codes]
        self._outlook.update(await look_ahead(halls, now=now))

    def offer(self, code: str, better: Mapping[UUID, BetterHall]) -> None:
        """From now on show these tickets of a hall where their turn would come earlier."""
        if code in self.leases.held and better != self._better.get(code, NOBODY):
            self._better[code] = better
            self._ask_for(code)

    async def look_ahead(self, code: str) -> None:
        """Work out how many more numbers the lines of a hall can give, and have it shown."""
        await self._take_outlook([code], self._clock.now())
        self._ask_for(code)

    # --- of which halls --------------------------------------------------------------------

    async def _follow_catalogue(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if newer := await newer_directory(self._directory):
                self._directory = newer
                log.info("catalogue_read_anew", halls=len(newer.halls))
                for code in self.leases.held:
                    self._turns.again(code, time.monotonic())
                self._wake.set()


def _changes_in(data: bytes) -> Sequence[Change]:
    try:
        return decode_changes(data)
    except UNREADABLE as fault:
        log.warning("word_not_understood", channel=CHANGED, fault=type(fault).__name__)
        return ()
