"""A ticket that is not hers, followed on a socket."""

import pytest

from tests.conftest import Api
from tests.counters.halls import a_ticket, done, open_counters
from tests.following.sharing import a_code, an_elders_ticket, keep, look
from tests.live.sockets import a_socket, hear, hear_until, say, signed_in
from tests.people import Person

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
