"""Every API process keeps all slots in memory: phones that look for one cost PostgreSQL nothing.

Whoever changes slots says so on a channel of Valkey, and every process reads those slots again,
together with others of the moment. Halls are also read whole in turn, as a word may get lost.
"""

import asyncio
import itertools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import redis.asyncio as aioredis
import structlog

from models.database import StatementCount
from models.slot_reading import slots_among, slots_of
from scheduler.calendar import SHANGHAI
from scheduler.legs import Leg, following, run_at
from server.clock import Clock
from server.faults import is_store_fault
from server.halls.directory import Directory, HallEntry, ItemEntry
from server.live.feed import PUBLISH_WITHIN_S, RECONNECT_AFTER_S, is_cancelled, subscribed

log = structlog.get_logger()

SLOTS: Final = "yiting:slots"
# All halls of a city are read once in so long, one after the other, and words gather so long.
READ_ALL_IN_S: Final = 20.0
# Of more halls than these a second it takes longer.
READ_A_SECOND: Final = 20.0
GATHER_S: Final = 0.02
# Slots that have begun are of no interest to who looks for one, but for a little while.
KEEP_BEGUN: Final = timedelta(hours=4)


class Word(msgspec.Struct, frozen=True, array_like=True):
    """What changed: these slots, or all of these halls."""

    slots: list[UUID] = []
    halls: list[UUID] = []


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Word).decode


@dataclass(frozen=True, slots=True)
class Seen:
    """A slot as it was read last. `room` is what everybody may book; parts kept come on top."""

    id: UUID
    hall_id: UUID
    line_id: UUID
    item_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    open: bool
    capacity: int
    room: int
    for_elders: int
    for_companies: int
    for_desk: int
    taken: int
    serves: float
    walk_ins: float

    @property
    def load(self) -> float:
        """How much of what the counters can serve is expected: booked, and usual without."""
        if self.serves > 0:
            return (self.taken + self.walk_ins) / self.serves
        return self.taken / self.capacity if self.capacity else 1.0


Key = tuple[UUID, UUID | None]


