"""Whether an expression is true of one person; None where what is known of her does not tell.

Three-valued, as Kleene has it: what is not known is neither so nor not so, and stays unknown
through `not`; `and` is false as soon as one part is, `or` true as soon as one is.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Final

from scheduler.matching.language import (
    Asked,
    Comparison,
    Expression,
    Joined,
    Not,
    Sign,
    Truth,
    Value,
)

# What is known of a person. Numbers and texts by what they are of; truths as 0 and 1.
Person = Mapping[Asked, Value]


def judge(expression: Expression, person: Person) -> bool | None:
    """Whether it is so. None: not known."""
    match expression:
        case Truth(asked):
            known = person.get(asked)
            return None if known is None else bool(known)
        case Comparison():
            return _compare(expression, person.get(expression.asked))
        case Not(part):
            found = judge(part, person)
            return None if found is None else not found
        case Joined(by, parts):
            found_all = [judge(each, person) for each in parts]
            decides = by == "or"
            if decides in found_all:
                return decides
            return None if None in found_all else not decides


def _compare(comparison: Comparison, known: Value | None) -> bool | None:
    if known is None:
        return None
    if comparison.sign in ("in", "=="):
        return known in comparison.values
    if comparison.sign in ("not in", "!="):
        return known not in comparison.values
    [value] = comparison.values
    assert not isinstance(known, str), "texts have no order"
    assert not isinstance(value, str), "numbers compare with numbers"
    return _ORDERS[comparison.sign](known, value)


_ORDERS: Final[Mapping[Sign, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">=": operator.ge,
    ">": operator.gt,
}
