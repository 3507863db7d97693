"""What somebody is told whom a rule concerns: on which occasion, in which words, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.audiences import Page
from models.notice_kinds import NoticeKind
from models.purpose_notices import Concern, Told
from scheduler.matching.chains import due
from scheduler.matching.columns import Columns, Texts
from scheduler.matching.explaining import Names, whys
from scheduler.matching.language import Asked
from server.halls.directory import Directory
from server.matching.rule_files import RuleBook, Service, Words

Places = NDArray[np.intp]
_REMINDED: Final = (
    "您收到这条消息，因为您登记了这一证件，并同意到期提醒。",
    "You get this because you entered this certificate and agreed to be reminded.",
)
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Occasion:
    """Where in a page somebody stands who is to be told, on which occasion, and of what."""

    at: int
    key: str
    words: Words | None = None
    day: date | None = None


def told_by(service: Service) -> Told:
    """What a rule's notices are."""
    if service.kind is not None:
        kind = NoticeKind.DOCUMENT_EXPIRING
        return Told(service.rule.code, service.purpose, kind, service.kind.code)
    return Told(service.rule.code, service.purpose, NoticeKind.SERVICE_DUE)


def occasions(service: Service, page: Page, today: date) -> list[Occasion]:
    """Whom of a page a rule concerns, and on which occasion each."""
    at = np.flatnonzero(service.rule.concerned(page.columns, len(page)))
    if service.chain is not None:
        return [
            found for nth in at.tolist() if (found := _in_chain(service, page.columns, nth, today))
        ]
    if service.occasion is None:
        key = str(today.year) if service.yearly else ""
        return [Occasion(nth, key, service.words) for nth in at.tolist()]
    days = _numbers(page.columns, service.occasion)[at]
    sign = 1 if service.occasion.attribute.name == "days_until" else -1
    known = ~np.isnan(days)
    each = zip(at[known].tolist(), days[known].tolist(), strict=True)
    return [
        _on_day(service, nth, int(away), today + timedelta(days=sign * int(away)))
        for nth, away in each
    ]


def _on_day(service: Service, at: int, away: int, day: date) -> Occasion:
    if service.kind is None:
        return Occasion(at, day.isoformat(), service.words, day)
    # Of 90, 30 and 7 days before, the one that has come: each is told of once, and none twice.
    step = min(each for each in service.kind.remind if each >= away)
    return Occasion(at, f"{day.isoformat()}:{step}", None, day)


def _in_chain(service: Service, columns: Columns, at: int, today: date) -> Occasion | None:
    assert service.chain is not None, "this is a chain"
    assert service.steps is not None, "which says something at each step"
    done = {
        asked.of: today - timedelta(days=int(days))
        for asked in service.rule.asked
        if asked.of is not None and not np.isnan(days := _numbers(columns, asked)[at])
    }
    step = due(service.chain, done, today)
    if step is None:
        return None
    began = done[service.chain.begins]
    return Occasion(at, f"{began.isoformat()}:{step.item}", service.steps[step.item])


def _numbers(columns: Columns, asked: Asked) -> NDArray[np.float64]:
    column = columns[asked]
    assert not isinstance(column, Texts), "days are numbers"
    return column


def concerns(
    service: Service, page: Page, found: Sequence[Occasion], names: Names, directory: Directory
) -> list[Concern]:
    """What these people are told."""
    at = np.array([each.at for each in found], dtype=np.intp)
    because = _because(service, page, at, names)
    return [
        Concern(
            who,
            one.key,
            _encode(_facts(service, one, why, directory)).decode(),
            int(page.groups[one.at]),
        )
        for who, one, why in zip(page.ids_at(at), found, because, strict=True)
    ]


def _because(service: Service, page: Page, at: Places, names: Names) -> Sequence[tuple[str, str]]:
    if service.kind is not None:
        return [_REMINDED] * len(at)
    if service.chain is not None:
        begins = service.chain.begins
        zh, en = names.get(("item", begins), (begins, begins))
        said = (
            f"您收到这条消息，因为：您办理过“{zh}”。",
            f"You get this because you have done “{en}”.",
        )
        return [said] * len(at)
    return whys(service.rule.expression, page.columns, at, names)


def _facts(
    service: Service, one: Occasion, because: tuple[str, str], directory: Directory
) -> Mapping[str, Any]:
    """The facts of a notice: just what its templates may name, and the rule that it came of."""
    facts: dict[str, Any] = {"rule": service.rule.code, **_both("because", because)}
    if service.kind is not None:
        assert one.day is not None, "a certificate expires on a day"
        return facts | _both("document", service.kind.name) | {"day": midnight(one.day)}
    assert one.words is not None, "a rule has words"
    item = directory.items.get(one.words.item)
    return (
        facts
        | _both("title", one.words.title)
        | _both("text", one.words.text)
        | ({"item": str(item.id)} if item else {})
    )


def midnight(day: date) -> str:
    """A day as moments are written."""
    return f"{day.isoformat()}T00:00:00+08:00"


def _both(name: str, words: tuple[str, str]) -> dict[str, str]:
    return {name: words[0], f"{name}_en": words[1]}


def names_of(book: RuleBook, directory: Directory) -> Names:
    """What codes in rules are called."""
    items = directory.items.values()
    return (
        {("item", each.code): (each.name, each.name_en) for each in items}
        | {("certificate", each.code): each.name for each in book.kinds.values()}
        | {("hall", each.code): (each.name, each.name_en) for each in directory.halls.values()}
        | {
            ("topic", each.theme): (each.theme_name, each.theme_name_en or each.theme_name)
            for each in items
        }
    )
