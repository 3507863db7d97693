"""Queries and bodies: nothing is passed over, and what is wrong is said in words for people."""

from contextlib import suppress
from datetime import date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import server.application  # noqa: F401 declares every route
from server.errors import FieldFault, InvalidRequest
from server.http.endpoint import DECLARED
from server.http.reading import MOST_PARAMETERS, pairs_of, read_query
from server.http.wording import field_fault


def names_of(shape: type) -> tuple[str, ...]:
    names: tuple[str, ...] = shape.__struct_encode_fields__  # type: ignore[attr-defined]
    return names


PARAMETERS = sorted(
    {
        (declared.query, name)
        for declared in DECLARED
        if declared.query is not None
        for name in names_of(declared.query)
    },
    key=lambda pair: (pair[0].__module__, pair[0].__name__, pair[1]),
)
each_parameter = pytest.mark.parametrize(("shape", "name"), PARAMETERS)


def refused(shape: type[msgspec.Struct], query: str) -> FieldFault:
    with pytest.raises(InvalidRequest) as refusal:
        read_query(shape, query)
    assert refusal.value.status == 422
    [fault] = refusal.value.errors
    return fault


@each_parameter
def test_an_empty_parameter_is_refused_where_it_means_nothing(
    shape: type[msgspec.Struct], name: str
) -> None:
    if name == "q":
        read_query(shape, "q=")  # an empty search field finds everything
    else:
        assert refused(shape, f"{name}=").pointer == f"/{name}"


@each_parameter
def test_a_parameter_that_comes_twice_is_refused(shape: type[msgspec.Struct], name: str) -> None:
    assert refused(shape, f"{name}=1&{name}=2").pointer == f"/{name}"
    assert refused(shape, f"{name}=1&{name}=1").pointer == f"/{name}"


@each_parameter
def test_a_parameter_with_nul_is_refused(shape: type[msgspec.Struct], name: str) -> None:
    assert refused(shape, f"{name}=a%00b").pointer == f"/{name}"


@each_parameter
def test_a_null_in_words_is_not_taken_for_none(shape: type[msgspec.Struct], name: str) -> None:
    with suppress(InvalidRequest):
        assert "null" in msgspec.structs.astuple(read_query(shape, f"{name}=null"))


@pytest.mark.parametrize("shape", sorted({shape for shape, _ in PARAMETERS}, key=str))
def test_a_parameter_that_is_not_known_is_refused(shape: type[msgspec.Struct]) -> None:
    assert refused(shape, "frobnicate=1").pointer == "/frobnicate"


def test_no_operation_has_both_a_body_and_a_query_so_a_pointer_says_enough() -> None:
    assert [d.name for d in DECLARED if d.body is not None and d.query is not None] == []


class Inner(msgspec.Struct, tag_field="kind", tag="inner"):
    colour: Literal["red", "green"] = "red"


class Other(msgspec.Struct, tag_field="kind", tag="other"):
    pass


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(min_length=2, max_length=3)] = "ab"
    code: Annotated[str, msgspec.Meta(pattern="^a+$")] = "a"
    number: Annotated[float, msgspec.Meta(ge=-1, le=1)] | None = None
    count: Annotated[int, msgspec.Meta(ge=1, le=3)] = 1
    day: date | None = None
    at: datetime | None = None
    id: UUID | None = None
    some: Annotated[list[int], msgspec.Meta(min_length=1, max_length=2)] | None = None
    pair: tuple[int, int] | None = None
    yes: bool = False
    inside: list[Inner | Other] = []


@pytest.mark.parametrize(
    ("body", "pointer", "chinese", "english"),
    [
        ({"text": 1}, "/text", "应为文字。", "must be text"),
        ({"number": "x"}, "/number", "应为数字。", "must be a number"),
        ({"text": "a"}, "/text", "至少 2 个字符。", "must have at least 2 characters"),
        ({"text": "abcd"}, "/text", "最多 3 个字符。", "must have at most 3 characters"),
        ({"code": "b"}, "/code", "格式应符合 ^a+$", "must match ^a+$"),
        ({"number": -2}, "/number", "不能小于 -1。", "must be at least -1"),
        ({"count": 4}, "/count", "不能大于 3。", "must be at most 3"),
        ({"count": 1.5}, "/count", "应为整数。", "must be a whole number"),
        ({"day": "x"}, "/day", "应为日期，如 2026-11-23。", "must be a date such as 2026-11-23"),
        ({"id": "x"}, "/id", "应为编号（UUID）。", "must be an id (a UUID)"),
        ({"some": []}, "/some", "至少 1 项。", "must have at least 1 entries"),
        ({"some": [1, "x"]}, "/some/1", "应为整数。", "must be a whole number"),
        ({"pair": [1]}, "/pair", "应为 2 项。", "must have exactly 2 entries"),
        ({"yes": "x"}, "/yes", "应为true 或 false。", "must be true or false"),
        ({"a/b": 1}, "/a~1b", "没有这个字段。", "is not known here"),
        ([], "", "应为对象。", "must be an object"),
        ({"inside": [{}]}, "/inside/0/kind", "缺少该字段。", "is missing"),
        (
            {"inside": [{"kind": "x"}]},
            "/inside/0/kind",
            "应为其中之一：inner, other。",
            "must be one of inner, other",
        ),
        (
            {"inside": [{"kind": "inner", "colour": "blue"}]},
            "/inside/0/colour",
            "应为其中之一：green, red。",
            "must be one of green, red",
        ),
    ],
)
def test_what_is_wrong_is_said_in_both_languages(
    body: Any, pointer: str, chinese: str, english: str
) -> None:
    with pytest.raises(msgspec.ValidationError) as fault:
        msgspec.convert(body, Shape)
    assert field_fault(str(fault.value), Shape) == FieldFault(pointer, (chinese, english))


def test_a_sentence_nobody_foresaw_is_still_chinese_by_default() -> None:
    fault = field_fault("Something new - at `$.text`", Shape)
    assert fault == FieldFault("/text", ("格式不正确。", "Something new"))


@given(st.text(alphabet="ab=&;%+7€ #", max_size=40))
def test_a_query_is_cut_apart_as_the_standard_library_does_it(query: str) -> None:
    def read() -> list[tuple[str, str]]:
        return parse_qsl(query, keep_blank_values=True, errors="strict")

    try:
        expected = read()
    except ValueError:
        with pytest.raises(ValueError, match="decode"):
            pairs_of(query)
    else:
        assert pairs_of(query) == expected


def test_so_many_parameters_are_refused_whether_or_not_there_is_something_to_decode() -> None:
    for each in ("a=1", "a=%31"):
        with pytest.raises(ValueError, match=r"[Mm]a"):
            pairs_of("&".join([each] * (MOST_PARAMETERS + 1)))
        assert len(pairs_of("&".join([each] * MOST_PARAMETERS))) == MOST_PARAMETERS
