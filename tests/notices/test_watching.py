"""Who waits is told what matters to her, from what the worker shows anyway."""

from typing import Any

import pytest

from server.notices.watching import NoticeWatch
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, done, open_counters
from tests.notices.post import Post, notices_of
from tests.people import Person
from tests.waits.foretelling import nothing_foretold


class Line:
    """A line of people, and a worker that watches over it."""

    def __init__(self, api: Api, hall: str) -> None:
        self.api, self.hall = api, hall
        self.watch = NoticeWatch(
            held=lambda: {hall},
            shown=api.projector.shown,
            directory=lambda: api.services.directory,
            clock=api.services.clock,
        )
        self.people: list[tuple[Person, dict[str, Any]]] = []

    async def joined_by(self, many: int) -> None:
        for _ in range(many):
            self.people.append(await a_ticket(self.api, self.hall))
        await self.shows(lambda waiting: len(waiting) == len(self.people))

    async def shows(self, true: Any) -> None:
        def holds() -> bool:
            shown = self.api.projector.shown(self.hall)
            waiting = [t for t in shown.tickets if t.view.ahead is not None] if shown else []
            return bool(true(waiting))

        await until(holds)

    async def goes_on(self, counter: str, many: int) -> None:
        clerk = await self.api.clerk(self.hall)
        for _ in range(many):
            await done(clerk, self.hall, counter, "call-next", "start", "finish")
        left = len(self.people) - many
        await self.shows(lambda waiting: len(waiting) == left)

    async def kinds(self, nth: int) -> list[str]:
        return [notice["kind"] for notice in await notices_of(self.people[nth][0])]


@pytest.fixture
def line(api: Api, hall: str) -> Line:
    return Line(api, hall)


async def test_a_line_that_jumps_tells_those_who_are_near_now_once_each(
    api: Api, hall: str, post: Post, line: Line
) -> None:
    async with nothing_foretold(api, hall):
        await line.joined_by(7)
        assert await line.watch.look() == 0
        clerk = await api.clerk(hall)
        [counter, *_] = await open_counters(clerk, hall, "E")
        await line.goes_on(counter, 3)
        # The fourth and after were three ahead or fewer before, or are now; two are news.
        assert await line.watch.look() == 3
        assert await line.watch.look() == 0
        assert [await line.kinds(nth) for nth in (4, 5, 6)] == [["turn_near"]] * 3
        # Another worker remembers nothing of it, and tells nobody twice.
        api.later(minutes=5)
        other = Line(api, hall)
        await other.watch.look()
        assert [await line.kinds(nth) for nth in (4, 5, 6)] == [["turn_near"]] * 3


async def test_who_asked_for_it_is_told_earlier(
    api: Api, hall: str, post: Post, line: Line
) -> None:
    async with nothing_foretold(api, hall):
        await line.joined_by(7)
        last = line.people[6][0]
        assert (await last.put("/me/notice-preferences", {"ahead": 5})).status_code == 200
        await line.watch.look()
        clerk = await api.clerk(hall)
        [counter, *_] = await open_counters(clerk, hall, "E")
        await line.goes_on(counter, 1)
        await line.watch.look()
        [notice] = await notices_of(last)
        assert notice["kind"] == "turn_near"
        assert "前面还有5人，很快轮到您" in notice["body"], "nobody can say in how many minutes"


async def test_near_is_not_said_to_who_is_called_before_it_is_sent(
    api: Api, hall: str, post: Post, line: Line
) -> None:
    async with nothing_foretold(api, hall):
        await line.joined_by(5)
        await line.watch.look()
        last = line.people[4][0]
        await post.allow(last, "turn_near", "ticket_called")
        await post.until_allowed(last, "turn_near", 1)
        clerk = await api.clerk(hall)
        [counter, *_] = await open_counters(clerk, hall, "E")
        await line.goes_on(counter, 4)
        await line.watch.look()
        await done(clerk, hall, counter, "call-next")
        await post.goes()
        assert [one["template"] for one in await post.sent_to(last)] == ["yiting_ticket_called"]
        states = {notice["kind"]: notice["state"] for notice in await notices_of(last)}
        assert states == {"turn_near": "expired", "ticket_called": "sent"}
