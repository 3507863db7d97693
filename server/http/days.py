"""From which day to which a question asks."""

from datetime import date

from server.errors import FieldFault, InvalidRequest

MOST_DAYS = 92
_BACKWARDS = ("不能早于 from。", "must not be before `from`")
_TOO_MANY = (f"一次最多查询 {MOST_DAYS} 天。", f"at most {MOST_DAYS} days at once")


def check_days(first: date, last: date) -> None:
    """Raise InvalidRequest, pointing to `to`, for days that run backwards or are too many."""
    if last < first:
        raise InvalidRequest(errors=[FieldFault("/to", _BACKWARDS)])
    if (last - first).days >= MOST_DAYS:
        raise InvalidRequest(errors=[FieldFault("/to", _TOO_MANY)])
