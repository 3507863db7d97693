"""Runs a crowd: learns the city from its API, sets everybody going, reports, and stops at once."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any

import httpx
import structlog

from integrations.sandbox.crowd.agenda import Agenda
from integrations.sandbox.crowd.booking import Bookings
from integrations.sandbox.crowd.bundles import Bundle, read_bundle
from integrations.sandbox.crowd.citizens import Citizens
from integrations.sandbox.crowd.city import City
from integrations.sandbox.crowd.department import Department
from integrations.sandbox.crowd.door import Answer, Door
from integrations.sandbox.crowd.figures import Figures
from integrations.sandbox.crowd.halls import Catalogue, Hall
from integrations.sandbox.crowd.in_line import InLine
from integrations.sandbox.crowd.neighbours import Neighbours
from integrations.sandbox.crowd.pace import Gate, Tempo
from integrations.sandbox.crowd.people import Strangers
from integrations.sandbox.crowd.plan import CrowdPlan
from integrations.sandbox.crowd.waiting import Waiting

log = structlog.get_logger()

_PASSWORDS_AT_ONCE = 2
# So many keep the one agenda: what takes long must not keep the rest waiting.
_AT_THE_AGENDA = 4
_READ_CLOCK_EVERY_S = 60.0
_REPORT_EVERY_S = 60.0
_LEAVES_WITHIN_S = 3.0
_AFTER_A_FAULT_S = 5.0


async def simulate_crowd(
    plan: CrowdPlan, until: Awaitable[None], figures: Figures | None = None
) -> Figures:
    """Let citizens and clerks come and go until then; answers what they did.

    Whoever wants to watch gives the `figures` to count in.

    Never raises for anything the server does: it waits for a server that is away, and carries on.
    """
    figures = Figures() if figures is None else figures
    limits = httpx.Limits(
        max_connections=plan.most_connections, max_keepalive_connections=plan.most_connections
    )
    async with httpx.AsyncClient(
        base_url=plan.api_url,
        limits=limits,
        timeout=httpx.Timeout(10.0, pool=None),
        headers={"User-Agent": "yiting-crowd"},
        trust_env=False,
    ) as http:
        everybody = asyncio.create_task(_live(plan, http, figures))
        told = asyncio.ensure_future(until)
        try:
            await asyncio.wait({everybody, told}, return_when=asyncio.FIRST_COMPLETED)
            if everybody.done():
                everybody.result()
        finally:
            for task in (everybody, told):
                task.cancel()
            await asyncio.wait({everybody, told})
    return figures


async def _live(plan: CrowdPlan, http: httpx.AsyncClient, figures: Figures) -> None:
    gate = Gate(
        first_per_s=plan.opening_requests_per_s,
        first_for_s=plan.opening_s,
        per_s=plan.requests_per_s,
    )
    city = _found(plan, Door(http, gate, figures), figures)
    halls = await _learn(city)
    log.info(
        "crowd_arrives", halls=len(halls), per_hour=plan.per_hour, speed=plan.speed, seed=plan.seed
    )
    try:
        await _everybody(city, halls)
    finally:
        # Briefly: whoever stops a crowd does not want to wait.
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVES_WITHIN_S):
                await asyncio.gather(*(hall.leave() for hall in halls.values()))


async def _everybody(city: City, halls: dict[str, Hall]) -> None:
    async with asyncio.TaskGroup() as group:

        def start(forever: Callable[[], Coroutine[Any, Any, None]]) -> None:
            group.create_task(_carry_on(forever, city.figures))

        start(lambda: _watch_doors(city, halls))
        start(lambda: _report_forever(city.figures, halls))
        for _ in range(_AT_THE_AGENDA):
            start(city.agenda.keep_forever)
        for hall in halls.values():
            start(hall.staff_forever)
            start(hall.receive_forever)
            start(hall.manage_forever)


def _found(plan: CrowdPlan, door: Door, figures: Figures) -> City:
    """A city in which nobody has come yet, and that knows no halls."""
    tempo = Tempo(plan.speed)
    agenda = Agenda(tempo)
    strangers = Strangers(plan.seed, plan.most_people)
    in_line, neighbours = InLine(), Neighbours()
    waiting = Waiting(plan, agenda, figures, in_line, neighbours)
    bookings = Bookings(plan, door, agenda, tempo, figures, in_line=in_line, neighbours=neighbours)
    department = Department(plan, door, agenda, tempo, figures)
    citizens = Citizens(
        plan,
        door,
        tempo,
        figures,
        strangers=strangers,
        waiting=waiting,
        in_line=in_line,
        bookings=bookings,
        department=department,
    )
    passwords = asyncio.Semaphore(_PASSWORDS_AT_ONCE)
    return City(
        plan, door, tempo, agenda, strangers, citizens, department, figures, passwords, neighbours
    )


async def _carry_on(forever: Callable[[], Coroutine[Any, Any, None]], figures: Figures) -> None:
    """Run a part of the crowd; a surprise is logged, and the part begins anew."""
    while True:
        try:
            await forever()
        except Exception as fault:
            figures.errors += 1
            # The traceback shows code only; an answer or a name never is part of it.
            log.warning("crowd_stumbled", exc_info=fault)
            await asyncio.sleep(_AFTER_A_FAULT_S)


async def _learn(city: City) -> dict[str, Hall]:
    """Every hall with what it offers."""
    minutes: dict[str, int] = {}
    easy: set[str] = set()
    bookable: set[str] = set()
    for_anyone: set[str] = set()
    more: str | None = ""
    while more is not None:
        page = await _read(city, f"/api/v1/items?limit=100{more}")
        # Items that are for residents only are for those who said where they live.
        for one in page["data"]:
            minutes[one["code"]] = one["minutes"]
            if not one["level_required"] and one.get("residents_of", "anywhere") == "anywhere":
                easy.add(one["code"])
            if one["bookable"]:
                bookable.add(one["code"])
            if one["audience"] == ["anyone"]:
                for_anyone.add(one["code"])
        more = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    bundles = await _learn_bundles(city)
    await city.department.open(city.staff("admin"), sorted(for_anyone))
    listed = await _read(city, "/api/v1/halls?limit=100")
    city.tempo.read(listed["as_of"])
    chosen = [
        one for one in listed["data"] if city.plan.halls is None or one["code"] in city.plan.halls
    ]
    met = await asyncio.gather(
        *(_meet(city, one, minutes, easy, bundles=bundles, bookable=bookable) for one in chosen)
    )
    halls = {hall.code: hall for hall in met if hall is not None}
    city.neighbours.meet(halls.values())
    _open_and_close(halls, listed)
    mean = sum(hall.counters for hall in halls.values()) / max(1, len(halls))
    for hall in halls.values():
        hall.size = hall.counters / mean
    city.pace = city.plan.per_hour / 60 / max(1, len(halls))
    return halls


async def _learn_bundles(city: City) -> list[Bundle]:
    """The bundles that somebody may come for who has proven her name."""
    codes = [one["code"] for one in (await _read(city, "/api/v1/bundles"))["data"]]
    told = [await _read(city, f"/api/v1/bundles/{code}") for code in codes]
    return [bundle for one in told if (bundle := read_bundle(one)) is not None]


async def _meet(
    city: City,
    listed: dict[str, Any],
    minutes: Mapping[str, int],
    easy: Collection[str],
    *,
    bundles: Iterable[Bundle],
    bookable: Collection[str],
) -> Hall | None:
    """A hall; None where somebody who has just signed in can do nothing."""
    code = listed["code"]
    offered = (await _read(city, f"/api/v1/halls/{code}"))["items"]
    board = await _read(city, f"/api/v1/halls/{code}/board")
    catalogue = Catalogue(
        {item: minutes[item] for item in offered if item in minutes},
        tuple(item for item in offered if item in easy),
        tuple(bundle for bundle in bundles if set(bundle.items) <= set(offered)),
        frozenset(bookable) & frozenset(offered),
    )
    if not catalogue.easy or not board["counters"]:
        return None
    return Hall(city, code, catalogue, board, listed["place"])


async def _read(city: City, path: str) -> Any:
    """A public answer; asked for until it is there."""
    while True:
        answer: Answer = await city.door.ask("GET", path)
        if answer.ok:
            return answer.body
        log.warning("crowd_waits", path=path.partition("?")[0], status=answer.status)
        await asyncio.sleep(_AFTER_A_FAULT_S)


def _open_and_close(halls: dict[str, Hall], listed: dict[str, Any]) -> None:
    for one in listed["data"]:
        hall = halls.get(one["code"])
        if hall is None:
            continue
        if one["open"]:
            hall.opened.set()
        else:
            hall.opened.clear()


async def _watch_doors(city: City, halls: dict[str, Hall]) -> None:
    """Keep the clock and see which halls are open."""
    while True:
        await asyncio.sleep(min(15.0, city.tempo.real_s(_READ_CLOCK_EVERY_S, least=2.0)))
        listed = await _read(city, "/api/v1/halls?limit=100")
        city.tempo.read(listed["as_of"])
        _open_and_close(halls, listed)


async def _report_forever(figures: Figures, halls: dict[str, Hall]) -> None:
    """Write one line a minute."""
    before = figures.copy()
    while True:
        await asyncio.sleep(_REPORT_EVERY_S)
        log.info(
            "crowd",
            **figures.since(before).as_dict(),
            waiting=sum(hall.waiting for hall in halls.values()),
            clerks=sum(hall.clerks for hall in halls.values()),
        )
        before = figures.copy()
