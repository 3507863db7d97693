"""My tickets, listed and one by one."""

from uuid import UUID

from tests.conftest import Api, until


async def test_a_ticket_is_listed_as_it_is_shown_alone(api: Api) -> None:
    hall = await api.quiet_hall()
    before, lin = await api.citizen(), await api.citizen()
    await before.take(hall, api.item(hall, "E"))
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    memory = api.services.feed.memory
    listed_at_once = (await lin.get("/tickets")).json()["data"]
    await until(lambda: memory.ticket(UUID(ticket["id"])) is not None)
    alone = (await lin.get(f"/tickets/{ticket['id']}")).json()
    listed = (await lin.get("/tickets")).json()["data"]
    assert listed == [alone]
    assert listed_at_once[0]["version"] <= alone["version"]
