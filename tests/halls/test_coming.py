"""People on their way count before they are in a line, each phone once, wherever it asked."""

from secrets import randbelow, token_hex
from typing import Any

from server.halls.coming import ON_THE_WAY_MIN, SETS_OFF, Coming
from server.halls.listing import HallLists
from tests.conftest import MONDAY_MORNING, Api
from tests.halls.test_finding_a_hall import HUMEN, at
from tests.halls.test_ranked_halls import ITEM, Told

HERE = at(HUMEN)


class Minutes:
    """A clock of minutes nobody else lives in."""

    def __init__(self) -> None:
        self.now = 10**9 + randbelow(10**9)

    def __call__(self) -> float:
        return self.now * 60.0


def told_with(api: Api, coming: Coming) -> Told:
    told = Told(api)
    told.lists = HallLists(told._directory, told._feed, MONDAY_MORNING, coming=coming)
    for code in told._directory.codes:
        told.tell(code, 20)
    return told


def on_arrival(told: Told, code: str, **query: Any) -> int:
    [hall] = [h for h in told.ask(rank="fastest", **query, **HERE) if h["code"] == code]
    return int(hall["wait_on_arrival"]["p50_s"])


async def test_who_has_not_checked_in_yet_adds_a_place_to_the_wait(api: Api) -> None:
    told = Told(api)
    for code in told._directory.codes:
        told.tell(code, 20)
    before = on_arrival(told, "dg-05", item=ITEM)
    # Of three who wait two are not there: twenty minutes are for one and whoever comes.
    told.tell("dg-05", 20, away=2)
    assert on_arrival(told, "dg-05", item=ITEM) == before + 2 * 600
    assert on_arrival(told, "dg-05") > before
    [hall] = [h for h in told.ask(item=ITEM, **HERE) if h["code"] == "dg-05"]
    assert hall["wait"]["p50_s"] == 1200


async def test_a_rush_to_one_hall_sends_the_next_elsewhere(api: Api) -> None:
    coming = Coming(api.services.valkey, clock=Minutes())
    told = told_with(api, coming)
    first = told.ask(rank="fastest", item=ITEM, **HERE)[0]["code"]
    before = on_arrival(told, first, item=ITEM)
    for phone in range(1_000):
        coming.chose(first, f"phone-{phone}")
    assert on_arrival(told, first, item=ITEM) > before
    assert told.ask(rank="fastest", item=ITEM, **HERE)[0]["code"] != first
    told.tell(first, 20)  # what the hall tells anew does not forget them
    assert told.ask(rank="fastest", item=ITEM, **HERE)[0]["code"] != first


async def test_a_phone_counts_once_and_for_twenty_minutes(api: Api) -> None:
    clock, hall = Minutes(), f"t-{token_hex(4)}"
    coming = Coming(api.services.valkey, clock=clock)
    for _ in range(9):
        coming.chose(hall, "one")
    coming.chose(hall, "another")
    await coming.add_up()
    assert coming.people(hall) == 2 * SETS_OFF
    clock.now += ON_THE_WAY_MIN - 1
    coming.chose(hall, "one")
    await coming.add_up()
    assert coming.people(hall) == 2 * SETS_OFF
    clock.now += 1
    await coming.add_up()
    assert coming.people(hall) == 0
    coming.chose(hall, "one")
    assert coming.people(hall) == SETS_OFF


async def test_every_process_knows_whom_the_others_saw(api: Api) -> None:
    clock, hall = Minutes(), f"t-{token_hex(4)}"
    one, other = (Coming(api.services.valkey, clock=clock) for _ in range(2))
    one.chose(hall, "a")
    other.chose(hall, "b")
    await one.add_up()
    await other.add_up()
    await one.add_up()
    assert one.people(hall) == other.people(hall) == 2 * SETS_OFF
    known = one.generation
    await one.add_up()
    assert one.generation == known


async def test_looking_at_a_halls_page_counts(api: Api) -> None:
    reply = await api.http.get("/api/v1/halls/dg-17")
    assert reply.status_code == 200
    assert api.services.coming.people("dg-17") >= SETS_OFF
    assert (await api.http.get("/api/v1/halls/nowhere")).status_code == 404
    assert api.services.coming.people("nowhere") == 0
