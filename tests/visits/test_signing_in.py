"""Signing in for several items: what is asked first, what is refused, for whom, and the form."""

from asyncio import gather
from datetime import date
from typing import Any

import pytest

from models.database import rows
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of, done
from tests.identity.families import a_child_of, a_named_citizen
from tests.identity.people import a_persona, real_name, through
from tests.leaks import LEAKS
from tests.people import Person, an_id_number
from tests.visits.coming import a_visit, counter_for, items, seen, served, states

CHILD, PAPER = "欧阳明月宝", "O440998877665"
OLD_ENOUGH = date(1950, 3, 4)
FORM = {
    "child-name": CHILD,
    "child-sex": "girl",
    "born-on": "2026-11-01",
    "birth-certificate-no": PAPER,
    "household-with": "mother",
}
LEAKS.keep_secret(CHILD, PAPER)


@pytest.fixture
async def mother(api: Api) -> Person:
    """Known well enough for all that a new baby needs."""
    return await a_named_citizen(api)


async def a_baby(mother: Person, hall: str, **more: Any) -> dict[str, Any]:
    reply = await mother.post("/visits", {"hall": hall, "bundle": "newborn", "form": FORM, **more})
    assert reply.status_code == 201, reply.text
    visit: dict[str, Any] = reply.json()
    return visit


# --- bundles


async def test_bundles_are_listed_by_what_a_hall_does(api: Api) -> None:
    found = (await api.http.get("/api/v1/bundles")).json()
    codes = [bundle["code"] for bundle in found["data"]]
    assert codes == sorted(codes)
    assert {"newborn", "company", "retirement", "bereavement"} <= set(codes)
    elsewhere = next(
        entry.code for entry in api.services.directory.halls.values() if "B" not in entry.lines
    )
    there = (await api.http.get("/api/v1/bundles", params={"hall": elsewhere})).json()["data"]
    assert "newborn" not in {bundle["code"] for bundle in there}
    first = (await api.http.get("/api/v1/bundles", params={"limit": 1})).json()
    assert first["next_cursor"] == codes[0]
    rest = (await api.http.get("/api/v1/bundles", params={"cursor": codes[0]})).json()["data"]
    assert [bundle["code"] for bundle in rest] == codes[1:]
    wrong = await api.http.get("/api/v1/bundles", params={"cursor": "nothing"})
    assert code_of(wrong) == (422, "invalid_request")
    assert (await api.http.get("/api/v1/bundles", params={"hall": "dg-99"})).status_code == 404
    assert (await api.http.get("/api/v1/bundles", params={"theme": "birth"})).status_code == 422


async def test_a_bundle_tells_each_paper_once_and_has_one_form(api: Api) -> None:
    shown = (await api.http.get("/api/v1/bundles/newborn")).json()
    papers = [(paper["name"], paper["kind"]) for paper in shown["materials"]]
    assert len(papers) == len(set(papers))
    directory = api.services.directory
    wanted = [stop["item"] for stop in shown["items"]]
    told = {(one.name, one.kind) for item in wanted for one in directory.item(item).materials}
    assert set(papers) == told
    shared = next(paper for paper in shown["materials"] if len(paper["items"]) > 1)
    assert set(shared["items"]) <= set(wanted)
    assert [field["code"] for field in shown["form"]][:2] == ["child-name", "child-sex"]
    assert shown["form"][1]["choices"][0] == {"value": "girl", "name": "女", "name_en": "Girl"}
    assert shown["level_required"] == 1
    assert "dg-00" in shown["halls"]
    assert (await api.http.get("/api/v1/bundles/nothing")).status_code == 404


async def test_what_must_come_first_does_although_its_line_is_the_longest(
    api: Api, hall: str, clerk: Person, mother: Person
) -> None:
    for _ in range(3):
        await a_ticket(api, hall, "B")
    await counter_for(clerk, hall, "A")
    await counter_for(clerk, hall, "B")
    visit = await a_baby(mother, hall)
    order = [stop["item"] for stop in visit["stops"]]
    # The allowance needs nothing before it, and its line is empty.
    assert order[0] == "maternity-allowance"
    assert order[1:] == ["birth-household", "newborn-medical", "social-card-first"]
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    # Nobody waits in the line of the rest, but the household comes first.
    assert states(await seen(mother, visit))["birth-household"] == "waiting"


# --- the form


