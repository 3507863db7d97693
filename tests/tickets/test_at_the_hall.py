"""Numbers given out at the help desk and at kiosks: for whom they are, and who may see what."""

import json
from asyncio import gather
from datetime import UTC, datetime, timedelta
from typing import Any

from models.database import rows, transaction
from server.sessions.purging import purge
from tests.conftest import Api
from tests.counters.halls import code_of, done, open_counters
from tests.identity.families import CHILD_BORN, a_child_of, a_named_citizen
from tests.identity.people import a_persona, real_name, through
from tests.kiosks.machines import NAME, PHONE, give, given
from tests.leaks import LEAKS
from tests.people import Person, an_id_number


async def a_named_citizen_and_her_number(api: Api) -> tuple[Person, str]:
    persona = await a_persona(api, an_id_number())
    lin = await through(api, "wechat", persona)
    assert (await real_name(lin, persona)).status_code == 200
    return lin, persona.id_number


# --- whose it is ----------------------------------------------------------------------------------


async def test_nobody_has_to_say_who_she_is(api: Api, hall: str, clerk: Person) -> None:
    item = api.item(hall, "E")
    first, second = await given(clerk, hall, item), await given(clerk, hall, item)
    assert [first["number"], second["number"]] == ["E001", "E002"]
    assert (first["ahead"], second["ahead"], first["name"]) == (0, 1, None)
    [stored] = await rows("SELECT citizen_id, person_key FROM ticket WHERE id = $1", first["id"])
    assert tuple(stored) == (None, None)


async def test_who_has_an_account_finds_it_on_her_phone(api: Api, hall: str, kiosk: Person) -> None:
    lin, number = await a_named_citizen_and_her_number(api)
    typed = f" {number[:6]} {number[6:14]}-{number[14:].lower()}"
    ticket = await given(kiosk, hall, api.item(hall, "E"), id_number=typed, name=NAME, phone=PHONE)
    [hers] = (await lin.get("/tickets")).json()["data"]
    assert (hers["id"], hers["number"]) == (ticket["id"], ticket["number"])
    # What her account knows is not kept again, nor told to whoever typed her number.
    assert ticket["name"] is None
    assert await rows("SELECT 1 FROM ticket_holder WHERE id = $1", ticket["id"]) == []
    assert (await lin.post(f"/tickets/{ticket['id']}/cancel")).status_code == 200


async def test_one_person_holds_one_number_for_an_item_however_she_takes_it(
    api: Api, hall: str, clerk: Person, kiosk: Person
) -> None:
    lin, number = await a_named_citizen_and_her_number(api)
    for nth, at_hall in enumerate((clerk, kiosk)):
        item = api.item(hall, "E", nth=nth)
        assert (await lin.take(hall, item)).status_code == 201
        reply = await give(at_hall, hall, item, id_number=number)
        assert code_of(reply) == (409, "already_in_line")
    item, stranger = api.item(hall, "A"), an_id_number()
    first = await given(kiosk, hall, item, id_number=stranger)
    by_kiosk, by_clerk = [
        (await give(who, hall, item, id_number=stranger)).json() for who in (kiosk, clerk)
    ]
    # A clerk is told which ticket it is, to print it again; a machine need not know.
    assert "ticket_id" not in by_kiosk
    assert by_clerk["ticket_id"] == first["id"]


async def test_a_clerk_is_not_told_of_tickets_in_other_halls(
    api: Api, hall: str, clerk: Person
) -> None:
    item, number, other = api.item(hall, "E"), an_id_number(), await api.quiet_hall()
    await given(await api.clerk(other), other, item, id_number=number)
    refused = await give(clerk, hall, item, id_number=number)
    assert code_of(refused) == (409, "already_in_line")
    assert "ticket_id" not in refused.json()


async def test_nobody_is_told_to_return_with_a_number_that_she_has_given_up(
    api: Api, hall: str, clerk: Person, kiosk: Person
) -> None:
    lin, number = await a_named_citizen_and_her_number(api)
    item = api.item(hall, "E")
    ticket = (await lin.take(hall, item)).json()
    [counter, *_] = await open_counters(clerk, hall, "E")

    async def told() -> str:
        refused = await give(kiosk, hall, item, id_number=number)
        assert code_of(refused) == (409, "missed_number_kept")
        detail: str = refused.json()["detail"]
        assert ticket["number"] not in detail
        return detail

    await done(clerk, hall, counter, "call-next", "miss")
    assert "请凭原号到大厅咨询台回队" in await told()
    assert (await clerk.post(f"/halls/{hall}/tickets/{ticket['id']}/return")).status_code == 200
    assert (await lin.post(f"/tickets/{ticket['id']}/cancel")).status_code == 200
    detail = await told()
    assert "不再保留" in detail
    assert "凭原号" not in detail


async def test_a_number_that_a_relative_has_taken_counts(
    api: Api, hall: str, kiosk: Person
) -> None:
    lin, number, item = await a_named_citizen(api), an_id_number(CHILD_BORN), api.item(hall, "E")
    child = await a_child_of(lin, number)
    assert (await lin.take(hall, item, **{"for": child["id"]})).status_code == 201
    reply = await give(kiosk, hall, item, id_number=number)
    assert code_of(reply) == (409, "already_in_line")


