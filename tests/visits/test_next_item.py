"""A clerk sends somebody on to another item of the hall: the next stop of one visit."""

from datetime import UTC, datetime, timedelta
from typing import Any

from models.database import rows, transaction
from server.sessions.purging import purge
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of, done
from tests.people import Person
from tests.rebuilding import not_told
from tests.visits.coming import a_visit, counter_for, seen, served, states


async def finish(clerk: Person, hall: str, counter: str, **body: Any) -> dict[str, Any]:
    reply = await clerk.at(hall, counter, "finish", body)
    assert reply.status_code == 200, reply.text
    over: dict[str, Any] = reply.json()
    return over


async def test_a_single_number_becomes_a_visit_with_its_place_kept(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, mine = await a_ticket(api, hall, "A")
    _, other = await a_ticket(api, hall, "B")
    counter, _ = await served(clerk, hall, "A")
    following = api.item(hall, "B")
    over = await finish(clerk, hall, counter, outcome="done", next_item=following)
    assert (over["id"], over["state"]) == (mine["id"], "finished")
    ticket = (await lin.get(f"/tickets/{over['next_ticket']}")).json()
    assert (ticket["item"], ticket["visit"], ticket["ahead"]) == (following, over["visit"], 0)
    visit = await seen(lin, {"id": over["visit"]})
    assert states(visit) == {mine["item"]: "finished", following: "waiting"}
    assert (visit["bundle"], visit["form"], visit["now"]) == (None, None, ticket["id"])
    [row] = await rows("SELECT outcome FROM ticket WHERE id = $1", mine["id"])
    assert row["outcome"] == "done"
    counter, called = await served(clerk, hall, "B")
    assert called["id"] == ticket["id"] != other["id"]
    await finish(clerk, hall, counter)
    assert (await seen(lin, visit))["state"] == "finished"
    assert await not_told() == []


async def test_in_a_visit_it_is_done_next_and_the_rest_afterwards(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    added = api.item(hall, "E")
    counter, _ = await served(clerk, hall, "A")
    await finish(clerk, hall, counter, next_item=added)
    assert states(await seen(lin, visit)) == {one: "finished", added: "waiting", two: "pending"}
    counter, _ = await served(clerk, hall, "E")
    await finish(clerk, hall, counter)
    assert states(await seen(lin, visit)) == {one: "finished", added: "finished", two: "waiting"}


async def test_a_stop_still_to_come_is_only_brought_forward(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two, three] = await a_visit(api, hall, "A", "B", "E")
    counter, _ = await served(clerk, hall, "A")
    await finish(clerk, hall, counter, next_item=three)
    now = await seen(lin, visit)
    assert states(now) == {one: "finished", three: "waiting", two: "pending"}
    assert [stop["item"] for stop in now["stops"]] == [one, three, two]


async def test_what_cannot_be_next_is_refused_and_she_is_still_served(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, mine = await a_ticket(api, hall, "A")
    counter, _ = await served(clerk, hall, "A")
    own = api.item(hall, "E")
    assert (await lin.take(hall, own)).status_code == 201
    elsewhere = next(
        code
        for code in api.services.directory.items
        if code not in api.services.directory.hall(hall).offers
    )
    await rows(
        "UPDATE line SET state = 'paused' WHERE hall_id = $1 AND code = 'B'",
        api.services.directory.hall(hall).id,
    )
    for item, refusal in (
        ("no-such-item", (404, "not_found")),
        (elsewhere, (422, "item_not_offered")),
        (own, (409, "already_in_line")),
        (api.item(hall, "B"), (409, "line_closed")),
        ("", (422, "invalid_request")),
    ):
        reply = await clerk.at(hall, counter, "finish", {"next_item": item})
        assert code_of(reply) == refusal, item
    assert (await lin.get(f"/tickets/{mine['id']}")).json()["state"] == "serving"
    assert (await lin.get("/visits")).json()["data"] == []


async def test_nobody_is_sent_on_who_is_not_being_served(
    api: Api, hall: str, clerk: Person
) -> None:
    await a_ticket(api, hall, "A")
    counter = await counter_for(clerk, hall, "A")
    body = {"next_item": api.item(hall, "B")}
    assert code_of(await clerk.at(hall, counter, "finish", body)) == (409, "wrong_state")
    await done(clerk, hall, counter, "call-next")
    assert code_of(await clerk.at(hall, counter, "finish", body)) == (409, "wrong_state")
    assert code_of(await clerk.at(hall, "99", "finish", body)) == (404, "not_found")


async def test_taken_back_there_is_no_visit_and_no_second_number(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, mine = await a_ticket(api, hall, "A")
    counter, _ = await served(clerk, hall, "A")
    over = await finish(clerk, hall, counter, next_item=api.item(hall, "B"))
    undone = await done(clerk, hall, counter, "undo")
    assert (undone["id"], undone["state"], undone["visit"]) == (mine["id"], "serving", None)
    assert (await lin.get("/visits")).json()["data"] == []
    withdrawn = (await lin.get(f"/tickets/{over['next_ticket']}")).json()
    assert withdrawn["state"] == "cancelled"
    again = await finish(clerk, hall, counter, next_item=api.item(hall, "B"))
    assert again["next_ticket"] != over["next_ticket"]
    assert len((await lin.get("/visits")).json()["data"]) == 1
    assert await not_told() == []


async def test_taken_back_in_a_visit_the_added_stop_is_gone(
    api: Api, hall: str, clerk: Person
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    counter, _ = await served(clerk, hall, "A")
    await finish(clerk, hall, counter, next_item=api.item(hall, "E"))
    await done(clerk, hall, counter, "undo")
    assert states(await seen(lin, visit)) == {one: "serving", two: "pending"}


async def test_somebody_without_a_name_is_sent_on_too(api: Api, hall: str, clerk: Person) -> None:
    taken = await clerk.post(f"/halls/{hall}/tickets", {"item": api.item(hall, "A")})
    assert taken.status_code == 201, taken.text
    counter, _ = await served(clerk, hall, "A")
    over = await finish(clerk, hall, counter, next_item=api.item(hall, "B"))
    counter, called = await served(clerk, hall, "B")
    assert (called["id"], called["visit"]) == (over["next_ticket"], over["visit"])
    shown = (await clerk.get(f"/halls/{hall}/counters/{counter}/visit")).json()
    assert [stop["state"] for stop in shown["stops"]] == ["finished", "serving"]


async def test_the_name_given_at_the_desk_is_shown_with_every_number_that_follows(
    api: Api, hall: str, clerk: Person
) -> None:
    given = {"item": api.item(hall, "A"), "name": "欧阳小花"}
    first = (await clerk.post(f"/halls/{hall}/tickets", given)).json()
    assert first["name"] == "欧**"
    counter, _ = await served(clerk, hall, "A")
    sent = await clerk.at(hall, counter, "transfer", {"line": "E"})
    assert sent.json()["name"] == first["name"]
    counter, called = await served(clerk, hall, "E")
    assert (called["id"], called["name"]) == (first["id"], first["name"])
    for line in ("B", "D"):
        over = await finish(clerk, hall, counter, next_item=api.item(hall, line))
        counter, called = await served(clerk, hall, line)
        assert (called["id"], called["name"]) == (over["next_ticket"], first["name"])
    [row] = await rows("SELECT shown_as FROM ticket WHERE id = $1", called["id"])
    assert row["shown_as"] == first["name"]
    async with transaction() as tx:
        past = datetime.now(UTC) - timedelta(days=8)
        await tx.run("UPDATE ticket_holder SET kept_at = $2 WHERE id = $1", called["id"], past)
    await purge()
    [row] = await rows("SELECT shown_as FROM ticket WHERE id = $1", called["id"])
    assert row["shown_as"] is None
