"""Own lines first, others when idle or when somebody has waited too long: whatever the hall."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from models.decisions import Head
from scheduler.discipline import counts_as_own, next_up

NINE = datetime(2026, 11, 23, 1, tzinfo=UTC)
LINES = "ABCDE"


@dataclass(frozen=True)
class Counter:
    own: frozenset[str]
    helps: frozenset[str]


@dataclass(frozen=True)
class Hall:
    """Who waits in each line, since how many minutes; each line's limit; the counters."""

    waiting: dict[str, list[int]]
    limits: dict[str, int | None]
    counters: list[Counter]

    def heads(self, counter: Counter) -> list[Head]:
        found = []
        for nth, line in enumerate(LINES):
            if line in counter.own | counter.helps and self.waiting[line]:
                waited = timedelta(minutes=max(self.waiting[line]))
                limit = self.limits[line]
                after = None if limit is None else timedelta(minutes=limit)
                own = line in counter.own
                found.append(Head(UUID(int=nth), line, NINE - waited, own, after))
        return found


counters = st.builds(
    lambda own, helps: Counter(own, helps - own),
    st.frozensets(st.sampled_from(LINES), min_size=1),
    st.frozensets(st.sampled_from(LINES)),
)
halls = st.builds(
    Hall,
    st.fixed_dictionaries({line: st.lists(st.integers(-5, 120), max_size=4) for line in LINES}),
    st.fixed_dictionaries({line: st.none() | st.integers(0, 90) for line in LINES}),
    st.lists(counters, min_size=1, max_size=8),
)


@given(hall=halls)
def test_no_counter_is_idle_while_somebody_waits_whom_it_could_serve(hall: Hall) -> None:
    for counter in hall.counters:
        could = any(hall.waiting[line] for line in counter.own | counter.helps)
        assert (next_up(hall.heads(counter), NINE) is not None) == could


@given(hall=halls)
def test_a_helped_line_comes_before_an_own_one_only_by_its_limit(hall: Hall) -> None:
    for counter in hall.counters:
        first = next_up(hall.heads(counter), NINE)
        if first is None or first.own:
            continue
        own_waits = any(hall.waiting[line] for line in counter.own)
        limit = hall.limits[first.line]
        over = limit is not None and max(hall.waiting[first.line]) > limit
        assert over or not own_waits


@given(hall=halls)
def test_among_those_who_count_alike_the_lowest_rank_time_is_called(hall: Hall) -> None:
    for counter in hall.counters:
        heads = hall.heads(counter)
        first = next_up(heads, NINE)
        if first is None:
            continue
        alike = [one for one in heads if counts_as_own(one, NINE) == counts_as_own(first, NINE)]
        assert first.rank_time == min(one.rank_time for one in alike)
        # Where all are own, this is the plain published order.
        plain = [replace(one, own=True) for one in heads]
        lowest = next_up(plain, NINE)
        assert lowest is not None
        assert lowest.rank_time == min(one.rank_time for one in heads)


@given(hall=halls)
def test_everybody_is_called_in_the_end_though_counters_go_on_calling(hall: Hall) -> None:
    waiting = {line: sorted(waited, reverse=True) for line, waited in hall.waiting.items()}
    now = replace(hall, waiting=waiting)
    for _ in range(sum(map(len, waiting.values())) + 1):
        for counter in hall.counters:
            if first := next_up(now.heads(counter), NINE):
                waiting[first.line].pop(0)
    served = {line for counter in hall.counters for line in counter.own | counter.helps}
    assert not any(waiting[line] for line in served)


def test_the_limit_has_to_be_passed_and_not_just_reached() -> None:
    head = Head(UUID(int=1), "E", NINE - timedelta(minutes=20), False, timedelta(minutes=20))
    assert not counts_as_own(head, NINE)
    assert counts_as_own(head, NINE + timedelta(microseconds=1))
    assert not counts_as_own(replace(head, help_after=None), NINE + timedelta(days=1))
