"""Reads what a request brings: its body and its query, checked against the shapes declared."""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from sanic import Request

from server.errors import (
    FieldFault,
    InvalidRequest,
    MalformedRequest,
    UnsupportedMediaType,
    UriTooLong,
)
from server.http.wording import field_fault, pointer

LONGEST_QUERY = 2_000
MOST_PARAMETERS = 50
# PostgreSQL cannot store this one character, and no name or text of anybody's has it.
_NUL = b"\\u0000"
# After an even number of backslashes: an odd one more would escape the backslash of this.
_NUL_ITSELF = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_NO_NUL = ("不能包含 NUL 字符。", "must not contain the character NUL")
_ONCE = ("只能出现一次。", "may be given only once")
_NOT_NULL = ("没有值时请不要带该参数。", "leave it out rather than null")
_NOT_JSON = ("请求内容不是有效的 JSON。", "The body is not valid JSON.")
_NO_QUERY = ("查询参数无法解析。", "The query cannot be read.")


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query of a route that has none."""


def read_body(request: Request, decoder: "msgspec.json.Decoder[Any]") -> Any:
    """The body, checked. No Content-Type counts as JSON, and no body as `{}`.

    Raises InvalidRequest with where and why, MalformedRequest or UnsupportedMediaType.
    """
    body = request.body
    if body and not _is_json(request.headers.get("content-type")):
        raise UnsupportedMediaType
    try:
        if _NUL in body and _NUL_ITSELF.search(body):
            raise InvalidRequest(errors=_nul_faults(msgspec.json.decode(body), ()))
        return decoder.decode(body or b"{}")
    except msgspec.ValidationError as fault:
        raise InvalidRequest(errors=[field_fault(str(fault), decoder.type)]) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise MalformedRequest(_NOT_JSON) from None


@lru_cache(maxsize=256)
def _is_json(content_type: str | None) -> bool:
    if not content_type:
        return True
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind[-5:] == "+json")


def _nul_faults(value: Any, where: tuple[object, ...]) -> list[FieldFault]:
    """Where in a decoded body NUL is, in texts and in names."""
    if isinstance(value, str):
        return [FieldFault(pointer(where), _NO_NUL)] if "\0" in value else []
    if isinstance(value, dict):
        named = [FieldFault(pointer(where), _NO_NUL)] if any("\0" in name for name in value) else []
        below = [_nul_faults(each, (*where, name)) for name, each in value.items()]
        return [*named, *(fault for faults in below for fault in faults)]
    if isinstance(value, list):
        return [
            fault for nth, each in enumerate(value) for fault in _nul_faults(each, (*where, nth))
        ]
    return []


@lru_cache(maxsize=4096)
def read_query(shape: type, query_string: str) -> Any:
    """The query, checked. Remembered, because phones repeat theirs.

    A query is read as an object of its parameters, so `/lng` points at the parameter `lng`. None
    is passed over: what is given twice, empty where that means nothing, or not known is refused.
    Raises InvalidRequest, MalformedRequest or UriTooLong.
    """
    if len(query_string) > LONGEST_QUERY:
        raise UriTooLong
    try:
        pairs = pairs_of(query_string)
        given = dict(pairs)
        if len(given) < len(pairs) or "%00" in query_string:
            raise InvalidRequest(errors=_faults_of_pairs(pairs))
        query: Any = msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as fault:
        raise InvalidRequest(errors=[field_fault(str(fault), shape)]) from None
    except ValueError:
        raise MalformedRequest(_NO_QUERY) from None
    # Read from text, "null" is None.
    if nulls := [name for name, text in pairs if len(text) == 4 and text.lower() == "null"]:
        _refuse_nulls(query, nulls)
    return query


def pairs_of(query_string: str) -> list[tuple[str, str]]:
    """The parameters of a query, in order. Raises ValueError.

    Most have nothing in them to decode: those are only cut apart, at a third of the cost.
    """
    if "%" in query_string or "+" in query_string:
        return parse_qsl(
            query_string, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    parts = query_string.split("&")
    if len(parts) > MOST_PARAMETERS:
        raise ValueError("too many parameters")
    cut = (part.partition("=") for part in parts if part)
    return [(name, text) for name, _, text in cut]


def _faults_of_pairs(pairs: list[tuple[str, str]]) -> list[FieldFault]:
    names = [name for name, _ in pairs]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    nul = [name for name, text in pairs if "\0" in name + text]
    return [
        *(FieldFault(pointer([name]), _ONCE) for name in twice),
        *(FieldFault(pointer([name.replace("\0", "")]), _NO_NUL) for name in nul),
    ]


def _refuse_nulls(query: msgspec.Struct, nulls: list[str]) -> None:
    names = dict(zip(query.__struct_encode_fields__, query.__struct_fields__, strict=True))
    lost = [name for name in nulls if getattr(query, names[name]) is None]
    if lost:
        raise InvalidRequest(errors=[FieldFault(pointer([name]), _NOT_NULL) for name in lost])
