"""What is wrong with a field, in Chinese and English: msgspec's sentences, told anew for people."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import inspect

from server.errors import FieldFault, Sentence
from server.http.formats import IN_WORDS

_TYPES = {
    "str": ("文字", "text"),
    "int": ("整数", "a whole number"),
    "float": ("数字", "a number"),
    "bool": ("true 或 false", "true or false"),
    "object": ("对象", "an object"),
    "array": ("数组", "an array"),
    "date": ("日期", "a date"),
    "datetime": ("时间", "a time"),
    "uuid": ("编号", "an id"),
}
_PARTS = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_NOT_ALLOWED = ("不是允许的取值。", "is none of the allowed values")
_OUT_OF_RANGE = ("数字超出范围。", "is out of range")


def _types(found: re.Match[str]) -> Sentence:
    named = [kind for kind in found[1].split(" | ") if kind != "null"]
    chinese, english = zip(*(_TYPES.get(kind, (kind, kind)) for kind in named), strict=True)
    return f"应为{'或'.join(chinese)}。", f"must be {' or '.join(english)}"


def _bound(found: re.Match[str]) -> Sentence:
    sign, limit = found[1], found[2].removesuffix(".0")
    chinese, english = {
        ">=": ("不能小于", "must be at least"),
        "<=": ("不能大于", "must be at most"),
        ">": ("应大于", "must be more than"),
        "<": ("应小于", "must be less than"),
    }[sign]
    return f"{chinese} {limit}。", f"{english} {limit}"


def _length(found: re.Match[str]) -> Sentence:
    kind, sign, count = found[1], found[2], found[3]
    unit, units = ("个字符", "characters") if kind == "str" else ("项", "entries")
    chinese, english = {
        ">=": ("至少", "at least"),
        "<=": ("最多", "at most"),
        None: ("应为", "exactly"),
    }[sign]
    return f"{chinese} {count} {unit}。", f"must have {english} {count} {units}"


def _format(found: re.Match[str]) -> Sentence:
    pattern = found[1]
    return _SAID_OF.get(pattern, (f"格式应符合 {pattern}", f"must match {pattern}"))


def _always(chinese: str, english: str) -> Callable[[re.Match[str]], Sentence]:
    return lambda found: (chinese, english)


# What msgspec says, and how we say it; the first that matches counts.
_WORDINGS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Sentence]], ...] = tuple(
    (re.compile(pattern), told)
    for pattern, told in (
        (r"Expected `(\w+)` of length (?:(>=|<=) )?(\d+)(?:, got \d+)?$", _length),
        (r"Expected `(?:int|float)` (>=|<=|>|<) (\S+)$", _bound),
        (r"Expected `str` matching regex '(.+)'$", _format),
        (r"Expected `([^`]+)`", _types),
        (
            r"Invalid RFC3339 encoded date$",
            _always("应为日期，如 2026-11-23。", "must be a date such as 2026-11-23"),
        ),
        (
            r"Invalid RFC3339 encoded datetime$",
            _always(
                "应为带时区的时间，如 2026-11-23T09:30:00+08:00。",
                "must be a time with offset, such as 2026-11-23T09:30:00+08:00",
            ),
        ),
        (r"Invalid UUID$", _always("应为编号（UUID）。", "must be an id (a UUID)")),
        (r"Invalid (?:enum )?value", _always(*_NOT_ALLOWED)),
        (r"(?:Number|Integer value) out of range", _always(*_OUT_OF_RANGE)),
    )
)
# msgspec names a pattern as Python writes it: backslashes doubled.
_SAID_OF = {repr(pattern)[1:-1]: said for pattern, said in IN_WORDS.items()}
_MISSING = re.compile(r"Object missing required field `(.+)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`$", re.DOTALL)


def field_fault(message: str, shape: Any) -> FieldFault:
    """A fault of a body or query of that shape, from what msgspec said of it.

    msgspec says "Expected `str`, got `int` - at `$.hall`"; we say where by JSON Pointer.
    """
    said, _, path = message.rpartition(" - at ") if message.endswith("`") else ("", "", "")
    if not path.startswith("`$"):
        said, path = message, ""
    parts = [name or number for name, number in _PARTS.findall(path.strip("`"))]
    if missing := _MISSING.match(said):
        return FieldFault(pointer([*parts, missing[1]]), ("缺少该字段。", "is missing"))
    if unknown := _UNKNOWN.match(said):
        return FieldFault(pointer([*parts, unknown[1]]), ("没有这个字段。", "is not known here"))
    for pattern, told in _WORDINGS:
        if found := pattern.match(said):
            sentence = told(found)
            if sentence == _NOT_ALLOWED and (allowed := _allowed(shape, parts)):
                sentence = one_of(allowed)
            return FieldFault(pointer(parts), sentence)
    return FieldFault(pointer(parts), ("格式不正确。", said))


def one_of(allowed: Iterable[object]) -> Sentence:
    """That a value is none of these."""
    known = ", ".join(str(value) for value in allowed)
    return f"应为其中之一：{known}。", f"must be one of {known}"


def pointer(parts: Iterable[object]) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def _allowed(shape: Any, parts: list[str]) -> list[Any]:
    """The values that a field may have, where they can be counted."""
    found = [inspect.type_info(shape)]
    for part in parts:
        found = [below for kind in found for below in _below(kind, part)]
    return [value for kind in found for value in _values(kind)]


def _below(kind: inspect.Type, part: str) -> list[inspect.Type]:
    match kind:
        case inspect.UnionType(types=types):
            return [below for one in types for below in _below(one, part)]
        case inspect.Metadata(type=inner):
            return _below(inner, part)
        case inspect.ListType(item_type=inner) | inspect.VarTupleType(item_type=inner):
            return [inner]
        case inspect.StructType(fields=fields, tag_field=tag_field, tag=tag):
            if part == tag_field:
                return [inspect.LiteralType((tag,))]
            return [field.type for field in fields if field.encode_name == part]
    return []


def _values(kind: inspect.Type) -> list[Any]:
    match kind:
        case inspect.UnionType(types=types):
            return [value for one in types for value in _values(one)]
        case inspect.Metadata(type=inner):
            return _values(inner)
        case inspect.LiteralType(values=values):
            return list(values)
        case inspect.EnumType(cls=enum):
            return [msgspec.to_builtins(member) for member in enum]
    return []
