"""Wishes of one moment come true in one statement, each for itself."""

import asyncio
from asyncio import gather
from collections.abc import Sequence

import asyncpg
import pytest

from models.together import MOST, Together


class Office:
    """Makes numbers come true, slowly; remembers which it made together."""

    def __init__(self) -> None:
        self.together: list[list[int]] = []
        self.wishes = Together(self._make_all, apart=lambda wish: wish % 1000)

    async def _make_all(self, wishes: Sequence[int]) -> list[str]:
        self.together.append(list(wishes))
        await asyncio.sleep(0.01)
        if any(wish < 0 for wish in wishes):
            raise asyncpg.UniqueViolationError("one of them is impossible")
        if 404 in wishes:
            raise ConnectionResetError
        return [f"made {wish}" for wish in wishes]


async def test_a_lone_wish_is_made_at_once() -> None:
    office = Office()
    assert await office.wishes.make(7) == "made 7"
    assert office.together == [[7]]


async def test_what_comes_in_meanwhile_is_made_together_and_answered_each() -> None:
    office = Office()
    first = asyncio.ensure_future(office.wishes.make(1))
    await asyncio.sleep(0.001)
    made = await gather(*(office.wishes.make(wish) for wish in (2, 3, 4)), first)
    assert made == ["made 2", "made 3", "made 4", "made 1"]
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


async def test_whoever_leaves_does_not_disturb_the_others() -> None:
    office = Office()
    leaving = asyncio.ensure_future(office.wishes.make(1))
    staying = asyncio.ensure_future(office.wishes.make(2))
    await asyncio.sleep(0.001)
    leaving.cancel()
    assert await staying == "made 2"
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_a_crowd_is_made_in_statements_of_a_bearable_size() -> None:
    office = Office()
    await gather(*(office.wishes.make(wish) for wish in range(200)))
    assert max(len(wishes) for wishes in office.together) <= MOST
    assert sum(len(wishes) for wishes in office.together) == 200