class SlotBook:
    """The slots of all halls, by line, or by item where it has its own, in the order of time."""

    def __init__(
        self, valkey: aioredis.Redis, directory: Callable[[], Directory], clock: Callable[[], Clock]
    ) -> None:
        self._valkey = valkey
        self._directory = directory
        self._clock = clock
        self._halls: dict[UUID, dict[Key, list[Seen]]] = {}
        # How often each hall's slots were read: answers made of them stand until the next time.
        self.versions: defaultdict[UUID, int] = defaultdict(int)
        # Rises with each reading of any hall, and which rise was each hall's own, the latest last.
        self.generation = 0
        self._read_at: dict[UUID, int] = {}
        self._due = Word()
        self._woken = asyncio.Event()
        # What changed while others were told of what changed before.
        self._untold: list[Word] = []
        self._telling = asyncio.Lock()
        self._teller: asyncio.Future[None] | None = None

    def runs(self, hall: HallEntry, items: Sequence[ItemEntry]) -> Sequence[Seen]:
        """The slots in which items may be booked together; several, one after the other, as one.

        Of several the fullest counts; those after which another line has no place are left out.
        """
        first, *more = legs = self._legs(hall, items)
        if not all(leg.slots for leg in legs):
            return []
        if not more and first.many == 1:
            return [slot for slot in first.slots if slot.open]
        runs = (run_at(first, nth) for nth in range(len(first.slots)))
        wholes = (following(legs, run, lambda slot: slot.room > 0) for run in runs if run)
        return [_as_one(whole) for whole in wholes if whole]

    def _legs(self, hall: HallEntry, items: Sequence[ItemEntry]) -> list[Leg[Seen]]:
        """What is done line by line; an item with slots of its own is apart."""
        by_slots: dict[int, tuple[Sequence[Seen], int]] = {}
        for item in items:
            slots = self._slots(hall, item)
            _, minutes = by_slots.get(id(slots), (slots, 0))
            by_slots[id(slots)] = (slots, minutes + item.minutes)
        return [Leg(slots, minutes) for slots, minutes in by_slots.values()]

    def first(self, hall: HallEntry, item: ItemEntry, since: datetime) -> Seen | None:
        """The first slot from a moment on with a place for everybody; as `runs` tells them."""
        leg = Leg(self._slots(hall, item), item.minutes)
        at = bisect_left(leg.slots, since, key=lambda slot: slot.starts_at)
        for nth in range(at, len(leg.slots)):
            run = run_at(leg, nth)
            if run and all(slot.room > 0 for slot in run):
                return run[0] if len(run) == 1 else _as_one(run)
        return None

    def at(self, hall: HallEntry, item: ItemEntry, start: datetime) -> Seen | None:
        """The slot for an item that begins at a moment, as it was read last."""
        slots = self._slots(hall, item)
        nth = bisect_left(slots, start, key=lambda slot: slot.starts_at)
        return slots[nth] if nth < len(slots) and slots[nth].starts_at == start else None

    def changed_since(self, generation: int) -> Iterator[UUID]:
        """The halls of which a slot changed after `generation` was what it is called."""
        for hall_id, changed in reversed(self._read_at.items()):
            if changed <= generation:
                return
            yield hall_id

    def _slots(self, hall: HallEntry, item: ItemEntry) -> Sequence[Seen]:
        of_hall = self._halls.get(hall.id, {})
        line_id = hall.lines[hall.offers[item.code]].id
        return of_hall.get((line_id, item.id)) or of_hall.get((line_id, None), [])

    # --- telling ---------------------------------------------------------------------------

    async def changed(self, slots: Collection[UUID] = (), halls: Collection[UUID] = ()) -> None:
        """Say that slots changed. Never raises: it is committed, and found within 20 s anyway."""
        if not slots and not halls:
            return
        self._note(Word(list(slots), list(halls)))
        await self._tell()

    def mention(self, slots: Collection[UUID]) -> None:
        """Have it said soon that slots changed: whoever answers a phone does not wait for it."""
        self._note(Word(list(slots)))
        if self._teller is None or self._teller.done():
            self._teller = asyncio.ensure_future(self._tell_all())

    def _note(self, word: Word) -> None:
        self._mark(word)
        self._untold.append(word)

    async def _tell_all(self) -> None:
        while self._untold:
            await self._tell()

    async def _tell(self) -> None:
        async with self._telling:
            # Whoever waited longest tells what all have noted meanwhile.
            words, self._untold = self._untold, []
            if words:
                slots, halls = ([each.slots for each in words], [each.halls for each in words])
                await self._publish(Word(_all(slots), _all(halls)))

    async def _publish(self, word: Word) -> None:
        try:
            await asyncio.wait_for(self._valkey.publish(SLOTS, _encode(word)), PUBLISH_WITHIN_S)
        except (aioredis.RedisError, OSError) as fault:
            log.warning("slots_not_told", fault=type(fault).__name__)

    # --- hearing ---------------------------------------------------------------------------

    async def follow_forever(self) -> None:
        """Keep the book up to date until cancelled."""
        StatementCount.apart.set(True)  # what is read here no request has asked for
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear_forever())
            group.create_task(self._read_forever())
            group.create_task(self._read_all_in_turn())

    async def _hear_forever(self) -> None:
        while True:
            try:
                await asyncio.create_task(self._hear())
            except (aioredis.RedisError, OSError) as fault:
                if is_cancelled():
                    raise
                log.warning("slots_unheard", fault=type(fault).__name__)
                await asyncio.sleep(RECONNECT_AFTER_S)

    async def _hear(self) -> None:
        async with subscribed(self._valkey, SLOTS) as words:
            self._mark(Word(halls=[hall.id for hall in self._directory().halls.values()]))
            async for _, data in words:
                try:
                    self._mark(_decode(data))
                except msgspec.MsgspecError as fault:
                    log.warning("word_not_understood", channel=SLOTS, fault=type(fault).__name__)

    def _mark(self, word: Word) -> None:
        self._due = Word([*self._due.slots, *word.slots], [*self._due.halls, *word.halls])
        self._woken.set()

    async def _read_forever(self) -> None:
        while not is_cancelled():
            await self._woken.wait()
            await asyncio.sleep(GATHER_S)
            self._woken.clear()
            due, self._due = self._due, Word()
            try:
                await self._read(due)
            except Exception as fault:
                if not is_store_fault(fault):
                    raise
                log.warning("slots_not_read", fault=type(fault).__name__)
                self._mark(due)
                await asyncio.sleep(RECONNECT_AFTER_S)

    async def _read_all_in_turn(self) -> None:
        for nth in itertools.count():
            halls = list(self._directory().halls.values())
            await asyncio.sleep(max(READ_ALL_IN_S / max(len(halls), 1), 1 / READ_A_SECOND))
            if halls:
                self._mark(Word(halls=[halls[nth % len(halls)].id]))

    async def _read(self, due: Word) -> None:
        whole = set(due.halls)
        for hall_id in whole:
            since = self._clock().now() - KEEP_BEGUN
            by_key: defaultdict[Key, list[Seen]] = defaultdict(list)
            for row in await slots_of(hall_id, since):
                by_key[row["line_id"], row["item_id"]].append(_seen(row))
            if self._halls.get(hall_id, {}) != by_key:
                self._halls[hall_id] = dict(by_key)
                self._changed(hall_id)
            self.versions[hall_id] += 1
        if due.slots:
            self._put(row for row in await slots_among(set(due.slots)))

    def _put(self, found: Iterable[Sequence[Any]]) -> None:
        for row in found:
            seen = _seen(row)
            slots = self._halls.get(seen.hall_id, {}).get((seen.line_id, seen.item_id), [])
            at = bisect_left(slots, seen.starts_at, key=lambda slot: slot.starts_at)
            if at < len(slots) and slots[at].id == seen.id:
                slots[at] = seen
                self.versions[seen.hall_id] += 1
                self._changed(seen.hall_id)

    def _changed(self, hall_id: UUID) -> None:
        self.generation += 1
        self._read_at.pop(hall_id, None)
        self._read_at[hall_id] = self.generation


def _all(ids: Iterable[Iterable[UUID]]) -> list[UUID]:
    """Each once, in order."""
    return list(dict.fromkeys(itertools.chain.from_iterable(ids)))


def _as_one(run: Sequence[Seen]) -> Seen:
    fullest = min(run, key=lambda slot: slot.room)
    return Seen(
        id=run[0].id,
        hall_id=run[0].hall_id,
        line_id=run[0].line_id,
        item_id=run[0].item_id,
        starts_at=run[0].starts_at,
        ends_at=run[-1].ends_at,
        open=True,
        capacity=min(slot.capacity for slot in run),
        room=fullest.room,
        for_elders=min(slot.for_elders for slot in run),
        for_companies=min(slot.for_companies for slot in run),
        for_desk=min(slot.for_desk for slot in run),
        taken=max(slot.taken for slot in run),
        serves=fullest.serves,
        walk_ins=fullest.walk_ins,
    )


def _seen(row: Sequence[Any]) -> Seen:
    """A slot's row, which has the columns of `Seen` in their order: many are read every second."""
    id, hall_id, line_id, item_id, starts_at, ends_at, *rest = row
    return Seen(
        id,
        hall_id,
        line_id,
        item_id,
        starts_at.astimezone(SHANGHAI),
        ends_at.astimezone(SHANGHAI),
        *rest,
    )
