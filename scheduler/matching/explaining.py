"""Why something concerns somebody, in words: what of a rule was true of her, and nothing else.

Only the rule's own figures are told, never hers.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from scheduler.matching.judging import Person, judge
from scheduler.matching.language import Asked, Comparison, Expression, Joined, Not, Sign, Truth

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
_DENIED: Final = ("并非：", "it is not so that ")
_EVERYBODY: Final = (
    "您收到这条消息，因为它与每个人有关。",
    "You get this because it concerns everybody.",
)


def why(
    expression: Expression | None, person: Person, names: Mapping[str, str] | None = None
) -> tuple[str, str]:
    """Why something concerns a person of whom it is true: a sentence in Chinese and in English.

    `names` are what codes in a rule are called, of items and halls say. None as expression: what
    concerns everybody.
    """
    if expression is None:
        return _EVERYBODY
    parts = list(dict.fromkeys(_true_parts(expression, person, names or {}, denied=False)))
    zh, en = (_BETWEEN[at].join(part[at] for part in parts) for at in (0, 1))
    return _BEGINS[0] + zh + _ENDS[0], _BEGINS[1] + en + _ENDS[1]


def _true_parts(
    expression: Expression, person: Person, names: Mapping[str, str], *, denied: bool
) -> Iterator[tuple[str, str]]:
    """What is so (or, `denied`, is not) and makes the whole so."""
    match expression:
        case Truth(asked):
            label = _label(asked, names)
            yield (_DENIED[0] + label[0], _DENIED[1] + label[1]) if denied else label
        case Comparison():
            yield _compared(expression, names, denied=denied)
        case Not(part):
            yield from _true_parts(part, person, names, denied=not denied)
        case Joined(parts=parts):
            for each in parts:
                if judge(each, person) is not denied and judge(each, person) is not None:
                    yield from _true_parts(each, person, names, denied=denied)


def _compared(comparison: Comparison, names: Mapping[str, str], *, denied: bool) -> tuple[str, str]:
    sign = _OPPOSITE[comparison.sign] if denied else comparison.sign
    values = [
        names.get(value, value) if isinstance(value, str) else f"{value:g}"
        for value in comparison.values
    ]
    label, says = _label(comparison.asked, names), _SIGNS[sign]
    return f"{label[0]}{says[0].format('、'.join(values))}", (
        f"{label[1]} {says[1].format(', '.join(values))}"
    )


def _label(asked: Asked, names: Mapping[str, str]) -> tuple[str, str]:
    of = names.get(asked.of, asked.of) if asked.of else ""
    zh, en = _LABELS[asked.attribute.name]
    return zh.format(of), en.format(of)
