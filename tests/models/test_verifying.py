"""`verify` finds each kind of damage, and nothing where there is none."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import pytest
import pytest_asyncio

from models.database import Transaction, transaction
from models.faults import WORDS, Kind
from models.verifying import EVERYTHING, Scope, Verdict, verify, verify_in
from tests.conftest import Api
from tests.counters.halls import a_ticket, done, open_counters
from tests.people import Person
from tests.visits.coming import a_visit, seen, served


@dataclass(frozen=True)
class Morning:
    """A hall after some work: one is served, one was sent on, three wait, each in this order."""

    hall: str
    hall_id: UUID
    served: str
    sent_on: str
    first: str
    second: str
    third: str
    # Of two items: the first is done, the second waits; of two others: both are done.
    visit: str
    done: str
    waits: str
    over: str

    def named_in(self, sql: str) -> str:
        """The statement with the ids that it names by `:name`."""
        return re.sub(r":([a-z_]+)", lambda found: f"'{getattr(self, found[1])}'", sql)


@pytest_asyncio.fixture(scope="session")
async def morning(api: Api) -> Morning:
    """No other test has this hall, and no damage stays: one morning does for all."""
    hall = "dg-21"
    clerk = await api.clerk(hall)
    tickets = [(await a_ticket(api, hall))[1] for _ in range(5)]
    counter, other, *_ = await open_counters(clerk, hall, "E")
    await done(clerk, hall, counter, "call-next", "start", "undo", "start")
    await done(clerk, hall, other, "call-next")
    sent = await clerk.at(hall, other, "transfer", {"line": "A"})
    assert sent.status_code == 200, sent.text
    served, sent_on, first, second, third = [ticket["id"] for ticket in tickets]
    visits = [await two_items(api, hall, clerk, finished=many) for many in (2, 1)]
    (over, _), (visit, [one, two]) = visits
    hall_id = api.services.directory.hall(hall).id
    return Morning(hall, hall_id, served, sent_on, first, second, third, visit, one, two, over)


async def two_items(api: Api, hall: str, clerk: Person, *, finished: int) -> tuple[str, list[str]]:
    """A visit of two items of which so many are done; its id and those of its numbers."""
    lin, visit, _ = await a_visit(api, hall, "B", "B")
    for _ in range(finished):
        counter, called = await served(clerk, hall, "B")
        assert called["visit"] == visit["id"]
        await done(clerk, hall, counter, "finish")
    stops = (await seen(lin, visit))["stops"]
    return visit["id"], [stop["ticket"] for stop in stops]


class _Back(Exception):
    """Ends a transaction as if nothing had been done."""


@asynccontextmanager
async def for_a_moment() -> AsyncIterator[Transaction]:
    """A transaction of which nothing stays."""
    with suppress(_Back):
        async with transaction() as tx:
            yield tx
            raise _Back


def kinds(verdict: Verdict) -> set[str]:
    return set(verdict.found.counts)


FREE = "ALTER TABLE ticket DROP CONSTRAINT ticket_open_until_ended"
MANY = "DROP INDEX ticket_at_counter_once"
# What is done by hand, and all that is then found.
DAMAGE: list[tuple[Kind, list[str], set[Kind]]] = [
    ("untold", ["UPDATE ticket SET outcome = 'done' WHERE id = :first"], set()),
    ("untold", ["UPDATE ticket SET rank_time = rank_time + '1 s' WHERE id = :first"], set()),
    ("untold", ["UPDATE ticket SET recalls = 1 WHERE id = :second"], set()),
    ("untold", ["UPDATE ticket SET issued_at = issued_at + '1 s' WHERE id = :second"], set()),
    ("untold", [FREE, "UPDATE ticket SET state = 'finished' WHERE id = :served"], set()),
    (
        "impossible_step",
        ["DELETE FROM ticket_event WHERE ticket_id = :served AND move = 'undo'"],
        set(),
    ),
    (
        "no_events",
        ["DELETE FROM ticket_event WHERE ticket_id = :third"],
        {"line_count"},
    ),
    (
        "events_of_nobody",
        ["DELETE FROM ticket WHERE id = :third"],
        {"line_count"},
    ),
    (
        "impossible_step",
        [
            """INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind)
               SELECT id, hall_id, issued_at, 'start', 'waiting', 'system' FROM ticket
               WHERE id = :third"""
        ],
        {"untold"},
    ),
    (
        "back_in_time",
        [
            "UPDATE ticket_event SET at = at - interval '2 minutes'"
            " WHERE ticket_id = :sent_on AND move = 'transfer'"
        ],
        set(),
    ),
    (
        "out_of_place",
        ["UPDATE ticket SET sequence = 900 WHERE id = :third"],
        set(),
    ),
    (
        "out_of_place",
        [
            """UPDATE ticket SET line_id = (SELECT id FROM line WHERE code = 'E'
               AND hall_id <> :hall_id LIMIT 1), sequence = 901 WHERE id = :third"""
        ],
        {"untold"},
    ),
    (
        "number_twice",
        [
            "UPDATE ticket_event SET number = 'E004' WHERE ticket_id = :third AND move = 'issue'",
            "UPDATE ticket SET number = 'E004' WHERE id = :third",
        ],
        {"out_of_place", "line_count"},
    ),
    (
        "number_missing",
        [
            "UPDATE ticket_event SET number = 'E006' WHERE ticket_id = :third AND move = 'issue'",
            "UPDATE ticket SET number = 'E006', sequence = 6 WHERE id = :third",
        ],
        {"line_count"},
    ),
    (
        "number_early",
        [
            "UPDATE ticket_event SET at = at - interval '10 s' WHERE ticket_id = :third",
            "UPDATE ticket SET issued_at = issued_at - interval '10 s' WHERE id = :third",
        ],
        set(),
    ),
    (
        "line_count",
        ["UPDATE line SET last_sequence = 9 WHERE hall_id = :hall_id AND code = 'E'"],
        set(),
    ),
    (
        "shared_counter",
        [
            MANY,
            """UPDATE ticket SET state = 'called',
               counter_id = (SELECT counter_id FROM ticket WHERE id = :served)
               WHERE id = :first""",
        ],
        {"untold"},
    ),
    (
        "no_counter",
        ["UPDATE ticket SET counter_id = NULL WHERE id = :served"],
        {"untold"},
    ),
    (
        "no_counter",
        [
            "UPDATE ticket SET state = 'called' WHERE id = :served",
            "UPDATE counter SET state = 'closed'"
            " WHERE id = (SELECT counter_id FROM ticket WHERE id = :served)",
        ],
        {"untold"},
    ),
    (
        "two_for_one_item",
        [
            "DROP INDEX ticket_open_once",
            "UPDATE ticket SET nth_of_day = 9,"
            " citizen_id = (SELECT citizen_id FROM ticket WHERE id = :first) WHERE id = :second",
        ],
        set(),
    ),
    (
        "out_of_turn",
        [
            # The first has waited for long, and the second was called.
            """INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind,
               counter_id) SELECT id, hall_id, issued_at + interval '5 minutes', 'call',
               'called', 'staff', (SELECT counter_id FROM ticket WHERE id = :served)
               FROM ticket WHERE id = :second"""
        ],
        {"untold"},
    ),
    (
        "stop_without_ticket",
        ["UPDATE visit_stop SET ticket_id = gen_random_uuid() WHERE ticket_id = :done"],
        {"ticket_of_no_stop"},
    ),
    (
        "stop_of_another",
        ["UPDATE visit_stop SET item_id = gen_random_uuid() WHERE ticket_id = :done"],
        set(),
    ),
    (
        "stop_of_another",
        [
            "UPDATE visit SET person_key = gen_random_uuid() WHERE id = :visit",
        ],
        set(),
    ),
    (
        "stop_of_another",
        [
            "UPDATE ticket SET visit_id = :over WHERE id = :waits",
            "UPDATE ticket_event SET visit_id = :over WHERE ticket_id = :waits"
            " AND visit_id IS NOT NULL",
        ],
        set(),
    ),
    (
        "ticket_of_no_stop",
        [
            "UPDATE visit_stop SET ticket_id = NULL, turn = NULL WHERE ticket_id = :waits",
        ],
        set(),
    ),
    (
        "ticket_of_no_stop",
        ["DELETE FROM visit WHERE id = :over"],
        set(),
    ),
    (
        "two_stops_at_once",
        [
            FREE,
            "UPDATE ticket SET state = 'waiting', ended_at = NULL WHERE id = :done",
        ],
        {"untold"},
    ),
    (
        "visit_end",
        ["UPDATE visit SET state = 'finished', ended_at = begun_at WHERE id = :visit"],
        set(),
    ),
    (
        "visit_end",
        ["UPDATE visit SET ended_at = NULL WHERE id = :over"],
        set(),
    ),
    (
        "visit_end",
        [
            """INSERT INTO visit_stop (id, visit_id, item_id, place, after) VALUES
               (gen_random_uuid(), :over, gen_random_uuid(), 3, '{}')"""
        ],
        set(),
    ),
    (
        "visit_end",
        [
            "UPDATE ticket SET visit_id = NULL WHERE visit_id = :over",
            "UPDATE ticket_event SET visit_id = NULL WHERE visit_id = :over",
            "DELETE FROM visit_stop WHERE visit_id = :over",
        ],
        set(),
    ),
    (
        "stop_turns",
        ["UPDATE visit_stop SET turn = 3 WHERE ticket_id = :waits"],
        set(),
    ),
    (
        "stop_turns",
        ["UPDATE visit_stop SET turn = 1 WHERE ticket_id = :waits"],
        set(),
    ),
    (
        "stop_turns",
        ["UPDATE visit_stop SET turn = NULL WHERE ticket_id = :waits"],
        set(),
    ),
]


@pytest.mark.parametrize(
    ("kind", "damage", "also"), DAMAGE, ids=[f"{nth}-{one[0]}" for nth, one in enumerate(DAMAGE)]
)
async def test_damage_by_hand_is_found_and_named(
    morning: Morning, kind: Kind, damage: list[str], also: set[Kind]
) -> None:
    scope = Scope(morning.hall_id)
    async with for_a_moment() as tx:
        for sql in damage:
            await tx.run(morning.named_in(sql))
        verdict = await verify_in(tx, scope)
        assert kinds(verdict) == {kind} | also
        [fault, *_] = verdict.found.kept[kind]
        assert fault.hall == morning.hall or (kind == "untold" and "line" in fault.detail)
        assert str(fault)
    assert kinds(await verify(scope)) == set()


async def test_an_answer_that_tells_of_nothing_is_found(api: Api) -> None:
    hall = await api.quiet_hall()
    lin = await api.citizen()
    body = {"hall": hall, "item": api.item(hall, "E")}
    taken = await lin.post("/tickets", body, Idempotency_Key="verified")
    assert taken.status_code == 201, taken.text
    async with for_a_moment() as tx:
        before = (await verify_in(tx, EVERYTHING)).found.counts["answer_without_effect"]
        await tx.run("DELETE FROM ticket WHERE id = $1", UUID(taken.json()["id"]))
        after = (await verify_in(tx, EVERYTHING)).found.counts["answer_without_effect"]
        await tx.run("UPDATE answer SET status = NULL WHERE key = 'verified'")
        unfinished = (await verify_in(tx, EVERYTHING)).found.counts["answer_without_effect"]
    assert (after - before, unfinished - before) == (1, 1)


async def test_a_hall_and_a_day_are_looked_at_alone(api: Api, morning: Morning) -> None:
    async with for_a_moment() as tx:
        await tx.run("UPDATE ticket SET recalls = 7 WHERE id = $1", UUID(morning.first))
        monday = api.services.clock.now().date()
        there = await verify_in(tx, Scope(morning.hall_id, monday))
        assert (there.tickets, kinds(there)) == (9, {"untold"})
        sunday = monday.replace(day=monday.day - 1)
        assert (await verify_in(tx, Scope(morning.hall_id, sunday))).tickets == 0


async def test_a_hall_made_quiet_again_holds_nothing_of_earlier_visits(api: Api) -> None:
    hall = await api.quiet_hall()
    await two_items(api, hall, await api.clerk(hall), finished=1)
    while await api.quiet_hall() != hall:
        pass
    verdict = await verify(Scope(api.services.directory.hall(hall).id))
    assert (verdict.tickets, verdict.events, kinds(verdict)) == (0, 0, set())


async def test_what_is_found_is_counted_and_only_some_of_it_shown(morning: Morning) -> None:
    async with for_a_moment() as tx:
        made = """
            INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind)
            SELECT gen_random_uuid(), $1, now(), 'issue', 'waiting', 'system'
            FROM generate_series(1, 100)
        """
        await tx.run(made, morning.hall_id)
        verdict = await verify_in(tx, Scope(morning.hall_id))
    assert verdict.found.counts == {"events_of_nobody": 100}
    assert len(verdict.found.kept["events_of_nobody"]) == 20


def test_every_kind_has_words_in_both_languages() -> None:
    assert all(zh and en and not zh.isascii() and en.isascii() for zh, en in WORDS.values())
