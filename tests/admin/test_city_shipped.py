"""The demo city's files are whole, and what a spreadsheet does to them changes nothing."""

from collections import Counter
from datetime import date, time
from pathlib import Path

from scheduler.discipline import Rules
from server.admin.city_files import COLUMNS, City, read_city
from tests.admin.city_folder import add, edit, hall_of, replace


def test_a_line_tells_after_how_long_others_help_it_or_leaves_it_to_its_manager(
    dongguan: City,
) -> None:
    limits = {line.code: line.help_after_min for line in hall_of(dongguan, "dg-00").lines}
    assert limits == {"A": 20, "B": 20, "C": 30, "D": 30, "E": None}
    helping = [counter.helps for counter in hall_of(dongguan, "dg-00").counters if counter.helps]
    assert helping == [("A", "B", "C", "D")] * 2
    assert {line.help_after_min for line in hall_of(dongguan, "dg-12").lines} == {None}


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
    edit(folder, "counters.csv", replace(",E>A+B+C+D\n", ",E>A+B\n"))
    [hall, *_] = read_city(folder).halls
    helping = [counter for counter in hall.counters if counter.helps]
    assert (helping[0].lines, helping[0].helps) == (("E", "A", "B"), ("A", "B"))


def test_a_halls_own_rule_stands_in_place_of_what_is_for_all(dongguan: City) -> None:
    assert Rules.of(hall_of(dongguan, "dg-01").rules) == Rules()
    own = hall_of(dongguan, "dg-00").rules
    assert (own["grace_min"], own["penalty_min"]) == (20, 5)


def test_a_rule_that_no_file_names_is_as_usual(folder: Path) -> None:
    edit(folder, "rules.csv", lambda _: "hall,rule,value\ndg-02,most_recalls,0\n")
    city = read_city(folder)
    assert Rules.of(hall_of(city, "dg-01").rules) == Rules()
    assert Rules.of(hall_of(city, "dg-02").rules) == Rules(most_recalls=0)


def test_every_bundle_is_done_altogether_at_most_halls(dongguan: City) -> None:
    offered = {item.code: set(item.halls) for item in dongguan.items}
    assert len(dongguan.bundles) >= 4
    for bundle in dongguan.bundles:
        halls = set.intersection(*(offered[stop.item] for stop in bundle.stops))
        assert len(halls) >= 9, bundle.code


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


def test_a_hall_may_be_nowhere_yet(folder: Path) -> None:
    row = next(
        line
        for line in (folder / "halls.csv").read_text("utf-8").splitlines()
        if line.startswith("dg-05,")
    )
    place = ",".join(row.split(",")[-4:-1])
    edit(folder, "halls.csv", replace(row, row.replace(place, ",,")))
    city = read_city(folder)
    assert hall_of(city, "dg-05").place is None
    assert hall_of(city, "dg-06").place is not None
