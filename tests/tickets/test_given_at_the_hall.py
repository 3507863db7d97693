"""What a number at the help desk or a kiosk asks for, and what is refused."""

from asyncio import gather
from datetime import date
from typing import Any

import pytest

from models.database import rows, transaction
from tests.conftest import Api
from tests.counters.halls import code_of
from tests.kiosks.machines import NAME, PHONE, give, given
from tests.people import Person, an_id_number

SEVENTY_TODAY = date(1956, 11, 23)
SIXTY_NINE = date(1956, 11, 24)


# --- priority -------------------------------------------------------------------------------------


async def test_from_seventy_on_she_has_priority_at_once(
    api: Api, hall: str, kiosk: Person, clerk: Person
) -> None:
    item = api.item(hall, "E")
    await given(kiosk, hall, item)
    api.turn_clock("2026-11-23T09:40:00+08:00")
    for who, born, expected in (
        (kiosk, SEVENTY_TODAY, {"kind": "elderly", "confirmed": True}),
        (clerk, SEVENTY_TODAY, {"kind": "elderly", "confirmed": True}),
        (kiosk, SIXTY_NINE, None),
    ):
        ticket = await given(who, hall, item, id_number=an_id_number(born))
        assert ticket["priority"] == expected
        assert (ticket["ahead"] < 2) is (expected is not None)


async def test_what_staff_say_is_confirmed_and_what_a_kiosk_says_is_claimed(
    api: Api, hall: str, clerk: Person, kiosk: Person
) -> None:
    item = api.item(hall, "E")
    await given(kiosk, hall, item)
    api.turn_clock("2026-11-23T09:40:00+08:00")
    by_kiosk = await given(kiosk, hall, item, priority="pregnant")
    assert by_kiosk["priority"] == {"kind": "pregnant", "confirmed": False}
    assert by_kiosk["ahead"] == 1
    by_clerk = await given(clerk, hall, item, priority="pregnant")
    assert by_clerk["priority"] == {"kind": "pregnant", "confirmed": True}
    assert by_clerk["ahead"] == 0
    events = await rows(
        "SELECT move, actor_kind, CASE WHEN move <> 'issue' THEN detail END FROM ticket_event"
        " WHERE ticket_id = $1 ORDER BY id",
        by_clerk["id"],
    )
    assert [tuple(event) for event in events] == [
        ("issue", "staff", None),
        ("claim", "staff", "pregnant"),
        ("confirm", "staff", "pregnant"),
    ]
    confirmed = await clerk.post(f"/halls/{hall}/tickets/{by_kiosk['number']}/confirm-priority")
    assert confirmed.json()["priority"]["confirmed"] is True


async def test_of_two_priorities_the_greater_counts(
    api: Api, hall: str, clerk: Person, kiosk: Person
) -> None:
    item = api.item(hall, "E")
    said = {"priority": "with_infant"}  # 20 minutes, where 70 years give 30
    for who in (clerk, kiosk):
        ticket = await given(who, hall, item, id_number=an_id_number(SEVENTY_TODAY), **said)
        assert ticket["priority"] == {"kind": "elderly", "confirmed": True}


async def test_an_age_that_her_number_contradicts_is_refused(
    api: Api, hall: str, clerk: Person, kiosk: Person
) -> None:
    said = {"id_number": an_id_number(SIXTY_NINE), "priority": "elderly"}
    for who in (clerk, kiosk):
        reply = await give(who, hall, api.item(hall, "E"), **said)
        assert code_of(reply) == (422, "claim_not_true")
    assert (await given(clerk, hall, api.item(hall, "E"), priority="elderly"))["ahead"] == 0


# --- what is refused ------------------------------------------------------------------------------


