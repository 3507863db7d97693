"""The ranked list: waits as the halls' live state has them, and null where it has none."""

import asyncio
import dataclasses
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from scheduler.places import geodesic_m, to_wgs84
from server.errors import InvalidRequest
from server.halls.directory import Directory, ItemEntry
from server.halls.instead import Soonest
from server.halls.listing import HallLists
from server.halls.views import AppointmentInstead, NearQuery
from server.live.feed import Feed
from server.live.state import Board, LiveHall, LiveLine, Wait, encode_hall
from tests.conftest import MONDAY_MORNING, Api
from tests.halls.test_finding_a_hall import HUMEN, at, found, halls

RANKS = ("nearest", "shortest_wait", "fastest")
ITEM = "social-card-renewal"


class Told:
    """A feed that has heard what a test tells it of the city's halls, and nothing else."""

    def __init__(self, api: Api, directory: Directory | None = None) -> None:
        self._directory = directory or api.services.directory
        self._feed = Feed(api.services.valkey, self._directory.codes)
        self.lists = HallLists(self._directory, self._feed, MONDAY_MORNING)
        self._version = 1

    def tell(
        self,
        hall: str,
        minutes: dict[str, float] | float | None,
        *,
        as_of: datetime = MONDAY_MORNING,
        **line: Any,
    ) -> None:
        """The wait in each line, in minutes; None: not known."""
        self._version += 1
        entry = self._directory.hall(hall)
        known = minutes if isinstance(minutes, dict) else dict.fromkeys(entry.lines, minutes)
        lines = tuple(a_line(code, known.get(code), **line) for code in entry.lines)
        board = Board(hall, entry.name, entry.name_en, self._version, as_of, (), (), lines)
        self._feed.memory.keep(encode_hall(LiveHall(board, ())))

    def ask(self, now: datetime = MONDAY_MORNING, **query: Any) -> list[dict[str, Any]]:
        return list(self.answer(now, **query)["data"])

    def answer(self, now: datetime = MONDAY_MORNING, **query: Any) -> dict[str, Any]:
        answer: dict[str, Any] = msgspec.json.decode(self.lists.ranked(NearQuery(**query), now))
        return answer


class OneSlot:
    """One hall has one slot for anything, of so many minutes."""

    def __init__(self, at: int, start: datetime, minutes: int) -> None:
        self._at, self._slot = at, AppointmentInstead(start, start + timedelta(minutes=minutes))

    def soonest(self, _item: ItemEntry, _now: datetime) -> Soonest:
        found = Soonest(34)
        found.put(self._at, self._slot)
        return found

    def slot(
        self, at: int, _item: ItemEntry, arrives: datetime, _now: datetime
    ) -> AppointmentInstead | None:
        return self._slot if at == self._at and self._slot.slot_start >= arrives else None


def a_line(code: str, minutes: float | None, **other: Any) -> LiveLine:
    line = LiveLine(code=code, name=code, name_en=code, state="open", waiting=3, wait=None)
    if minutes is not None:
        wait = Wait(round(minutes * 30), round(minutes * 60), round(minutes * 120))
        line = replace(line, wait=wait, on_arrival=(wait,) * 5)
    return replace(line, **other)


@pytest.fixture
def told(api: Api) -> Told:
    told = Told(api)
    for code in api.services.directory.codes:
        told.tell(code, 40)
    return told


HERE = at(HUMEN)


def test_every_figure_adds_up(told: Told, api: Api) -> None:
    minutes = api.services.directory.item(ITEM).minutes
    for hall in told.ask(rank="fastest", item=ITEM, **HERE):
        for share in ("p10_s", "p50_s", "p90_s"):
            whole = hall["travel_s"] + hall["wait_on_arrival"][share] + minutes * 60
            assert abs(hall["total"][share] - whole) <= 1
        assert hall["travel_basis"] == "estimate"
        assert hall["wait"] == {"p10_s": 1200, "p50_s": 2400, "p90_s": 4800}
        assert hall["appointment"] is None


