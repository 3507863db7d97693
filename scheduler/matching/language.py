"""The language of audience rules: read, checked, and nothing of it ever run as Python.

Python's own grammar is used to read an expression; of what it reads, only what is listed here is
taken over into a tree of ours: comparisons of one attribute with fixed values, `and`, `or`, `not`.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

Kind = Literal["number", "text", "truth"]
Sign = Literal["<", "<=", "==", "!=", ">=", ">", "in", "not in"]
Value: TypeAlias = float | str

LONGEST: Final = 1_000  # characters
MOST_PARTS: Final = 60  # comparisons, truths, and what joins them
DEEPEST: Final = 12
MOST_CHOICES: Final = 200


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something that may be known of a person.

    `group` is what she consents to, and a rule declares, as a whole; with `takes` it is asked for
    by a name, as in `days_until("id-card")`.
    """

    name: str
    kind: Kind
    group: str
    takes: str | None = None


ATTRIBUTES: Final = {
    each.name: each
    for each in (
        Attribute("age", "number", "age"),  # whole years
        Attribute("residence", "text", "residence"),  # the code of her town's or village's hall
        Attribute("household", "number", "family"),  # people in her family, she included
        Attribute("youngest_child_months", "number", "family"),
        Attribute("has_company", "truth", "company"),
        Attribute("done", "truth", "items", takes="item"),
        Attribute("days_since", "number", "items", takes="item"),  # since it was last done
        Attribute("holds", "truth", "certificates", takes="certificate"),
        Attribute("days_until", "number", "certificates", takes="certificate"),  # it expires
        Attribute("follows", "truth", "topics", takes="topic"),
    )
}
GROUPS: Final = tuple(dict.fromkeys(each.group for each in ATTRIBUTES.values()))


@dataclass(frozen=True, slots=True)
class Asked:
    """An attribute of a person, by the name that it takes if any: what a column is of."""

    attribute: Attribute
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """That an attribute is so."""

    asked: Asked