async def test_an_item_that_asks_for_a_real_name_asks_for_an_id_number(
    api: Api, hall: str, clerk: Person, kiosk: Person
) -> None:
    item = api.item(hall, "A", level=2)
    for who in (clerk, kiosk):
        assert code_of(await give(who, hall, item, name=NAME)) == (422, "id_number_required")
        # Whoever shows her card is known well enough, whatever her account has proven.
        assert (await give(who, hall, item, id_number=an_id_number())).status_code == 201


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"id_number": "441900199003070017"}, "/id_number"),
        ({"id_number": "441900199013070016"}, "/id_number"),
        ({"id_number": "hello"}, "/id_number"),
        ({"id_number": ""}, "/id_number"),
        ({"id_number": 441900199003070016}, "/id_number"),
        ({"id_type": "passport"}, "/id_type"),
        ({"id_type": "library_card", "id_number": "A1"}, "/id_type"),
        ({"name": " "}, "/name"),
        ({"name": "长" * 61}, "/name"),
        ({"phone": "12345"}, "/phone"),
        ({"priority": "vip"}, "/priority"),
        ({"place": {"lat": 22.8, "lng": 113.6}}, "/place"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_given(
    api: Api, hall: str, kiosk: Person, wrong: dict[str, Any], pointer: str
) -> None:
    reply = await give(kiosk, hall, api.item(hall, "E"), **wrong)
    assert code_of(reply) == (422, "invalid_request"), reply.text
    assert reply.json()["errors"][0]["pointer"] == pointer
    assert (await given(kiosk, hall, api.item(hall, "E")))["number"] == "E001"


async def test_other_documents_are_read_too(api: Api, hall: str, kiosk: Person) -> None:
    item, said = api.item(hall, "E"), {"id_type": "hm_travel_permit", "id_number": "H12345678"}
    await given(kiosk, hall, item, **said)
    assert code_of(await give(kiosk, hall, item, **said)) == (409, "already_in_line")


async def test_all_faults_are_named_at_once(api: Api, hall: str, kiosk: Person) -> None:
    wrong = {"id_number": "1", "name": " ", "phone": "2"}
    reply = await give(kiosk, hall, api.item(hall, "E"), **wrong)
    named = [fault["pointer"] for fault in reply.json()["errors"]]
    assert named == ["/id_number", "/name", "/phone"]


async def test_who_may_not_gives_out_no_number(api: Api, hall: str) -> None:
    item, other = api.item(hall, "E"), await api.quiet_hall()
    lin, far = await api.citizen(), await api.clerk(other)
    assert code_of(await give(lin, hall, item)) == (403, "not_allowed")
    assert code_of(await give(far, hall, item)) == (403, "not_allowed")
    nobody = await api.http.post(f"/api/v1/halls/{hall}/tickets", json={"item": item})
    assert code_of(nobody) == (401, "not_signed_in")


async def test_the_line_refuses_as_it_does_on_the_phone(
    api: Api, hall: str, clerk: Person, kiosk: Person
) -> None:
    item, entry = api.item(hall, "E"), api.services.directory.hall(hall)
    assert code_of(await give(clerk, hall, "no-such-item")) == (404, "not_found")
    not_here = next(code for code in api.services.directory.items if code not in entry.offers)
    assert code_of(await give(clerk, hall, not_here)) == (422, "item_not_offered")
    async with transaction() as tx:
        await tx.run("UPDATE line SET waiting_limit = 1 WHERE id = $1", entry.lines["E"].id)
    await given(kiosk, hall, item)
    for more in ({}, {"id_number": an_id_number()}):
        assert code_of(await give(kiosk, hall, item, **more)) == (409, "line_full")
    async with transaction() as tx:
        await tx.run("UPDATE line SET state = 'paused' WHERE id = $1", entry.lines["E"].id)
    for more in ({}, {"id_number": an_id_number()}):
        assert code_of(await give(clerk, hall, item, **more)) == (409, "line_closed")
    api.turn_clock("2026-11-22T23:00:00+08:00")
    for more in ({}, {"name": NAME}):
        assert code_of(await give(clerk, hall, item, **more)) == (409, "hall_closed")


# --- once, and at what cost -----------------------------------------------------------------------


async def test_the_same_key_gets_the_same_ticket(
    api: Api, hall: str, clerk: Person, kiosk: Person
) -> None:
    path, item = f"/halls/{hall}/tickets", api.item(hall, "E")
    for body in ({"item": item}, {"item": item, "id_number": an_id_number(), "name": NAME}):
        key = f"print-{len(body)}"
        first, second = await gather(
            *(kiosk.post(path, body, Idempotency_Key=key) for _ in range(2))
        )
        assert (first.status_code, first.json()) == (201, second.json())
        other = await kiosk.post(path, {"item": item, "phone": PHONE}, Idempotency_Key=key)
        assert code_of(other) == (422, "idempotency_key_reused")
        assert (await clerk.post(path, {"item": item}, Idempotency_Key=key)).status_code == 201


async def test_a_number_for_nobody_costs_two_statements_and_for_somebody_nine(
    api: Api, hall: str, clerk: Person
) -> None:
    item = api.item(hall, "E")

    async def cost(**more: Any) -> int:
        spent = []
        for _ in range(3):
            known = {"id_number": an_id_number()} if "id_number" in more else {}
            reply, statements = await api.statements(give(clerk, hall, item, **{**more, **known}))
            assert reply.status_code == 201
            spent.append(statements)
        return min(spent)

    assert await cost() <= 2
    assert await cost(id_number=True) <= 8
    assert await cost(id_number=True, name=NAME) <= 9
