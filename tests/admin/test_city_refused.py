"""Broken files of a city are told so that a clerk can mend them."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.identifiers import USCC_ALPHABET, uscc_check
from server.admin.city_files import CITY_FILES, COLUMNS, CityFilesError, Problem, read_city
from tests.admin.city_folder import add, edit, problems_of, replace, row_of


def test_a_missing_file_is_named_and_causes_no_other_complaint(folder: Path) -> None:
    for file in COLUMNS:
        (folder / file).rename(folder / "away")
        assert [(one.file, one.reason) for one in problems_of(folder)] == [(file, "缺少此文件")]
        (folder / "away").rename(folder / file)


def test_a_missing_and_an_unknown_column_are_both_named(folder: Path) -> None:
    edit(folder, "halls.csv", replace("phone", "telephone"))
    assert [(one.file, one.row, one.column) for one in problems_of(folder)] == [
        ("halls.csv", 1, "telephone"),
        ("halls.csv", 1, "phone"),
    ]


def test_a_file_saved_in_another_encoding_is_told_so(folder: Path) -> None:
    text = (folder / "themes.csv").read_text(encoding="utf-8")
    (folder / "themes.csv").write_bytes(text.encode("gb18030"))
    (problem,) = problems_of(folder)
    assert (problem.file, problem.row) == ("themes.csv", 2)
    assert "UTF-8" in problem.reason


def test_a_quotation_never_closed_is_told_with_its_row(folder: Path) -> None:
    edit(folder, "themes.csv", replace("legal,法律", 'legal,"法律'))
    (problem,) = problems_of(folder)
    assert (problem.file, problem.row) == ("themes.csv", row_of(folder, "themes.csv", "legal"))


def test_full_width_characters_are_answered_with_what_was_meant(folder: Path) -> None:
    edit(folder, "hours.csv", replace("*,mon-fri,09:00", "*,mon-fri,０９：００"))
    (problem,) = problems_of(folder)
    assert str(problem) == (
        "hours.csv 第2行 from: “０９：００”含全角字符，请改为半角“09:00” "
        "(full-width characters; write '09:00')"
    )


def test_rows_are_counted_as_a_spreadsheet_shows_them(folder: Path) -> None:
    edit(folder, "themes.csv", replace("\nbirth,出生,", '\n\nbirth,"出\n生",'))
    edit(folder, "themes.csv", replace("school,入学", "School,入学"))
    rows = {one.row for one in problems_of(folder) if one.file == "themes.csv"}
    assert rows == {4}


def test_all_problems_of_all_files_are_told_at_once(folder: Path) -> None:
    edit(folder, "halls.csv", replace("wgs84", "gps"))
    edit(folder, "hours.csv", replace("*,mon-fri,14:00", "*,mon-fri,25:00"))
    edit(folder, "items.csv", replace("20,12000,2,yes", "0,-5,9,maybe"))
    (folder / "days.csv").unlink()
    columns = [(one.file, one.column) for one in problems_of(folder)]
    assert columns == [
        ("halls.csv", "datum"),
        ("hours.csv", "from"),
        ("days.csv", None),
        ("items.csv", "minutes"),
        ("items.csv", "fee_fen"),
        ("items.csv", "level_required"),
        ("items.csv", "bookable"),
    ]


def test_a_hall_without_lines_and_counters_is_told_once_for_each(folder: Path) -> None:
    edit(folder, "halls.csv", add("dg-34,新,New,town,dg-00,某地,0769-12345,23,113.7,wgs84,30000"))
    assert [(one.file, one.row, one.column) for one in problems_of(folder)] == [
        ("halls.csv", 36, "code"),
        ("halls.csv", 36, "code"),
    ]


def test_items_of_a_bundle_that_wait_for_each_other_are_told(folder: Path) -> None:
    waits = replace("newborn,1,birth-household,", "newborn,1,birth-household,newborn-medical")
    edit(folder, "bundle_items.csv", waits)
    [problem] = problems_of(folder)
    assert (problem.file, problem.column) == ("bundles.csv", "code")
    assert problem.row == row_of(folder, "bundles.csv", "newborn,")
    assert "互相等待" in problem.reason


# --- properties


def test_check_digits_agree_with_published_codes() -> None:
    for known in ("91350100M000100Y43", "9144030071526726XG"):
        assert uscc_check(known[:17]) == known[17]


@given(st.text(USCC_ALPHABET, min_size=17, max_size=17), st.data())
def test_one_mistyped_character_of_a_credit_code_is_always_noticed(
    code: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, 16))
    other = data.draw(st.sampled_from(USCC_ALPHABET.replace(code[place], "")))
    assert uscc_check(code[:place] + other + code[place + 1 :]) != uscc_check(code)


@settings(deadline=None, max_examples=60)  # each example copies a folder
@given(file=st.sampled_from(sorted(COLUMNS)), data=st.data())
def test_no_file_however_broken_raises_anything_but_its_problems(
    tmp_path_factory: pytest.TempPathFactory, file: str, data: st.DataObject
) -> None:
    folder = shutil.copytree(CITY_FILES, tmp_path_factory.mktemp("city") / "city")
    content = (folder / file).read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(start + 200, len(content))))
    junk = data.draw(st.binary(max_size=20) | st.text(max_size=20).map(str.encode))
    (folder / file).write_bytes(content[:start] + junk + content[end:])
    try:
        read_city(folder)
        problems: tuple[Problem, ...] = ()
    except CityFilesError as refused:
        problems = refused.problems
    assert all(problem.file in COLUMNS for problem in problems)
