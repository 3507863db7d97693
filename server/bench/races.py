"""Hundreds book the same slot at the same moment: as many get a place as there are, each time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from server.bench.bench import Bench, BenchFailed, Figure, measurement, percentile
from server.bench.bookings import bookable_items, plenty, slots_path
from server.bench.city import citizens
from server.bench.client import Answer, request, send, send_all

HALL = "dg-02"
CROWD = 500
PLACES = 10
ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Race:
    """What came of one: how often each was answered, and what the slot says and has rows of."""

    told: Counter[tuple[int, str]]
    taken: int
    rows: int
    took_s: tuple[float, ...]

    @property
    def is_right(self) -> bool:
        """Whether exactly as many as there are places got one, and all others `slot_full`."""
        full = self.told.total() - PLACES
        return (
            self.told == {(201, ""): PLACES, (409, "slot_full"): full}
            and self.taken == self.rows == PLACES
        )


@measurement("booking_race")
async def booking_race(bench: Bench) -> list[Figure]:
    """Rounds that come out right, and how long the last of a crowd waits for her answer."""
    await plenty(bench, [HALL], PLACES)
    [item, *_] = await bookable_items(bench)
    starts = await starts_of(bench, HALL, item)
    bench.say(f"{CROWD} people sign in")
    people = await citizens(bench, CROWD)
    races = []
    for nth, start in enumerate(starts[:ROUNDS], 1):
        bench.say(f"round {nth} of {ROUNDS}")
        races.append(await race(bench, people, HALL, item, start))
    took = [each for one in races for each in one.took_s]
    right = sum(one.is_right for one in races)
    note = f"{right} of {len(races)} rounds right: {CROWD} people at once, {PLACES} places"
    return [
        Figure(
            what="booking race: rounds right",
            value=right / ROUNDS,
            unit="ratio",
            bar=1.0,
            rate=len(took) / sum(max(one.took_s) for one in races),
            p50_s=percentile(took, 50),
            p99_s=percentile(took, 99),
            note=note,
        )
    ]


async def starts_of(bench: Bench, hall: str, item: str) -> list[str]:
    """When slots begin that may be booked for an item at a hall."""
    listed = await send(bench.api, request("GET", slots_path(hall, item)))
    starts = [slot["start"] for slot in listed["data"] if slot["bookable"]]
    if not starts:
        raise BenchFailed(f"{hall} has no slots for {item}")
    return starts


async def race(bench: Bench, people: Sequence[str], hall: str, item: str, start: str) -> Race:
    """All hold a place in one slot at the same moment; who got one gives it up afterwards."""
    body = {"hall": hall, "item": item, "slot_start": start, "hold": True}
    path = "/api/v1/appointments"
    asked = [request("POST", path, token=token, body=body) for token in people]
    answers = await send_all(bench.api, asked, connections=len(asked))
    taken, rows = await _counted(bench, hall, start)
    given_up = [
        request("POST", f"{path}/{answer.json()['id']}/cancel", token=token)
        for token, answer in zip(people, answers, strict=True)
        if answer.status == 201
    ]
    for answer in await send_all(bench.api, given_up):
        answer.json()
    told = Counter((answer.status, _code(answer)) for answer in answers)
    return Race(told, taken, rows, tuple(answer.took_s for answer in answers))


def _code(answer: Answer) -> str:
    return answer.problem() if answer.status >= 400 else ""


async def _counted(bench: Bench, hall: str, start: str) -> tuple[int, int]:
    """How many places the hall's slots of a moment say are taken, and of how many there are rows.

    Others than the one raced for are empty.
    """
    connection = await asyncpg.connect(bench.database_url)
    try:
        row = await connection.fetchrow(
            """
            SELECT sum(taken + taken_elders + taken_companies + taken_desk)::int AS taken,
                   sum((SELECT count(*) FROM appointment_place p
                        WHERE p.slot_id = slot.id))::int AS there
            FROM slot JOIN hall ON hall.id = slot.hall_id
            WHERE hall.code = $1 AND starts_at = $2::text::timestamptz
            """,
            hall,
            start,
        )
    finally:
        await connection.close()
    return row["taken"], row["there"]
