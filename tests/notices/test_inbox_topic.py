"""Her inbox on the socket: how much is unread, now and at each change, and hers alone."""

from tests.conftest import Api
from tests.counters.halls import a_ticket, done, open_counters
from tests.live.sockets import a_socket, hear, hear_until, say, signed_in


async def test_she_hears_what_is_unread_and_what_came(api: Api, hall: str) -> None:
    lin, ticket = await a_ticket(api, hall)
    me = lin.session["citizen"]["id"]
    async with a_socket(api) as socket:
        await signed_in(socket, lin)
        await say(socket, op="watch", topic="inbox")
        first = await hear(socket)
        assert (first["topic"], first["data"]["unread"]) == (f"inbox:{me}", 0)
        assert first["data"]["newest"] is None
        clerk = await api.clerk(hall)
        [counter, *_] = await open_counters(clerk, hall, "E")
        await done(clerk, hall, counter, "call-next")
        told = (await hear_until(socket, lambda said: said["data"]["unread"] == 1))[-1]
        assert told["data"]["newest"]["kind"] == "ticket_called"
        assert ticket["number"] in told["data"]["newest_en"]["body"]
        assert told["version"] > first["version"]
        await lin.post("/notices/read", {})
        await hear_until(socket, lambda said: said["data"]["unread"] == 0)
        await say(socket, op="unwatch", topic="inbox")
        await say(socket, op="ping")
        await hear_until(socket, lambda said: said["type"] == "pong")


async def test_nobody_hears_of_anothers_inbox(api: Api) -> None:
    lin, stranger = await api.citizen(), await api.citizen()
    async with a_socket(api) as socket:
        await say(socket, op="watch", topic="inbox")
        assert (await hear(socket))["code"] == "not_signed_in"
        await signed_in(socket, stranger)
        for name in (lin.session["citizen"]["id"], "rubbish"):
            await say(socket, op="watch", topic=f"inbox:{name}")
            assert (await hear(socket))["code"] == "not_found"
