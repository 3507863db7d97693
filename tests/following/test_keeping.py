"""Who keeps a ticket that is not hers, and how that ends."""

import asyncio
from asyncio import gather

import pytest

from models.database import rows
from server.sessions.tokens import ended_recently
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of
from tests.following.sharing import a_code, an_elders_ticket, keep, look
from tests.identity.families import with_a_phone
from tests.identity.people import real_name
from tests.live.sockets import a_socket, hear, hear_until, say, signed_in
from tests.people import Person

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