def test_the_fastest_is_a_little_farther_where_the_nearest_is_full(told: Told) -> None:
    first, second = [hall["code"] for hall in told.ask(rank="nearest", **HERE)][:2]
    told.tell(first, 150)
    told.tell(second, 2)
    assert told.ask(rank="nearest", **HERE)[0]["code"] == first
    assert told.ask(rank="fastest", **HERE)[0]["code"] == second
    assert told.ask(rank="shortest_wait", **HERE)[0]["code"] == second
    assert told.ask(rank="shortest_wait")[0]["code"] == second


def test_it_is_the_line_of_the_item_that_counts(told: Told, api: Api) -> None:
    entry = api.services.directory.hall("dg-01")
    line = entry.offers[ITEM]
    told.tell("dg-01", dict.fromkeys(entry.lines, 100.0) | {line: 7.0})
    [by_item] = [h for h in told.ask(item=ITEM, **HERE) if h["code"] == "dg-01"]
    assert by_item["wait"]["p50_s"] == 420
    [whole] = [h for h in told.ask(**HERE) if h["code"] == "dg-01"]
    assert whole["wait"]["p10_s"] == 210
    assert whole["wait"]["p90_s"] == 12_000
    assert 420 < whole["wait"]["p50_s"] < 6_000


def test_a_wait_that_is_not_known_is_null_and_stands_behind_known_ones(told: Told) -> None:
    nearest = told.ask(rank="nearest", **HERE)[0]["code"]
    for code in told._directory.codes:
        told.tell(code, None if code == nearest else 5)
    listed = told.ask(rank="fastest", **HERE)
    at_place = [hall["code"] for hall in listed].index(nearest)
    assert at_place > 0
    hall = listed[at_place]
    assert (hall["wait"], hall["wait_on_arrival"], hall["total"]) == (None, None, None)
    assert hall["travel_s"] is not None


def test_the_list_says_what_each_wait_rests_on(told: Told) -> None:
    told.tell("dg-05", 10, wait=Wait(300, 600, 1200, "usual"))
    told.tell("dg-06", None)
    told.tell("dg-07", 10, left_today=0)
    basis = {hall["code"]: (hall["wait_basis"], hall["wait"] is None) for hall in told.ask()}
    assert basis["dg-05"] == ("usual", False)
    assert basis["dg-06"] == basis["dg-07"] == ("none", True)
    assert basis["dg-08"] == ("live", False)


@pytest.mark.parametrize("line", [{"left_today": 0}, {"state": "stopped"}])
def test_a_hall_that_gives_no_more_numbers_comes_last(told: Told, line: dict[str, Any]) -> None:
    nearest = told.ask(rank="nearest", **HERE)[0]["code"]
    told.tell(nearest, 1, **line)
    last = told.ask(rank="fastest", **HERE)[-1]
    assert last["code"] == nearest
    assert (last["total"], last["wait_on_arrival"]) == (None, None)
    assert last["waiting"] is not None


def test_numbers_that_end_before_she_is_there_are_none_for_her(told: Told) -> None:
    far = told.ask(rank="nearest", **HERE)[-1]
    told.tell(far["code"], 1, left_today=3, stops_at=MONDAY_MORNING + timedelta(minutes=5))
    assert told.ask(rank="fastest", **HERE)[-1]["code"] == far["code"]
    there = to_wgs84_of(told, far["code"])
    [hall] = told.ask(rank="fastest", travel="walk", limit=1, **there)
    assert hall["code"] == far["code"]


def to_wgs84_of(told: Told, code: str) -> dict[str, Any]:
    place = told._directory.hall(code).place
    assert place is not None
    return at(to_wgs84(place))


