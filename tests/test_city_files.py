"""The demo city's files are whole, and broken files are told so that a clerk can mend them."""

import shutil
from collections import Counter
from collections.abc import Callable
from datetime import date, time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.discipline import Rules
from server.admin.city_files import COLUMNS, City, CityFilesError, HallFile, Problem, read_city
from server.admin.city_items import USCC_ALPHABET, check_digit

DONGGUAN = Path(__file__).parent.parent / "server" / "admin" / "city" / "dongguan"

Edit = Callable[[str], str]


@pytest.fixture(scope="module")
def dongguan() -> City:
    return read_city(DONGGUAN)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(DONGGUAN, tmp_path / "city")


def edit(folder: Path, file: str, change: Edit) -> None:
    path = folder / file
    before = path.read_text(encoding="utf-8")
    after = change(before)
    assert after != before, "the edit must break something"
    path.write_bytes(after.encode())


def replace(old: str, new: str) -> Edit:
    return lambda text: text.replace(old, new, 1)


def add(row: str) -> Edit:
    return lambda text: text + row + "\n"


def row_of(folder: Path, file: str, start: str) -> int:
    lines = (folder / file).read_text(encoding="utf-8").split("\n")
    return next(number for number, line in enumerate(lines, 1) if line.startswith(start))


def problems_of(folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(CityFilesError) as caught:
        read_city(folder)
    return caught.value.problems


def hall_of(city: City, code: str) -> HallFile:
    return next(hall for hall in city.halls if hall.code == code)


# --- the shipped city


def test_dongguan_has_its_city_hall_and_thirty_three_towns(dongguan: City) -> None:
    assert [hall.code for hall in dongguan.halls] == [f"dg-{n:02d}" for n in range(34)]
    assert [hall.level for hall in dongguan.halls] == ["city", *["town"] * 33]
    assert hall_of(dongguan, "dg-24").name == "虎门镇政务服务中心"


def test_every_hall_has_three_to_five_lines_and_four_to_twenty_counters(dongguan: City) -> None:
    for hall in dongguan.halls:
        assert 3 <= len(hall.lines) <= 5
        assert 4 <= len(hall.counters) <= 20
        assert "E" in {line.code for line in hall.lines}


def test_every_line_has_a_counter_of_its_own(dongguan: City) -> None:
    for hall in dongguan.halls:
        own = {counter.lines[0] for counter in hall.counters}
        assert own == {line.code for line in hall.lines}


def test_the_catalogue_is_long_and_mostly_bookable(dongguan: City) -> None:
    assert len(dongguan.items) >= 66
    assert sum(item.bookable for item in dongguan.items) >= 0.85 * len(dongguan.items)
    assert {item.theme for item in dongguan.items} == {theme.code for theme in dongguan.themes}


def test_every_item_is_offered_somewhere_and_every_hall_offers_fifteen(dongguan: City) -> None:
    assert all(item.halls for item in dongguan.items)
    offered = Counter(hall for item in dongguan.items for hall in item.halls)
    assert min(offered[hall.code] for hall in dongguan.halls) >= 15


def test_eight_general_items_need_nothing_but_a_sign_in_at_any_hall(dongguan: City) -> None:
    easy = [
        item
        for item in dongguan.items
        if item.line == "E" and item.level_required == 0 and len(item.halls) == 34
    ]
    assert len(easy) >= 8


def test_every_item_names_two_to_six_materials_in_order(dongguan: City) -> None:
    for item in dongguan.items:
        assert 2 <= len(item.materials) <= 6, item.code
        assert [one.no for one in item.materials] == list(range(1, len(item.materials) + 1))


def test_a_hall_without_the_line_does_not_offer_the_item(dongguan: City) -> None:
    renewal = next(item for item in dongguan.items if item.code == "id-card-renewal")
    with_line = [hall.code for hall in dongguan.halls if "B" in {line.code for line in hall.lines}]
    assert list(renewal.halls) == with_line
    assert len(with_line) < 34


def test_a_halls_own_hours_stand_in_place_of_the_citys_for_that_day(dongguan: City) -> None:
    def day(code: str, weekday: int) -> list[tuple[time, time]]:
        openings = hall_of(dongguan, code).openings
        return [(one.opens, one.closes) for one in openings if one.weekday == weekday]

    usual = [(time(9), time(12)), (time(14), time(17))]
    assert day("dg-00", 0) == [(time(9), time(17))]
    assert day("dg-24", 0) == usual
    assert day("dg-24", 2) == [*usual, (time(17), time(19, 30))]
    assert day("dg-24", 5) == [(time(9), time(12))]
    assert day("dg-12", 5) == []


def test_a_closing_of_all_halls_reaches_each_hall(dongguan: City) -> None:
    for hall in dongguan.halls:
        upkeep = [day for day in hall.special_days if day.date == date(2027, 1, 9)]
        assert [(day.opens, day.closes) for day in upkeep] == [(None, None)]


def test_the_lines_that_a_counter_only_helps_stand_apart(folder: Path) -> None:
    edit(folder, "counters.csv", replace(",E+A+B+C+D\n", ",E>A+B\n"))
    [hall, *_] = read_city(folder).halls
    helping = [counter for counter in hall.counters if counter.helps]
    assert [(one.lines, one.helps) for one in helping] == [(("E", "A", "B"), ("A", "B"))]


# --- what is tolerated


def test_a_byte_order_mark_crlf_spaces_and_empty_rows_change_nothing(
    folder: Path, dongguan: City
) -> None:
    for file in COLUMNS:
        lines = (folder / file).read_text(encoding="utf-8").splitlines()
        padded = [lines[0], "", *lines[1:], ",,", ""]
        text = "\r\n".join(padded).replace("dg-01,", " dg-01 ,")
        (folder / file).write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_city(folder) == dongguan


def test_what_a_spreadsheet_does_to_numbers_times_and_dates_is_read_all_the_same(
    folder: Path, dongguan: City
) -> None:
    edit(folder, "counters.csv", replace("dg-00,01,", "dg-00,1,"))
    edit(folder, "hours.csv", lambda text: text.replace("09:00", "9:00"))
    edit(folder, "days.csv", lambda text: text.replace("2027-01-09", "2027/1/9"))
    assert read_city(folder) == dongguan


def test_a_hall_may_stay_closed_on_a_day_when_all_others_open(folder: Path) -> None:
    edit(folder, "hours.csv", add("dg-12,mon,,,周一休息"))
    weekdays = {one.weekday for one in hall_of(read_city(folder), "dg-12").openings}
    assert weekdays == {1, 2, 3, 4}


# --- what is refused

FIRST_ITEM = "social-card-first,11441900YT0000011G2000100100100"

BROKEN: dict[str, tuple[str, str, str, Edit]] = {
    # name: file, start of the wrong row, wrong column, what breaks it
    "a latitude off the earth": ("halls.csv", "dg-05,", "lat", replace("23.09546", "113.09")),
    "a word for a number": ("halls.csv", "dg-05,", "lng", replace("113.79195", "东经")),
    "an unknown datum": ("halls.csv", "dg-00,", "datum", replace("wgs84", "gps")),
    "a hall twice": ("halls.csv", "dg-04,石碣镇", "code", replace("dg-05,石碣", "dg-04,石碣")),
    "an unknown parent": ("halls.csv", "dg-01,", "parent", replace("dg-00,东莞", "dg-99,东莞")),
    "a parent of the same level": (
        "halls.csv",
        "dg-01,",
        "parent",
        replace("town,dg-00", "town,dg-02"),
    ),
    "no name": ("halls.csv", "dg-24,", "name", replace("虎门镇政务服务中心,", ",")),
    "a hidden character": ("halls.csv", "dg-24,", "name", replace("虎门镇政", "虎门镇\u200b政")),
    "a line of no hall": ("lines.csv", "dg-77,", "hall", add("dg-77,A,社保,Social insurance")),
    "a line twice": ("lines.csv", "dg-12,A,又", "code", add("dg-12,A,又,Again")),
    "a line nobody serves": ("lines.csv", "dg-12,C,", "code", add("dg-12,C,税务,Tax")),
    "a counter of an absent line": ("counters.csv", "dg-12,05,", "lines", add("dg-12,05,五,E+D")),
    "a hundredth counter": ("counters.csv", "dg-12,100,", "code", add("dg-12,100,一百,E")),
    "a counter twice": ("counters.csv", "dg-12,4,", "code", add("dg-12,4,又,E")),
    "a line named twice": ("counters.csv", "dg-12,05,", "lines", add("dg-12,05,五,E+E")),
    "a line both own and helped": ("counters.csv", "dg-12,05,", "lines", add("dg-12,05,五,E>A+E")),
    "a counter that only helps": ("counters.csv", "dg-12,05,", "lines", add("dg-12,05,五,>E")),
    "full-width digits": ("counters.csv", "dg-12,０５,", "code", add("dg-12,０５,五,E")),
    "a full-width colon": ("hours.csv", "dg-12,", "from", add("dg-12,sun,09：00,12:00,")),
    "an end before its start": ("hours.csv", "dg-12,", "to", add("dg-12,sun,12:00,09:00,")),
    "a half-given time": ("hours.csv", "dg-12,", "from", add("dg-12,sun,09:00,,")),
    "an unknown weekday": ("hours.csv", "dg-12,", "days", add("dg-12,周日,09:00,12:00,")),
    "overlapping openings": ("hours.csv", "dg-25,sat,11", "from", add("dg-25,sat,11:00,13:00,")),
    "no such date": ("days.csv", "dg-12,2027-02-30", "date", add("dg-12,2027-02-30,,,整修")),
    "a closed day that opens": (
        "days.csv",
        "dg-29,2027-01-15,09",
        "from",
        add("dg-29,2027-01-15,09:00,12:00,加开"),
    ),
    "a wrong check digit": ("departments.csv", "hrss,", "uscc", replace("11G\n", "11H\n")),
    "an unknown department": (
        "items.csv",
        "passport,",
        "department",
        replace("Ordinary passport,police,", "Ordinary passport,x,"),
    ),
    "a code of another department": (
        "items.csv",
        "social-card-first,",
        "official_code",
        replace("0011G", "002X8"),
    ),
    "a short official code": (
        "items.csv",
        "social-card-first,",
        "official_code",
        replace(FIRST_ITEM, FIRST_ITEM[:-1]),
    ),
    "an unknown theme": ("items.csv", "passport,", "theme", replace("entry-exit", "travel")),
    "an unknown audience": ("items.csv", "elder-card,", "audience", replace("age>=60", "old")),
    "a line no hall has": (
        "items.csv",
        "legal-aid,",
        "line",
        replace("legal,anyone,E", "legal,anyone,Q"),
    ),
    "a named hall without the line": (
        "items.csv",
        "passport,",
        "line",
        replace("B,dg-00;", "B,dg-00;dg-33;"),
    ),
    "an alias twice": ("items.csv", "passport,", "aliases", replace("护照;办", "护照;护照;办")),
    "aliases joined otherwise": (
        "items.csv",
        "passport,",
        "aliases",
        replace("护照;办", "护照、办"),
    ),
    "a hollow alias": ("items.csv", "passport,", "aliases", replace("护照;办", "护照;;办")),
    "a long alias": ("items.csv", "passport,", "aliases", replace("护照;办", "护" * 21 + ";办")),
    "an unknown hall": ("items.csv", "passport,", "halls", replace("B,dg-00;", "B,dg-0;")),
    "a negative fee": ("items.csv", "passport,", "fee_fen", replace(",20,12000", ",20,-1")),
    "a whole working day": (
        "items.csv",
        "passport,",
        "minutes",
        replace(",20,12000", ",481,12000"),
    ),
    "a level above three": (
        "items.csv",
        "passport,",
        "level_required",
        replace("0,12000,2", "0,12000,4"),
    ),
    "neither yes nor no": (
        "items.csv",
        "passport,",
        "bookable",
        replace("12000,2,yes", "12000,2,是"),
    ),
    "a material of no item": (
        "materials.csv",
        "nothing,",
        "item",
        add("nothing,1,纸,Paper,form,1,yes,"),
    ),
    "an unknown kind": (
        "materials.csv",
        "passport,1,",
        "kind",
        lambda text: text.replace(
            "passport,1,居民身份证,Resident identity card,original",
            "passport,1,居民身份证,Resident identity card,paper",
        ),
    ),
    "a material number twice": (
        "materials.csv",
        "passport,1,纸",
        "no",
        add("passport,1,纸,Paper,form,1,yes,"),
    ),
    "an unknown rule": ("rules.csv", "dg-01,luck", "rule", add("dg-01,luck,1")),
    "a rule of no hall": ("rules.csv", "dg-99,", "hall", add("dg-99,grace_min,1")),
    "a rule twice": ("rules.csv", "*,grace_min,9", "rule", add("*,grace_min,9")),
    "a credit of five hours": ("rules.csv", "dg-01,", "value", add("dg-01,most_credit_min,300")),
    "a negative penalty": ("rules.csv", "dg-01,", "value", add("dg-01,penalty_min,-1")),
    "a fence of ten metres": ("rules.csv", "dg-01,", "value", add("dg-01,geofence_m,10")),
    "half a check-in": ("rules.csv", "dg-01,", "value", add("dg-01,check_in_required,2")),
    "residents of a street": (
        "items.csv",
        "public-rental-application,",
        "residents_of",
        replace(",town\n", ",street\n"),
    ),
    "too many recalls": ("rules.csv", "dg-01,", "value", add("dg-01,most_recalls,11")),
    "a bundle twice": ("bundles.csv", "newborn,再", "code", add("newborn,再,Again,说明,Guide")),
    "a bundle of one item": (
        "bundles.csv",
        "single,",
        "code",
        add("single,单件,Single,说明,Guide"),
    ),
    "an item of no bundle": ("bundle_items.csv", "none,", "bundle", add("none,1,passport,")),
    "a bundle's item of no catalogue": (
        "bundle_items.csv",
        "newborn,9,",
        "item",
        add("newborn,9,nothing,"),
    ),
    "a bundle's item twice": (
        "bundle_items.csv",
        "newborn,9,",
        "item",
        add("newborn,9,birth-household,"),
    ),
    "an item after one of another bundle": (
        "bundle_items.csv",
        "newborn,4,",
        "after",
        replace("newborn,4,maternity-allowance,", "newborn,4,maternity-allowance,passport"),
    ),
    "an unknown kind of field": (
        "bundle_fields.csv",
        "newborn,8,",
        "kind",
        add("newborn,8,weight,体重,Weight,number,no,5,"),
    ),
    "a choice of nothing": (
        "bundle_fields.csv",
        "newborn,8,",
        "choices",
        add("newborn,8,blood,血型,Blood group,choice,no,5,"),
    ),
    "a choice told badly": (
        "bundle_fields.csv",
        "newborn,8,",
        "choices",
        add("newborn,8,blood,血型,Blood group,choice,no,5,a:A型"),
    ),
    "a field twice": (
        "bundle_fields.csv",
        "newborn,8,",
        "code",
        add("newborn,8,child-name,姓名,Name,text,no,5,"),
    ),
    "an unquoted comma": ("hours.csv", "dg-12,", "from", add("dg-12,mon,wed,09:00,12:00,下午")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_wrong_cell_is_told_with_its_file_row_and_column(folder: Path, name: str) -> None:
    file, start, column, change = BROKEN[name]
    edit(folder, file, change)
    wrong = row_of(folder, file, start)
    found = problems_of(folder)
    assert (file, wrong, column) in {(one.file, one.row, one.column) for one in found}
    assert any(str(one).startswith(f"{file} 第{wrong}行 {column}: ") for one in found)


def test_a_missing_file_is_named_and_causes_no_other_complaint(folder: Path) -> None:
    for file in COLUMNS:
        (folder / file).rename(folder / "away")
        assert [(one.file, one.reason) for one in problems_of(folder)] == [(file, "缺少此文件")]
        (folder / "away").rename(folder / file)


def test_a_halls_own_rule_stands_in_place_of_what_is_for_all(dongguan: City) -> None:
    assert Rules.of(hall_of(dongguan, "dg-01").rules) == Rules()
    own = hall_of(dongguan, "dg-00").rules
    assert (own["grace_min"], own["penalty_min"]) == (20, 5)


def test_a_rule_that_no_file_names_is_as_usual(folder: Path) -> None:
    edit(folder, "rules.csv", lambda _: "hall,rule,value\ndg-02,most_recalls,0\n")
    city = read_city(folder)
    assert Rules.of(hall_of(city, "dg-01").rules) == Rules()
    assert Rules.of(hall_of(city, "dg-02").rules) == Rules(most_recalls=0)


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


# --- properties


def test_check_digits_agree_with_published_codes() -> None:
    for known in ("91350100M000100Y43", "9144030071526726XG"):
        assert check_digit(known[:17]) == known[17]


@given(st.text(USCC_ALPHABET, min_size=17, max_size=17), st.data())
def test_one_mistyped_character_of_a_credit_code_is_always_noticed(
    code: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, 16))
    other = data.draw(st.sampled_from(USCC_ALPHABET.replace(code[place], "")))
    assert check_digit(code[:place] + other + code[place + 1 :]) != check_digit(code)


@settings(deadline=None, max_examples=60)  # each example copies a folder
@given(file=st.sampled_from(sorted(COLUMNS)), data=st.data())
def test_no_file_however_broken_raises_anything_but_its_problems(
    tmp_path_factory: pytest.TempPathFactory, file: str, data: st.DataObject
) -> None:
    folder = shutil.copytree(DONGGUAN, tmp_path_factory.mktemp("city") / "city")
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


def test_items_of_a_bundle_that_wait_for_each_other_are_told(folder: Path) -> None:
    waits = replace("newborn,1,birth-household,", "newborn,1,birth-household,newborn-medical")
    edit(folder, "bundle_items.csv", waits)
    [problem] = problems_of(folder)
    assert (problem.file, problem.column) == ("bundles.csv", "code")
    assert problem.row == row_of(folder, "bundles.csv", "newborn,")
    assert "互相等待" in problem.reason


def test_every_bundle_is_done_altogether_at_most_halls(dongguan: City) -> None:
    offered = {item.code: set(item.halls) for item in dongguan.items}
    assert len(dongguan.bundles) >= 4
    for bundle in dongguan.bundles:
        halls = set.intersection(*(offered[stop.item] for stop in bundle.stops))
        assert len(halls) >= 9, bundle.code
