"""Following a ticket that is not hers: what is seen, what is not, and how it ends."""

import asyncio
from asyncio import gather
from typing import Any
from uuid import UUID

import httpx
import pytest

from models.database import rows
from models.following import MOST_CODES
from server.http.limits import Limits, Rate
from server.sessions.tokens import ended_recently
from tests.conftest import Api, until
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.following.sharing import a_code, look
from tests.identity.families import ELDER_BORN, a_named_citizen, with_a_phone
from tests.identity.people import real_name
from tests.kiosks.machines import a_kiosk, given
from tests.live.test_socket import a_socket, hear, hear_until, say, signed_in
from tests.people import Person, an_id_number


@pytest.fixture
async def daughter(api: Api) -> Person:
    return await api.citizen()


async def keep(who: Person, code: str, **headers: str) -> httpx.Response:
    return await who.post("/me/followed", {"code": code}, **headers)


async def an_elders_ticket(api: Api, hall: str) -> tuple[Person, dict[str, Any]]:
    """An elder with an account, and a ticket of hers that says more than a follower may know."""
    elder = await a_named_citizen(api, born=ELDER_BORN)
    reply = await elder.take(hall, api.item(hall, "E"))
    assert reply.status_code == 201, reply.text
    return elder, reply.json()


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


# --- on a family member's phone -------------------------------------------------------------------


async def test_a_family_member_keeps_it_and_sees_it_and_can_change_nothing(
    api: Api, hall: str, daughter: Person
) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    path = f"/tickets/{ticket['id']}"
    assert (await daughter.get(path)).status_code == 404
    kept = await keep(daughter, await a_code(elder, ticket))
    assert kept.status_code == 201, kept.text
    seen = (await daughter.get(path)).json()
    assert seen == kept.json()["ticket"]
    assert (seen["number"], seen["priority"]) == (ticket["number"], None)
    [listed] = (await daughter.get("/me/followed")).json()["data"]
    assert listed["ticket"]["id"] == ticket["id"]
    assert (await daughter.get("/tickets")).json()["data"] == []
    other = await api.quiet_hall()
    refused = [
        await daughter.post(f"{path}/cancel"),
        await daughter.post(f"{path}/move", {"hall": other}),
        await daughter.post(f"{path}/let-pass", {"people": 1}),
        await daughter.get(f"{path}/order"),
        await daughter.post(f"{path}/follow-code"),
        await daughter.delete(f"{path}/follow-code"),
    ]
    assert {code_of(reply) for reply in refused} == {(404, "not_found")}
    assert (await elder.get(path)).json()["state"] == "waiting"
    again = await elder.post(f"{path}/follow-code")
    assert again.json()["followers"] == 1


async def test_seeing_what_she_follows_again_asks_the_database_for_nothing(
    api: Api, hall: str, daughter: Person
) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    await keep(daughter, await a_code(elder, ticket))

    async def see() -> int:
        return (await api.statements(daughter.get(f"/tickets/{ticket['id']}")))[1]

    await see()
    await asyncio.sleep(0.6)  # until the hall is projected
    assert await see() == 0


async def test_saying_so_twice_is_once(api: Api, hall: str, daughter: Person) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    codes = [await a_code(elder, ticket) for _ in range(2)]
    replies = await gather(*(keep(daughter, code) for code in codes * 3))
    assert {reply.status_code for reply in replies} == {201}
    assert len((await daughter.get("/me/followed")).json()["data"]) == 1
    first, again = [await keep(daughter, codes[0], Idempotency_Key="k") for _ in range(2)]
    assert first.json() == again.json()
    other = await keep(daughter, codes[1], Idempotency_Key="k")
    assert code_of(other) == (422, "idempotency_key_reused")


async def test_her_own_ticket_she_need_not_follow(api: Api, hall: str) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    assert code_of(await keep(elder, await a_code(elder, ticket))) == (409, "own_ticket")