async def test_her_form_is_sealed_shown_to_her_and_to_the_counter_that_serves_her(
    api: Api, hall: str, clerk: Person, mother: Person
) -> None:
    visit = await a_baby(mother, hall)
    assert "form" not in visit
    [row] = await rows("SELECT form FROM visit WHERE id = $1", visit["id"])
    assert CHILD.encode() not in row["form"]
    assert (await seen(mother, visit))["form"] == FORM
    assert all("form" not in one for one in (await mother.get("/visits")).json()["data"])
    line = visit["stops"][0]["line"]
    counter = await counter_for(clerk, hall, line)
    unseen = await clerk.get(f"/halls/{hall}/counters/{counter}/visit")
    assert code_of(unseen) == (404, "not_found")
    await done(clerk, hall, counter, "call-next")
    shown = await clerk.get(f"/halls/{hall}/counters/{counter}/visit")
    assert (shown.status_code, shown.json()["form"]) == (200, FORM)
    [entry] = await rows(
        "SELECT action, actor_kind, detail::text FROM audit_entry WHERE subject_id = $1"
        " ORDER BY seq DESC LIMIT 1",
        visit["id"],
    )
    assert (entry["action"], entry["actor_kind"]) == ("visit.looked_at", "staff")
    assert "form" in entry["detail"]
    assert CHILD not in entry["detail"]
    other = await api.clerk("dg-04")
    looked = await other.get(f"/halls/{hall}/counters/{counter}/visit")
    assert code_of(looked) == (403, "not_allowed")
    assert (await mother.get(f"/halls/{hall}/counters/{counter}/visit")).status_code == 403
    await done(clerk, hall, counter, "start", "finish")
    over = await clerk.get(f"/halls/{hall}/counters/{counter}/visit")
    assert code_of(over) == (404, "not_found")


async def test_a_form_is_told_all_that_is_wrong_and_repeats_nothing_of_it(
    hall: str, mother: Person
) -> None:
    form = {
        "child-name": CHILD * 10,
        "child-sex": "both",
        "born-on": "2026-13-01",
        "other-parent-id": "441900199003070017",
        "shoe-size": "38",
    }
    reply = await mother.post("/visits", {"hall": hall, "bundle": "newborn", "form": form})
    assert code_of(reply) == (422, "invalid_request")
    assert {fault["pointer"] for fault in reply.json()["errors"]} == {
        "/form/child-name",
        "/form/child-sex",
        "/form/born-on",
        "/form/other-parent-id",
        "/form/shoe-size",
        "/form/birth-certificate-no",
        "/form/household-with",
    }
    assert CHILD not in reply.text
    # Nobody was born tomorrow.
    tomorrow = FORM | {"born-on": "2026-11-24"}
    reply = await mother.post("/visits", {"hall": hall, "bundle": "newborn", "form": tomorrow})
    assert [fault["pointer"] for fault in reply.json()["errors"]] == ["/form/born-on"]
    assert "441900199003070017" not in reply.text
    assert (await mother.get("/visits")).json()["data"] == []


# --- what is refused


async def test_a_wish_that_makes_no_sense_is_refused(api: Api, hall: str) -> None:
    lin = await api.citizen()
    one, two = items(api, hall, "A", "B")
    wrong: list[tuple[dict[str, Any], tuple[int, str]]] = [
        ({}, (422, "invalid_request")),
        ({"items": [one, two], "bundle": "newborn"}, (422, "invalid_request")),
        ({"items": [one]}, (422, "invalid_request")),
        ({"items": [one, one]}, (422, "invalid_request")),
        ({"items": [one, two], "form": {"child-name": "x"}}, (422, "invalid_request")),
        ({"items": [one, "no-such-item"]}, (404, "not_found")),
        ({"bundle": "no-such-bundle"}, (404, "not_found")),
        ({"items": [one, two], "priority": "elderly"}, (422, "invalid_request")),
    ]
    for body, refusal in wrong:
        reply = await lin.post("/visits", {"hall": hall, **body})
        assert code_of(reply) == refusal, body
    nowhere = await lin.post("/visits", {"hall": "dg-99", "items": [one, two]})
    assert code_of(nowhere) == (404, "not_found")
    assert (await lin.get("/visits")).json()["data"] == []
    assert (await lin.get("/tickets")).json()["data"] == []


async def test_the_rules_of_a_number_hold_for_a_visit(api: Api, hall: str) -> None:
    lin = await api.citizen()
    one, two = items(api, hall, "A", "B")
    far = {"lat": 39.9, "lng": 116.4}
    reply = await lin.post("/visits", {"hall": hall, "items": [one, two], "place": far})
    assert code_of(reply) == (409, "too_far")
    surer = api.item(hall, "A", level=2)
    reply = await lin.post("/visits", {"hall": hall, "items": [two, surer]})
    assert code_of(reply) == (403, "level_too_low")
    elsewhere = next(
        entry.code for entry in api.services.directory.halls.values() if "B" not in entry.lines
    )
    reply = await lin.post("/visits", {"hall": elsewhere, "items": [one, two]})
    assert code_of(reply) == (422, "item_not_offered")
    api.turn_clock("2026-11-22T23:00:00+08:00")
    reply = await lin.post("/visits", {"hall": hall, "items": [one, two]})
    assert code_of(reply) == (409, "hall_closed")
    assert (await lin.get("/visits")).json()["data"] == []


