"""What an API process remembers of tickets, and when it knows that it may be behind."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from models.tickets import TicketState
from server.clock import microseconds
from server.live import memory as memory_module
from server.live.memory import FORGET_AFTER_US, SETTLE_S, Change, Memory
from server.live.state import (
    Board,
    Kept,
    LiveHall,
    LiveTicket,
    TicketView,
    above_rows,
    encode_hall,
)

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)


class Monotonic:
    """A monotonic clock that a test may turn."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Monotonic:
    turned = Monotonic()
    monkeypatch.setattr(memory_module, "time", turned)
    return turned


@pytest.fixture
def memory(clock: Monotonic) -> Memory:
    """A memory that hears changes and trusts what it hears of."""
    hearing = Memory()
    hearing.hearing()
    clock.now += SETTLE_S
    return hearing


def a_ticket(version: int, *, row_version: int | None = None, id: UUID | None = None) -> LiveTicket:
    view = TicketView(
        id=id or uuid4(),
        number="A001",
        state=TicketState.WAITING,
        hall="dg-01",
        line="A",
        item="some-item",
        issued_at=NOW,
        called_at=None,
        ahead=0,
        wait=None,
        counter=None,
        version=version,
    )
    return LiveTicket(view, uuid4(), version if row_version is None else row_version)


def a_hall(version: int, *tickets: LiveTicket, code: str = "dg-01") -> LiveHall:
    board = Board(code, "大厅", "Hall", version, NOW, (), (), ())
    return LiveHall(board, tickets)


def project(memory: Memory, hall: LiveHall) -> None:
    memory.keep(encode_hall(hall))
    memory.heard(hall.code)


@pytest.mark.parametrize("left_first", [True, False])
def test_a_ticket_that_moved_is_its_new_halls_whichever_is_heard_of_first(
    memory: Memory, left_first: bool
) -> None:
    here = a_ticket(10)
    project(memory, a_hall(10, here))
    assert memory.ticket(here.view.id) == here
    there = LiveTicket(replace(here.view, hall="dg-02", version=20), here.citizen, 20)
    memory.mark([Change("dg-02", here.view.id, 20), Change("dg-01")])
    assert memory.ticket(here.view.id) is None
    halls = [a_hall(21), a_hall(20, there, code="dg-02")]
    for hall in halls if left_first else reversed(halls):
        project(memory, hall)
        memory.ticket(uuid4())  # reads all that has come
    assert memory.ticket(here.view.id) == there


def test_a_hall_projected_before_a_ticket_left_does_not_bring_it_back(memory: Memory) -> None:
    here = a_ticket(10)
    project(memory, a_hall(10, here))
    there = LiveTicket(replace(here.view, hall="dg-02", version=20), here.citizen, 20)
    project(memory, a_hall(20, there, code="dg-02"))
    assert memory.ticket(uuid4()) is None
    project(memory, a_hall(15, here))
    memory.ticket(uuid4())
    assert memory.ticket(here.view.id) == there


def test_a_ticket_that_changed_is_not_answered_until_projected(memory: Memory) -> None:
    ticket = a_ticket(10)
    project(memory, a_hall(10, ticket))
    assert memory.ticket(ticket.view.id) == ticket
    memory.mark([Change("dg-01", ticket.view.id, 11)])
    assert memory.ticket(ticket.view.id) is None
    later = a_ticket(12, row_version=11, id=ticket.view.id)
    project(memory, a_hall(12, later))
    assert memory.ticket(ticket.view.id) == later


def test_an_older_word_does_not_lower_what_a_newer_one_said(memory: Memory) -> None:
    ticket = a_ticket(10)
    project(memory, a_hall(10, ticket))
    memory.mark([Change("dg-01", ticket.view.id, 12)])
    memory.mark([Change("dg-01", ticket.view.id, 9)])
    assert memory.ticket(ticket.view.id) is None


