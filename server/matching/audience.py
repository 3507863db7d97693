"""Reading an audience that somebody of staff wrote in a request."""

from collections.abc import Collection

from scheduler.matching.language import WrongExpression
from scheduler.matching.rules import Rule, rule
from server.errors import FieldFault, InvalidRequest
from server.halls.directory import Directory
from server.matching.rule_files import RuleBook, unknown_names


def read_audience(
    text: str, reads: Collection[str], *, at: str, book: RuleBook, directory: Directory
) -> Rule:
    """What an expression means; an empty one means everybody.

    Raises InvalidRequest at the field `at`: it is none, reads what it did not declare, or names
    what this city does not have.
    """
    try:
        found = rule("given", text, reads)
    except WrongExpression as wrong:
        place = wrong.at + 1
        why = (f"第 {place} 个字符：{wrong.zh}", f"character {place}: {wrong.en}")
        raise InvalidRequest(errors=[FieldFault(at, why)]) from None
    if unknown := unknown_names(found, book, directory):
        raise InvalidRequest(errors=[FieldFault(at, why) for why in unknown])
    return found
