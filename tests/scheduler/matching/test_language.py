"""What the language of audience rules takes, and that it takes nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.matching.judging import judge
from scheduler.matching.language import (
    ATTRIBUTES,
    DEEPEST,
    LONGEST,
    MOST_CHOICES,
    Asked,
    Comparison,
    Joined,
    WrongExpression,
    read,
)
from scheduler.matching.rules import rule

AGE = Asked(ATTRIBUTES["age"])


def test_a_rule_reads_as_it_is_written() -> None:
    found = read('age >= 60 and residence in ("dg-24", "dg-25")')
    assert isinstance(found, Joined)
    assert found.by == "and"
    assert found.parts == (
        Comparison(AGE, ">=", (60.0,)),
        Comparison(Asked(ATTRIBUTES["residence"]), "in", ("dg-24", "dg-25")),
    )


def test_a_span_may_be_written_as_in_school() -> None:
    assert read("18 <= age < 60") == read("age >= 18 and age < 60")
    assert read("18 <= age") == read("age >= 18")


def test_a_rule_may_go_over_several_lines() -> None:
    assert read("age >= 60\n  and has_company") == read("age >= 60 and has_company")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("", 0),
        ("   ", 0),
        ("age", 0),  # a number alone is no condition
        ("  age > ", 8),
        ("age >= 60 and wealth > 3", 14),
        ("age > 18 > 3", 0),
        ("60 < residence", 5),
        ("has_company == 1", 0),
        ('age >= "60"', 7),
        ("residence == 24", 13),
        ("residence in ()", 13),
        ("age in range(9)", 7),
        ('done("x", "y")', 0),
        ("done(x)", 0),
        ("done()", 0),
        ('age("x") > 3', 0),
        ("done > 3", 0),
        ("age ** 2 > 3", 0),
        ("age is 3", 0),
        ("True", 0),
        ("lambda: age", 0),
        ("(age := 3) > 2", 1),
        ('__import__("os").system("true")', 0),
        ("age > 1e9", 6),
        ("age > True", 6),
        ("age > 3 # and more", 8),
        ("年龄 > 3", 0),
        ("age > 3) or (age < 2", 7),
    ],
)
def test_what_is_no_rule_is_refused_where_it_is_wrong(text: str, at: int) -> None:
    with pytest.raises(WrongExpression) as refused:
        read(text)
    assert refused.value.at == at
    assert refused.value.zh
    assert refused.value.en


@pytest.mark.parametrize(
    "text",
    [
        "age > 3 and " * 200 + "age > 3",
        " or ".join(["has_company"] * 70),
        "not " * (DEEPEST + 1) + "has_company",
        "(" * 300 + "age > 3" + ")" * 300,
        "age in (" + ",".join(["1"] * (MOST_CHOICES + 1)) + ")",
        "age > " + "9" * LONGEST,
    ],
)
def test_what_would_be_slow_is_refused(text: str) -> None:
    with pytest.raises(WrongExpression):
        read(text)


@given(st.text(max_size=60) | st.text(alphabet="age<>=() notrd\"'xin18,.:", max_size=40))
def test_rubbish_is_read_or_refused_and_nothing_else(text: str) -> None:
    try:
        read(text)
    except WrongExpression as refused:
        at = refused.at
    else:
        at = 0
    assert 0 <= at <= len(text)


def test_a_rule_reads_nothing_that_it_does_not_declare() -> None:
    with pytest.raises(WrongExpression, match="certificates"):
        rule("renewal", 'age >= 60 and days_until("id-card") < 90', ["age"])
    with pytest.raises(WrongExpression, match="wealth"):
        rule("rich", "age > 3", ["age", "wealth"])


def test_what_she_did_not_let_be_used_is_not_known() -> None:
    elders = rule("elders", "age >= 60", ["age"])
    not_young = rule("not-young", "not (age < 60)", ["age"])
    her = {AGE: 71.0}
    assert elders.concerns(her, {"age"})
    assert not_young.concerns(her, {"age"})
    assert not elders.concerns(her, {"topics"})
    assert not not_young.concerns(her, set())


def test_an_empty_rule_is_for_everybody() -> None:
    everybody = rule("all", "", [])
    assert everybody.concerns({}, set())
    assert everybody.concerned({}, 3).tolist() == [True] * 3


def test_unknown_stays_unknown_until_the_rest_decides() -> None:
    assert judge(read("age >= 60 or has_company"), {}) is None
    company = {Asked(ATTRIBUTES["has_company"]): 1.0}
    assert judge(read("age >= 60 or has_company"), company) is True
    assert judge(read("age >= 60 and not has_company"), company) is False
