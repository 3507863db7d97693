"""Amounts in yuan are exact, and a form is read one way or not at all."""

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.forms import MOST_BYTES, NotAForm, read_form
from integrations.yuan import fen_of, yuan_of


@given(fen=st.integers(-(10**14), 10**14))
def test_every_amount_comes_back_as_it_went(fen: int) -> None:
    assert fen_of(yuan_of(fen)) == fen


@pytest.mark.parametrize(
    ("yuan", "fen"),
    [
        ("0", 0),
        ("0.01", 1),
        ("0.1", 10),
        ("1", 100),
        ("-0.05", -5),
        ("0.29", 29),
        ("1.15", 115),
        ("9999999999999.99", 999999999999999),
    ],
)
def test_an_amount_is_exact(yuan: str, fen: int) -> None:
    assert fen_of(yuan) == fen


@pytest.mark.parametrize(
    "text",
    ["", ".5", "1.", "1.005", "1.000", "1,000", "1e2", "+1", "--1", " 1", "1 ", "¥1", "١", "nan"],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="yuan"):
        fen_of(text)


@given(
    st.dictionaries(st.text("abc_", min_size=1), st.text(st.characters(codec="utf-8")), min_size=1)
)
def test_a_form_is_decoded_once_however_it_was_encoded(fields: dict[str, str]) -> None:
    for encode in (quote, quote_plus):
        body = "&".join(f"{encode(k)}={encode(v, safe='')}" for k, v in fields.items())
        assert read_form(body.encode()) == fields


def test_a_plus_sign_survives_and_a_plus_is_a_space() -> None:
    assert read_form(b"a=1%2B1&b=1+1&c=%252B") == {"a": "1+1", "b": "1 1", "c": "%2B"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"a",
        b"a=1&a=1",
        b"a=1&b",
        b"a=%ff",
        "a=元".encode(),
        b"<xml/>",
        b'{"a": 1}',
        b"\x1f\x8b\x08\x00",
        b"a=" + b"x" * MOST_BYTES,
        b"&".join(b"k%d=1" % n for n in range(200)),
    ],
)
def test_what_can_be_read_two_ways_or_none_is_no_form(body: bytes) -> None:
    with pytest.raises(NotAForm):
        read_form(body)
