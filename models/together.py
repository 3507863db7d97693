"""Many decisions of one moment in one statement.

A round trip, a plan and a commit cost several times what one decision writes. While a statement is
under way what comes in gathers for the next, so a process that is idle decides at once and a busy
one decides for many together.

A statement for several does not keep its halls locked while its commit is flushed: the next one
begins meanwhile, and nobody is answered before it is (`models.durable`).

Such a statement locks the halls of all its wishes. So that a hall which somebody holds for long
does not hold the others up, it waits for no lock longer than 50 ms; then it leaves the busy halls
out, and their wishes wait in lanes of their own, a statement for each hall. Where it is no hall
that somebody holds (a person's open number, say), all its wishes go into such lanes.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import asyncpg

from models.durable import durable

Wish = TypeVar("Wish")
Made = TypeVar("Made")

MOST = 64


class Patience(Enum):
    """How long a statement waits for halls that somebody else has locked."""

    BRIEFLY = "briefly"  # then it fails with LockNotAvailableError
    NONE = "none"  # it leaves them out, and waits briefly for anything else
    ENDLESS = "endless"


BRIEFLY = "set_config('lock_timeout', '50', true) <> ''"
# For several wishes the commit returns before it is flushed.
FLUSH_LATER = """set_config('synchronous_commit', CASE
              WHEN cardinality($2::uuid[]) > 1 THEN 'off'
              ELSE current_setting('synchronous_commit') END, true) <> ''"""
# The halls ($2) that a statement may decide in, locked in the order of their ids, so that no two
# statements wait for each other.
LOCKED = {
    Patience.BRIEFLY: f"""
        SELECT id FROM hall WHERE id = ANY($2::uuid[]) AND {BRIEFLY} AND {FLUSH_LATER}
        ORDER BY id FOR UPDATE""",
    Patience.NONE: f"""
        SELECT id FROM hall WHERE id = ANY($2::uuid[]) AND {BRIEFLY} AND {FLUSH_LATER}
        ORDER BY id FOR UPDATE SKIP LOCKED""",
    Patience.ENDLESS: """
        SELECT id FROM hall WHERE id = ANY($2::uuid[]) ORDER BY id FOR UPDATE""",
}


# Statements of one process that lock many halls would mostly wait for each other, in PostgreSQL and
# while halls are held: they take turns here, and what waits for its turn gathers.
_turns: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]" = WeakKeyDictionary()


def _turn() -> AbstractAsyncContextManager[Any]:
    """The right to run a statement that locks many halls."""
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())


class Busy:
    """Said of a wish whose hall was left out."""


BUSY = Busy()


@dataclass(slots=True)
class _Entry(Generic[Wish, Made]):
    wish: Wish
    made: "asyncio.Future[Made]"
    begun: bool = False


@dataclass(slots=True)
class _Lane(Generic[Wish, Made]):
    """A statement at a time, and what waits for the next."""

    patience: Patience
    waiting: "deque[_Entry[Wish, Made]]" = field(default_factory=deque)
    running: "asyncio.Future[None] | None" = None


MakeAll = Callable[[Sequence[Wish], Patience], Awaitable[Sequence[Made | Busy]]]
# What is asked of those made, once their halls are free.
LookAfter = Callable[[Sequence[Made]], Awaitable[Sequence[Made]]]


class Together(Generic[Wish, Made]):
    """Makes wishes come true together, each for itself: one that fails takes no other with it.

    `make_all` runs one statement for many wishes and answers in their order, BUSY for those whose
    hall it left out. Wishes of which `apart` is equal go into different statements, in the order in
    which they came. `hall` names the hall in which a wish is decided, or what else it locks, such
    as a slot. `look_after` completes what was made, in its order, while the next statement is under
    way; it raises nothing. `durable` returns when all that was committed is flushed. Without
    `in_turn` it waits for no statement of another kind: it locks nothing that those do. After one
    for several it gathers for `gather_s` seconds: where a statement costs as much as many wishes.
    """

    def __init__(
        self,
        make_all: MakeAll[Wish, Made],
        *,
        hall: Callable[[Wish], UUID],
        apart: Callable[[Wish], Hashable],
        look_after: LookAfter[Made] | None = None,
        durable: Callable[[], Awaitable[None]] = durable,
        in_turn: bool = True,
        gather_s: float = 0.0,
    ) -> None:
        self._make_all = make_all
        self._look_after = look_after
        self._durable = durable
        self._in_turn = in_turn
        self._gather_s = gather_s
        self._hall = hall
        self._apart = apart
        self._main: _Lane[Wish, Made] = _Lane(Patience.BRIEFLY)
        self._busy: dict[UUID, _Lane[Wish, Made]] = {}
        self._answering: set[asyncio.Future[None]] = set()

    async def make(self, wish: Wish) -> Made:
        """Make one wish come true. Raises what its statement raised.

        When the caller is cancelled, a wish that has not begun is dropped; one that has is seen
        through, and the caller goes on with what came of it: it must be told.
        """
        entry: _Entry[Wish, Made] = _Entry(wish, asyncio.get_running_loop().create_future())
        self._join(self._busy.get(self._hall(wish), self._main), [entry])
        try:
            return await asyncio.shield(entry.made)
        except asyncio.CancelledError:
            if not entry.begun:
                entry.made.cancel()
                raise
            return await entry.made

    def _join(self, lane: _Lane[Wish, Made], entries: Iterable[_Entry[Wish, Made]]) -> None:
        lane.waiting.extend(entries)
        if lane.running is None:
            lane.running = asyncio.ensure_future(self._run(lane))

    async def _run(self, lane: _Lane[Wish, Made]) -> None:
        try:
            # Whoever is being read from a socket at this moment comes along.
            await asyncio.sleep(0)
            while lane.waiting:
                # One for a hall that somebody holds has no part in it.
                alone = not self._in_turn or lane.patience is Patience.ENDLESS
                async with nullcontext() if alone else _turn():
                    if not (entries := self._take(lane)):
                        break  # all who wished something have gone
                    await self._make_some(entries, lane.patience)
                await asyncio.sleep(self._gather_s if len(entries) > 1 else 0)
        finally:
            lane.running = None
            if lane is not self._main:
                self._busy = {hall: each for hall, each in self._busy.items() if each is not lane}

    def _take(self, lane: _Lane[Wish, Made]) -> list[_Entry[Wish, Made]]:
        now: list[_Entry[Wish, Made]] = []
        later: deque[_Entry[Wish, Made]] = deque()
        keys: set[Hashable] = set()
        for entry in lane.waiting:
            if entry.made.done():  # whoever wished it has gone
                continue
            key = self._apart(entry.wish)
            # What must stay behind its like also stays behind in later statements.
            (now if len(now) < MOST and key not in keys else later).append(entry)
            keys.add(key)
        lane.waiting = later
        return now

    async def _make_some(self, entries: list[_Entry[Wish, Made]], patience: Patience) -> None:
        for entry in entries:
            entry.begun = True
        try:
            results = await self._make_all([entry.wish for entry in entries], patience)
            pairs = list(zip(entries, results, strict=True))
        except asyncpg.LockNotAvailableError:
            await self._without_the_busy(entries, patience)
        except asyncpg.PostgresError as fault:
            if len(entries) == 1:
                _fail(entries, fault)
                return
            # Nothing was written, because of one of them: halves tell which.
            middle = len(entries) // 2
            await self._make_some(entries[:middle], patience)
            await self._make_some(entries[middle:], patience)
        except Exception as fault:
            _fail(entries, fault)
        except BaseException:
            _fail(entries, ConnectionError("the process ends"))
            raise
        else:
            self._hand_out(pairs, flushed=len(entries) == 1 or patience is Patience.ENDLESS)

    async def _without_the_busy(
        self, entries: list[_Entry[Wish, Made]], patience: Patience
    ) -> None:
        if patience is Patience.BRIEFLY:
            await self._make_some(entries, Patience.NONE)
            return
        # It is no hall that is held, so nobody can be left out: each waits with her hall.
        for entry in entries:
            self._wait_for_hall(entry)

    def _hand_out(
        self, pairs: Iterable[tuple[_Entry[Wish, Made], Made | Busy]], *, flushed: bool
    ) -> None:
        made = []
        for entry, result in pairs:
            if isinstance(result, Busy):
                self._wait_for_hall(entry)
            else:
                made.append((entry, result))
        if flushed and self._look_after is None:
            _tell(made)
            return
        answering = asyncio.ensure_future(self._answer(made, flushed=flushed))
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    async def _answer(self, made: list[tuple[_Entry[Wish, Made], Made]], *, flushed: bool) -> None:
        """Tell those who wished, as soon as what was made for them is kept whatever happens."""
        entries = [entry for entry, _ in made]
        results: Sequence[Made] = [result for _, result in made]
        try:
            _, looked = await asyncio.gather(
                _nothing() if flushed else self._durable(),
                self._look_after(results) if self._look_after else _nothing(),
            )
            complete = list(zip(entries, results if looked is None else looked, strict=True))
        except Exception as fault:
            _fail(entries, fault)
        except BaseException:
            _fail(entries, ConnectionError("the process ends"))
            raise
        _tell(complete)

    def _wait_for_hall(self, entry: _Entry[Wish, Made]) -> None:
        entry.begun = False
        lane = self._busy.setdefault(self._hall(entry.wish), _Lane(Patience.ENDLESS))
        self._join(lane, [entry])


async def _nothing() -> None:
    pass


def _tell(made: Iterable[tuple[_Entry[Any, Made], Made]]) -> None:
    for entry, result in made:
        if not entry.made.done():
            entry.made.set_result(result)


def _fail(entries: Iterable[_Entry[Wish, Made]], fault: Exception) -> None:
    for entry in entries:
        if not entry.made.done():
            entry.made.set_exception(fault)
