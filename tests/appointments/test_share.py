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


async def test_the_citys_share_counts_each_item_once_and_every_hall(api: Api) -> None:
    directory = api.services.directory
    reply, statements = await api.statements(api.http.get("/api/v1/bookable"))
    assert statements == 0
    told = reply.json()
    offered = {code for hall in directory.halls.values() for code in hall.offers}
    assert told["items"] == len(offered)
    assert told["bookable"] == sum(directory.item(code).bookable for code in offered)
    assert {one["hall"] for one in told["halls"]} == set(directory.halls)


async def test_the_managers_report_says_it_too(api: Api) -> None:
    manager = await api.manager("dg-24")
    report = (await manager.get("/halls/dg-24/report")).json()
    told = (await api.http.get("/api/v1/halls/dg-24/bookable")).json()
    assert report["bookable"] == {name: value for name, value in told.items() if name != "hall"}
