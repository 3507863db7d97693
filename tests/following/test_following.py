"""Looking at a ticket by its code: what is seen, what is not, and who makes codes."""

from uuid import UUID

import pytest

from models.database import rows
from models.following import MOST_CODES
from server.http.limits import Limits, Rate
from tests.conftest import Api, until
from tests.counters.halls import code_of
from tests.following.sharing import a_code, an_elders_ticket, keep, look
from tests.kiosks.machines import a_kiosk, given
from tests.people import Person, an_id_number

# --- by a code ------------------------------------------------------------------------------------


async def test_whoever_has_the_code_sees_where_the_ticket_stands_and_not_whose_it_is(
    api: Api, hall: str
) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    made = (await elder.post(f"/tickets/{ticket['id']}/follow-code")).json()
    assert made["url"] == f"{api.url}/t#{made['code']}"
    assert (made["expires_at"], made["followers"]) == ("2026-11-24T00:00:00+08:00", 0)
    reply = await look(api, made["code"])
    assert reply.status_code == 200, reply.text
    seen, entry = reply.json(), api.services.directory.hall(hall)
    assert seen["hall_name"] == entry.name
    assert seen["line_name"] == entry.lines["E"].name
    assert seen["item_name"] == api.services.directory.item(ticket["item"]).name
    assert seen["counter_name"] is None
    shown = seen["ticket"]
    assert (shown["number"], shown["ahead"]) == (ticket["number"], ticket["ahead"])
    assert (ticket["priority"]["kind"], shown["priority"]) == ("elderly", None)
    assert (shown["name"], shown["for"]) == (None, None)


async def test_a_name_given_at_the_hall_is_not_shown_to_followers(api: Api, hall: str) -> None:
    clerk = await api.clerk(hall)
    ticket = await given(clerk, hall, api.item(hall, "E"), name="欧阳修远")
    seen = (await look(api, await a_code(clerk, ticket))).json()
    assert (ticket["name"], seen["ticket"]["name"]) == ("欧**", None)


async def test_looking_again_and_again_asks_the_database_once(api: Api, hall: str) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    code = await a_code(elder, ticket)
    known = api.services.feed.memory.ticket
    await until(lambda: known(UUID(ticket["id"])) is not None)
    first, again = [(await api.statements(look(api, code)))[1] for _ in range(2)]
    assert (first, again) == (1, 0)


async def test_only_its_hash_is_stored(api: Api, hall: str) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    code = await a_code(elder, ticket)
    assert len(code) == 16
    assert code not in repr([dict(row) for row in await rows("SELECT * FROM follow")])


@pytest.mark.parametrize("code", ["x" * 16, "short", "x" * 80, "短" * 16, "a b c d e f g h "])
async def test_a_code_that_is_none_is_unknown(api: Api, daughter: Person, code: str) -> None:
    assert code_of(await look(api, code)) == (404, "follow_code_unknown")
    assert code_of(await keep(daughter, code)) == (404, "follow_code_unknown")


async def test_what_is_no_code_at_all_is_named(api: Api) -> None:
    for body in ({}, {"code": ""}, {"code": "x" * 81}, {"code": 1}, {"code": "x", "more": 1}):
        reply = await api.http.post("/api/v1/follow", json=body)
        assert code_of(reply) == (422, "invalid_request")


async def test_who_tries_codes_out_is_stopped_and_who_has_one_is_not(
    api: Api, hall: str, daughter: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    codes = [await a_code(elder, ticket) for _ in range(5)]
    rate = Rate(f"follow-{ticket['id']}", 2, 3600)
    monkeypatch.setattr(api.services.grants, "_limits", Limits(api.services.valkey, enabled=True))
    monkeypatch.setattr(api.services, "limits", Limits(api.services.valkey, enabled=True))
    monkeypatch.setattr("server.live.grants.FOLLOW_ADDRESS", rate)
    assert [(await look(api, code)).status_code for code in codes[:4]] == [200] * 4
    assert (await keep(daughter, codes[0])).status_code == 201
    wrong = [(await look(api, f"{nth}" * 16)).status_code for nth in range(3)]
    assert wrong == [404, 404, 429]
    assert (await keep(daughter, "y" * 16)).status_code == 429
    # What was looked up before needs no try.
    assert (await look(api, codes[0])).status_code == 200
    assert (await look(api, codes[4])).status_code == 429


async def test_a_code_is_good_on_its_day_only(api: Api, hall: str, daughter: Person) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    code = await a_code(elder, ticket)
    assert (await keep(daughter, code)).status_code == 201
    api.turn_clock("2026-11-24T00:00:01+08:00")
    assert code_of(await look(api, code)) == (410, "follow_over")
    assert code_of(await keep(await api.citizen(), code)) == (410, "follow_over")
    assert (await daughter.get(f"/tickets/{ticket['id']}")).status_code == 404
    assert (await daughter.get("/me/followed")).json()["data"] == []
    again = await elder.post(f"/tickets/{ticket['id']}/follow-code")
    assert code_of(again) == (409, "wrong_state")


async def test_a_ticket_that_is_over_is_still_shown_and_gets_no_code(api: Api, hall: str) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    code = await a_code(elder, ticket)
    await elder.post(f"/tickets/{ticket['id']}/cancel")
    assert (await look(api, code)).json()["ticket"]["state"] == "cancelled"
    again = await elder.post(f"/tickets/{ticket['id']}/follow-code")
    assert code_of(again) == (409, "wrong_state")


async def test_printed_again_and_again_the_oldest_codes_end(api: Api, hall: str) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    codes = [await a_code(elder, ticket)]
    assert (await look(api, codes[0])).status_code == 200
    codes += [await a_code(elder, ticket) for _ in range(MOST_CODES)]
    assert [(await look(api, code)).status_code for code in codes] == [410] + [200] * MOST_CODES


async def test_only_its_holder_and_its_hall_make_and_end_codes(
    api: Api, hall: str, daughter: Person
) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    other = await api.quiet_hall()
    path = f"/tickets/{ticket['id']}/follow-code"
    await keep(daughter, await a_code(elder, ticket))
    for who, refusal in (
        (daughter, (404, "not_found")),
        (await api.clerk(other), (403, "not_allowed")),
        (await a_kiosk(api, hall), (403, "not_allowed")),
    ):
        assert code_of(await who.post(path)) == refusal
        assert code_of(await who.delete(path)) == refusal
    clerk = await api.clerk(hall)
    assert (await look(api, await a_code(clerk, ticket))).status_code == 200
    assert (await clerk.post("/tickets/no-uuid/follow-code")).status_code == 404


async def test_a_kiosks_ticket_is_followed_by_a_code_of_the_desk(api: Api, hall: str) -> None:
    kiosk, clerk = await a_kiosk(api, hall), await api.clerk(hall)
    ticket = await given(kiosk, hall, api.item(hall, "E"), id_number=an_id_number())
    assert (await look(api, await a_code(clerk, ticket))).json()["ticket"]["id"] == ticket["id"]