def test_who_is_deaf_knows_no_ticket_until_its_hall_is_heard_of_again(
    memory: Memory, clock: Monotonic
) -> None:
    ticket = a_ticket(10)
    project(memory, a_hall(10, ticket))
    memory.deaf()
    assert memory.ticket(ticket.view.id) is None
    assert memory.halls["dg-01"].board.version == 10
    memory.hearing()
    memory.heard("dg-01")  # it may have been read before we heard again
    assert memory.ticket(ticket.view.id) is None
    clock.now += SETTLE_S
    memory.heard("dg-02")
    assert memory.ticket(ticket.view.id) is None
    memory.heard("dg-01")
    assert memory.ticket(ticket.view.id) == ticket


def test_who_watches_is_shown_what_was_projected_though_it_may_be_behind(memory: Memory) -> None:
    ticket = a_ticket(10)
    project(memory, a_hall(10, ticket))
    memory.deaf()
    assert memory.projected(ticket.view.id) == ticket


def test_unreadable_tickets_are_as_unknown(memory: Memory) -> None:
    ticket = a_ticket(10)
    board, _, _ = encode_hall(a_hall(10, ticket)).partition(b"\n")
    memory.keep(board + b'\n[{"view": "of another version"}]')
    memory.heard("dg-01")
    assert memory.ticket(ticket.view.id) is None
    assert memory.ticket(ticket.view.id) is None


LONG_AGO = microseconds() - FORGET_AFTER_US - 1


def test_an_old_change_is_forgotten(memory: Memory) -> None:
    project(memory, a_hall(LONG_AGO))
    memory.mark([Change("dg-01", uuid4(), LONG_AGO), Change("no-such-hall", uuid4(), LONG_AGO)])
    memory.forget_old_changes()
    assert memory._changed == {}


def test_no_change_is_forgotten_of_a_hall_that_nobody_projects(
    memory: Memory, clock: Monotonic
) -> None:
    ticket = a_ticket(LONG_AGO - 1)
    project(memory, a_hall(LONG_AGO, ticket))
    memory.mark([Change("dg-01", ticket.view.id, LONG_AGO)])
    clock.now += FORGET_AFTER_US / 1_000_000
    memory.forget_old_changes()
    assert memory.ticket(ticket.view.id) is None


def test_age_is_since_the_hall_heard_of_longest_ago_or_since_the_start(clock: Monotonic) -> None:
    memory = Memory()
    clock.now += 30
    assert memory.oldest_age_s(["dg-01", "dg-02"]) == 30
    memory.heard("dg-01")
    clock.now += 5
    assert memory.oldest_age_s(["dg-01", "dg-02"]) == 35
    memory.heard("dg-02")
    clock.now += 2
    assert memory.oldest_age_s(["dg-01", "dg-02"]) == 7
    assert memory.oldest_age_s([]) == 0


def test_what_is_stored_and_found_again_is_no_word_of_a_projection(clock: Monotonic) -> None:
    memory = Memory()
    memory.keep(encode_hall(a_hall(10)))
    clock.now += 100
    memory.keep(encode_hall(a_hall(10)))
    assert memory.oldest_age_s(["dg-01"]) == 100


def test_what_stands_in_what_is_stored_is_told_without_reading_it() -> None:
    kept = Kept(encode_hall(a_hall(1, a_ticket(1))))
    later = replace(a_hall(1).board, as_of=NOW + timedelta(seconds=15))
    assert kept.stands_in(encode_hall(a_hall(1, a_ticket(1))))
    assert not kept.stands_in(encode_hall(a_hall(10, a_ticket(1))))
    assert not kept.stands_in(encode_hall(LiveHall(later, ())))
    assert not kept.stands_in(b"")


def test_a_hall_is_never_below_the_rows_it_was_read_from() -> None:
    kept, ahead = a_ticket(3), a_ticket(10, row_version=15)
    lifted = above_rows(a_hall(10, kept, ahead))
    assert lifted.version == 15
    assert [ticket.view.version for ticket in lifted.tickets] == [3, 15]
    assert above_rows(lifted) is lifted
    assert above_rows(a_hall(20, kept)).version == 20