async def test_not_everybody_may_follow_one_and_nobody_everything(
    api: Api, hall: str, daughter: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.following.keeping.MOST_FOLLOWED", 2)
    monkeypatch.setattr("server.following.keeping.MOST_FOLLOWERS", 2)
    held = [await a_ticket(api, hall) for _ in range(3)]
    codes = [await a_code(who, ticket) for who, ticket in held]
    replies = await gather(*(keep(daughter, code) for code in codes))
    assert sorted(reply.status_code for reply in replies) == [201, 201, 409]
    refused = next(reply for reply in replies if reply.status_code == 409)
    assert refused.json()["code"] == "too_many_followed"
    left = replies.index(refused)
    others = [await api.citizen() for _ in range(3)]
    replies = await gather(*(keep(who, codes[left]) for who in others))
    assert sorted(code_of(one)[1] for one in replies if one.status_code == 409) == [
        "too_many_followers"
    ]
    [followed, *_] = (await daughter.get("/me/followed")).json()["data"]
    path = f"/me/followed/{followed['ticket']['id']}"
    assert [(await daughter.delete(path)).status_code for _ in range(2)] == [204, 404]
    assert (await daughter.get(f"/tickets/{followed['ticket']['id']}")).status_code == 404


@pytest.mark.parametrize("by_the_desk", [False, True])
async def test_its_holder_or_the_desk_ends_it_at_once(
    api: Api, hall: str, daughter: Person, by_the_desk: bool
) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    code, path = await a_code(elder, ticket), f"/tickets/{ticket['id']}"
    await keep(daughter, code)
    assert (await daughter.get(path)).status_code == 200
    assert (await look(api, code)).status_code == 200
    async with a_socket(api) as by_code, a_socket(api) as kept:
        await say(by_code, op="follow", code=code)
        await hear(by_code)
        await signed_in(kept, daughter)
        await say(kept, op="watch", topic=f"ticket:{ticket['id']}")
        await hear(kept)
        ender = await api.clerk(hall) if by_the_desk else elder
        assert (await ender.delete(f"{path}/follow-code")).status_code == 204
        for socket in (by_code, kept):
            said = (await hear_until(socket, lambda one: one["type"] == "unfollowed"))[-1]
            assert said["topic"] == f"ticket:{ticket['id']}"
    assert (await daughter.get(path)).status_code == 404
    assert (await daughter.get("/me/followed")).json()["data"] == []
    assert code_of(await look(api, code)) == (410, "follow_over")
    assert code_of(await keep(daughter, code)) == (410, "follow_over")
    # Where no word of it comes, it is found in the database.
    ended = {
        row["id"] for row in await rows("SELECT id FROM follow WHERE ticket_id = $1", ticket["id"])
    }
    assert ended <= await ended_recently()
    assert (await ender.delete(f"{path}/follow-code")).status_code == 204
    assert (await look(api, await a_code(elder, ticket))).status_code == 200


async def test_ending_and_keeping_at_once_leave_nobody_who_follows(api: Api, hall: str) -> None:
    for _ in range(5):
        elder, ticket = await an_elders_ticket(api, await api.quiet_hall())
        code, others = await a_code(elder, ticket), [await api.citizen() for _ in range(3)]
        ended, *kept = await gather(
            elder.delete(f"/tickets/{ticket['id']}/follow-code"),
            *(keep(who, code) for who in others),
        )
        assert ended.status_code == 204
        assert {reply.status_code for reply in kept} <= {201, 410}
        left = await rows(
            "SELECT 1 FROM follow WHERE ticket_id = $1 AND ended_at IS NULL", ticket["id"]
        )
        assert left == []


# --- live -----------------------------------------------------------------------------------------


async def test_by_a_code_a_socket_is_told_each_change_and_nobody_signs_in(
    api: Api, hall: str
) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    code, clerk = await a_code(elder, ticket), await api.clerk(hall)
    counter, *_ = await open_counters(clerk, hall, "E")
    async with a_socket(api) as socket:
        await say(socket, op="follow", code=code)
        first = await hear(socket)
        assert (first["topic"], first["data"]["state"]) == (f"ticket:{ticket['id']}", "waiting")
        assert first["data"]["priority"] is None
        await done(clerk, hall, counter, "call-next")
        called = (await hear_until(socket, lambda one: one["data"]["state"] == "called"))[-1]
        assert called["data"]["counter"] == counter
        assert called["data"]["priority"] is None
        assert called["version"] > first["version"]
        await say(socket, op="unwatch", topic=f"ticket:{ticket['id']}")
        await done(clerk, hall, counter, "start")
        with pytest.raises(TimeoutError):
            await hear(socket, within_s=1.2)
    named = (await look(api, code)).json()
    assert named["counter_name"] is not None


async def test_a_socket_follows_the_ticket_into_another_hall(api: Api, hall: str) -> None:
    lin, ticket = await a_ticket(api, hall)
    code, other = await a_code(lin, ticket), await api.quiet_hall()
    async with a_socket(api) as socket:
        await say(socket, op="follow", code=code)
        await hear(socket)
        moved = await lin.post(f"/tickets/{ticket['id']}/move", {"hall": other})
        assert moved.status_code == 200, moved.text
        await hear_until(socket, lambda one: one["data"]["hall"] == other)


async def test_a_follower_watches_the_ticket_without_the_person_while_she_is_signed_in(
    api: Api, hall: str, daughter: Person
) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    topic = f"ticket:{ticket['id']}"
    async with a_socket(api) as socket:
        await signed_in(socket, daughter)
        await say(socket, op="watch", topic=topic)
        assert (await hear(socket))["code"] == "not_found"
        await keep(daughter, await a_code(elder, ticket))
        await say(socket, op="watch", topic=topic)
        shown = await hear(socket)
        assert (shown["topic"], shown["data"]["priority"]) == (topic, None)
        await daughter.delete("/sessions/current")
        assert (await hear(socket))["type"] == "signed_out"
        await elder.post(f"/tickets/{ticket['id']}/cancel")
        with pytest.raises(TimeoutError):
            await hear(socket, within_s=1.2)


async def test_a_socket_that_signs_out_goes_on_following_by_a_code(
    api: Api, hall: str, daughter: Person
) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    async with a_socket(api) as socket:
        await signed_in(socket, daughter)
        await say(socket, op="follow", code=await a_code(elder, ticket))
        await hear(socket)
        await daughter.delete("/sessions/current")
        await elder.post(f"/tickets/{ticket['id']}/cancel")
        await hear_until(
            socket,
            lambda one: one["type"] == "state" and one["data"]["state"] == "cancelled",
        )


async def test_on_the_socket_too_a_code_that_is_none_is_unknown(api: Api) -> None:
    async with a_socket(api) as socket:
        for code in ("x" * 16, "", "短"):
            await say(socket, op="follow", code=code)
            assert (await hear(socket))["code"] == "follow_code_unknown"


# --- when accounts change -------------------------------------------------------------------------


async def test_joined_accounts_follow_what_both_followed(api: Api, hall: str) -> None:
    wang, persona = await with_a_phone(api)
    other = await api.citizen()
    (holder, first), (another, second) = [await a_ticket(api, hall) for _ in range(2)]
    for who, ticket in ((holder, first), (another, second)):
        code = await a_code(who, ticket)
        await keep(other, code)
        if ticket is first:
            await keep(wang, code)
    face = await real_name(other, persona)
    if face.status_code != 200:
        pytest.skip("joining asks for a face here")
    followed = (await wang.get("/me/followed")).json()["data"]
    assert {one["ticket"]["id"] for one in followed} == {first["id"], second["id"]}


async def test_who_is_erased_follows_nothing(api: Api, hall: str, daughter: Person) -> None:
    elder, ticket = await an_elders_ticket(api, hall)
    await keep(daughter, await a_code(elder, ticket))
    exported = (await daughter.get("/me/export")).json()
    assert [one["ticket"] for one in exported["followed"]] == [ticket["id"]]
    assert (await daughter.delete("/me")).status_code == 204
    left = await rows(
        "SELECT 1 FROM follow WHERE ticket_id = $1 AND citizen_id IS NOT NULL", ticket["id"]
    )
    assert left == []


async def test_a_kiosks_ticket_is_followed_by_a_code_of_the_desk(api: Api, hall: str) -> None:
    kiosk, clerk = await a_kiosk(api, hall), await api.clerk(hall)
    ticket = await given(kiosk, hall, api.item(hall, "E"), id_number=an_id_number())
    assert (await look(api, await a_code(clerk, ticket))).json()["ticket"]["id"] == ticket["id"]
