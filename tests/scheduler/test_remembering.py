"""What searches leave behind is bounded, whoever asks for what; and the answers stay the same."""

import tracemalloc

import numpy as np
import pytest

from scheduler.ordering import Rank
from scheduler.ranking import rank
from scheduler.remembering import EACH_BYTES, Remembered
from scheduler.vicinity import Asked, Memory, Vicinity
from tests.scheduler.test_ranking import RANKS, by_hand, search, service, world


class Thing:
    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


def test_what_is_unused_the_longest_is_forgotten_first() -> None:
    kept: Remembered[Thing] = Remembered(3 * (EACH_BYTES + 100))
    for name in "abc":
        kept.put(name, Thing(100))
    assert kept.get("a") is not None
    kept.put("d", Thing(100))
    assert [name for name in "abcd" if kept.get(name)] == ["a", "c", "d"]
    # In its own place it takes no other's; what is too large for all is not kept, nor is the rest.
    kept.put("d", Thing(50))
    assert len(kept) == 3
    assert kept.nbytes == 3 * EACH_BYTES + 250
    kept.put("e", Thing(10**6))
    assert (len(kept), kept.nbytes) == (0, 0)


def test_what_is_empty_counts_too() -> None:
    kept: Remembered[Thing] = Remembered(100 * EACH_BYTES)
    for at in range(1_000):
        kept.put(at, Thing(0))
    assert len(kept) == 100


def test_many_questions_from_everywhere_take_no_more_than_they_may() -> None:
    table, most = world(1, 1_500, 5), 2**20
    kept: Memory = Remembered(most)
    rng = np.random.default_rng(7)

    def somebody_asks(turn: int) -> None:
        rows = np.arange(len(table))
        rows[rng.random(len(table)) > 0.7] = -1
        asked = Asked(table.map, rows, service(table), kept)
        kept.put(turn, asked)
        asked.within((23.0, 113.5), 100_000.0, turn)
        # From other ends of the Earth too, where there is nothing.
        for lat, lng in rng.uniform((-80, -180), (0, 90), (8, 2)).tolist():
            assert len(asked.within((lat, lng), 1_000.0, turn)) == 0

    for turn in range(50):
        somebody_asks(turn)
    before = kept.nbytes
    tracemalloc.start()
    try:
        for turn in range(50, 300):
            somebody_asks(turn)
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most / 2 < before <= most
    # All that was there before has been forgotten meanwhile: what is traced is all that is kept.
    assert most / 2 < kept_bytes < 1.2 * most


def test_who_asks_for_about_as_many_shares_what_is_remembered() -> None:
    table = world(0, 1_500, 3)
    kept: Memory = Remembered()
    asked = Asked(table.map, np.arange(len(table)), service(table), kept)
    here = (30.0, 105.0)
    for limit in range(1, 101):
        question = search(table, "nearest", here, "09:30", limit=limit)
        rank(table, question._replace(asked=asked))
    # Eight widths, and all halls where so far must be looked.
    assert len(kept) <= 9


@pytest.mark.parametrize("by", RANKS)
def test_where_next_to_nothing_can_be_remembered_the_answers_are_the_same(by: Rank) -> None:
    table, kept = world(3, 1_500, 5), Remembered[Asked | Vicinity](20_000)
    asked = Asked(table.map, np.arange(len(table)), service(table), kept)
    rng = np.random.default_rng(3)
    for lat, lng in rng.uniform((22, 111), (25, 116), (40, 2)).tolist():
        question = search(table, by, (lat, lng), "11:40")._replace(asked=asked)
        assert rank(table, question).halls.tolist() == by_hand(table, question)
        assert kept.nbytes <= 20_000