async def test_at_a_kiosk_and_on_her_phone_at_once_she_gets_one_number(
    api: Api, hall: str, clerk: Person, kiosk: Person
) -> None:
    lin, number = await a_named_citizen_and_her_number(api)
    stranger = an_id_number()
    for nth in range(8):
        item = api.item(hall, "E", nth=nth % 3)
        replies = await gather(
            lin.take(hall, item),
            give(kiosk, hall, item, id_number=number),
            give(clerk, hall, item, id_number=number),
            give(kiosk, hall, item, id_number=stranger),
            give(clerk, hall, item, id_number=stranger),
        )
        for whose in (replies[:3], replies[3:]):
            assert sorted(reply.status_code for reply in whose) == [201] + [409] * (len(whose) - 1)
            for reply in whose:
                if reply.status_code == 409:
                    assert reply.json()["code"] == "already_in_line"
        async with transaction() as tx:
            await tx.run(
                "UPDATE ticket SET state = 'cancelled', ended_at = issued_at WHERE hall_id = $1",
                api.services.directory.hall(hall).id,
            )
            await tx.run(
                "INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind)"
                " SELECT id, hall_id, issued_at, 'cancel', 'cancelled', 'system' FROM ticket t"
                " WHERE hall_id = $1 AND NOT EXISTS (SELECT 1 FROM ticket_event e"
                " WHERE e.ticket_id = t.id AND e.move = 'cancel')",
                api.services.directory.hall(hall).id,
            )


async def test_who_proves_her_number_finds_what_she_was_given_at_the_hall(
    api: Api, hall: str, kiosk: Person
) -> None:
    persona = await a_persona(api, an_id_number())
    item = api.item(hall, "E")
    ticket = await given(kiosk, hall, item, id_number=persona.id_number, name=NAME)
    lin = await through(api, "wechat", persona)
    assert (await lin.get("/tickets")).json()["data"] == []
    assert (await real_name(lin, persona)).status_code == 200
    [hers] = (await lin.get("/tickets")).json()["data"]
    assert (hers["id"], hers["name"]) == (ticket["id"], None)
    assert await rows("SELECT 1 FROM ticket_holder WHERE id = $1", ticket["id"]) == []


async def test_proving_her_number_while_she_takes_one_loses_nothing(
    api: Api, hall: str, kiosk: Person
) -> None:
    for nth in range(3):
        persona = await a_persona(api, an_id_number())
        lin = await through(api, "wechat", persona)
        item = api.item(hall, "E", nth=nth)
        taken, proved = await gather(
            give(kiosk, hall, item, id_number=persona.id_number), real_name(lin, persona)
        )
        assert (taken.status_code, proved.status_code) == (201, 200)
        hers = (await lin.get("/tickets")).json()["data"]
        assert [ticket["id"] for ticket in hers] == [taken.json()["id"]]


# --- what is kept and shown -----------------------------------------------------------------------


async def test_a_name_is_kept_sealed_and_shown_masked(api: Api, hall: str, clerk: Person) -> None:
    LEAKS.keep_secret(NAME)
    number = an_id_number()
    more: dict[str, Any] = {"id_number": number, "name": f" {NAME} ", "phone": f"+86 {PHONE}"}
    ticket = await given(clerk, hall, api.item(hall, "E"), **more)
    assert ticket["name"] == "欧**"
    [counter, *_] = await open_counters(clerk, hall, "E")
    for action in ("call-next", "start", "finish"):
        assert (await done(clerk, hall, counter, action))["name"] == "欧**"
    board = (await api.http.get(f"/api/v1/halls/{hall}/board")).text
    assert "欧" not in board
    for table in ("ticket", "ticket_event", "ticket_holder", "audit_entry"):
        stored = repr([dict(row) for row in await rows(f"SELECT * FROM {table}")])
        assert NAME not in stored
        assert number not in stored
        assert PHONE not in stored


async def test_what_was_said_at_the_hall_is_forgotten_a_week_later(
    api: Api, hall: str, clerk: Person
) -> None:
    item = api.item(hall, "E")
    old, new = [await given(clerk, hall, item, name=NAME) for _ in range(2)]
    async with transaction() as tx:
        past = datetime.now(UTC) - timedelta(days=8)
        await tx.run("UPDATE ticket_holder SET kept_at = $2 WHERE id = $1", old["id"], past)
    await purge()
    kept = await rows("SELECT id FROM ticket_holder WHERE id = ANY($1)", [old["id"], new["id"]])
    assert [str(row["id"]) for row in kept] == [new["id"]]
    [shown] = await rows("SELECT shown_as FROM ticket WHERE id = $1", old["id"])
    assert shown["shown_as"] is None


async def test_that_a_number_was_given_for_somebody_is_in_the_audit_log(
    api: Api, hall: str, clerk: Person, kiosk: Person
) -> None:
    lin, number = await a_named_citizen_and_her_number(api)
    ticket = await given(kiosk, hall, api.item(hall, "E"), id_number=number, name=NAME)
    [entry] = await rows("SELECT * FROM audit_entry WHERE subject_id = $1", ticket["id"])
    assert (entry["action"], entry["actor_kind"]) == ("ticket.given", "kiosk")
    assert str(entry["on_behalf_of"]) == (await lin.get("/me")).json()["id"]
    assert json.loads(entry["detail"]) == {"fields": ["id_number", "name"]}
    nobodys = await given(clerk, hall, api.item(hall, "E"))
    assert await rows("SELECT 1 FROM audit_entry WHERE subject_id = $1", nobodys["id"]) == []
