"""What fits into the fields of messages: checked when it is saved, made to fit when it is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.graphemes import characters, cut, units
from integrations.sms.messages import SmsMessages, pieces
from integrations.wechat.message_fields import Unfit, faults_of, fitted

FAMILY = "👨‍👩‍👧‍👦"


def test_a_thing_is_cut_at_a_character_within_twenty_units() -> None:
    assert fitted({"thing1": "东莞市民服务中心"}) == {"thing1": "东莞市民服务中心"}
    long = fitted({"thing1": "东莞市民服务中心松山湖分中心政务服务大厅综合窗口"})["thing1"]
    assert long.endswith("…")
    assert units(long) == 20


def test_an_emoji_a_flag_and_a_letter_with_its_marks_are_never_halved() -> None:
    assert list(characters(f"a{FAMILY}🇨🇳🇨🇳é")) == ["a", FAMILY, "🇨🇳", "🇨🇳", "é"]
    assert cut("一" * 14 + FAMILY, 20) == "一" * 14 + "…"
    assert cut("一" * 18 + "🎉🎉", 20) == "一" * 18 + "…"
    assert cut("一" * 18 + "🎉", 20) == "一" * 18 + "🎉"


@given(st.text(), st.integers(1, 40))
def test_what_is_cut_is_a_beginning_and_fits(text: str, most: int) -> None:
    short = cut(text, most)
    assert units(short) <= most
    assert short == text or text.startswith(short[:-1])
    assert "".join(characters(text)) == text


@given(st.text(min_size=1))
def test_any_text_fits_into_a_thing(text: str) -> None:
    value = fitted({"thing1": text})["thing1"]
    assert 0 < units(value) <= 20
    assert "\n" not in value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number1", "3.5"),
        ("character_string1", "A023"),
        ("time1", "2026-11-23 09:30"),
        ("time1", "09:30~10:00"),
        ("date1", "2026年11月23日"),
        ("amount1", "¥20.00"),
        ("amount1", "20元"),
        ("phone_number1", "+86 769-2222 2222"),
        ("phrase1", "已叫号"),
        ("name1", "欧阳娜娜"),
    ],
)
def test_what_the_contract_allows_is_sent_as_it_is(name: str, value: str) -> None:
    assert fitted({name: value}) == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number1", "three"),
        ("number1", "1" * 33),
        ("time1", "soon"),
        ("date1", "09:30"),
        ("amount1", "12345678901"),
        ("phone_number1", "一二三"),
        ("phrase1", "abc"),
        ("letter1", "123"),
        ("wish1", "x"),
        ("thing", "x"),
    ],
)
def test_what_cannot_be_made_to_fit_is_not_sent(name: str, value: str) -> None:
    with pytest.raises(Unfit):
        fitted({name: value})


def test_too_long_a_phrase_or_name_is_cut() -> None:
    assert fitted({"phrase1": "请尽快到窗口"})["phrase1"] == "请尽快到窗"
    assert len(fitted({"name1": "一二三四五六七八九十甲乙"})["name1"]) == 10


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({}, ""),
        ({f"thing{n}": "x" for n in range(1, 12)}, ""),
        ({"thing1": " "}, "thing1"),
        ({"thing1": "一" * 21}, "thing1"),
        ({"thing1": "two\nlines"}, "thing1"),
        ({"number1": "第{ahead}位"}, "number1"),
        ({"time1": "soon"}, "time1"),
        ({"what1": "x"}, "what1"),
        ({"thing": "x"}, "thing"),
    ],
)
def test_a_template_that_wechat_would_refuse_is_told_by_its_field(
    fields: dict[str, str], at: str
) -> None:
    assert [fault.name for fault in faults_of(fields)] == [at]


def test_a_template_that_fits_has_no_fault() -> None:
    assert faults_of({"thing1": "请到{counter}号窗口", "time2": "{time}"}) == []


def test_seventy_characters_are_one_message_and_more_are_sent_in_pieces_of_67() -> None:
    assert [pieces("字" * many) for many in (1, 70, 71, 134, 135)] == [1, 1, 2, 2, 3]
    assert pieces("字" * 69 + "🎉") == 2


def test_a_text_message_begins_with_its_signature_and_has_three_pieces_at_most() -> None:
    sms = SmsMessages(None)  # type: ignore[arg-type]
    assert sms.faults_of({"number": "{number}"}, "【一厅通】{number}号请到窗口。") == []
    assert [f.name for f in sms.faults_of({}, "没有签名")] == ["text"]
    assert [f.name for f in sms.faults_of({}, "【一厅通】" + "字" * 200)] == ["text"]
    assert [f.name for f in sms.faults_of({"1st": "x"}, "【一厅通】好")] == ["1st"]
