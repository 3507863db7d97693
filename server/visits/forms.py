"""The form of a bundle: what a citizen filled in, checked field by field."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from models.identifiers import NotAnIdentifier, read_id, read_mobile
from server.errors import FieldFault, InvalidRequest, Sentence
from server.halls.directory import FormField
from server.http.wording import one_of, pointer

_MISSING: Sentence = ("请填写此项。", "must be filled in")
_UNKNOWN: Sentence = ("表单中没有此项。", "is no field of this form")
_UNPRINTABLE: Sentence = ("含看不见的字符。", "has invisible characters")
_NO_DATE: Sentence = ("应为日期，如 2026-11-01。", "must be a date like 2026-11-01")
_TO_COME: Sentence = ("不能晚于今天。", "must not be later than today")
_NO_ID: Sentence = ("不是有效的身份证号。", "is no valid id number")
_NO_PHONE: Sentence = ("不是有效的手机号。", "is no valid mobile number")


def read_form(
    fields: Sequence[FormField], given: Mapping[str, str], *, today: date
) -> dict[str, str]:
    """What was filled in, in the form's order, each value as we keep it; empty ones are none.

    Raises InvalidRequest with all that is wrong; no value is repeated in it.
    """
    known = {field.code for field in fields}
    faults = [_fault(code, _UNKNOWN) for code in given if code not in known]
    read: dict[str, str] = {}
    for field in fields:
        text = given.get(field.code, "").strip()
        if not text:
            if field.required:
                faults.append(_fault(field.code, _MISSING))
            continue
        value = _value(field, text, today)
        if isinstance(value, str):
            read[field.code] = value
        else:
            faults.append(_fault(field.code, value))
    if faults:
        raise InvalidRequest(errors=faults)
    return read


def _value(field: FormField, text: str, today: date) -> str | Sentence:
    """A field's value as we keep it, or what is wrong with it."""
    if len(text) > field.most:
        return (f"最多 {field.most} 个字。", f"must have at most {field.most} characters")
    return _READERS[field.kind](field, text, today)


def _text(field: FormField, text: str, today: date) -> str | Sentence:
    return text if text.replace("\n", "").isprintable() else _UNPRINTABLE


def _date(field: FormField, text: str, today: date) -> str | Sentence:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return _NO_DATE


def _past_date(field: FormField, text: str, today: date) -> str | Sentence:
    value = _date(field, text, today)
    is_to_come = isinstance(value, str) and date.fromisoformat(value) > today
    return _TO_COME if is_to_come else value


def _choice(field: FormField, text: str, today: date) -> str | Sentence:
    allowed = [choice.value for choice in field.choices]
    return text if text in allowed else one_of(allowed)


def _id_number(field: FormField, text: str, today: date) -> str | Sentence:
    try:
        return read_id("resident_id", text, today=today).number
    except NotAnIdentifier:
        return _NO_ID


def _phone(field: FormField, text: str, today: date) -> str | Sentence:
    try:
        return read_mobile(text)
    except NotAnIdentifier:
        return _NO_PHONE


_READERS: Mapping[str, Callable[[FormField, str, date], str | Sentence]] = {
    "text": _text,
    "date": _date,
    "past_date": _past_date,
    "choice": _choice,
    "id_number": _id_number,
    "phone": _phone,
}


def _fault(code: str, detail: Sentence) -> FieldFault:
    return FieldFault(pointer(["form", code]), detail)
