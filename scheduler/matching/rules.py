"""A rule: whom something concerns, what that may be read from, and why it is allowed to ask."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from scheduler.matching.columns import Bools, Columns, concerned
from scheduler.matching.judging import Person, judge
from scheduler.matching.language import (
    GROUPS,
    Asked,
    Expression,
    WrongExpression,
    asked_for,
    groups_of,
    read,
    texts_of,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """An audience.

    `reads` are the groups of attributes that it declares, and `expression` reads no other; it is
    None where everybody is meant. `also` are attributes that what follows of it needs.
    """

    code: str
    reads: frozenset[str]
    expression: Expression | None
    also: frozenset[Asked] = frozenset()

    @property
    def asked(self) -> frozenset[Asked]:
        """The columns that it is judged by, and what follows of it."""
        return self.also.union(asked_for(self.expression) if self.expression else ())

    @property
    def places(self) -> frozenset[str]:
        """The texts that it compares with: of whoever lives elsewhere nothing more is asked."""
        return frozenset(texts_of(self.expression)) if self.expression else frozenset()

    def concerns(self, person: Person, consented: Collection[str]) -> bool:
        """Whether it concerns somebody who let these groups be used.

        What she did not let be used is not known, whatever there is.
        """
        if self.expression is None:
            return True
        known = {
            asked: value for asked, value in person.items() if asked.attribute.group in consented
        }
        return judge(self.expression, known) is True

    def concerned(self, columns: Columns, people: int) -> Bools:
        """Whom of so many it concerns; the columns hold only what each let be used."""
        if self.expression is None:
            return np.ones(people, dtype=np.bool_)
        return concerned(self.expression, columns)


def rule(
    code: str, text: str, reads: Collection[str], *, also: frozenset[Asked] = frozenset()
) -> Rule:
    """A rule as it was written; an empty text means everybody. Raises WrongExpression."""
    unknown = sorted(set(reads) - set(GROUPS))
    if unknown:
        raise WrongExpression(
            0,
            f"未知的属性组：{'、'.join(unknown)}。",
            f"reads what is not known: {', '.join(unknown)}",
        )
    expression = read(text) if text.strip() else None
    read_by_it = groups_of(expression) if expression else frozenset()
    undeclared = sorted(read_by_it.union(each.attribute.group for each in also) - set(reads))
    if undeclared:
        raise WrongExpression(
            0,
            f"未声明就读取：{'、'.join(undeclared)}。",
            f"reads what it does not declare: {', '.join(undeclared)}",
        )
    return Rule(code, frozenset(reads), expression, also)