@dataclass(frozen=True, slots=True)
class Comparison:
    """That an attribute compares with fixed values: one, or with `in` any of several."""

    asked: Asked
    sign: Sign
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """That something is not so."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class Joined:
    """That all of these are so (`and`), or any (`or`)."""

    by: Literal["and", "or"]
    parts: tuple["Expression", ...]


Expression: TypeAlias = Truth | Comparison | Not | Joined


class WrongExpression(ValueError):
    """An expression that is none.

    `at` counts characters from 0; `zh` and `en` say what is wrong there.
    """

    def __init__(self, at: int, zh: str, en: str) -> None:
        super().__init__(en)
        self.at, self.zh, self.en = at, zh, en


def read(text: str) -> Expression:
    """The tree of an expression. Raises WrongExpression."""
    if len(text) > LONGEST:
        raise WrongExpression(LONGEST, f"最多 {LONGEST} 个字符。", f"at most {LONGEST} characters")
    if not text.strip():
        raise WrongExpression(0, "条件不能为空。", "must not be empty")
    if (at := min((text.find(each) for each in "#\\" if each in text), default=-1)) >= 0:
        raise WrongExpression(at, "不能含有 # 或 \\。", "must have neither # nor \\")
    line = text.replace("\n", " ").replace("\r", " ")
    indent = len(line) - len(line.lstrip())
    try:
        tree = ast.parse(line.strip(), mode="eval").body
    except SyntaxError as fault:
        # Where it ends too soon Python says 0.
        at = indent + fault.offset - 1 if fault.offset else len(text)
        raise WrongExpression(min(at, len(text)), "无法读懂。", "cannot be read") from None
    except (ValueError, MemoryError, RecursionError):
        raise WrongExpression(0, "无法读懂。", "cannot be read") from None
    return _Reader(line, indent).condition(tree, 1)


def asked_for(expression: Expression) -> Iterator[Asked]:
    """Every attribute that an expression reads, as often as it does."""
    match expression:
        case Truth(asked) | Comparison(asked):
            yield asked
        case Not(part):
            yield from asked_for(part)
        case Joined(parts=parts):
            for each in parts:
                yield from asked_for(each)


def texts_of(expression: Expression) -> Iterator[str]:
    """Every text that an expression compares with, as often as it does."""
    match expression:
        case Comparison(values=values):
            yield from (value for value in values if isinstance(value, str))
        case Not(part):
            yield from texts_of(part)
        case Joined(parts=parts):
            for each in parts:
                yield from texts_of(each)


def groups_of(expression: Expression) -> frozenset[str]:
    """What a person must have consented to for this to be asked of her."""
    return frozenset(asked.attribute.group for asked in asked_for(expression))


class _Reader:
    """Takes Python's tree over into ours."""

    def __init__(self, line: str, indent: int) -> None:
        self._line = line.strip().encode()
        self._indent = indent
        self._parts = 0

    def condition(self, node: ast.expr, depth: int) -> Expression:
        """Something that is so or not."""
        self._count(node, depth)
        match node:
            case ast.BoolOp(op=op, values=values):
                parts = tuple(self.condition(each, depth + 1) for each in values)
                return Joined("and" if isinstance(op, ast.And) else "or", parts)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.condition(operand, depth + 1))
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._compared(node, [left, *others], [self._sign(op, node) for op in ops])
            case ast.Name() | ast.Call():
                asked = self._asked(node)
                if asked.attribute.kind != "truth":
                    raise self._wrong(node, "需要与一个值比较。", "must be compared with a value")
                return Truth(asked)
        raise self._wrong(node, "这里应是一个条件。", "a condition is expected here")

    def _compared(self, node: ast.Compare, sides: list[ast.expr], signs: list[Sign]) -> Expression:
        if len(signs) == 1:
            return self._comparison(sides[0], signs[0], sides[1])
        if len(signs) == 2 and all(sign in ("<", "<=") for sign in signs):
            # 18 <= age < 60
            low = self._comparison(sides[1], _TURNED[signs[0]], sides[0])
            return Joined("and", (low, self._comparison(sides[1], signs[1], sides[2])))
        raise self._wrong(node, "只能写成 a <= x < b。", "only a <= x < b may be chained")

    def _comparison(self, left: ast.expr, sign: Sign, right: ast.expr) -> Comparison:
        if isinstance(left, ast.Constant | ast.UnaryOp) and sign in _TURNED:
            left, sign, right = right, _TURNED[sign], left
        asked = self._asked(left)
        if asked.attribute.kind == "truth":
            raise self._wrong(left, "只有是与否，不能比较。", "is true or not, and not compared")
        if sign in ("in", "not in"):
            if not isinstance(right, ast.Tuple | ast.List | ast.Set):
                raise self._wrong(right, "应为括号中的几个值。", "must be values in brackets")
            nodes = right.elts
        else:
            nodes = [right]
        if not 0 < len(nodes) <= MOST_CHOICES:
            raise self._wrong(
                right, f"应为 1 至 {MOST_CHOICES} 个值。", f"must be 1 to {MOST_CHOICES} values"
            )
        if asked.attribute.kind == "text" and sign in ("<", "<=", ">", ">="):
            raise self._wrong(left, "文字不能比较大小。", "text has no order")
        return Comparison(asked, sign, tuple(self._value(each, asked) for each in nodes))

    def _asked(self, node: ast.expr) -> Asked:
        match node:
            case ast.Name(id=name) if name in ATTRIBUTES and ATTRIBUTES[name].takes is None:
                return Asked(ATTRIBUTES[name])
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(of))], keywords=[]):
                attribute = ATTRIBUTES.get(name)
                if attribute is not None and attribute.takes and 0 < len(of) <= 64:
                    return Asked(attribute, of)
        known = ", ".join(
            f'{each.name}("{each.takes}")' if each.takes else each.name
            for each in ATTRIBUTES.values()
        )
        raise self._wrong(node, f"应为以下之一：{known}。", f"must be one of {known}")

    def _value(self, node: ast.expr, asked: Asked) -> Value:
        sign, inner = 1.0, node
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            sign, inner = -1.0, node.operand
        value = inner.value if isinstance(inner, ast.Constant) else None
        if asked.attribute.kind == "text":
            if isinstance(value, str) and inner is node and 0 < len(value) <= 64:
                return value
            raise self._wrong(node, "应为引号中的文字。", "must be text in quotes")
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e6:
            return sign * float(value)
        raise self._wrong(node, "应为数字，不超过一百万。", "must be a number up to a million")

    def _sign(self, op: ast.cmpop, node: ast.expr) -> Sign:
        sign = _SIGNS.get(type(op))
        if sign is None:
            raise self._wrong(node, "这种比较不支持。", "is no comparison that is known here")
        return sign

    def _count(self, node: ast.expr, depth: int) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS or depth > DEEPEST:
            raise self._wrong(
                node,
                f"最多 {MOST_PARTS} 个部分、{DEEPEST} 层。",
                f"at most {MOST_PARTS} parts, {DEEPEST} deep",
            )

    def _wrong(self, node: ast.expr, zh: str, en: str) -> WrongExpression:
        before = self._line[: node.col_offset].decode()  # Python counts bytes
        return WrongExpression(self._indent + len(before), zh, en)


_SIGNS: Final[dict[type[ast.cmpop], Sign]] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.GtE: ">=",
    ast.Gt: ">",
    ast.In: "in",
    ast.NotIn: "not in",
}
_TURNED: Final[dict[Sign, Sign]] = {
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
    "==": "==",
    "!=": "!=",
}
assert set(_SIGNS.values()) == set(get_args(Sign))
