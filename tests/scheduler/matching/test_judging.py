"""One person or a million, by this code or by plain Python: all agree whom a rule concerns."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scheduler.matching.columns import Column, Texts, concerned
from scheduler.matching.explaining import why, whys
from scheduler.matching.judging import judge
from scheduler.matching.language import (
    ATTRIBUTES,
    Asked,
    Comparison,
    Expression,
    Joined,
    Truth,
    Value,
    asked_for,
    read,
)

NAMES = ("x", "y")
TOWNS = ("dg-01", "dg-24", "dg-33")
EVERYTHING = [
    Asked(attribute, of)
    for attribute in ATTRIBUTES.values()
    for of in (NAMES if attribute.takes else (None,))
]


def written(asked: Asked) -> str:
    return asked.attribute.name + (f'("{asked.of}")' if asked.of else "")


def conditions() -> st.SearchStrategy[str]:
    """Expressions as somebody writes them."""
    signs = st.sampled_from(["<", "<=", "==", "!=", ">=", ">"])
    figures = st.integers(-5, 5).map(str)
    numbers, texts, truths = (
        st.sampled_from([written(each) for each in EVERYTHING if each.attribute.kind == kind])
        for kind in ("number", "text", "truth")
    )
    towns = st.lists(st.sampled_from([f'"{town}"' for town in (*TOWNS, "nowhere")]), min_size=1)
    several = st.tuples(st.sampled_from(["in", "not in"]), towns)
    alone = st.one_of(
        truths,
        st.tuples(numbers, signs, figures).map(" ".join),
        st.tuples(figures, signs, numbers).map(" ".join),
        st.tuples(figures, st.just("<="), numbers, st.just("<"), figures).map(" ".join),
        st.tuples(texts, st.sampled_from(["==", "!="]), st.just('"dg-24"')).map(" ".join),
        st.tuples(texts, several).map(lambda of: f"{of[0]} {of[1][0]} ({', '.join(of[1][1])},)"),
    )
    joined: Callable[[Any], Any] = lambda inner: st.one_of(  # noqa: E731
        inner.map(lambda part: f"not ({part})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda of: f"({of[0]}) {of[1]} ({of[2]})"
        ),
    )
    return st.recursive(alone, joined, max_leaves=8)


def value_of(asked: Asked) -> st.SearchStrategy[Value]:
    match asked.attribute.kind:
        case "number":
            return st.integers(-5, 5).map(float)
        case "truth":
            return st.sampled_from([0.0, 1.0])
    return st.sampled_from(TOWNS)


def people(*, all_known: bool) -> st.SearchStrategy[dict[Asked, Value]]:
    known = {asked: value_of(asked) for asked in EVERYTHING}
    return st.fixed_dictionaries(known if all_known else {}, optional={} if all_known else known)


def by_python(text: str, person: dict[Asked, Value]) -> bool:
    """What Python itself makes of an expression."""
    named: dict[str, Any] = {}
    for asked, value in person.items():
        if asked.of is None:
            named[asked.attribute.name] = value
        else:
            named.setdefault(asked.attribute.name, {})[asked.of] = value
    asks = {
        name: (value.get if isinstance(value, dict) else value) for name, value in named.items()
    }
    return bool(eval(text, {"__builtins__": {}}, asks))


@given(conditions(), people(all_known=True))
def test_of_whom_all_is_known_plain_python_says_the_same(
    text: str, person: dict[Asked, Value]
) -> None:
    assert judge(read(text), person) is by_python(text, person)


@given(conditions(), people(all_known=False), people(all_known=True))
def test_what_is_told_of_somebody_half_known_stays_true_when_more_becomes_known(
    text: str, person: dict[Asked, Value], rest: dict[Asked, Value]
) -> None:
    found = judge(read(text), person)
    if found is not None:
        assert judge(read(text), rest | person) is found


@given(conditions(), st.lists(people(all_known=False), min_size=1, max_size=8))
def test_a_column_of_people_is_judged_as_each_of_them(
    text: str, crowd: list[dict[Asked, Value]]
) -> None:
    expression = read(text)
    alone = [judge(expression, person) is True for person in crowd]
    assert concerned(expression, columns(expression, crowd)).tolist() == alone


@given(conditions(), people(all_known=False))
def test_why_tells_the_parts_that_made_it_so(text: str, person: dict[Asked, Value]) -> None:
    expression = read(text)
    if judge(expression, person) is True:
        zh, en = why(expression, person, {("item", "x"): ("社保卡", "Social card")})
        assert zh.startswith("您收到这条消息，因为：")
        assert zh.endswith("。")
        assert len(en) > len("You get this because .")
        assert "{" not in zh + en


def columns(expression: Expression, crowd: list[dict[Asked, Value]]) -> dict[Asked, Column]:
    found: dict[Asked, Column] = {}
    for asked in asked_for(expression):
        values = [person.get(asked) for person in crowd]
        if asked.attribute.kind == "text":
            words = {town: code for code, town in enumerate(TOWNS)}
            codes = [-1 if value is None else words[str(value)] for value in values]
            found[asked] = Texts(np.array(codes, dtype=np.int32), words)
        else:
            found[asked] = np.array([np.nan if value is None else value for value in values])
    return found


def test_an_elder_is_told_her_rule_and_not_her_age() -> None:
    expression = read('(age >= 60 or has_company) and not done("elder-card")')
    assert isinstance(expression, Joined)
    her: dict[Asked, Value] = dict(zip(asked_for(expression), (71.0, 0.0, 0.0), strict=True))
    zh, en = why(
        expression, her, {("item", "elder-card"): ("老年人优待证", "Senior citizen's card")}
    )
    assert zh == "您收到这条消息，因为：年龄不小于 60；您尚未办理“老年人优待证”。"
    assert en == (
        "You get this because your age is at least 60; you have not done “Senior citizen's card”."
    )
    assert "71" not in zh + en


def test_what_concerns_everybody_says_so() -> None:
    assert why(None, {})[1] == "You get this because it concerns everybody."


@given(conditions(), st.lists(people(all_known=False), min_size=1, max_size=8))
def test_many_are_told_what_each_would_be(text: str, crowd: list[dict[Asked, Value]]) -> None:
    expression = read(text)
    known = columns(expression, crowd)
    at = np.flatnonzero(concerned(expression, known))
    assert whys(expression, known, at) == [why(expression, crowd[nth]) for nth in at]


def test_numbers_are_told_as_they_are_written() -> None:
    expression = read("not age in (3, 4.5)")
    her: dict[Asked, Value] = {Asked(ATTRIBUTES["age"]): 7.0}
    assert why(expression, her)[0] == "您收到这条消息，因为：年龄不是 3、4.5 之一。"
    part = read("has_company")
    assert isinstance(part, Truth)
    assert isinstance(read("age > 3"), Comparison)
