"""The share of items that may be booked, as the city's files say."""

from tests.conftest import Api


async def test_a_halls_share_is_that_of_its_items_and_departments(api: Api) -> None:
    directory = api.services.directory
    for code in ("dg-00", "dg-24"):
        reply, statements = await api.statements(api.http.get(f"/api/v1/halls/{code}/bookable"))
        assert statements == 0
        told = reply.json()
        items = [directory.item(item) for item in directory.hall(code).offers]
        assert (told["items"], told["bookable"]) == (len(items), sum(i.bookable for i in items))
        assert told["reached"] is (told["share"] >= told["goal"])
        assert sum(each["items"] for each in told["departments"]) == told["items"]
        shares = [each["share"] for each in told["departments"]]
        assert shares == sorted(shares)
    assert (await api.http.get("/api/v1/halls/dg-99/bookable")).status_code == 404