async def test_a_full_or_paused_line_is_not_begun_with(api: Api, hall: str) -> None:
    hall_id = api.services.directory.hall(hall).id
    await rows("UPDATE line SET waiting_limit = 0 WHERE hall_id = $1 AND code = 'A'", hall_id)
    _, visit, [one, two] = await a_visit(api, hall, "A", "B")
    assert states(visit) == {one: "pending", two: "waiting"}
    lin = await api.citizen()
    await rows("UPDATE line SET state = 'paused' WHERE hall_id = $1 AND code = 'B'", hall_id)
    reply = await lin.post("/visits", {"hall": hall, "items": [one, two]})
    assert code_of(reply) == (409, "line_full")
    await rows("UPDATE line SET state = 'paused' WHERE hall_id = $1 AND code = 'A'", hall_id)
    reply = await lin.post("/visits", {"hall": hall, "items": [one, two]})
    assert code_of(reply) == (409, "line_closed")


async def test_she_has_each_item_once_whether_its_number_is_given_yet_or_not(
    api: Api, hall: str
) -> None:
    lin, visit, [one, two] = await a_visit(api, hall, "A", "B")
    three = api.item(hall, "E")
    again = await lin.post("/visits", {"hall": hall, "items": [three, one]})
    assert code_of(again) == (409, "already_in_line")
    assert again.json()["ticket_id"] == visit["now"]
    pending = await lin.post("/visits", {"hall": hall, "items": [three, two]})
    assert code_of(pending) == (409, "planned_in_visit")
    assert code_of(await lin.take(hall, one)) == (409, "already_in_line")


async def test_asked_twice_with_a_key_one_visit_begins(api: Api, hall: str) -> None:
    lin = await api.citizen()
    body = {"hall": hall, "items": items(api, hall, "A", "B")}
    first = await lin.post("/visits", body, Idempotency_Key="visit-1")
    second = await lin.post("/visits", body, Idempotency_Key="visit-1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    other = await lin.post(
        "/visits", {**body, "items": body["items"][::-1]}, Idempotency_Key="visit-1"
    )
    assert code_of(other) == (422, "idempotency_key_reused")
    assert len((await lin.get("/visits")).json()["data"]) == 1


async def test_asked_ten_times_at_once_one_visit_begins(api: Api, hall: str) -> None:
    lin = await api.citizen()
    body = {"hall": hall, "items": items(api, hall, "A", "B")}
    replies = await gather(*(lin.post("/visits", body) for _ in range(10)))
    assert sorted(reply.status_code for reply in replies) == [201, *[409] * 9]
    assert len((await lin.get("/tickets")).json()["data"]) == 1


# --- for others, and with priority


async def test_a_mother_signs_her_child_in_and_every_number_is_the_childs(
    api: Api, hall: str, clerk: Person, mother: Person
) -> None:
    child = await a_child_of(mother)
    body = {"hall": hall, "items": items(api, hall, "A", "B"), "for": child["id"]}
    reply = await mother.post("/visits", body)
    assert reply.status_code == 201, reply.text
    visit = reply.json()
    assert visit["for"] == {"id": child["id"], "name": "林**", "relation": "child"}
    counter, _ = await served(clerk, hall, "A")
    over = await done(clerk, hall, counter, "finish")
    following = (await mother.get(f"/tickets/{over['next_ticket']}")).json()
    assert following["for"]["id"] == child["id"]
    again = await mother.post("/visits", body)
    assert code_of(again) == (409, "already_in_line")
    # She may come for herself all the same.
    assert (await mother.post("/visits", {**body, "for": None})).status_code == 201
    stranger = await api.citizen()
    assert code_of(await stranger.post("/visits", body)) == (404, "not_found")
    actions = await rows(
        "SELECT action FROM audit_entry WHERE subject_id = $1 ORDER BY seq", visit["id"]
    )
    assert [row["action"] for row in actions] == ["visit.begun"]
    cancelled = await mother.post(f"/visits/{visit['id']}/cancel")
    assert cancelled.status_code == 200
    actions = await rows(
        "SELECT action FROM audit_entry WHERE subject_id = $1 ORDER BY seq", visit["id"]
    )
    assert [row["action"] for row in actions] == ["visit.begun", "visit.cancelled"]


