"""Wishes of one moment come true in one statement, each for itself."""

import asyncio
from asyncio import gather
from collections.abc import Callable, Sequence
from uuid import UUID

import asyncpg
import pytest

from models.database import rows, transaction
from models.together import BUSY, LOCKED, MOST, Busy, Patience, Together
from tests.conftest import Api

HALLS = [UUID(int=number) for number in range(10)]


class Office:
    """Makes numbers come true, slowly; remembers which it made together.

    The last digit of a number is its hall; numbers alike but for the thousands are kept apart.
    """

    def __init__(self) -> None:
        self.together: list[list[int]] = []
        self.locked: set[int] = set()
        self.held_person: int | None = None
        self.given_back = asyncio.Event()
        self.has_begun = asyncio.Event()
        # What has begun is not over before this is set.
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.flushed = 0
        self.may_flush = asyncio.Event()
        self.may_flush.set()
        self.wishes = Together(
            self._make_all,
            hall=lambda wish: HALLS[wish % 10],
            apart=lambda wish: wish % 1000,
            durable=self._flush,
        )

    async def _flush(self) -> None:
        self.flushed += 1
        await self.may_flush.wait()

    async def _make_all(self, wishes: Sequence[int], patience: Patience) -> list[str | Busy]:
        held = {wish for wish in wishes if wish % 10 in self.locked}
        if held and patience is Patience.BRIEFLY:
            raise asyncpg.LockNotAvailableError("somebody holds a hall")
        if self.held_person in wishes and patience is not Patience.ENDLESS:
            raise asyncpg.LockNotAvailableError("somebody holds a number of hers")
        if patience is Patience.ENDLESS and (held or self.held_person in wishes):
            await self.given_back.wait()
        self.together.append(list(wishes))
        self.has_begun.set()
        await self.may_end.wait()
        if any(wish < 0 for wish in wishes):
            raise asyncpg.UniqueViolationError("one of them is impossible")
        if 404 in wishes:
            raise ConnectionResetError
        left_out = held if patience is Patience.NONE else set()
        return [BUSY if wish in left_out else f"made {wish}" for wish in wishes]


async def begun(office: Office) -> "asyncio.Future[str]":
    """The wish 1, which has begun and goes on until it may end."""
    office.may_end.clear()
    first = asyncio.ensure_future(office.wishes.make(1))
    await asyncio.wait_for(office.has_begun.wait(), 5)
    return first


async def test_a_lone_wish_is_made_at_once() -> None:
    office = Office()
    assert await office.wishes.make(7) == "made 7"
    assert office.together == [[7]]


async def test_what_comes_in_meanwhile_is_made_together_and_answered_each() -> None:
    office = Office()
    first = await begun(office)
    others = gather(*(office.wishes.make(wish) for wish in (2, 3, 4)))
    await asyncio.sleep(0)
    office.may_end.set()
    assert [*await others, await first] == ["made 2", "made 3", "made 4", "made 1"]
    assert office.together == [[1], [2, 3, 4]]


async def test_what_must_stay_apart_is_made_in_the_order_it_came() -> None:
    office = Office()
    await gather(*(office.wishes.make(wish) for wish in (1, 1001, 2, 2001, 1002)))
    assert office.together == [[1, 2], [1001, 1002], [2001]]


async def test_an_impossible_wish_takes_no_other_with_it() -> None:
    office = Office()
    made = await gather(*(office.wishes.make(wish) for wish in (1, -2, 3)), return_exceptions=True)
    assert made[0] == "made 1"
    assert isinstance(made[1], asyncpg.UniqueViolationError)
    assert made[2] == "made 3"


async def test_a_lost_store_fails_all_that_were_under_way_and_none_after() -> None:
    office = Office()
    made = await gather(*(office.wishes.make(wish) for wish in (404, 5)), return_exceptions=True)
    assert [type(each) for each in made] == [ConnectionResetError, ConnectionResetError]
    assert await office.wishes.make(6) == "made 6"


async def test_whoever_leaves_before_it_begins_is_forgotten() -> None:
    office = Office()
    first = await begun(office)
    leaving = asyncio.ensure_future(office.wishes.make(2))
    staying = asyncio.ensure_future(office.wishes.make(3))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.sleep(0)
    office.may_end.set()
    assert list(await gather(first, staying)) == ["made 1", "made 3"]
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert office.together == [[1], [3]]


async def test_whoever_leaves_after_it_began_is_told_what_came_of_it() -> None:
    office = Office()
    leaving = await begun(office)
    leaving.cancel()
    await asyncio.sleep(0)
    office.may_end.set()
    assert await leaving == "made 1"


