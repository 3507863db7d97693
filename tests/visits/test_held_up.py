"""A visit whose next line takes nobody, and one whose day ends."""

from models.database import StatementCount, rows
from server.tickets.day_end import lapse_past_days
from server.visits.tending import tend_visits
from tests.conftest import Api
from tests.counters.halls import code_of
from tests.people import Person
from tests.visits.coming import (
    a_visit,
    counter_for,
    done,
    pause,
    seen,
    served,
    states,
    stop_of,
    tend,
)

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
    assert await tend(api, hall) == 0
    await pause(api, hall, "B", state="open")
    assert await tend(api, hall) == 1
    assert await tend(api, hall) == 0
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
        assert await tend(api, hall) == 0
        spent.append(StatementCount.total - before)
    assert min(spent) == 1
    await pause(api, hall, "B", state="open")
    assert await tend(api, hall) == 3


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

    async def moved_on(halls: set[str]) -> int:
        return await tend_visits(
            halls, now=room.clock.now(), directory=room.directory, feed=room.feed
        )

    await moved_on(others)  # whom other tests left behind
    assert await moved_on(others) == 0
    assert states(await seen(lin, visit))[two] == "pending"
    assert await moved_on({hall}) == 1
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
    assert await tend(api, hall) == 0
    await pause(api, hall, "B", state="open")
    assert await tend(api, hall) == 1
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
    assert await tend(api, hall) == 1
    assert states(await seen(lin, visit))[two] == "waiting"


async def test_a_stop_to_come_is_not_taken_apart_from_its_visit(api: Api, hall: str) -> None:
    other = await api.quiet_hall()
    lin, visit, [_, two] = await a_visit(api, hall, "A", "B")
    for where in (hall, other):
        assert code_of(await lin.take(where, two)) == (409, "planned_in_visit")
    assert states(await seen(lin, visit))[two] == "pending"
    assert (await lin.post(f"/visits/{visit['id']}/skip", {"item": two})).status_code == 200
    assert (await lin.take(other, two)).status_code == 201


async def test_a_number_she_has_for_an_item_already_is_not_given_again(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [_, two, three] = await a_visit(api, hall, "A", "B", "E")
    # As where she took it through another account that turns out to be hers.
    again = await api.citizen()
    own = (await again.take(hall, two)).json()
    await rows(
        "UPDATE ticket SET nth_of_day = NULL,"
        " citizen_id = (SELECT citizen_id FROM visit WHERE id = $2) WHERE id = $1",
        own["id"],
        visit["id"],
    )
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
    assert await tend(api, hall) >= 2
    over = await seen(lin, visit)
    assert (over["state"], over["now"]) == ("day_ended", None)
    assert states(over) == {one: "cancelled", two: "left_out"}
    assert (await seen(missed, late))["state"] == "day_ended"
    assert await tend(api, hall) == 0


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
    assert await tend(api, hall) == 1
    assert (await seen(lin, visit))["state"] == "day_ended"
