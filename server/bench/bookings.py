"""Appointments: looking for a slot and booking one, in a city that has booked a million times."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from server.bench.bench import Bench, BenchFailed, Figure, Pairs, measurement
from server.bench.booked import fill
from server.bench.city import admin, citizens, hall_codes, items_by_line
from server.bench.client import drive, request, send, send_all
from server.bench.inserts import inserts
from server.bench.reads import compare

DAYS = ("2026-11-24", "2026-12-07")
HALL = "dg-01"
PLACES = 1_000
PEOPLE = 1_500
LIMIT = "bare INSERT"
# An item, and when the slots begin in which each hall does it.
Offers = dict[str, dict[str, list[str]]]


@measurement("slots")
async def slots(bench: Bench) -> list[Figure]:
    """One hall's slots of fourteen days, as phones ask again and again."""
    booked = await fill(bench)
    [item, *_] = await bookable_items(bench)
    path = slots_path(HALL, item)
    many = len((await send(bench.api, request("GET", path)))["data"])
    if not many:
        raise BenchFailed(f"{HALL} has no slots for {item}")
    asked, *others = await compare(bench, "slots", [(path, "")], bar=0.3)
    note = f"{many} slots of 14 days; {booked:,} bookings in the tables"
    return [_with_note(asked, note), *others]


@measurement("booking")
async def booking(bench: Bench) -> list[Figure]:
    """Booking at once, spread over all halls, lines, slots and citizens."""
    plan = bench.plan
    booked = await fill(bench)
    await plenty(bench, await hall_codes(bench), PLACES)
    offers = await _offers(bench)
    bench.say("people sign in")
    wishes = _wishes(await citizens(bench, PEOPLE), offers)
    await drive(bench.api, wishes, connections=plan.connections, seconds=1)
    pairs = Pairs()
    async with inserts(bench) as bare:
        await bare.drive(1)
        for number in range(1, plan.rounds + 1):
            bench.say(f"round {number} of {plan.rounds}: bare INSERTs")
            pairs.limits.append(await bare.drive(plan.seconds))
            bench.say(f"round {number} of {plan.rounds}")
            done = await drive(
                bench.api, wishes, connections=plan.connections, seconds=plan.seconds
            )
            pairs.loads.append(done.load(201))
    note = f"over HTTP; {booked:,} bookings in the tables before"
    return [pairs.figure("booking", limit=LIMIT, bar=0.15, note=note)]


async def plenty(bench: Bench, halls: Sequence[str], places: int) -> None:
    """Give every slot of these halls so many places."""
    bench.say("slots are planned")
    token = await admin(bench)
    listed = await send_all(
        bench.api, [request("GET", f"/api/v1/halls/{hall}/lines") for hall in halls]
    )
    paths = [
        f"/api/v1/halls/{hall}/slot-plans/{line['code']}"
        for hall, answer in zip(halls, listed, strict=True)
        for line in answer.json()["data"]
    ]
    plans = [request("PUT", path, token=token, body={"places": places}) for path in paths]
    for answer in await send_all(bench.api, plans):
        answer.json()


async def bookable_items(bench: Bench) -> list[str]:
    """Items that anybody may book in every hall."""
    found = await items_by_line(bench, await hall_codes(bench))
    listed = await send(bench.api, request("GET", "/api/v1/items?limit=100"))
    bookable = {item["code"] for item in listed["data"] if item["bookable"]}
    items = [code for codes in found.values() for code in codes if code in bookable]
    if not items:
        raise BenchFailed("no item can be booked in every hall")
    return items


async def _offers(bench: Bench) -> Offers:
    items, halls = await bookable_items(bench), await hall_codes(bench)
    asked = [(item, hall) for item in items for hall in halls]
    answers = await send_all(
        bench.api, [request("GET", slots_path(hall, item)) for item, hall in asked]
    )
    offers: Offers = {item: {} for item in items}
    for (item, hall), answer in zip(asked, answers, strict=True):
        starts = [slot["start"] for slot in answer.json()["data"] if slot["bookable"]]
        if starts:
            offers[item][hall] = starts
    return offers


def _wishes(people: Sequence[str], offers: Offers) -> Iterator[bytes]:
    """Each citizen books another item or another day each time; neighbours book at other halls."""
    items = list(offers)
    for turn in count():
        for nth, token in enumerate(people):
            item = items[(turn + nth) % len(items)]
            halls = list(offers[item])
            hall = halls[(nth + turn * 7) % len(halls)]
            starts = offers[item][hall]
            # Days in turn: the next item of hers is on another one.
            start = starts[(turn * 17 + nth * 5) % len(starts)]
            body = {"hall": hall, "item": item, "slot_start": start}
            yield request("POST", "/api/v1/appointments", token=token, body=body)


def slots_path(hall: str, item: str) -> str:
    """Where its slots of fourteen days are listed."""
    first, last = DAYS
    return f"/api/v1/halls/{hall}/slots?item={item}&from={first}&to={last}"


def _with_note(figure: Figure, note: str) -> Figure:
    return replace(figure, note="; ".join(part for part in (note, figure.note) if part))
