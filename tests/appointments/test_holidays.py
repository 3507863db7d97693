"""Days of a year whose holidays nobody has published: known ones are not sold, others with a word.

2027 is such a year for the calendar that is installed; 1 January 2027 is a Friday.
"""

import pytest

from scheduler.calendar import year_is_covered
from tests.appointments.days import a_bookable_hall, an_item, at, book, booked, code_of, replan
from tests.appointments.days import slots as slots_of
from tests.conftest import Api

NEW_YEAR, MONDAY = "2027-01-01", "2027-01-04"


@pytest.fixture
async def hall(api: Api) -> str:
    if year_is_covered(2027):
        pytest.skip("the calendar knows 2027 by now")
    hall = await a_bookable_hall(api)
    api.turn_clock(at("09:30", "2026-12-30"))
    await replan(api, hall)
    return hall


async def test_new_year_is_never_sold_as_a_working_day(api: Api, hall: str) -> None:
    item = an_item(api, hall)
    assert await slots_of(api, hall, item, NEW_YEAR) == {}
    assert at("10:00", MONDAY) in await slots_of(api, hall, item, MONDAY)
    reply = await book(await api.citizen(), hall, item, at("10:00", NEW_YEAR))
    assert code_of(reply) == (409, "slot_closed")


async def test_a_day_that_may_turn_out_to_be_free_is_sold_with_a_word(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    for hold in (True, False):
        mine = await booked(await api.citizen(), hall, item, at("10:00", MONDAY), hold=hold)
        assert "2027" in mine["warning"]
        assert "2027" in mine["warning_en"]
    known = await booked(lin, hall, item, at("10:00", "2026-12-31"))
    assert (known["warning"], known["warning_en"]) == (None, None)
    for day, said in ((MONDAY, True), ("2026-12-31", False)):
        query = {"item": item, "from": day, "to": day}
        listed = await api.http.get(f"/api/v1/halls/{hall}/slots", params=query)
        assert bool(listed.json()["warning"]) is said
    later = {"item": item, "hall": hall, "after": at("00:00", MONDAY)}
    best = await api.http.get("/api/v1/slots/best", params=later)
    assert "2027" in best.json()["warning"]
    sooner = await api.http.get("/api/v1/slots/best", params={"item": item, "hall": hall})
    assert sooner.json()["warning"] is None
