"""Consents, certificates, rules and audiences as people see them."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from models.consents import MAY_READ, Purpose, groups_in
from scheduler.matching.language import GROUPS
from server.errors import Sentence
from server.live.reading import shown
from server.matching.rule_files import Kind, Service

Group = Literal["age", "residence", "family", "company", "items", "certificates", "topics"]
_Code = Annotated[str, Meta(min_length=1, max_length=48)]
_Theme = Annotated[str, Meta(min_length=1, max_length=32, examples=["retirement"])]

_PURPOSES: dict[Purpose, tuple[Sentence, Sentence]] = {
    Purpose.DOCUMENTS: (
        ("证件到期提醒", "Reminders of certificates"),
        (
            "您登记的证件到期前提醒您换领。",
            "You are reminded before certificates that you entered expire.",
        ),
    ),
    Purpose.SERVICES: (
        ("个性化服务", "Services that concern you"),
        (
            "按您允许使用的信息，告诉您可以办理的事项。每天最多一条，每周最多三条。",
            "By what you let be used you are told what is due to you: one a day and three a week"
            " at most.",
        ),
    ),
    Purpose.POLICIES: (
        ("政策通知", "Policies that concern you"),
        (
            "按您允许使用的信息，告诉您与您有关的新政策。",
            "By what you let be used you are told of new policies that concern you.",
        ),
    ),
}


class PurposeView(msgspec.Struct, frozen=True, kw_only=True):
    """A purpose, and what I let be used for it.

    `may_use` are the groups of attributes that could help, `groups` those that I allow; `given_at`
    null: I do not consent, and nothing is used or sent for it.
    """

    purpose: Purpose
    name: str
    what: str
    may_use: list[Group]
    groups: list[Group]
    given_at: datetime | None


class PurposeList(msgspec.Struct, frozen=True):
    """All purposes, whether I consent or not."""

    data: list[PurposeView]
    next_cursor: None = None


class GiveConsent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Just these groups of attributes may be used; none: for what concerns everybody."""

    groups: Annotated[list[Group], Meta(max_length=7)]


class CertificateView(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate of mine. `renew` is the item that renews it, `remind` days before it expires.

    `expires_on` null: it does not expire.
    """

    kind: str
    name: str
    expires_on: date | None
    renew: str
    remind: list[int]


class CertificateList(msgspec.Struct, frozen=True):
    """My certificates, the first to expire first, and the kinds that can be entered."""

    data: list[CertificateView]
    kinds: list["KindView"]
    next_cursor: None = None


class KindView(msgspec.Struct, frozen=True):
    """A kind of certificate."""

    code: str
    name: str


class HoldCertificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Until when it is valid; null: it does not expire. No number is asked for."""

    expires_on: date | None


class Topics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The themes of the catalogue that I follow."""

    topics: Annotated[list[_Theme], Meta(max_length=40)]


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: what it may read, whom it concerns, and how often somebody is told.

    `once_each`: `ever`, `year`, or what gives the day, such as `days_until("id-card")`. A `chain`
    tells of one item after another.
    """

    code: str
    purpose: Purpose
    reads: list[Group]
    when: str
    once_each: str
    chain: list[str]
    title: str | None
    item: str | None


class RuleList(msgspec.Struct, frozen=True):
    """The city's rules, in the order in which people are told of them."""

    data: list[RuleView]
    next_cursor: None = None


class TryAudience(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule by its code, or an expression and the groups that it reads; empty means everybody."""

    rule: _Code | None = None
    when: Annotated[str, Meta(max_length=2000)] | None = None
    reads: Annotated[list[Group], Meta(max_length=7)] = []
    purpose: Purpose = Purpose.SERVICES


class Reason(msgspec.Struct, frozen=True):
    """Why it concerns somebody, as she would read it."""

    zh: str
    en: str


class Sampled(msgspec.Struct, frozen=True):
    """Somebody whom it concerns; her name is masked, null where none is known."""

    name: str | None
    because: Reason


class AudienceView(msgspec.Struct, frozen=True, kw_only=True):
    """Whom it would concern now; nobody is told anything.

    `concerned` is rounded to tens. Of fewer than `least` people neither how many nor who is said:
    then it is null. `looked_at` consent to the purpose; `complete` false: there was no time for
    more of them.
    """

    purpose: Purpose
    reads: list[Group]
    looked_at: int
    complete: bool
    least: int
    concerned: int | None
    sample: list[Sampled]


def consent_view(purpose: Purpose, row: Any | None, *, english: bool) -> PurposeView:
    """A purpose as it is shown."""
    name, what = _PURPOSES[purpose]
    return PurposeView(
        purpose=purpose,
        name=name[english],
        what=what[english],
        may_use=[group for group in GROUPS if group in MAY_READ[purpose]],  # type: ignore[misc]
        groups=groups_in(row["groups"]) if row else [],  # type: ignore[arg-type]
        given_at=shown(row["given_at"]) if row else None,
    )


def certificate_view(kind: Kind, expires_on: date | None, *, english: bool) -> CertificateView:
    """A certificate as it is shown."""
    return CertificateView(
        kind=kind.code,
        name=kind.name[english],
        expires_on=expires_on,
        renew=kind.renew,
        remind=sorted(kind.remind, reverse=True),
    )


def rule_view(service: Service, *, english: bool) -> RuleView:
    """A rule as it is shown."""
    asked = service.occasion
    once = f'{asked.attribute.name}("{asked.of}")' if asked else None
    words = service.words
    return RuleView(
        code=service.rule.code,
        purpose=service.purpose,
        reads=groups_of(service.rule.reads),
        when=service.when,
        once_each=once or ("year" if service.yearly else "ever"),
        chain=[step.item for step in service.chain.steps] if service.chain else [],
        title=words.title[english] if words else None,
        item=words.item if words else None,
    )


def groups_of(reads: frozenset[str]) -> list[Group]:
    """Groups in the order of the language."""
    return [group for group in GROUPS if group in reads]  # type: ignore[misc]
