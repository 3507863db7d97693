"""Numbers of people, companies and phones: read, checked, masked."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from integrations import ports
from models import identifiers
from models.identifiers import (
    IdDocument,
    IdType,
    NotAnIdentifier,
    is_id,
    is_mobile,
    is_uscc,
    mask_id,
    mask_name,
    mask_phone,
    normalise,
    read_id,
    read_mobile,
    read_name,
    read_uscc,
    recognise,
    resident_check,
    upgrade,
)

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "cn_identifiers.json"
TODAY = date(2026, 11, 23)
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"

CHECKS: dict[str, Callable[[str], bool]] = {
    "resident_id": lambda number: is_id("resident_id", number),
    "hmt_residence_permit": lambda number: is_id("hmt_residence_permit", number),
    "foreigner_permanent_2023": lambda number: is_id("foreigner_permanent", number),
    "foreigner_permanent_2017": lambda number: is_id("foreigner_permanent", number),
    "hm_travel_permit": lambda number: is_id("hm_travel_permit", number),
    "tw_travel_permit": lambda number: is_id("tw_travel_permit", number),
    "uscc": is_uscc,
}

births = st.dates(date(1870, 1, 1), TODAY)
sequences = st.integers(0, 999).map("{:03d}".format)


@st.composite
def resident_ids(draw: st.DrawFn) -> str:
    region = draw(st.sampled_from(["990001", "990000", "441900", "110105", "650102"]))
    body = region + draw(births).strftime("%Y%m%d") + draw(sequences)
    return body + resident_check(body)


@st.composite
def usccs(draw: st.DrawFn) -> str:
    letters = st.sampled_from(USCC_ALPHABET)
    organisation = draw(st.text(letters, min_size=8, max_size=8))
    head = draw(st.sampled_from(["11", "52", "91", "92", "N1"])) + "990001" + organisation
    head += identifiers._organisation_check(organisation)
    return head + identifiers.uscc_check(head)


# --- the published vectors ---


@pytest.mark.parametrize("group", CHECKS)
def test_the_vectors_are_taken_and_refused_as_they_say(group: str) -> None:
    if not VECTORS.is_file():
        pytest.skip("the shared vectors are not beside this checkout")
    facts: dict[str, Any] = json.loads(VECTORS.read_text())["groups"][group]
    good = facts["valid"] + facts.get("official_examples", [])
    assert [number for number in good if not CHECKS[group](number)] == []
    bad = [row["value"] for row in facts["invalid"]]
    assert [number for number in bad if CHECKS[group](number)] == []


# --- resident ids ---


@given(resident_ids())
def test_a_resident_id_tells_birth_date_and_sex(number: str) -> None:
    document = read_id("resident_id", number, today=TODAY)
    assert document.number == number
    assert document.born is not None
    assert document.born.strftime("%Y%m%d") == number[6:14]
    assert document.sex == ("male" if number[16] in "13579" else "female")


@given(resident_ids(), st.integers(0, 17), st.sampled_from("0123456789X"))
def test_one_wrong_digit_is_always_noticed(number: str, place: int, digit: str) -> None:
    assume(number[place] != digit)
    assert not is_id("resident_id", number[:place] + digit + number[place + 1 :])


@given(resident_ids(), st.integers(0, 16))
def test_two_swapped_neighbours_are_always_noticed(number: str, place: int) -> None:
    assume(number[place] != number[place + 1])
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert not is_id("resident_id", swapped)


@given(resident_ids())
def test_what_people_type_becomes_the_one_form(number: str) -> None:
    wide = number.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})
    for typed in (
        number.lower(),
        f" {number}\n",
        wide,
        wide.lower(),
        f"{number[:6]} {number[6:14]} {number[14:]}",
        f"{number[:6]}-{number[6:14]}－{number[14:]}",
    ):
        assert read_id("resident_id", typed).number == number
    assert is_id("resident_id", number)
    assert is_id("resident_id", number.lower()) == number.isdecimal()


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("", "shape"),
        ("44190019900307001", "shape"),
        ("X9000119900307001X", "shape"),
        ("٩٩٠٠٠١١٩٩٠٠٣٠٧٠٠١X", "shape"),
        ("99000119900307001Χ", "shape"),  # a Greek letter
        ("000001199003070010", "region"),
        ("810000198506150012", "region"),
        ("990001199002300012", "birth_date"),
        ("990001180001010014", "birth_date"),
        ("990001199003070010", "check_digit"),
    ],
)
def test_a_number_that_cannot_be_is_refused_with_the_reason(number: str, fault: str) -> None:
    with pytest.raises(NotAnIdentifier) as refused:
        read_id("resident_id", number)
    assert refused.value.fault == fault


def test_nobody_is_born_tomorrow() -> None:
    body = "99000120261124001"
    number = body + resident_check(body)
    assert is_id("resident_id", number)
    assert not is_id("resident_id", number, today=TODAY)
    assert is_id("resident_id", number, today=date(2026, 11, 24))


def test_fifteen_digits_become_eighteen() -> None:
    assert upgrade("440524800101001") == "44052419800101001" + resident_check("44052419800101001")
    assert read_id("resident_id", "110105491231002").number == "11010519491231002X"
    assert upgrade("110105991231998")[6:10] == "1899"
    assert not is_id("resident_id", "110105491231002")
    for wrong in ("11010549123100", "11010549123100X", "110105499931002"):
        with pytest.raises(NotAnIdentifier):
            read_id("resident_id", wrong)


# --- other documents ---


def test_a_residence_permit_tells_what_a_resident_id_tells() -> None:
    document = read_id("hmt_residence_permit", "830000200112311235")
    assert (document.born, document.sex) == (date(2001, 12, 31), "male")
    assert not is_id("hmt_residence_permit", "99000119900307001X")


def test_the_foreigners_cards_of_both_editions() -> None:
    new = read_id("foreigner_permanent", "911124198108030024")
    assert (new.born, new.sex) == (date(1981, 8, 3), "female")
    old = read_id("foreigner_permanent", " can110081080310")
    assert (old.number, old.born, old.sex) == ("CAN110081080310", None, None)
    assert not is_id("foreigner_permanent", "99000119900307001X")
    assert not is_id("foreigner_permanent", "CAN990081080310")
    assert not is_id("foreigner_permanent", "CAN110081130310")


@pytest.mark.parametrize(
    ("number", "good"),
    [
        ("E12345678", True),
        ("EA1234567", True),
        ("G12345678", True),
        ("AB123", True),
        ("ABCDEFGH", False),
        ("A123", False),
        ("A123456789", False),
        ("Ｅ１２３", False),
    ],
)
def test_a_passport_has_five_to_nine_places_and_a_digit(number: str, good: bool) -> None:
    assert is_id("passport", number) is good


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ("11010519491231002x", "resident_id"),
        ("110105491231002", "resident_id"),
        ("810000198506150012", "hmt_residence_permit"),
        ("932682198501010017", "foreigner_permanent"),
        ("CAN110081080310", "foreigner_permanent"),
        ("h00000001", "hm_travel_permit"),
        ("00000001", "tw_travel_permit"),
        ("E12345678", None),
        ("990001199003070010", None),
        ("", None),
    ],
)
def test_a_number_says_what_it_is_of(typed: str, kind: str | None) -> None:
    found = recognise(typed, today=TODAY)
    assert (found.id_type if found else None) == kind


@given(st.text(max_size=24), st.sampled_from(get_args(IdType)))
def test_any_text_is_read_or_refused_and_reading_again_changes_nothing(
    text: str, kind: IdType
) -> None:
    try:
        document = read_id(kind, text, today=TODAY)
    except NotAnIdentifier:
        return
    assert document.number == normalise(document.number)
    assert read_id(kind, document.number, today=TODAY) == document


def test_the_rooms_agree_on_the_kinds_of_documents() -> None:
    assert get_args(IdType) == get_args(ports.IdType)


def test_a_document_does_not_show_its_number() -> None:
    document = read_id("resident_id", "99000119900307001X")
    assert repr(document) == "IdDocument(id_type='resident_id')"
    assert document == IdDocument("resident_id", "99000119900307001X", date(1990, 3, 7), "male")


# --- companies ---


@given(usccs())
def test_a_company_code_is_read_however_it_is_typed(code: str) -> None:
    assert is_uscc(code)
    assert read_uscc(f" {code[:8].lower()} {code[8:]}") == code


@given(usccs(), st.integers(0, 17), st.sampled_from(USCC_ALPHABET + "IOSVZ"))
def test_one_wrong_character_of_a_company_code_is_always_noticed(
    code: str, place: int, letter: str
) -> None:
    assume(code[place] != letter)
    assert not is_uscc(code[:place] + letter + code[place + 1 :])


@given(usccs(), st.integers(0, 16))
def test_two_swapped_characters_of_a_company_code_are_always_noticed(code: str, place: int) -> None:
    assume(code[place] != code[place + 1])
    assert not is_uscc(code[:place] + code[place + 1] + code[place] + code[place + 2 :])


def test_the_organisations_own_check_counts_too() -> None:
    head = "91350100M000100Y5"
    assert not is_uscc(head + identifiers.uscc_check(head))
    assert is_uscc("91350100M000100Y43")


# --- phones, names, masks ---


@pytest.mark.parametrize(
    "typed",
    [
        "13800138000",
        "138 0013 8000",
        "138-0013-8000",
        "+86 13800138000",
        "(+86)13800138000",
        "0086 138 0013 8000",
        "8613800138000",
        "１３８００１３８０００",
        "\u200b13800138000",
    ],
)
def test_a_mobile_number_is_read_however_it_is_typed(typed: str) -> None:
    assert read_mobile(typed) == "13800138000"
    assert is_mobile(read_mobile(typed))


@pytest.mark.parametrize(
    "typed",
    ["", "12800138000", "1380013800", "138001380000", "0769222233", "+85291234567", "1"],
)
def test_what_is_no_mobile_number_is_refused(typed: str) -> None:
    with pytest.raises(NotAnIdentifier):
        read_mobile(typed)
    assert not is_mobile(typed)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("  张三 ", "张三"),
        ("买买提•艾力", "买买提·艾力"),
        ("买买提．艾力", "买买提·艾力"),
        ("Ａnna  Ｌee", "Anna Lee"),
    ],
)
def test_a_name_is_compared_in_one_form(typed: str, name: str) -> None:
    assert read_name(typed) == name


def test_masks_are_as_the_api_promises() -> None:
    assert mask_id("441900199003071234") == "4419**********1234"
    assert mask_id("H00000001") == "H0*****01"
    assert mask_id("A123456") == "A******"
    assert mask_phone("13812345678") == "138****5678"
    assert mask_phone("+85291234567") == "+8********67"
    assert [mask_name(name) for name in ("张三", "张三丰", "张", "")] == ["张**"] * 3 + ["**"]


@given(st.text(min_size=5, max_size=40))
def test_a_mask_keeps_the_length_and_hides_at_least_half_of_short_numbers(number: str) -> None:
    masked = mask_id(number)
    assert len(masked) == len(number)
    hidden = sum(a == "*" for a in masked)
    assert hidden >= min(len(number) // 2 - 1, len(number) - 8)
    assert hidden >= 4
