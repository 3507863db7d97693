"""Whatever befalls a visit on its way, it goes on or ends: it is never nowhere."""

import pytest

from tests.conftest import Api
from tests.counters.halls import code_of
from tests.people import Person
from tests.rebuilding import not_told
from tests.visits.coming import (
    a_visit,
    change,
    counter_for,
    done,
    seen,
    served,
    states,
    stop_of,
    tend,
)


def halls_without_b(api: Api) -> list[str]:
    return [entry.code for entry in api.services.directory.halls.values() if "B" not in entry.lines]


# --- given up


async def test_after_midnight_no_number_is_given_for_the_day_that_is_over(
    api: Api, hall: str
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    api.turn_clock("2026-11-24T00:00:20+08:00")
    now = await change(lin, visit, "skip", {"item": one})
    assert states(now) == {one: "left_out", two: "pending"}
    await tend(api, hall)
    over = await seen(lin, visit)
    assert (over["state"], states(over)[two]) == ("day_ended", "left_out")


async def test_a_visit_given_up_leaves_the_line_and_forgets_the_rest(api: Api, hall: str) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    over = await change(lin, visit, "cancel")
    assert (over["state"], over["now"]) == ("cancelled", None)
    assert states(over) == {one: "cancelled", two: "left_out"}
    assert stop_of(over, two)["reason"] == "visit_ended"
    ticket = (await lin.get(f"/tickets/{visit['now']}")).json()
    assert (ticket["state"], ticket["next_ticket"]) == ("cancelled", None)
    for action, body in (("cancel", None), ("skip", {"item": two})):
        reply = await lin.post(f"/visits/{visit['id']}/{action}", body)
        assert code_of(reply) == (409, "wrong_state")
    assert await not_told() == []


async def test_nobody_gives_up_while_she_is_served(api: Api, hall: str, clerk: Person) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    counter, _ = await served(clerk, hall, "A")
    for action, body in (("cancel", None), ("skip", {"item": one})):
        reply = await lin.post(f"/visits/{visit['id']}/{action}", body)
        assert code_of(reply) == (409, "wrong_state")
    # What is still to come may be left out.
    assert states(await change(lin, visit, "skip", {"item": two}))[two] == "left_out"
    assert (await done(clerk, hall, counter, "finish"))["next_ticket"] is None
    assert (await seen(lin, visit))["state"] == "finished"


async def test_leaving_out_the_stop_whose_turn_it_is_gives_the_next_number(
    api: Api, hall: str
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    now = await change(lin, visit, "skip", {"item": one})
    assert states(now) == {one: "left_out", two: "waiting"}
    assert stop_of(now, one)["reason"] == "skipped"
    before = (await lin.get(f"/tickets/{visit['now']}")).json()
    assert (before["state"], before["next_ticket"]) == ("cancelled", now["now"])
    over = await change(lin, visit, "skip", {"item": two})
    assert (over["state"], states(over)[two]) == ("cancelled", "left_out")


async def test_giving_a_number_up_is_to_leave_its_stop_out(api: Api, hall: str) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    given_up = await lin.post(f"/tickets/{visit['now']}/cancel")
    assert given_up.status_code == 200
    now = await seen(lin, visit)
    assert states(now) == {one: "left_out", two: "waiting"}
    assert given_up.json()["next_ticket"] == now["now"]
    again = await lin.post(f"/tickets/{visit['now']}/cancel")
    assert code_of(again) == (409, "wrong_state")


async def test_no_visit_has_an_item_that_it_has_not(api: Api, hall: str) -> None:
    lin, visit, [one, _] = await a_visit(api, hall, "A", "B")
    for item in ("no-such-item", api.item(hall, "E")):
        reply = await lin.post(f"/visits/{visit['id']}/skip", {"item": item})
        assert code_of(reply) == (404, "item_not_in_visit")
    assert (await lin.post(f"/visits/{visit['id']}/skip", {})).status_code == 422
    assert states(await seen(lin, visit))[one] == "waiting"


# --- missed, parked, sent on


async def test_who_is_missed_keeps_her_visit_and_goes_on_when_she_is_back(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    counter = await counter_for(clerk, hall, "A")
    await done(clerk, hall, counter, "call-next", "miss")
    now = await seen(lin, visit)
    assert (now["state"], now["waiting_for"], now["now"]) == ("open", "return", None)
    assert await tend(api, hall) == 0
    back = await clerk.post(f"/halls/{hall}/tickets/{visit['now']}/return")
    assert back.status_code == 200, back.text
    await done(clerk, hall, counter, "call-next", "start", "finish")
    assert states(await seen(lin, visit)) == {one: "finished", two: "waiting"}


async def test_who_was_missed_may_leave_that_stop_out(api: Api, hall: str, clerk: Person) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    counter = await counter_for(clerk, hall, "A")
    await done(clerk, hall, counter, "call-next", "miss")
    now = await change(lin, visit, "skip", {"item": one})
    assert states(now) == {one: "left_out", two: "waiting"}
    # She has one number at a time: the other is not open again, whoever wants it so.
    for reply in (
        await clerk.post(f"/halls/{hall}/tickets/{visit['now']}/return"),
        await clerk.at(hall, counter, "undo"),
    ):
        assert code_of(reply) == (409, "wrong_state")
    assert states(await seen(lin, visit)) == states(now)


@pytest.mark.parametrize("how", ["return", "undo"])
async def test_a_missed_number_is_not_open_again_once_she_gave_the_visit_up(
    api: Api, hall: str, clerk: Person, how: str
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    counter = await counter_for(clerk, hall, "A")
    await done(clerk, hall, counter, "call-next", "miss")
    over = await change(lin, visit, "cancel")
    assert states(over) == {one: "missed", two: "left_out"}
    if how == "return":
        reply = await clerk.post(f"/halls/{hall}/tickets/{visit['now']}/return")
    else:
        reply = await clerk.at(hall, counter, "undo")
    assert code_of(reply) == (409, "wrong_state")
    after = await seen(lin, visit)
    assert (after["state"], states(after)) == ("cancelled", states(over))


async def test_a_miss_is_taken_back_while_her_visit_waits_for_her(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    counter = await counter_for(clerk, hall, "A")
    await done(clerk, hall, counter, "call-next", "miss", "undo")
    assert states(await seen(lin, visit)) == {one: "called", two: "pending"}


async def test_a_stop_left_out_while_she_is_missed_does_not_hurry_her(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [_, two, three] = await a_visit(api, hall, "A", "B", "E")
    counter = await counter_for(clerk, hall, "A")
    await done(clerk, hall, counter, "call-next", "miss")
    now = await change(lin, visit, "skip", {"item": two})
    assert (states(now)[three], now["waiting_for"]) == ("pending", "return")


async def test_parked_she_is_gone_on_with_and_then_goes_on_herself(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "park")
    assert states(await seen(lin, visit)) == {one: "parked", two: "pending"}
    await done(clerk, hall, counter, "resume", "finish")
    assert states(await seen(lin, visit)) == {one: "finished", two: "waiting"}


async def test_sent_to_another_line_it_is_still_the_same_stop(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    counter, _ = await served(clerk, hall, "A")
    assert (await clerk.at(hall, counter, "transfer", {"line": "E"})).status_code == 200
    assert stop_of(await seen(lin, visit), one)["line"] == "E"
    counter, _ = await served(clerk, hall, "E")
    await done(clerk, hall, counter, "finish")
    assert states(await seen(lin, visit)) == {one: "finished", two: "waiting"}


async def test_gone_to_another_hall_the_visit_goes_on_there(api: Api, clerk: Person) -> None:
    here, there = await api.quiet_hall(), await api.quiet_hall()
    lin, visit, [one, two] = await a_visit(api, here, "A", "E")
    moved = await lin.post(f"/tickets/{visit['now']}/move", {"hall": there})
    assert moved.status_code == 200, moved.text
    theirs = await api.clerk(there)
    counter, _ = await served(theirs, there, "A")
    await done(theirs, there, counter, "finish")
    now = await seen(lin, visit)
    assert (now["hall"], stop_of(now, two)["hall"]) == (there, there)
    assert states(now) == {one: "finished", two: "waiting"}


async def test_nobody_moves_to_a_hall_that_does_not_do_the_rest(api: Api, hall: str) -> None:
    elsewhere = halls_without_b(api)[0]
    lin, visit, [_, two] = await a_visit(api, hall, "E", "B")
    refused = await lin.post(f"/tickets/{visit['now']}/move", {"hall": elsewhere})
    assert code_of(refused) == (422, "item_not_offered")
    assert "跳过" in refused.json()["detail"]
    await change(lin, visit, "skip", {"item": two})
    moved = await lin.post(f"/tickets/{visit['now']}/move", {"hall": elsewhere})
    assert moved.status_code == 200, moved.text
    await change(lin, visit, "cancel")


async def test_what_the_hall_she_is_sent_to_does_not_offer_is_left_out(
    api: Api, hall: str, clerk: Person
) -> None:
    elsewhere = halls_without_b(api)[-1]
    lin, visit, [one, two] = await a_visit(api, hall, "E", "B")
    counter, _ = await served(clerk, hall, "E")
    assert (await clerk.at(hall, counter, "transfer", {"hall": elsewhere})).status_code == 200
    theirs = await api.clerk(elsewhere)
    counter, first = await served(theirs, elsewhere, "E")
    while first["visit"] != visit["id"]:  # whom other tests left here
        first = await done(theirs, elsewhere, counter, "finish", "call-next", "start")
    await done(theirs, elsewhere, counter, "finish")
    over = await seen(lin, visit)
    assert (over["state"], states(over)) == ("finished", {one: "finished", two: "left_out"})
    assert stop_of(over, two)["reason"] == "not_offered"
