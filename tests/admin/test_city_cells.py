"""Each wrong cell of a city's files is told with its file, row and column."""

from pathlib import Path

import pytest

from tests.admin.city_folder import Edit, add, edit, problems_of, replace, row_of

FIRST_ITEM = "social-card-first,11441900YT0000011G2000100100100"

BROKEN: dict[str, tuple[str, str, str, Edit]] = {
    # name: file, start of the wrong row, wrong column, what breaks it
    "a latitude off the earth": ("halls.csv", "dg-05,", "lat", replace("23.09546", "113.09")),
    "a word for a number": ("halls.csv", "dg-05,", "lng", replace("113.79195", "东经")),
    "a longitude without a latitude": ("halls.csv", "dg-05,", "lat", replace("23.09546", "")),
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
    "a wait that is no number": (
        "lines.csv",
        "dg-12,A,",
        "help_after_min",
        replace("dg-12,A,社保,Social insurance,", "dg-12,A,社保,Social insurance,半小时"),
    ),
    "a wait of a day": (
        "lines.csv",
        "dg-12,A,",
        "help_after_min",
        replace("dg-12,A,社保,Social insurance,", "dg-12,A,社保,Social insurance,1440"),
    ),
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
        add("nothing,1,纸,Paper,form,1,yes,,"),
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
    "a note in one language": (
        "materials.csv",
        "passport,99,纸",
        "note_en",
        add("passport,99,纸,Paper,form,1,yes,自备,"),
    ),
    "a material number twice": (
        "materials.csv",
        "passport,1,纸",
        "no",
        add("passport,1,纸,Paper,form,1,yes,,"),
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
    "a fee of an item that costs nothing": (
        "payments.csv",
        "elder-card,",
        "item",
        add("elder-card,"),
    ),
    "a line of nobody for who has paid": (
        "payments.csv",
        "driving-licence-renewal,Z",
        "paid_line",
        add("driving-licence-renewal,Z"),
    ),
    "a prerequisite that is no item": (
        "prerequisites.csv",
        "elder-card,luck",
        "before",
        add("elder-card,luck"),
    ),
    "items that need each other": (
        "prerequisites.csv",
        "id-card-first,elder-card",
        "before",
        add("id-card-first,elder-card"),
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
