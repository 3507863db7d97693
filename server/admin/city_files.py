"""A city in a folder of CSV files: read, checked, and handed on as plain data.

    city = read_city(Path("server/admin/city/dongguan"))

The folder's README.md tells a clerk what each file and column means. Nothing here knows a
database: `seed` stores what this returns.
"""

from dataclasses import dataclass
from pathlib import Path

from server.admin.city_bundles import BundleFile, read_bundles
from server.admin.city_halls import (
    CounterFile,
    HallFile,
    LineFile,
    check_lines_are_served,
    read_counters,
    read_halls,
    read_lines,
)
from server.admin.city_hours import OpeningFile, SpecialDayFile, read_hours, read_special_days
from server.admin.city_items import (
    AUDIENCES,
    DepartmentFile,
    ItemFile,
    MaterialFile,
    ThemeFile,
    read_departments,
    read_items,
    read_themes,
)
from server.admin.city_rules import read_rules
from server.admin.city_tables import CityFilesError, Problem, read_table

__all__ = [
    "AUDIENCES",
    "CITY_FILES",
    "BundleFile",
    "City",
    "CityFilesError",
    "CounterFile",
    "DepartmentFile",
    "HallFile",
    "ItemFile",
    "LineFile",
    "MaterialFile",
    "OpeningFile",
    "Problem",
    "SpecialDayFile",
    "ThemeFile",
    "read_city",
]

# The demo city's.
CITY_FILES = Path(__file__).resolve().parent / "city" / "dongguan"
COLUMNS = {
    "halls.csv": "code,name,name_en,level,parent,address,phone,lat,lng,datum,remote_radius_m",
    "lines.csv": "hall,code,name,name_en,help_after_min",
    "counters.csv": "hall,code,name,lines",
    "hours.csv": "hall,days,from,to,note",
    "days.csv": "hall,date,from,to,reason",
    "rules.csv": "hall,rule,value",
    "departments.csv": "code,name,name_en,uscc",
    "themes.csv": "code,name,name_en",
    "items.csv": "code,official_code,name,name_en,department,theme,audience,line,halls,minutes,"
    "fee_fen,level_required,bookable,guide,guide_en,aliases,residents_of",
    "prerequisites.csv": "item,before",
    "payments.csv": "item,paid_line",
    "materials.csv": "item,no,name,name_en,kind,copies,required,note,note_en",
    "bundles.csv": "code,name,name_en,guide,guide_en",
    "bundle_items.csv": "bundle,no,item,after",
    "bundle_fields.csv": "bundle,no,code,name,name_en,kind,required,most,choices",
}
"""Each file with the columns its first row must name."""


@dataclass(frozen=True, slots=True)
class City:
    """All that a city's folder says."""

    halls: tuple[HallFile, ...]
    departments: tuple[DepartmentFile, ...]
    items: tuple[ItemFile, ...]
    themes: tuple[ThemeFile, ...]
    bundles: tuple[BundleFile, ...] = ()


def read_city(folder: Path) -> City:
    """Read a city's folder; raise CityFilesError with every problem when there is any."""
    problems: list[Problem] = []
    tables = {
        file: read_table(folder, file, columns, problems) for file, columns in COLUMNS.items()
    }
    halls_table, lines_table = tables["halls.csv"], tables["lines.csv"]
    counters_table = tables["counters.csv"]
    known = halls_table.values("code")
    read = read_lines(lines_table, known)
    lines = read if lines_table.readable else None
    counters = read_counters(counters_table, known, lines)
    check_lines_are_served(lines_table, counters, known or ())
    halls = read_halls(
        halls_table,
        lines=lines,
        counters=counters if counters_table.readable else None,
        openings=read_hours(tables["hours.csv"], known),
        special_days=read_special_days(tables["days.csv"], known),
        rules=read_rules(tables["rules.csv"], known),
    )
    departments = read_departments(tables["departments.csv"])
    themes = read_themes(tables["themes.csv"])
    items = read_items(tables, lines)
    bundles = read_bundles(tables)
    if problems:
        order = list(COLUMNS)
        raise CityFilesError(sorted(problems, key=lambda p: (order.index(p.file), p.row or 0)))
    return City(halls, departments, items, themes, bundles)
