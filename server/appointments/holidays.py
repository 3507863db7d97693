"""What is said of days whose year's holidays nobody has published yet."""

from datetime import date
from typing import Final

from scheduler.calendar import uncovered_years
from server.errors import Sentence

_UNKNOWN_YEAR: Final[Sentence] = (
    "{years} 年节假日安排尚未公布，届时可能放假，时段可能调整。",
    "The holidays of {years} are not published yet: slots may turn out to be on a day off.",
)


def warning_of(first: date, last: date) -> Sentence | None:
    """That these days, first and last included, may turn out to be days off; None if known."""
    if not (years := uncovered_years(first, last)):
        return None
    chinese, english = _UNKNOWN_YEAR
    named = list(map(str, years))
    return chinese.format(years="、".join(named)), english.format(years=", ".join(named))
