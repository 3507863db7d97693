"""The city's rules, read from a file and checked: whom what concerns, how often, in which words."""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from models.consents import MAY_READ, Purpose
from scheduler.matching.chains import Chain, Step
from scheduler.matching.language import ATTRIBUTES, Asked, WrongExpression
from scheduler.matching.rules import Rule, rule
from server.errors import Sentence
from server.halls.directory import Directory

MOST_RULES: Final = 200
# A longer chain is asked of nobody's past.
_LONGEST_CHAIN_DAYS: Final = 3650

_Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$")]
_Title = Annotated[str, Meta(min_length=1, max_length=60)]
_Text = Annotated[str, Meta(min_length=1, max_length=200)]


class _Row(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What every table of the file has."""


class _Certificate(_Row):
    code: _Code
    name: _Title
    name_en: _Title
    renew: str
    remind: Annotated[list[Annotated[int, Meta(ge=0, le=366)]], Meta(min_length=1, max_length=6)]


class _Words(_Row):
    item: str
    title: _Title
    title_en: _Title
    text: _Text
    text_en: _Text


class _Rule(_Words):
    code: _Code
    when: str
    reads: list[str]
    once_each: str


class _Step(_Words):
    after_days: Annotated[int, Meta(ge=0, le=3650)]
    within_days: Annotated[int, Meta(ge=1, le=3650)]


class _Chain(_Row):
    code: _Code
    begins: str
    step: Annotated[list[_Step], Meta(min_length=1, max_length=10)]


class _File(_Row):
    certificate: list[_Certificate] = []
    rule: list[_Rule] = []
    chain: list[_Chain] = []


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of certificate that people may enter, and how many days before they are reminded."""

    code: str
    name: Sentence
    renew: str
    remind: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody is told, in Chinese and English, and the item that it is about."""

    item: str
    title: Sentence
    text: Sentence


@dataclass(frozen=True, slots=True)
class Service:
    """A rule with its purpose, its words, and what makes one occasion of telling another.

    `occasion` None: once ever, or once a year (`yearly`); else once for each day that it gives.
    `steps`: of a chain, what is said at each; `kind`: of a reminder, the certificate.
    """

    rule: Rule
    purpose: Purpose
    when: str
    words: Words | None = None
    yearly: bool = False
    occasion: Asked | None = None
    chain: Chain | None = None
    steps: Mapping[str, Words] | None = None
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All that the city's file says."""

    kinds: Mapping[str, Kind]
    services: tuple[Service, ...]

    def of(self, purpose: Purpose) -> list[Service]:
        """The rules of a purpose, the first to be told of first."""
        return [each for each in self.services if each.purpose is purpose]

    def find(self, code: str) -> Service | None:
        """The rule of that code."""
        return next((each for each in self.services if each.rule.code == code), None)


@dataclass(frozen=True, slots=True)
class RuleFault:
    """What is wrong, and where: the rule's code, and which of its fields."""

    where: str
    why: Sentence

    def __str__(self) -> str:
        return f"{self.where}: {self.why[0]} {self.why[1]}"


class WrongRules(ValueError):
    """A file of rules that is none; `faults` says all that is wrong with it."""

    def __init__(self, faults: Collection[RuleFault]) -> None:
        super().__init__("\n".join(str(each) for each in faults))
        self.faults = list(faults)


def shipped() -> RuleBook:
    """The rules that come with the program. Raises WrongRules."""
    return read_rules(files("server.matching").joinpath("rules.toml").read_text(encoding="utf-8"))


def rules_in(file: Path | None) -> RuleBook:
    """The rules of a city's own file, or those that come with the program.

    Raises WrongRules, OSError.
    """
    return shipped() if file is None else read_rules(file.read_text(encoding="utf-8"))


def read_rules(text: str) -> RuleBook:
    """The rules of a file. Raises WrongRules with everything that is wrong."""
    try:
        found = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as wrong:
        raise WrongRules([RuleFault("file", ("无法读懂。", str(wrong)))]) from None
    faults: list[RuleFault] = []
    kinds = {each.code: _kind(each) for each in found.certificate}
    services = [_reminder(kind) for kind in kinds.values()]
    for each in found.rule:
        try:
            services.append(_service(each))
        except WrongExpression as wrong:
            at = f" ({wrong.at + 1})"
            faults.append(RuleFault(f"rule {each.code}", (wrong.zh + at, wrong.en + at)))
    services += [_of_chain(each) for each in found.chain]
    faults += _doubles(found, services)
    if faults:
        raise WrongRules(faults)
    return RuleBook(kinds, tuple(services))


def strange_names(book: RuleBook, directory: Directory) -> list[RuleFault]:
    """Names in the rules that the city's catalogue does not have: items, halls, topics."""
    faults = []
    for service in book.services:
        where = f"rule {service.rule.code}"
        faults += [RuleFault(where, why) for why in unknown_names(service.rule, book, directory)]
        faults += [
            RuleFault(where, _unknown("item", code))
            for code in _items_told_of(service)
            if code not in directory.items
        ]
    return faults


def unknown_names(rule: Rule, book: RuleBook, directory: Directory) -> list[Sentence]:
    """What an audience names and the city does not have: items, certificates, topics, halls."""
    known: Mapping[str, Collection[str]] = {
        "item": directory.items,
        "certificate": book.kinds,
        "topic": directory.themes,
    }
    unknown = []
    for asked in sorted(rule.asked, key=str):
        takes = asked.attribute.takes
        if takes is not None and asked.of not in known[takes]:
            unknown.append(_unknown(takes, str(asked.of)))
    return unknown + [_unknown("hall", place) for place in sorted(rule.places - {*directory.halls})]


def _items_told_of(service: Service) -> Iterator[str]:
    if service.words is not None:
        yield service.words.item
    if service.kind is not None:
        yield service.kind.renew


_CALLED: Final = {"item": "事项", "certificate": "证照", "topic": "主题", "hall": "大厅"}


def _unknown(what: str, name: str) -> Sentence:
    return f"没有这个{_CALLED[what]}：{name}。", f"no such {what}: {name}"


def _doubles(found: _File, services: Collection[Service]) -> list[RuleFault]:
    codes = [each.rule.code for each in services]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    faults = [RuleFault(f"rule {code}", ("编号重复。", "stands there twice")) for code in twice]
    kinds = [each.code for each in found.certificate]
    faults += [
        RuleFault(f"certificate {code}", ("编号重复。", "stands there twice"))
        for code in sorted({code for code in kinds if kinds.count(code) > 1})
    ]
    if len(services) > MOST_RULES:
        why = (f"最多 {MOST_RULES} 条规则。", f"at most {MOST_RULES} rules")
        faults.append(RuleFault("file", why))
    return faults


def _kind(row: _Certificate) -> Kind:
    remind = tuple(sorted(set(row.remind)))
    return Kind(row.code, (row.name, row.name_en), row.renew, remind)


def _reminder(kind: Kind) -> Service:
    """Whom it concerns that a certificate expires: not whose is over."""
    text = f'0 <= days_until("{kind.code}") <= {kind.remind[-1]}'
    until = Asked(ATTRIBUTES["days_until"], kind.code)
    return Service(
        rule(f"expiring-{kind.code}", text, ["certificates"]),
        Purpose.DOCUMENTS,
        text,
        occasion=until,
        kind=kind,
    )


def _service(row: _Rule) -> Service:
    read = rule(row.code, row.when, row.reads)
    beyond = sorted(read.reads - MAY_READ[Purpose.SERVICES])
    if beyond:
        raise WrongExpression(0, f"不得读取：{beyond}。", f"may not read {beyond}")
    each, _, of = row.once_each.partition(":")
    by_day = {"item": "days_since", "certificate": "days_until"}
    occasion = Asked(ATTRIBUTES[by_day[each]], of) if each in by_day and of else None
    if occasion is None and row.once_each not in {"ever", "year"}:
        raise WrongExpression(
            0,
            "once_each 应为 ever、year、item:代码 或 certificate:代码。",
            "once_each must be ever, year, item:CODE or certificate:CODE",
        )
    if occasion is not None and occasion not in read.asked:
        raise WrongExpression(
            0,
            "once_each 所用的属性须出现在 when 中。",
            "what once_each names must be compared in `when`",
        )
    return Service(
        read,
        Purpose.SERVICES,
        row.when,
        words=_words(row),
        yearly=row.once_each == "year",
        occasion=occasion,
    )


def _of_chain(row: _Chain) -> Service:
    """Whom a chain may concern today: who began it not too long ago."""
    steps = [Step(each.item, each.after_days, each.within_days) for each in row.step]
    total = sum(each.after_days + each.within_days for each in steps)
    days = min(total, _LONGEST_CHAIN_DAYS)
    began = Asked(ATTRIBUTES["days_since"], row.begins)
    text = f'0 <= days_since("{row.begins}") <= {days}'
    also = frozenset(Asked(ATTRIBUTES["days_since"], each.item) for each in steps)
    return Service(
        rule(row.code, text, ["items"], also=also),
        Purpose.SERVICES,
        text,
        occasion=began,
        chain=Chain(row.code, row.begins, tuple(steps)),
        steps={each.item: _words(each) for each in row.step},
    )


def _words(row: _Words) -> Words:
    return Words(row.item, (row.title, row.title_en), (row.text, row.text_en))
