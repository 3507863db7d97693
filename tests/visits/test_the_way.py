"""A visit leads from counter to counter: one sign-in, each number when the last is finished."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from models.database import rows
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of
from tests.people import Person
from tests.rebuilding import not_told
from tests.visits.coming import a_visit, done, items, seen, served, states, stop_of


async def rank_times(*ticket_ids: str) -> list[Any]:
    found = await rows(
        "SELECT rank_time FROM ticket WHERE id = ANY($1::uuid[]) ORDER BY id", list(ticket_ids)
    )
    return [row["rank_time"] for row in found]


async def test_one_sign_in_gives_one_number_and_the_rest_is_to_come(api: Api, hall: str) -> None:
    lin, visit, wanted = await a_visit(api, hall, "A", "B", "E")
    assert visit["state"] == "open"
    assert [stop["item"] for stop in visit["stops"]] == wanted
    assert list(states(visit).values()) == ["waiting", "pending", "pending"]
    first = visit["stops"][0]
    assert (first["number"], first["line"], visit["now"]) == ("A001", "A", first["ticket"])
    ticket = (await lin.get(f"/tickets/{first['ticket']}")).json()
    assert (ticket["visit"], ticket["next_ticket"]) == (visit["id"], None)
    mine = (await lin.get("/tickets")).json()["data"]
    assert [one["id"] for one in mine] == [first["ticket"]]
    assert {need["name"] for need in visit["materials"]} >= {"居民身份证"}


async def test_finishing_a_stop_gives_the_next_number_with_her_place_kept(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    # Somebody who came to the second line later, but before she gets there.
    _, later = await a_ticket(api, hall, "B")
    counter, first = await served(clerk, hall, "A")
    over = await done(clerk, hall, counter, "finish")
    assert (over["id"], over["state"], over["visit"]) == (first["id"], "finished", visit["id"])
    now = await seen(lin, visit)
    assert states(now) == {one: "finished", two: "waiting"}
    assert over["next_ticket"] == now["now"] == stop_of(now, two)["ticket"]
    ticket = (await lin.get(f"/tickets/{now['now']}")).json()
    assert (ticket["line"], ticket["number"], ticket["ahead"]) == ("B", "B002", 0)
    assert len(set(await rank_times(first["id"], now["now"]))) == 1
    counter, called = await served(clerk, hall, "B")
    assert called["id"] == now["now"] != later["id"]
    assert (await done(clerk, hall, counter, "finish"))["next_ticket"] is None
    at_the_end = await seen(lin, visit)
    assert (at_the_end["state"], at_the_end["now"]) == ("finished", None)
    assert at_the_end["materials"] == []
    assert await not_told() == []


async def test_the_phone_learns_the_next_number_on_the_socket_and_the_board_counts_it(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, _ = await a_visit(api, hall, "A", "B")
    counter, first = await served(clerk, hall, "A")
    over = await done(clerk, hall, counter, "finish")
    memory = api.services.feed.memory

    def projected() -> bool:
        finished = memory.projected(UUID(first["id"]))
        return finished is not None and str(finished.view.next_ticket) == over["next_ticket"]

    await until(projected)
    assert {line.code: line.waiting for line in memory.halls[hall].board.lines}["B"] == 1
    ticket = (await lin.get(f"/tickets/{over['next_ticket']}")).json()
    assert (ticket["visit"], ticket["state"]) == (visit["id"], "waiting")


async def test_the_shorter_line_comes_first_and_the_rest_is_ordered_anew(
    api: Api, hall: str, clerk: Person
) -> None:
    for line in ("A", "A", "A", "B"):
        await a_ticket(api, hall, line)
    for line in ("A", "B", "E"):
        counters = (await clerk.get(f"/halls/{hall}/counters")).json()["data"]
        code = next(one["code"] for one in counters if one["skills"][0] == line)
        await clerk.at(hall, code, "open", {"lines": [line]})
    lin, visit, [a, b, e] = await a_visit(api, hall, "A", "B", "E")
    assert [stop["item"] for stop in visit["stops"]] == [e, b, a]
    # The long line empties meanwhile, and the other grows by people who come after her.
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    for _ in range(2):
        await done(clerk, hall, counter, "call-next", "start", "finish")
    counter, mine = await served(clerk, hall, "E")
    assert mine["visit"] == visit["id"]
    await done(clerk, hall, counter, "finish")
    assert [stop["item"] for stop in (await seen(lin, visit))["stops"]] == [e, a, b]


async def test_the_last_stop_done_ends_the_visit_and_a_new_one_may_begin(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, wanted = await a_visit(api, hall, "E", "E")
    counter, _ = await served(clerk, hall, "E")
    await done(clerk, hall, counter, "finish")
    await done(clerk, hall, counter, "call-next", "start", "finish")
    assert (await seen(lin, visit))["state"] == "finished"
    again = await lin.post("/visits", {"hall": hall, "items": wanted})
    assert again.status_code == 201
    found = (await lin.get("/visits")).json()
    assert [one["id"] for one in found["data"]] == [again.json()["id"], visit["id"]]
    first = (await lin.get("/visits", params={"limit": 1})).json()
    assert first["next_cursor"] == again.json()["id"]
    rest = (await lin.get("/visits", params={"cursor": first["next_cursor"]})).json()
    assert [one["id"] for one in rest["data"]] == [visit["id"]]


async def least_statements(api: Api, ask: Callable[[], Awaitable[Any]]) -> int:
    """What a request costs; the worker beside us reads now and then, so the least of several."""
    spent = []
    for _ in range(5):
        reply, statements = await api.statements(ask())
        assert reply.status_code == 200
        spent.append(statements)
    return min(spent)


async def test_looking_at_a_visit_costs_one_statement(api: Api, hall: str) -> None:
    lin, visit, _ = await a_visit(api, hall, "A", "B", "E")
    assert await least_statements(api, lambda: lin.get(f"/visits/{visit['id']}")) == 1
    assert await least_statements(api, lambda: lin.get("/visits")) == 1


async def test_an_ordinary_finish_stays_one_statement(api: Api, hall: str, clerk: Person) -> None:
    spent = []
    for _ in range(5):
        await a_ticket(api, hall, "E")
        counter, _ = await served(clerk, hall, "E")
        reply, statements = await api.statements(clerk.at(hall, counter, "finish"))
        assert reply.status_code == 200
        spent.append(statements)
    assert min(spent) == 1


async def test_a_visit_is_nobody_elses(api: Api, hall: str) -> None:
    _, visit, [one, _] = await a_visit(api, hall, "A", "B")
    other = await api.citizen()
    for reply in (
        await other.get(f"/visits/{visit['id']}"),
        await other.post(f"/visits/{visit['id']}/cancel"),
        await other.post(f"/visits/{visit['id']}/skip", {"item": one}),
        await other.get("/visits/no-id"),
        await other.post("/visits/no-id/cancel"),
    ):
        assert code_of(reply) == (404, "not_found")
    assert (await other.get("/visits")).json() == {"data": [], "next_cursor": None}


async def test_a_line_that_is_full_takes_her_all_the_same_when_it_is_her_turn(
    api: Api, hall: str, clerk: Person
) -> None:
    await rows(
        "UPDATE line SET waiting_limit = 1 WHERE hall_id = $1 AND code = 'B'",
        api.services.directory.hall(hall).id,
    )
    lin, visit, [_, two] = await a_visit(api, hall, "A", "B")
    await a_ticket(api, hall, "B")
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    assert states(await seen(lin, visit))[two] == "waiting"


async def test_items_of_one_line_follow_each_other(api: Api, hall: str, clerk: Person) -> None:
    lin, visit, wanted = await a_visit(api, hall, "E", "E", "E")
    assert wanted == items(api, hall, "E", "E", "E")
    for at in range(3):
        counter, mine = await served(clerk, hall, "E")
        assert mine["item"] == wanted[at]
        await done(clerk, hall, counter, "finish")
    assert (await seen(lin, visit))["state"] == "finished"