def test_in_the_break_and_after_closing(told: Told) -> None:
    noon = MONDAY_MORNING.replace(hour=13, minute=0)
    for code in told._directory.codes:
        told.tell(code, 10, as_of=noon)
    listed = told.ask(noon, rank="fastest", **HERE)
    broken = [hall for hall in listed if not hall["open"] and hall["travel_s"] < 1200]
    assert broken
    for hall in broken:
        # The doors open at 13:30; whoever is there before waits for that.
        assert hall["wait_on_arrival"]["p50_s"] > 600
    evening = MONDAY_MORNING.replace(hour=20)
    for rank in ("fastest", "shortest_wait", "nearest"):
        listed = told.ask(evening, rank=rank, **HERE)
        assert all(hall["total"] is None for hall in listed)
        metres = [hall["distance_m"] for hall in listed]
        assert metres == sorted(metres)


def test_halls_of_a_level_and_those_open_now(told: Told) -> None:
    assert {hall["level"] for hall in told.ask(level="city", rank="fastest", **HERE)} == {"city"}
    assert len(told.ask(level="town")) == 33
    assert told.ask(level="village", rank="fastest", **HERE) == []
    noon = MONDAY_MORNING.replace(hour=12, minute=30)
    assert [h["code"] for h in told.ask(noon, open_now=True, rank="fastest", **HERE)] == ["dg-00"]


def test_the_list_is_as_old_as_the_oldest_hall_in_it(told: Told) -> None:
    old = MONDAY_MORNING - timedelta(seconds=40)
    nearest = told.ask(**HERE)[0]["code"]
    told.tell(nearest, 5, as_of=old + timedelta(minutes=2))
    told.tell("dg-00", 5, as_of=MONDAY_MORNING + timedelta(seconds=30))
    later = MONDAY_MORNING + timedelta(minutes=3)
    answer = told.answer(later, limit=1, **HERE)
    assert answer["as_of"] == (old + timedelta(minutes=2)).isoformat()
    assert told.answer(later, **HERE)["as_of"] == MONDAY_MORNING.isoformat()


def test_a_change_of_one_hall_is_in_the_next_answer(told: Told) -> None:
    for minutes in (3, 5, 8):
        told.tell("dg-05", minutes)
        for _ in range(3):
            [hall] = [h for h in told.ask(**HERE) if h["code"] == "dg-05"]
            assert hall["wait"]["p50_s"] == minutes * 60


def test_a_hall_without_coordinates_comes_last_with_its_wait(api: Api) -> None:
    directory = api.services.directory
    lost = dataclasses.replace(directory.hall("dg-24"), place=None)
    told = Told(api, Directory({**directory.halls, "dg-24": lost}, directory.items))
    for code in directory.codes:
        told.tell(code, 3)
    for rank in ("nearest", "fastest", "shortest_wait"):
        *others, last = told.ask(rank=rank, **HERE)
        assert last["code"] == "dg-24"
        assert last["wait"]["p50_s"] == 180
        assert (last["distance_m"], last["travel_s"], last["total"]) == (None, None, None)
        assert all(hall["total"] is not None for hall in others)
    assert len(told.ask(rank="fastest", within_m=5_000_000, **HERE)) == 33
    assert len(told.ask(rank="fastest", limit=33, **HERE)) == 33
    assert "dg-24" in {hall["code"] for hall in told.ask(rank="shortest_wait")}


def test_a_clock_that_jumps_back_shows_what_is_open_then(told: Told) -> None:
    assert not told.ask(MONDAY_MORNING.replace(hour=20), **HERE)[0]["open"]
    assert told.ask(MONDAY_MORNING, **HERE)[0]["open"]
    assert not told.ask(MONDAY_MORNING - timedelta(days=1), **HERE)[0]["open"]
    assert told.ask(MONDAY_MORNING + timedelta(days=1), **HERE)[0]["open"]


