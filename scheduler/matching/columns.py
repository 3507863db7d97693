"""Whether an expression is true of very many people, column by column: as `judging` says it.

A column has an entry for each person. Numbers are float64, NaN where not known. Truths are float64
too: 0, 1, NaN. Texts are codes: whole numbers by `words`, -1 where not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from scheduler.matching.language import Asked, Comparison, Expression, Joined, Not, Truth

Bools = NDArray[np.bool_]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of texts: `codes` (-1: not known), and the code of each text that occurs."""

    codes: NDArray[np.int32]
    words: Mapping[str, int]


Column: TypeAlias = Numbers | Texts
Columns = Mapping[Asked, Column]


@dataclass(frozen=True, slots=True)
class _Found:
    """Of whom it is so, and of whom it is not; of the others that is not known."""

    so: Bools
    not_so: Bools


def concerned(expression: Expression, columns: Columns) -> Bools:
    """Of whom an expression is known to be true. Raises KeyError for a column that is missing."""
    return _find(expression, columns).so


def _find(expression: Expression, columns: Columns) -> _Found:
    match expression:
        case Truth(asked):
            numbers = columns[asked]
            assert not isinstance(numbers, Texts), "a truth is no text"
            return _Found(numbers == 1, numbers == 0)
        case Comparison():
            return _compare(expression, columns[expression.asked])
        case Not(part):
            found = _find(part, columns)
            return _Found(found.not_so, found.so)
        case Joined(by, parts):
            so, not_so = (np.logical_and, np.logical_or)[:: 1 if by == "and" else -1]
            first, *others = (_find(each, columns) for each in parts)
            whole = _Found(first.so.copy(), first.not_so.copy())
            for each in others:
                so(whole.so, each.so, out=whole.so)
                not_so(whole.not_so, each.not_so, out=whole.not_so)
            return whole


def _compare(comparison: Comparison, column: Column) -> _Found:
    if isinstance(column, Texts):
        wanted = [column.words.get(str(value), -2) for value in comparison.values]
        so, known = np.isin(column.codes, wanted), column.codes >= 0
    else:
        so, known = _numbers_so(comparison, column), ~np.isnan(column)
    if comparison.sign in ("!=", "not in"):
        so = ~so
    return _Found(so & known, ~so & known)


def _numbers_so(comparison: Comparison, column: Numbers) -> Bools:
    """Where it is so, or where it is not for `!=` and `not in`."""
    values = np.array(comparison.values, dtype=float)
    first = values[0]
    match comparison.sign:
        case "<":
            found = column < first
        case "<=":
            found = column <= first
        case ">=":
            found = column >= first
        case ">":
            found = column > first
        case _:
            found = np.isin(column, values)
    return np.asarray(found, dtype=np.bool_)
