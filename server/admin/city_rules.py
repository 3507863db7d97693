"""The rules of a city's lines as its files tell them: where they differ from the usual ones."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from scheduler.booking import BOOKING_RULES
from scheduler.discipline import RULES
from server.admin.city_hours import EVERY_HALL
from server.admin.city_tables import Table

HallRules = Mapping[str, Mapping[str, int]]
"""Hall code, or `*` for all, to rule to value."""

# Those of lines and those of bookings stand in one table, under names that differ.
ALL_RULES: Final = {**RULES, **BOOKING_RULES}


def read_rules(table: Table, halls: Sequence[str] | None) -> HallRules:
    """The rules that each hall, or all of them, decided differently."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    seen: dict[tuple[str, str], int] = {}
    known = None if halls is None else (EVERY_HALL, *halls)
    for row in table.rows:
        hall = row.refer("hall", known, "halls.csv")
        rule = row.one_of("rule", ALL_RULES)
        row.once(seen, (hall, rule), "rule")
        if rule in ALL_RULES:
            found[hall][rule] = row.whole("value", *ALL_RULES[rule])
    return found


def rules_of(rules: HallRules, hall: str) -> Mapping[str, int]:
    """What holds in a hall: what it decided itself stands in place of what is for all."""
    return {**rules.get(EVERY_HALL, {}), **rules.get(hall, {})}