def test_a_slot_still_free_is_offered_where_it_is_the_better_choice(told: Told) -> None:
    nearest = told.ask(item=ITEM, **HERE)[0]["code"]
    told.tell(nearest, 90)
    start = MONDAY_MORNING + timedelta(minutes=50)
    told.lists.bookable = OneSlot(told.lists.standing.number[nearest], start, 20)
    told.tell("dg-00", 1)  # what was answered before is forgotten
    first, *others = told.ask(item=ITEM, rank="nearest", **HERE)
    assert first["appointment"] == {
        "slot_start": start.isoformat(),
        "done_by": (start + timedelta(minutes=20)).isoformat(),
    }
    told.lists.bookable = OneSlot(told.lists.standing.number[nearest], start, 500)
    told.tell("dg-00", 2)
    assert told.ask(item=ITEM, rank="nearest", **HERE)[0]["appointment"] is None
    assert all(hall["appointment"] is None for hall in others)


# --- over HTTP


async def test_every_rank_is_answered(api: Api) -> None:
    everything = set(api.services.directory.codes)
    for rank in ("nearest", "shortest_wait", "fastest"):
        data = await found(api, rank=rank, **HERE)
        assert {hall["code"] for hall in data} == everything
        assert all(hall["travel_basis"] in ("estimate", "map") for hall in data)


async def test_shortest_wait_needs_no_place_and_fastest_does(api: Api) -> None:
    assert len(await found(api, rank="shortest_wait")) == 34
    reply = await halls(api, rank="fastest")
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/rank")
    assert reply.json()["errors"][0]["detail"] == "需要同时给出 lat 和 lng。"


async def test_ranking_asks_postgresql_nothing(api: Api) -> None:
    for rank in ("nearest", "shortest_wait", "fastest"):
        counts = []
        # Now and then the process asks something by itself, but not each time.
        for _ in range(3):
            reply, statements = await api.statements(halls(api, rank=rank, item=ITEM, **HERE))
            assert reply.status_code == 200
            counts.append(statements)
        assert min(counts) == 0


async def test_the_way_is_measured_to_the_metre(api: Api) -> None:
    directory = api.services.directory
    for hall in await found(api, rank="fastest", **HERE):
        place = directory.hall(hall["code"]).place
        assert place is not None
        assert abs(hall["distance_m"] - geodesic_m(HUMEN, place)) <= 1


async def test_who_asks_at_the_same_moment_gets_what_she_would_get_alone(told: Told) -> None:
    told.tell("dg-03", 12)
    told.tell("dg-07", 3, left_today=0)
    lists, now = told.lists, MONDAY_MORNING
    wishes = [
        *(near(lat, rank=rank) for lat in (22.7, 22.9, 23.1) for rank in RANKS),
        near(22.9, rank="fastest", limit=3, travel="walk"),
        near(22.9, rank="nearest", within_m=9_000),
        near(22.9, rank="fastest", item=ITEM),
        NearQuery(rank="shortest_wait"),
    ]
    alone = [lists.ranked(wish, now) for wish in wishes]
    lists._answers.clear()
    asked = [asyncio.ensure_future(lists.ranked_together(wish, now)) for wish in wishes]
    gone = asyncio.ensure_future(lists.ranked_together(near(23.0), now))
    await asyncio.sleep(0)
    gone.cancel()
    assert await asyncio.gather(*asked) == alone
    assert gone.cancelled()


async def test_who_asks_what_cannot_be_spoils_it_for_nobody_else(told: Told) -> None:
    good = asyncio.ensure_future(told.lists.ranked_together(near(22.9), MONDAY_MORNING))
    await asyncio.sleep(0)
    with pytest.raises(InvalidRequest):
        await told.lists.ranked_together(near(91.0), MONDAY_MORNING)
    assert await good == told.lists.ranked(near(22.9), MONDAY_MORNING)


def near(lat: float, **query: Any) -> NearQuery:
    return NearQuery(lat=lat, lng=113.8, **query)
