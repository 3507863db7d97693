"""What cannot be done now, or not by her, or not again, is refused by name and changes nothing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from models.database import rows
from tests.conftest import Api
from tests.counters.halls import a_ticket, code_of, done, open_counters
from tests.people import Person

REFUSED = (409, "wrong_state")
# The ticket's states, and how a clerk brings it there; each but the last two leave it in the hall.
STATES: dict[str, tuple[str, ...]] = {
    "waiting": (),
    "called": ("call-next",),
    "serving": ("call-next", "start"),
    "parked": ("call-next", "start", "park"),
    "finished": ("call-next", "start", "finish"),
    "missed": ("call-next", "miss"),
    "cancelled": (),
}


@dataclass
class Scene:
    """A hall with one ticket and one open counter, at which the ticket is or was."""

    hall: str
    other_hall: str
    counter: str
    lin: Person
    clerk: Person
    ticket: dict[str, Any]

    async def counter_does(
        self, action: str, body: Any = None, by: Person | None = None
    ) -> httpx.Response:
        return await (by or self.clerk).at(self.hall, self.counter, action, body)

    async def she(self, action: str, body: Any = None, by: Person | None = None) -> httpx.Response:
        return await (by or self.lin).post(f"/tickets/{self.ticket['id']}/{action}", body)

    async def desk(self, action: str, by: Person | None = None) -> httpx.Response:
        path = f"/halls/{self.hall}/tickets/{self.ticket['id']}/{action}"
        return await (by or self.clerk).post(path)

    async def now(self) -> list[dict[str, Any]]:
        """All that is kept of the hall's tickets, counters and of what happened."""
        found = await rows("SELECT * FROM ticket WHERE id = $1", self.ticket["id"])
        found += await rows(
            "SELECT * FROM ticket_event WHERE ticket_id = $1 ORDER BY id", self.ticket["id"]
        )
        found += await rows(
            "SELECT c.* FROM counter c JOIN hall h ON h.id = c.hall_id WHERE h.code = $1"
            " ORDER BY c.code",
            self.hall,
        )
        found += await rows(
            "SELECT l.* FROM line l JOIN hall h ON h.id = l.hall_id WHERE h.code = ANY($1)"
            " ORDER BY l.id",
            [self.hall, self.other_hall],
        )
        return [dict(row) for row in found]


Do = Callable[[Scene, Person | None], Awaitable[httpx.Response]]


def at_counter(action: str, body: Any = None) -> Do:
    return lambda scene, by: scene.counter_does(action, body, by)


def by_her(action: str, body: Any = None) -> Do:
    return lambda scene, by: scene.she(action, body, by)


def at_desk(action: str) -> Do:
    return lambda scene, by: scene.desk(action, by)


def _moving(scene: Scene, by: Person | None) -> Awaitable[httpx.Response]:
    return scene.she("move", {"hall": scene.other_hall}, by)


def _sending(scene: Scene, by: Person | None) -> Awaitable[httpx.Response]:
    return scene.counter_does("transfer", {"hall": scene.other_hall}, by)


# Each operation, the states in which it may be done, and what is said in others: if nothing here,
# that it is the wrong state.
OPERATIONS: dict[str, tuple[Do, set[str], dict[str, str]]] = {
    "call-next": (
        at_counter("call-next"),
        {"waiting"},
        dict.fromkeys(("parked", "finished", "missed", "cancelled"), "nobody_waiting"),
    ),
    "recall": (at_counter("recall"), {"called"}, {}),
    "start": (at_counter("start"), {"called"}, {}),
    "finish": (at_counter("finish"), {"serving"}, {}),
    "miss": (at_counter("miss"), {"called"}, {}),
    "park": (at_counter("park"), {"serving"}, {}),
    "resume": (
        at_counter("resume"),
        {"parked"},
        dict.fromkeys(("waiting", "finished", "missed", "cancelled"), "nobody_parked"),
    ),
    "to a line": (at_counter("transfer", {"line": "A"}), {"called", "serving"}, {}),
    "to a hall": (_sending, {"called", "serving"}, {}),
    "cancel": (by_her("cancel"), {"waiting", "called", "parked"}, {}),
    "let-pass": (by_her("let-pass", {"people": 1}), set(), {"waiting": "nobody_behind"}),
    "move": (_moving, {"waiting"}, {}),
    "return": (at_desk("return"), {"missed"}, {}),
    "confirm": (at_desk("confirm-priority"), {"waiting"}, {}),
    "refuse": (at_desk("refuse-priority"), {"waiting"}, {}),
}
# What is said when it was just done, where that is not simply a wrong state.
TWICE = {
    "recall": None,  # as often as the hall allows
    "confirm": "no_priority_claim",
    "refuse": "no_priority_claim",
    "move": "already_there",
    "resume": "wrong_state",
}


