"""Beyond the plain visit: calling again, what the board shows of it, parking."""

from datetime import datetime

from server.tickets.day_end import lapse_past_days
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of, done, moves_of, open_counters
from tests.people import Person

# --- calling again


async def test_who_does_not_come_is_called_again_as_often_as_the_hall_allows(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    for time in (1, 2):
        again = await done(clerk, hall, counter, "recall")
        assert (again["state"], again["recalls"]) == ("called", time)
    assert (await lin.get(f"/tickets/{ticket['id']}")).json()["recalls"] == 2
    assert code_of(await clerk.at(hall, counter, "recall")) == (409, "recall_limit")
    assert (await done(clerk, hall, counter, "miss"))["state"] == "missed"


async def test_the_board_shows_who_is_called_again_first_and_once(
    api: Api, hall: str, clerk: Person
) -> None:
    counters = await open_counters(clerk, hall, "E")
    numbers = [(await a_ticket(api, hall))[1]["number"] for _ in range(2)]
    for counter in counters[:2]:
        await done(clerk, hall, counter, "call-next")
    api.later(seconds=5)
    await done(clerk, hall, counters[0], "recall")

    def called() -> list[str]:
        return [call.number for call in api.services.feed.memory.halls[hall].board.called]

    await until(lambda: called() == numbers)


async def test_a_call_taken_back_is_not_on_the_board_any_more(
    api: Api, hall: str, clerk: Person
) -> None:
    _, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next")
    board = api.services.feed.memory.halls

    await until(lambda: [call.number for call in board[hall].board.called] == [ticket["number"]])
    await done(clerk, hall, counter, "undo")
    await until(lambda: board[hall].board.called == () and board[hall].waiting == 1)


async def test_the_board_lists_who_is_at_a_counter_and_nobody_who_has_left(
    api: Api, hall: str, clerk: Person
) -> None:
    counters = (await open_counters(clerk, hall, "E"))[:3]
    tickets = [await a_ticket(api, hall) for _ in range(5)]
    numbers = [ticket["number"] for _, ticket in tickets]

    async def shows(*expected: tuple[int, str]) -> None:
        halls, wanted = (
            api.services.feed.memory.halls,
            [(numbers[n], state) for n, state in expected],
        )
        await until(lambda: [(one.number, one.state) for one in halls[hall].board.called] == wanted)

    for counter in counters:
        await done(clerk, hall, counter, "call-next")
        api.later(seconds=1)
    await shows((2, "called"), (1, "called"), (0, "called"))
    await done(clerk, hall, counters[2], "start")
    await shows((1, "called"), (0, "called"), (2, "serving"))
    await done(clerk, hall, counters[2], "finish")
    await shows((1, "called"), (0, "called"))
    await done(clerk, hall, counters[1], "miss")
    await shows((0, "called"))
    await done(clerk, hall, counters[0], "start", "park")
    await shows()
    await done(clerk, hall, counters[0], "resume")
    await shows((0, "serving"))
    await done(clerk, hall, counters[1], "call-next")
    await shows((3, "called"), (0, "serving"))
    assert (await tickets[3][0].post(f"/tickets/{tickets[3][1]['id']}/cancel")).status_code == 200
    await shows((0, "serving"))
    await done(clerk, hall, counters[1], "call-next")
    assert (await clerk.at(hall, counters[1], "transfer", {"line": "A"})).status_code == 200
    await shows((0, "serving"))


# --- parking


async def test_a_parked_person_leaves_the_counter_free_and_is_gone_on_with(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, first = await a_ticket(api, hall)
    _, second = await a_ticket(api, hall)
    [counter, other, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "start")
    assert (await done(clerk, hall, counter, "park"))["state"] == "parked"
    shown = (await lin.get(f"/tickets/{first['id']}")).json()
    assert (shown["state"], shown["ahead"]) == ("parked", None)
    assert (await done(clerk, hall, counter, "call-next"))["number"] == second["number"]
    assert code_of(await clerk.at(hall, counter, "resume")) == (409, "wrong_state")
    # Another counter goes on with her, if it knows her number.
    assert code_of(await clerk.at(hall, other, "resume")) == (409, "nobody_parked")
    resumed = await clerk.at(hall, other, "resume", {"number": first["number"]})
    assert (resumed.json()["state"], resumed.json()["counter"]) == ("serving", other)
    assert (await done(clerk, hall, other, "finish"))["state"] == "finished"
    assert await moves_of(first["id"]) == ["issue", "call", "start", "park", "resume", "finish"]


async def test_of_several_parked_the_first_by_rank_is_gone_on_with(
    api: Api, hall: str, clerk: Person
) -> None:
    tickets = [(await a_ticket(api, hall))[1] for _ in range(2)]
    [counter, *_] = await open_counters(clerk, hall, "E")
    for _ in tickets:
        await done(clerk, hall, counter, "call-next", "start", "park")
    for ticket in tickets:
        assert (await done(clerk, hall, counter, "resume"))["number"] == ticket["number"]
        await done(clerk, hall, counter, "finish")


async def test_a_parked_person_may_give_up(api: Api, hall: str, clerk: Person) -> None:
    lin, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "start", "park")
    assert (await lin.post(f"/tickets/{ticket['id']}/cancel")).json()["state"] == "cancelled"
    assert code_of(await clerk.at(hall, counter, "resume")) == (409, "nobody_parked")


async def test_the_days_end_gives_whoever_is_parked_called_or_held_an_outcome(
    api: Api, hall: str, clerk: Person
) -> None:
    people = [await a_ticket(api, hall) for _ in range(4)]
    [counter, other, *_] = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "start", "park")
    await done(clerk, hall, counter, "call-next")
    await done(clerk, hall, other, "call-next", "start")
    await clerk.at(hall, other, "transfer", {"counter": counter})
    next_day = datetime.fromisoformat("2026-11-24T00:01:00+08:00")
    await lapse_past_days(now=next_day, feed=api.services.feed)
    ended = [(await lin.get(f"/tickets/{ticket['id']}")).json() for lin, ticket in people]
    assert [one["state"] for one in ended] == ["cancelled", "missed", "cancelled", "cancelled"]
    assert {one["reason"] for one in ended} == {"day_ended"}
