"""Why something concerns somebody, in words: what of a rule was true of her, and nothing else.

Only the rule's own figures are told, never hers.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.matching.columns import Column, Columns, Texts, concerned
from scheduler.matching.judging import Person, judge
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

# What a code is of (`item`, `certificate`, `topic`, `hall`) and the code, in Chinese and English.
Names = Mapping[tuple[str, str], tuple[str, str]]

# What each attribute is called; of those asked for by a name, `{}` is that name.
_LABELS: Final[dict[str, tuple[str, str]]] = {
    "age": ("年龄", "your age"),
    "residence": ("居住地", "where you live"),
    "household": ("家庭人数", "the number of people in your family"),
    "youngest_child_months": ("最小孩子的月龄", "the age of your youngest child in months"),
    "has_company": ("您经营企业", "you have a company"),
    "done": ("您办理过“{}”", "you have done “{}”"),
    "days_since": ("办理“{}”以来的天数", "the days since you did “{}”"),
    "holds": ("您持有“{}”", "you hold “{}”"),
    "days_until": ("“{}”到期前的天数", "the days until “{}” expires"),
    "follows": ("您关注“{}”", "you follow “{}”"),
}
# That something is not so.
_NOT: Final[dict[str, tuple[str, str]]] = {
    "has_company": ("您没有经营企业", "you have no company"),
    "done": ("您尚未办理“{}”", "you have not done “{}”"),
    "holds": ("您没有“{}”", "you do not hold “{}”"),
    "follows": ("您没有关注“{}”", "you do not follow “{}”"),
}
_SIGNS: Final[dict[Sign, tuple[str, str]]] = {
    "<": ("小于 {}", "is less than {}"),
    "<=": ("不超过 {}", "is at most {}"),
    "==": ("是 {}", "is {}"),
    "!=": ("不是 {}", "is not {}"),
    ">=": ("不小于 {}", "is at least {}"),
    ">": ("大于 {}", "is more than {}"),
    "in": ("是 {} 之一", "is one of {}"),
    "not in": ("不是 {} 之一", "is none of {}"),
}
_OPPOSITE: Final[dict[Sign, Sign]] = {
    "<": ">=",
    "<=": ">",
    "==": "!=",
    "!=": "==",
    ">=": "<",
    ">": "<=",
    "in": "not in",
    "not in": "in",
}
_BEGINS: Final = ("您收到这条消息，因为：", "You get this because ")
_ENDS: Final = ("。", ".")
_BETWEEN: Final = ("；", "; ")
_EVERYBODY: Final = (
    "您收到这条消息，因为它与每个人有关。",
    "You get this because it concerns everybody.",
)


def why(
    expression: Expression | None, person: Person, names: Names | None = None
) -> tuple[str, str]:
    """Why something concerns a person of whom it is true: a sentence in Chinese and in English.

    `names` are what codes in a rule are called, such as of the item `elder-card`. None as
    expression: what concerns everybody.
    """
    if expression is None:
        return _EVERYBODY
    parts = list(dict.fromkeys(_true_parts(expression, person, names or {}, denied=False)))
    zh, en = (_BETWEEN[at].join(part[at] for part in parts) for at in (0, 1))
    return _BEGINS[0] + zh + _ENDS[0], _BEGINS[1] + en + _ENDS[1]


def whys(
    expression: Expression | None,
    columns: Columns,
    at: NDArray[np.intp],
    names: Names | None = None,
) -> list[tuple[str, str]]:
    """`why` of each of those who stand at these places of the columns.

    Of whom the same parts are true, the same is said: so it is put in words once for each such
    pattern, however many people there are.
    """
    if expression is None or not len(at):
        return [_EVERYBODY] * len(at)
    parts = list(_leaves(expression))
    hers = {asked: _chosen(columns[asked], at) for part in parts for asked in [part.asked]}
    # Of each part that it is so, and that it is not; else it is not known.
    found = [concerned(each, hers) for part in parts for each in (part, Not(part))]
    patterns = np.packbits(np.stack(found, axis=1), axis=1)
    _, first, which = np.unique(patterns, axis=0, return_index=True, return_inverse=True)
    said = [why(expression, _person(hers, int(one)), names) for one in first]
    return [said[nth] for nth in which.ravel().tolist()]


def _chosen(column: Column, at: NDArray[np.intp]) -> Column:
    if isinstance(column, Texts):
        return Texts(column.codes[at], column.words)
    return column[at]


def _person(columns: Columns, at: int) -> Person:
    """One of many, as `judging` knows people."""
    found: dict[Asked, Value] = {}
    for asked, column in columns.items():
        if isinstance(column, Texts):
            words = {code: word for word, code in column.words.items()}
            code = int(column.codes[at])
            if code >= 0:
                found[asked] = words.get(code, "")
        elif not np.isnan(column[at]):
            found[asked] = float(column[at])
    return found


def _leaves(expression: Expression) -> Iterator[Truth | Comparison]:
    match expression:
        case Truth() | Comparison():
            yield expression
        case Not(part):
            yield from _leaves(part)
        case Joined(parts=parts):
            for each in parts:
                yield from _leaves(each)


def _true_parts(
    expression: Expression, person: Person, names: Names, *, denied: bool
) -> Iterator[tuple[str, str]]:
    """What is so (or, `denied`, is not) and makes the whole so."""
    match expression:
        case Truth(asked):
            yield _label(asked, names, _NOT if denied else _LABELS)
        case Comparison():
            yield _compared(expression, names, denied=denied)
        case Not(part):
            yield from _true_parts(part, person, names, denied=not denied)
        case Joined(parts=parts):
            for each in parts:
                if judge(each, person) is not denied and judge(each, person) is not None:
                    yield from _true_parts(each, person, names, denied=denied)


def _compared(comparison: Comparison, names: Names, *, denied: bool) -> tuple[str, str]:
    sign = _OPPOSITE[comparison.sign] if denied else comparison.sign
    values = [
        names.get(("hall", value), (value, value))
        if isinstance(value, str)
        else (f"{value:g}",) * 2
        for value in comparison.values
    ]
    label, says = _label(comparison.asked, names), _SIGNS[sign]
    zh, en = "、".join(each[0] for each in values), ", ".join(each[1] for each in values)
    return f"{label[0]}{says[0].format(zh)}", f"{label[1]} {says[1].format(en)}"


def _label(
    asked: Asked, names: Names, labels: Mapping[str, tuple[str, str]] = _LABELS
) -> tuple[str, str]:
    zh, en = labels[asked.attribute.name]
    if asked.of is None:
        return zh, en
    name = names.get((asked.attribute.takes or "", asked.of), (asked.of, asked.of))
    return zh.format(name[0]), en.format(name[1])
