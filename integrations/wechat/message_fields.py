"""What WeChat takes in the fields of a subscription message, by the beginning of their names."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from integrations.graphemes import cut, units
from integrations.ports_message import FieldFault

_NAME: Final = re.compile(r"([a-z_]+)([1-9][0-9]?)")
_WORD: Final = re.compile(r"\{[^{}]*\}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CLOCK: Final = r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"
_DAY: Final = r"[0-9]{4}([-/.][0-9]{1,2}[-/.][0-9]{1,2}|年[0-9]{1,2}月[0-9]{1,2}日)"
_MOMENT: Final = rf"(({_DAY}) ?)?({_CLOCK})?"
_FIELDS_AT_MOST: Final = 10


class Unfit(ValueError):
    """A value that cannot be made to fit its field."""


@dataclass(frozen=True, slots=True)
class FieldKind:
    """A kind of field: what its values look like, and how a longer one is made to fit.

    `keeps` are the characters that it may have, `most` how many UTF-16 units. A value that does not
    look like `whole` in the end cannot be sent.
    """

    most: int
    keeps: str = r"[\s\S]"
    whole: str = r"[\s\S]+"
    may_cut: bool = False
    length: Callable[[str], int] = units
    what: tuple[str, str] = ("文字", "text")


def _name_length(text: str) -> int:
    """Of 20: Latin letters count one, and as soon as there is any other, all count two."""
    return len(text) if text.isascii() else 2 * units(text)


KINDS: Final[Mapping[str, FieldKind]] = {
    "thing": FieldKind(20, may_cut=True),
    "number": FieldKind(32, r"[0-9.]", r"[0-9]+(\.[0-9]+)?", what=("数字", "digits")),
    "letter": FieldKind(32, r"[A-Za-z]", what=("字母", "letters"), may_cut=True),
    "symbol": FieldKind(5, r"[^\w\s]", what=("符号", "symbols"), may_cut=True),
    "character_string": FieldKind(
        32, r"[!-~]", what=("数字、字母或符号", "digits, letters or symbols"), may_cut=True
    ),
    "time": FieldKind(
        48, whole=rf"{_MOMENT}(~{_MOMENT})?", what=("时间，如 15:01", "a time such as 15:01")
    ),
    "date": FieldKind(
        48,
        whole=rf"{_DAY}( ?{_CLOCK})?(~{_DAY}( ?{_CLOCK})?)?",
        what=("日期，如 2026年11月23日", "a date such as 2026-11-23"),
    ),
    "amount": FieldKind(
        16,
        r"[0-9.¥￥$元]",
        r"[¥￥$]?[0-9]{1,10}(\.[0-9]{1,2})?元?",
        what=("金额，如 ¥20.00", "an amount such as ¥20.00"),
    ),
    "phone_number": FieldKind(17, r"[0-9+\-() ]", what=("电话号码", "a phone number")),
    "car_number": FieldKind(8, what=("车牌号", "a car's number")),
    "name": FieldKind(20, length=_name_length, may_cut=True, what=("姓名", "a name")),
    "phrase": FieldKind(5, r"[㐀-鿿]", what=("汉字", "Chinese characters"), may_cut=True),
    "enum": FieldKind(20, what=("选项", "a choice")),
}


def faults_of(fields: Mapping[str, str]) -> list[FieldFault]:
    """What WeChat would have against a template's fields, each with its pattern."""
    found = []
    if not 1 <= len(fields) <= _FIELDS_AT_MOST:
        found.append(FieldFault("", ("需要 1 至 10 个字段。", "A template has 1 to 10 fields.")))
    for name, pattern in fields.items():
        parts = _NAME.fullmatch(name)
        kind = KINDS.get(parts[1]) if parts else None
        if kind is None:
            why = ("不是平台的字段名，如 thing1。", "That is no field's name, such as thing1.")
            found.append(FieldFault(name, why))
        elif why_not := _fault_of(kind, pattern):
            found.append(FieldFault(name, why_not))
    return found


def _fault_of(kind: FieldKind, pattern: str) -> tuple[str, str] | None:
    """What is wrong with a pattern whatever its words will be."""
    fixed = _WORD.sub("", pattern)
    if not pattern.strip():
        return ("不能为空。", "It must not be empty.")
    if _CONTROL.search(pattern):
        return ("不能有控制字符或换行。", "It must have no control characters or line breaks.")
    if kind.length(fixed) > kind.most:
        return (f"最长 {kind.most} 个字符。", f"It has at most {kind.most} characters.")
    if not re.fullmatch(f"({kind.keeps})*", fixed):
        return (f"只能是{kind.what[0]}。", f"It takes only {kind.what[1]}.")
    if fixed == pattern and not re.fullmatch(kind.whole, pattern):
        return (f"应为{kind.what[0]}。", f"It must be {kind.what[1]}.")
    return None


def fitted(fields: Mapping[str, str]) -> dict[str, str]:
    """The values as WeChat takes them. Raises Unfit for one that cannot be made to fit."""
    return {name: _fit(name, value) for name, value in fields.items()}


def _fit(name: str, value: str) -> str:
    parts = _NAME.fullmatch(name)
    kind = KINDS.get(parts[1]) if parts else None
    if kind is None:
        raise Unfit(name)
    plain = _CONTROL.sub(" ", value).strip()
    if kind.may_cut:
        plain = "".join(re.findall(kind.keeps, plain)) if kind.keeps != r"[\s\S]" else plain
        plain = _shortened(plain, kind) or ("-" if kind.keeps == r"[\s\S]" else "")
    if (
        not plain
        or kind.length(plain) > kind.most
        or not re.fullmatch(f"({kind.keeps})*", plain)
        or not re.fullmatch(kind.whole, plain)
    ):
        raise Unfit(name)
    return plain


def _shortened(text: str, kind: FieldKind) -> str:
    if kind.length(text) <= kind.most:
        return text
    # Where only certain characters may be, none says that some are missing.
    ending = "…" if kind.keeps == r"[\s\S]" else ""
    most = kind.most if kind.length is units or text.isascii() else kind.most // 2
    return cut(text, most, ending=ending)
