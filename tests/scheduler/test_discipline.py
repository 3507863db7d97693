"""The order: bounded, explained, the same however word of it travels."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.decisions import Head
from scheduler.discipline import (
    RULES,
    Place,
    Rules,
    after_return,
    behind,
    lies_with_me,
    may_recall,
    may_return,
    next_up,
    why_ahead,
    with_credit,
)

NINE = datetime(2026, 11, 23, 1, tzinfo=UTC)
KINDS = ("elderly", "disabled", "pregnant", "military", "with_infant")

rules_of_a_hall = st.builds(
    Rules, **{name: st.integers(low, high) for name, (low, high) in RULES.items()}
)


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def walk_in(nth: int, minute: float) -> Place:
    return Place(UUID(int=nth), at(minute), at(minute))


@dataclass(frozen=True)
class Visit:
    """What somebody does: comes at a minute, perhaps with priority, perhaps missed and back."""

    minute: int
    priority: str | None
    back_after: int | None
    lets_pass: int


visits = st.lists(
    st.builds(
        Visit,
        minute=st.integers(0, 300),
        priority=st.none() | st.sampled_from(KINDS),
        back_after=st.none() | st.integers(1, 60),
        lets_pass=st.integers(0, 3),
    ),
    min_size=1,
    max_size=25,
)


def stand(visit: Visit, nth: int, rules: Rules) -> Place:
    """Where somebody stands once all but letting others pass has happened to her."""
    place = walk_in(nth, visit.minute)
    if visit.back_after is not None:
        returned = at(visit.minute + visit.back_after)
        place = replace(place, rank_time=after_return(returned, rules), returned_at=returned)
    if visit.priority is not None:
        rank_time = with_credit(place.rank_time, visit.priority, rules)
        place = replace(place, rank_time=rank_time, priority_at=at(visit.minute))
    return place


def a_line(people: list[Visit], rules: Rules) -> list[Place]:
    places = [stand(visit, nth, rules) for nth, visit in enumerate(people)]
    for nth, visit in enumerate(people):
        if visit.lets_pass:
            places[nth] = let_pass(places, nth, visit.lets_pass)
    return places


def let_pass(places: list[Place], nth: int, people: int) -> Place:
    me = places[nth]
    later = sorted(place_of(one) for one in places if place_of(one) > place_of(me))
    by_id = {one.id: one for one in places}
    rank_time = behind([by_id[ticket_id] for _, ticket_id in later], me.id, people)
    return me if rank_time is None else replace(me, rank_time=rank_time)


def place_of(one: Place) -> tuple[datetime, UUID]:
    return one.rank_time, one.id


def called(places: list[Place]) -> list[UUID]:
    """In which order everybody is called."""
    waiting, order = [Head(one.id, "A", one.rank_time) for one in places], []
    while (first := next_up(waiting, NINE)) is not None:
        waiting.remove(first)
        order.append(first.id)
    return order


@given(people=visits, rules=rules_of_a_hall)
def test_nobody_who_comes_much_later_is_called_before_who_waits(
    people: list[Visit], rules: Rules
) -> None:
    """No starvation: however many come, with whatever priority, the old are before the new."""
    places = a_line(people, rules)
    order = called(places)
    for mine, me in zip(people, places, strict=True):
        if mine.back_after is not None or mine.lets_pass:
            continue  # she went back herself
        for other in places:
            if other.issued_at > me.issued_at + timedelta(minutes=rules.most_credit_min):
                assert order.index(me.id) < order.index(other.id)


@given(people=visits, rules=rules_of_a_hall)
def test_nobody_is_overtaken_but_by_a_rule_that_says_so(people: list[Visit], rules: Rules) -> None:
    order = called(a_line(people, rules))
    for me_nth, me in enumerate(people):
        if me.back_after is not None or me.lets_pass:
            continue
        for her_nth, her in enumerate(people):
            came_later = (her.minute, her_nth) > (me.minute, me_nth)
            overtakes = order.index(UUID(int=her_nth)) < order.index(UUID(int=me_nth))
            if came_later and overtakes:
                assert her.priority is not None
                by = timedelta(minutes=her.minute - me.minute)
                assert by <= rules.credit(her.priority) <= rules.most_credit


@given(people=visits, rules=rules_of_a_hall, data=st.data())
def test_the_order_does_not_depend_on_how_word_of_it_arrives(
    people: list[Visit], rules: Rules, data: st.DataObject
) -> None:
    places = a_line(people, rules)
    assert called(data.draw(st.permutations(places))) == called(places)


@given(people=visits, rules=rules_of_a_hall)
def test_whoever_is_ahead_is_so_for_a_reason_that_holds(people: list[Visit], rules: Rules) -> None:
    places = [stand(visit, nth, rules) for nth, visit in enumerate(people)]
    for me in places:
        for her in places:
            if place_of(her) >= place_of(me):
                continue
            reason = why_ahead(her, me)
            if lies_with_me(reason, her):
                assert me.returned_at is not None
            match reason:
                case "returned":
                    assert her.returned_at is not None or me.returned_at is not None
                case "priority":
                    assert her.priority_at is not None
                    assert (her.issued_at, her.id) > (me.issued_at, me.id)
                case "earlier":
                    assert (her.issued_at, her.id) < (me.issued_at, me.id)
                case other:
                    raise AssertionError(other)


def test_whom_i_let_pass_is_ahead_for_that_and_nobody_else() -> None:
    me = replace(walk_in(1, 10), rank_time=at(20), stood_at=at(10))
    assert why_ahead(walk_in(2, 15), me) == "let_pass"
    assert why_ahead(walk_in(0, 5), me) == "earlier"


def test_who_came_from_elsewhere_is_so_unless_she_came_after_me() -> None:
    me = walk_in(5, 10)
    assert why_ahead(replace(walk_in(1, 5), came="moved"), me) == "moved"
    assert why_ahead(replace(walk_in(1, 5), came="transferred"), me) == "transferred"
    later = replace(walk_in(9, 12), rank_time=at(2), priority_at=at(13), came="moved")
    assert why_ahead(later, me) == "priority"
    assert why_ahead(replace(walk_in(9, 12), rank_time=at(2)), me) == "visit"


@given(people=visits, people_let_pass=st.integers(1, 30), data=st.data())
def test_who_lets_people_pass_stands_just_behind_the_last_of_them(
    people: list[Visit], people_let_pass: int, data: st.DataObject
) -> None:
    # A line gives no two numbers in one microsecond.
    places = [walk_in(nth, visit.minute + nth / 1000) for nth, visit in enumerate(people)]
    nth = data.draw(st.integers(0, len(places) - 1))
    before = called(places)
    at_first = before.index(places[nth].id)
    moved = [*places[:nth], let_pass(places, nth, people_let_pass), *places[nth + 1 :]]
    after = called(moved)
    assert after.index(places[nth].id) == min(at_first + people_let_pass, len(places) - 1)
    others = [one for one in before if one != places[nth].id]
    assert [one for one in after if one != places[nth].id] == others


@given(rules=rules_of_a_hall, kind=st.sampled_from(KINDS))
def test_no_credit_is_more_than_the_hall_allows(rules: Rules, kind: str) -> None:
    credit = rules.credit(kind)
    assert timedelta(0) <= credit <= rules.most_credit <= timedelta(minutes=240)
    assert credit <= timedelta(minutes=rules.most_credit_min)


@pytest.mark.parametrize(("minutes", "may"), [(0, True), (30, True), (30.01, False)])
def test_who_was_missed_may_return_within_the_grace(minutes: float, may: bool) -> None:
    assert may_return(NINE, at(minutes), Rules(grace_min=30)) is may


@pytest.mark.parametrize(("recalls", "most", "may"), [(0, 0, False), (1, 2, True), (2, 2, False)])
def test_calling_again_ends(recalls: int, most: int, may: bool) -> None:
    assert may_recall(recalls, Rules(most_recalls=most)) is may


def test_what_a_hall_does_not_name_is_as_usual() -> None:
    assert Rules.of({"grace_min": 5, "gone": 3}) == Rules(grace_min=5)