@pytest.fixture(params=STATES)
async def scene(api: Api, request: pytest.FixtureRequest) -> Scene:
    hall, other = await api.quiet_hall(), await api.quiet_hall()
    lin, clerk = await api.citizen(), await api.clerk(hall)
    reply = await lin.take(hall, api.item(hall, "E"), priority_claim="disabled")
    [counter, *_] = await open_counters(clerk, hall, "E")
    made = Scene(hall, other, counter, lin, clerk, reply.json())
    await done(clerk, hall, counter, *STATES[request.param])
    if request.param == "cancelled":
        await made.she("cancel")
    made.ticket["state"] = request.param
    return made


async def test_what_cannot_be_done_now_is_refused_and_changes_nothing(scene: Scene) -> None:
    before = await scene.now()
    state = scene.ticket["state"]
    for name, (do, possible, said) in OPERATIONS.items():
        if state not in possible:
            expected = (409, said[state]) if state in said else REFUSED
            refused = await do(scene, None)
            assert code_of(refused) == expected, (name, state)
            if expected == REFUSED:
                # Where nobody is at the counter, it is the counter's.
                hers = {"cancel", "let-pass", "move", "return", "confirm", "refuse"}
                at_counter = name not in hers
                nobody = at_counter and state not in {"called", "serving"}
                assert refused.json()["state"] == ("open" if nobody else state), (name, state)
            assert await scene.now() == before, (name, state)


async def test_nobody_does_what_is_not_hers_to_do(api: Api, scene: Scene) -> None:
    before = await scene.now()
    stranger = await api.citizen()
    elsewhere = await api.clerk(scene.other_hall)
    nobody = Person(scene.lin.http, "nobody", {})
    for name, (do, _, _) in {**OPERATIONS, "undo": (at_counter("undo"), set(), {})}.items():
        hers = name in {"cancel", "let-pass", "move"}
        not_for_her = (404, "not_found") if hers else (403, "not_allowed")
        assert code_of(await do(scene, stranger)) == not_for_her, name
        assert code_of(await do(scene, elsewhere)) == (403, "not_allowed"), name
        if hers:
            assert code_of(await do(scene, scene.clerk)) == (403, "not_allowed"), name
        assert code_of(await do(scene, nobody)) == (401, "not_signed_in"), name
        assert await scene.now() == before, name


@pytest.mark.parametrize("name", [name for name in OPERATIONS if TWICE.get(name, "") is not None])
async def test_what_is_done_twice_happens_once(api: Api, name: str) -> None:
    do, possible, _ = OPERATIONS[name]
    for state in sorted(possible):
        hall, other = await api.quiet_hall(), await api.quiet_hall()
        lin, clerk = await api.citizen(), await api.clerk(hall)
        reply = await lin.take(hall, api.item(hall, "E"), priority_claim="disabled")
        [counter, *_] = await open_counters(clerk, hall, "E")
        scene = Scene(hall, other, counter, lin, clerk, reply.json())
        await done(clerk, hall, counter, *STATES[state])
        assert (await do(scene, None)).status_code == 200, (name, state)
        after = await scene.now()
        assert code_of(await do(scene, None)) == (409, TWICE.get(name, "wrong_state"))
        assert await scene.now() == after


