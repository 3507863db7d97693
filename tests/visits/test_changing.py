"""Whatever befalls a visit on its way, it goes on or ends: it is never nowhere."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from models.database import StatementCount, rows
from server.tickets.day_end import lapse_past_days
from server.visits.tending import tend_visits
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of
from tests.people import Person
from tests.rebuilding import not_told
from tests.visits.coming import a_visit, counter_for, done, seen, served, states, stop_of


@pytest.fixture
async def hall(api: Api) -> str:
    return await api.quiet_hall()


@pytest.fixture
async def clerk(api: Api, hall: str) -> Person:
    return await api.clerk(hall)


async def tend(api: Api) -> int:
    room = api.services
    return await tend_visits(
        room.directory.codes, now=room.clock.now(), directory=room.directory, feed=room.feed
    )


async def pause(api: Api, hall: str, *lines: str, state: str = "paused") -> None:
    await rows(
        "UPDATE line SET state = $3 WHERE hall_id = $1 AND code = ANY($2)",
        api.services.directory.hall(hall).id,
        list(lines),
        state,
    )


def halls_without_b(api: Api) -> list[str]:
    return [entry.code for entry in api.services.directory.halls.values() if "B" not in entry.lines]


async def change(lin: Person, visit: dict[str, Any], action: str, body: Any = None) -> Any:
    reply = await lin.post(f"/visits/{visit['id']}/{action}", body)
    assert reply.status_code == 200, reply.text
    return reply.json()


# --- given up


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
    assert await tend(api) == 0
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
    assert first["visit"] == visit["id"]
    await done(theirs, elsewhere, counter, "finish")
    over = await seen(lin, visit)
    assert (over["state"], states(over)) == ("finished", {one: "finished", two: "left_out"})
    assert stop_of(over, two)["reason"] == "not_offered"


# --- lines that take nobody


async def test_a_paused_line_is_passed_over_for_another(api: Api, hall: str, clerk: Person) -> None:
    lin, visit, [one, two, three] = await a_visit(api, hall, "A", "B", "E")
    await pause(api, hall, "B")
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    assert states(await seen(lin, visit)) == {one: "finished", two: "pending", three: "waiting"}


async def test_where_every_line_is_paused_she_waits_and_goes_on_when_one_opens(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    await pause(api, hall, "B")
    counter, _ = await served(clerk, hall, "A")
    over = await done(clerk, hall, counter, "finish")
    now = await seen(lin, visit)
    assert (over["next_ticket"], now["state"], now["waiting_for"]) == (None, "open", "line_open")
    assert states(now) == {one: "finished", two: "pending"}
    assert await tend(api) == 0
    await pause(api, hall, "B", state="open")
    assert await tend(api) == 1
    assert await tend(api) == 0
    now = await seen(lin, visit)
    assert states(now)[two] == "waiting"
    # Whoever still looks at the number that is over learns of the next.
    assert (await lin.get(f"/tickets/{over['id']}")).json()["next_ticket"] == now["now"]


async def test_whom_nobody_takes_yet_costs_one_look_and_no_lock(
    api: Api, hall: str, clerk: Person
) -> None:
    await pause(api, hall, "B")
    for _ in range(3):
        await a_visit(api, hall, "A", "B")
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    for _ in range(2):
        await done(clerk, hall, counter, "call-next", "start", "finish")
    spent = []
    for _ in range(5):
        before = StatementCount.total
        assert await tend(api) == 0
        spent.append(StatementCount.total - before)
    assert min(spent) == 1
    await pause(api, hall, "B", state="open")
    assert await tend(api) == 3


async def test_a_worker_looks_after_the_visits_of_its_own_halls(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [_, two] = await a_visit(api, hall, "A", "B")
    await pause(api, hall, "B")
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    await pause(api, hall, "B", state="open")
    room = api.services
    others = set(room.directory.codes) - {hall}
    for halls, moved in ((others, 0), ({hall}, 1)):
        went_on = await tend_visits(
            halls, now=room.clock.now(), directory=room.directory, feed=room.feed
        )
        assert went_on == moved
    assert states(await seen(lin, visit))[two] == "waiting"


async def test_what_must_come_after_a_stop_of_a_paused_line_waits_for_it(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two, three] = await a_visit(api, hall, "A", "B", "E")
    await rows(
        "UPDATE visit_stop SET after = ARRAY[$3::uuid] WHERE visit_id = $1 AND item_id = $2",
        visit["id"],
        api.services.directory.item(three).id,
        api.services.directory.item(two).id,
    )
    await pause(api, hall, "B")
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    assert await tend(api) == 0
    await pause(api, hall, "B", state="open")
    assert await tend(api) == 1
    assert states(await seen(lin, visit)) == {one: "finished", two: "waiting", three: "pending"}


async def test_a_line_that_gives_out_no_more_numbers_today_is_as_good_as_paused(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [_, two, three] = await a_visit(api, hall, "A", "B", "E")
    await rows(
        "UPDATE line SET issuing = 'stopped', issuing_on = '2026-11-23' WHERE hall_id = $1"
        " AND code = 'B'",
        api.services.directory.hall(hall).id,
    )
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    assert states(await seen(lin, visit))[three] == "waiting"
    counter, _ = await served(clerk, hall, "E")
    await done(clerk, hall, counter, "finish")
    assert (await seen(lin, visit))["waiting_for"] == "line_open"
    await rows(
        "UPDATE line SET issuing = 'auto', issuing_on = NULL WHERE hall_id = $1 AND code = 'B'",
        api.services.directory.hall(hall).id,
    )
    assert await tend(api) == 1
    assert states(await seen(lin, visit))[two] == "waiting"


async def test_a_number_she_has_for_an_item_already_is_not_given_again(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [_, two, three] = await a_visit(api, hall, "A", "B", "E")
    own = await lin.take(hall, two)
    assert own.status_code == 201
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    now = await seen(lin, visit)
    assert (stop_of(now, two)["reason"], states(now)[three]) == ("already_in_line", "waiting")


# --- the day's end


async def test_a_visit_ends_with_its_day(api: Api, hall: str, clerk: Person) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    missed, late, _ = await a_visit(api, hall, "E", "B")
    counter = await counter_for(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "miss")
    api.turn_clock("2026-11-24T00:01:00+08:00")
    await lapse_past_days(now=api.services.clock.now(), feed=api.services.feed)
    assert await tend(api) >= 2
    over = await seen(lin, visit)
    assert (over["state"], over["now"]) == ("day_ended", None)
    assert states(over) == {one: "cancelled", two: "left_out"}
    assert (await seen(missed, late))["state"] == "day_ended"
    assert await tend(api) == 0


async def test_a_day_that_ends_early_ends_visits_too(api: Api, hall: str) -> None:
    lin, visit, _ = await a_visit(api, hall, "A", "B")
    await rows(
        "UPDATE ticket SET state = 'cancelled', lapsed = true, ended_at = $2 WHERE id = $1",
        visit["now"],
        api.services.clock.now(),
    )
    await rows(
        "INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind)"
        " SELECT id, hall_id, ended_at, 'lapse', 'cancelled', 'system' FROM ticket WHERE id = $1",
        visit["now"],
    )
    assert await tend(api) == 1
    assert (await seen(lin, visit))["state"] == "day_ended"


# --- taken back


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