async def test_a_hall_that_somebody_holds_does_not_hold_the_others_up() -> None:
    office = Office()
    office.locked = {6}
    held = [asyncio.ensure_future(office.wishes.make(wish)) for wish in (6, 16, 26)]
    others = await asyncio.wait_for(gather(*(office.wishes.make(w) for w in (1, 2, 3))), 1)
    assert others == ["made 1", "made 2", "made 3"]
    # Once it is known to be busy, nobody tries it again.
    later = asyncio.ensure_future(office.wishes.make(36))
    assert await asyncio.wait_for(office.wishes.make(4), 1) == "made 4"
    assert not any(task.done() for task in (*held, later))
    office.locked = set()
    office.given_back.set()
    assert await gather(*held, later) == ["made 6", "made 16", "made 26", "made 36"]
    assert await office.wishes.make(46) == "made 46"
    assert office.together[-1] == [46]


async def test_a_crowd_is_made_in_statements_of_a_bearable_size() -> None:
    office = Office()
    await gather(*(office.wishes.make(wish) for wish in range(200)))
    assert max(len(wishes) for wishes in office.together) <= MOST
    assert sum(len(wishes) for wishes in office.together) == 200


async def test_nobody_of_several_is_answered_before_the_flush_and_the_next_need_not_wait() -> None:
    office = Office()
    office.may_flush.clear()
    first = gather(*(office.wishes.make(wish) for wish in (1, 2)))
    await soon(lambda: office.flushed == 1)
    second = gather(*(office.wishes.make(wish) for wish in (3, 4)))
    await soon(lambda: office.flushed == 2)
    assert office.together == [[1, 2], [3, 4]]
    assert [first.done(), second.done()] == [False, False]
    # Whoever is alone has flushed by herself.
    assert await office.wishes.make(5) == "made 5"
    office.may_flush.set()
    assert [*await first, *await second] == ["made 1", "made 2", "made 3", "made 4"]
    assert office.flushed == 2


async def test_where_the_flush_fails_nobody_is_told_that_it_is_done() -> None:
    office = Office()

    async def fail() -> None:
        raise ConnectionResetError

    office.wishes._durable = fail
    answers = await gather(*(office.wishes.make(wish) for wish in (1, 2)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionResetError] * 2
    assert await office.wishes.make(3) == "made 3"


async def test_what_is_made_is_completed_while_the_next_is_made() -> None:
    office = Office()
    may_look, looked = asyncio.Event(), []

    async def look_after(made: Sequence[str]) -> list[str]:
        looked.append(list(made))
        await may_look.wait()
        return [f"{one}, seen" for one in made]

    office.wishes._look_after = look_after
    first, second = asyncio.ensure_future(office.wishes.make(1)), None
    await soon(lambda: len(looked) == 1)
    second = asyncio.ensure_future(office.wishes.make(2))
    await soon(lambda: len(looked) == 2)
    assert office.together == [[1], [2]]
    may_look.set()
    assert [await first, await second] == ["made 1, seen", "made 2, seen"]


async def soon(true: Callable[[], bool]) -> None:
    for _ in range(100):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come true")


async def test_who_waits_for_a_number_of_hers_that_is_held_holds_up_no_other_hall() -> None:
    office = Office()
    office.held_person = 3
    hers, other = (asyncio.ensure_future(office.wishes.make(wish)) for wish in (3, 4))
    assert await asyncio.wait_for(other, 5) == "made 4"
    assert await asyncio.wait_for(office.wishes.make(5), 5) == "made 5"
    assert not hers.done()
    office.given_back.set()
    assert await hers == "made 3"


async def test_a_statement_that_answers_too_few_fails_all_instead_of_keeping_them_waiting() -> None:
    async def too_few(_wishes: Sequence[int], _patience: Patience) -> list[str]:
        return []

    wishes = Together(too_few, hall=lambda _: HALLS[0], apart=lambda wish: wish)
    said = await asyncio.wait_for(
        gather(*(wishes.make(wish) for wish in (1, 2)), return_exceptions=True), 5
    )
    assert [type(one) for one in said] == [ValueError] * 2


@pytest.mark.parametrize("patience", [Patience.BRIEFLY, Patience.NONE])
@pytest.mark.parametrize(("wishes", "commits"), [(1, "on"), (2, "off")])
async def test_only_a_statement_for_several_commits_before_it_is_flushed(
    api: Api, patience: Patience, wishes: int, commits: str
) -> None:
    halls = [entry.id for entry in api.services.directory.halls.values()][:wishes]
    async with transaction() as tx:
        await tx.rows(f"SELECT $1::int, locked.id FROM ({LOCKED[patience]}) locked", 1, halls)
        [now] = await tx.rows("SHOW synchronous_commit")
    assert now["synchronous_commit"] == commits
    [after] = await rows("SHOW synchronous_commit")
    assert after["synchronous_commit"] == "on"