async def test_a_ticket_of_another_hall_is_none_of_this_desks(api: Api) -> None:
    hall, other = await api.quiet_hall(), await api.quiet_hall()
    lin = await api.citizen()
    ticket = (await lin.take(hall, api.item(hall, "E"), priority_claim="disabled")).json()
    clerk = await api.clerk(other)
    for action in ("return", "confirm-priority"):
        for name in (ticket["id"], ticket["number"], "E999", "nonsense", "E9999999999", "😀"):
            reply = await clerk.post(f"/halls/{other}/tickets/{name}/{action}")
            assert code_of(reply) == (404, "not_found"), name


async def test_a_wrong_state_is_named_in_words_too(api: Api) -> None:
    hall = await api.quiet_hall()
    lin, clerk, manager = await api.citizen(), await api.clerk(hall), await api.manager(hall)
    ticket = (await lin.take(hall, api.item(hall, "E"))).json()
    await lin.post(f"/tickets/{ticket['id']}/cancel")
    cancelled = await lin.post(f"/tickets/{ticket['id']}/cancel", Accept_Language="en")
    assert cancelled.json()["state"] == "cancelled"
    assert cancelled.json()["detail"].endswith("state: the ticket is cancelled.")
    closed = await clerk.at(hall, "01", "call-next")
    assert (code_of(closed), closed.json()["state"]) == ((409, "wrong_state"), "closed")
    assert closed.json()["detail"] == "当前状态不允许此操作：窗口现为“关闭”。"
    opened = await manager.post(f"/halls/{hall}/lines/E/open")
    assert (code_of(opened), opened.json()["state"]) == ((409, "wrong_state"), "open")
    assert "队列" in opened.json()["detail"]


async def test_who_asks_for_somebody_who_has_gone_is_told_what_became_of_her(api: Api) -> None:
    hall = await api.quiet_hall()
    clerk = await api.clerk(hall)
    lin, ticket = await a_ticket(api, hall)
    [counter, *_] = await open_counters(clerk, hall, "E")
    nobody = await clerk.at(hall, counter, "start")
    assert nobody.json()["detail"].endswith("窗口现在没有人；窗口现为“开放”。")
    await done(clerk, hall, counter, "call-next")
    assert (await lin.post(f"/tickets/{ticket['id']}/cancel")).status_code == 200
    for step in ("start", "miss", "recall", "finish", "park"):
        refused = await clerk.at(hall, counter, step)
        assert code_of(refused) == (409, "wrong_state"), step
        assert f"{ticket['number']} 号已由本人取消" in refused.json()["detail"], step
    english = await clerk.post(f"/halls/{hall}/counters/{counter}/start", Accept_Language="en")
    assert f"{ticket['number']} was given up by its holder" in english.json()["detail"]
    await a_ticket(api, hall)
    served = await done(clerk, hall, counter, "call-next", "start", "finish")
    again = await clerk.at(hall, counter, "finish")
    assert f"{served['number']} 号已办结" in again.json()["detail"]


async def test_a_counter_is_told_of_her_by_the_number_that_she_had_there(api: Api) -> None:
    hall = await api.quiet_hall()
    clerk = await api.clerk(hall)
    _, ticket = await a_ticket(api, hall)
    [first, second, *_] = await open_counters(clerk, hall, "E", "A")

    async def told(counter: str) -> str:
        refused = await clerk.at(hall, counter, "finish")
        assert code_of(refused) == (409, "wrong_state")
        detail: str = refused.json()["detail"]
        return detail

    await done(clerk, hall, first, "call-next", "start")
    sent = await clerk.at(hall, first, "transfer", {"line": "A"})
    assert (sent.status_code, sent.json()["number"]) == (200, "A001")
    assert f"{ticket['number']} 号已转出" in await told(first)
    # Sent there a second time, as the first was taken back: what was never hers is not said.
    await done(clerk, hall, first, "undo")
    assert (await clerk.at(hall, first, "transfer", {"line": "A"})).status_code == 200
    assert f"{ticket['number']} 号已转出" in await told(first)
    hers = await done(clerk, hall, second, "call-next", "start", "finish")
    assert (hers["id"], hers["number"][0]) == (ticket["id"], "A")
    assert f"{ticket['number']} 号已办结" in await told(first)
    assert f"{hers['number']} 号已办结" in await told(second)