async def test_a_priority_counts_at_every_stop(api: Api, hall: str, clerk: Person) -> None:
    lin, visit, _ = await a_visit(api, hall, "A", "B", "E", priority_claim="pregnant")
    ticket = (await lin.get(f"/tickets/{visit['now']}")).json()
    assert ticket["priority"] == {"kind": "pregnant", "confirmed": False}
    confirmed = await clerk.post(f"/halls/{hall}/tickets/{ticket['number']}/confirm-priority")
    assert confirmed.status_code == 200
    assert visit["priority"] == {"kind": "pregnant", "confirmed": False}
    assert (await seen(lin, visit))["priority"] == {"kind": "pregnant", "confirmed": True}
    for line in ("A", "B"):
        counter, _ = await served(clerk, hall, line)
        over = await done(clerk, hall, counter, "finish")
    tickets = (await lin.get("/tickets")).json()["data"]
    assert [one["priority"]["confirmed"] for one in tickets] == [True] * 3
    assert tickets[0]["id"] == over["next_ticket"]
    ranks = await rows(
        "SELECT DISTINCT rank_time FROM ticket WHERE id = ANY($1::uuid[])",
        [one["id"] for one in tickets],
    )
    assert len(ranks) == 1


async def test_an_elder_has_priority_by_her_papers_at_every_stop(api: Api, hall: str) -> None:
    elder = await a_named_citizen(api, born=OLD_ENOUGH)
    body = {"hall": hall, "items": items(api, hall, "A", "B"), "priority_claim": "elderly"}
    visit = (await elder.post("/visits", body)).json()
    ticket = (await elder.get(f"/tickets/{visit['now']}")).json()
    assert ticket["priority"] == {"kind": "elderly", "confirmed": True}
    skipped = await elder.post(f"/visits/{visit['id']}/skip", {"item": body["items"][0]})
    following = (await elder.get(f"/tickets/{skipped.json()['now']}")).json()
    assert following["priority"] == {"kind": "elderly", "confirmed": True}
    young = await a_named_citizen(api, born=date(1990, 1, 1))
    assert code_of(await young.post("/visits", body)) == (422, "claim_not_true")


# --- the people themselves


async def test_an_export_tells_her_visits_and_what_she_filled_in(hall: str, mother: Person) -> None:
    visit = await a_baby(mother, hall)
    [told] = (await mother.get("/me/export")).json()["visits"]
    assert (told["id"], told["bundle"], told["form"]) == (visit["id"], "newborn", FORM)
    assert set(told["items"]) == {stop["item"] for stop in visit["stops"]}


async def test_who_is_erased_leaves_no_form_and_no_visit_under_way(
    hall: str, mother: Person
) -> None:
    visit = await a_baby(mother, hall)
    assert (await mother.delete("/me")).status_code == 204
    [row] = await rows("SELECT state, form, ended_at FROM visit WHERE id = $1", visit["id"])
    assert (row["state"], row["form"]) == ("cancelled", None)
    assert row["ended_at"] is not None
    left = await rows(
        "SELECT 1 FROM visit_stop WHERE visit_id = $1 AND ticket_id IS NULL AND left_out IS NULL",
        visit["id"],
    )
    assert left == []


async def test_visits_of_both_accounts_are_kept_when_they_are_joined(
    api: Api, hall: str, clerk: Person
) -> None:
    persona = await a_persona(api, an_id_number())
    by_wechat = await through(api, "wechat", persona)
    by_alipay = await through(api, "alipay", persona)
    one, two, three = items(api, hall, "A", "B", "E")
    visit = (await by_alipay.post("/visits", {"hall": hall, "items": [one, two]})).json()
    double = (await by_wechat.post("/visits", {"hall": hall, "items": [two, three]})).json()
    await real_name(by_wechat, persona)
    await real_name(by_alipay, persona)
    for who in (by_wechat, by_alipay):
        listed = {found["id"] for found in (await who.get("/visits")).json()["data"]}
        assert listed == {visit["id"], double["id"]}
        assert (await who.get(f"/visits/{visit['id']}")).status_code == 200
    counter, _ = await served(clerk, hall, "A")
    await done(clerk, hall, counter, "finish")
    # What the other account had a number for already is not given twice.
    over = await seen(by_wechat, visit)
    assert (over["state"], states(over)) == ("finished", {one: "finished", two: "left_out"})
    skipped = await by_alipay.post(f"/visits/{double['id']}/skip", {"item": three})
    assert skipped.status_code == 200
