"""A finish that is taken back, and the visit that had gone on."""

from datetime import datetime, timedelta

from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of
from tests.people import Person
from tests.rebuilding import not_told
from tests.visits.coming import (
    a_visit,
    change,
    counter_for,
    done,
    pause,
    seen,
    served,
    states,
)


async def test_a_finish_taken_back_takes_the_next_number_with_it(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    counter, first = await served(clerk, hall, "A")
    over = await done(clerk, hall, counter, "finish")
    undone = await done(clerk, hall, counter, "undo")
    assert (undone["id"], undone["state"]) == (first["id"], "serving")
    now = await seen(lin, visit)
    assert states(now) == {one: "serving", two: "pending"}
    withdrawn = (await lin.get(f"/tickets/{over['next_ticket']}")).json()
    assert withdrawn["state"] == "cancelled"
    again = await done(clerk, hall, counter, "finish")
    assert again["next_ticket"] not in {None, over["next_ticket"]}
    assert states(await seen(lin, visit)) == {one: "finished", two: "waiting"}
    assert await not_told() == []


async def test_a_finish_is_not_taken_back_once_she_is_called_to_the_next_counter(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    other = await counter_for(clerk, hall, "B")
    await done(clerk, hall, other, "call-next")
    assert code_of(await clerk.at(hall, counter, "undo")) == (409, "wrong_state")
    assert states(await seen(lin, visit)) == {one: "finished", two: "called"}


async def test_a_last_finish_taken_back_opens_the_visit_again(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "E", "E")
    counter, _ = await served(clerk, hall, "E")
    await done(clerk, hall, counter, "finish", "call-next", "start", "finish")
    assert (await seen(lin, visit))["state"] == "finished"
    await done(clerk, hall, counter, "undo")
    now = await seen(lin, visit)
    assert (now["state"], states(now)) == ("open", {one: "finished", two: "serving"})
    await done(clerk, hall, counter, "finish")
    assert (await seen(lin, visit))["state"] == "finished"


async def test_a_finish_taken_back_does_not_revive_a_visit_that_she_gave_up(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    await pause(api, hall, "B")
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    over = await change(lin, visit, "cancel")
    assert code_of(await clerk.at(hall, counter, "undo")) == (409, "wrong_state")
    after = await seen(lin, visit)
    assert (after["state"], states(after)) == ("cancelled", states(over))
    assert (over["state"], states(over)) == ("cancelled", {one: "finished", two: "left_out"})


async def test_a_finish_taken_back_leaves_out_what_she_left_out_meanwhile(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    await pause(api, hall, "B")
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    assert (await change(lin, visit, "skip", {"item": two}))["state"] == "finished"
    await done(clerk, hall, counter, "undo")
    now = await seen(lin, visit)
    assert (now["state"], states(now)) == ("open", {one: "serving", two: "left_out"})


async def test_after_half_a_minute_nothing_is_taken_back(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [_, two] = await a_visit(api, hall, "A", "B")
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    later: datetime = api.services.clock.now() + timedelta(seconds=31)
    api.turn_clock(later.isoformat())
    assert code_of(await clerk.at(hall, counter, "undo")) == (409, "nothing_to_undo")
    assert states(await seen(lin, visit))[two] == "waiting"


async def test_others_are_not_overtaken_by_more_than_her_sign_in_says(
    api: Api, hall: str, clerk: Person
) -> None:
    _, before = await a_ticket(api, hall, "B")
    lin, visit, _ = await a_visit(api, hall, "A", "B")
    _, after = await a_ticket(api, hall, "B")
    counter, _ = await served(clerk, hall, "A")
    over = await done(clerk, hall, counter, "finish")
    order = (await lin.get(f"/tickets/{over['next_ticket']}/order")).json()
    assert [ahead["number"] for ahead in order["ahead"]] == [before["number"]]
    assert order["since"] == visit["begun_at"]
    assert after["number"] == "B002"
