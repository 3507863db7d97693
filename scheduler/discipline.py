"""Who is next: the published rule of a hall, as one number.

Everybody is served in the order of rank time, the lowest first. Ties (the same microsecond) go by
ticket id, which rises with time. The rank time of

- a walk-in is when her number was issued;
- who booked and has checked in is when her slot begins, or, when she came late, that moment;
- whom a priority is confirmed for is her credit of so many minutes earlier;
- who was missed and came back in time is that moment, and a penalty later;
- who lets people pass is that of the last of them, or a microsecond later;
- who moves, or is sent on, is what it was;
- each stop of a visit is when the visit's first number was issued: she waits in all its lines.

A counter calls from the lines of its own. Of those that it only helps it calls when nobody waits in
its own, so that no counter is idle while somebody waits whom it could serve; and as from its own
whoever has waited longer than her line's limit, or was sent to just this counter.

Nobody starves. A rank time never lies more than a hall's `most_credit_min` before the moment at
which its holder joined, so whoever joins more than that after you comes after you: those who may
ever be ahead of you are few and known, and waiting makes you older than everybody new.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol, TypeVar
from uuid import UUID

# How long before its issue a ticket's rank time lies.
CREDIT_OF_WALK_IN = timedelta(0)
ELDERLY_FROM_AGE: Final = 70

Reason = Literal[
    "earlier", "appointment", "priority", "returned", "let_pass", "moved", "transferred", "visit"
]
# How somebody came into a line other than by taking a number of it.
Came = Literal["moved", "transferred"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a hall may decide about its lines, in whole numbers; these are the usual.

    Names tell the unit: `…_min` minutes, `…_m` metres, `most_…` and `daily_cap_…` times.
    """

    credit_elderly_min: int = 30
    credit_disabled_min: int = 30
    credit_pregnant_min: int = 30
    credit_military_min: int = 30
    credit_with_infant_min: int = 20
    # No credit is more: the most by which anybody overtakes.
    most_credit_min: int = 60
    # Who was missed may come back for so long, and waits from then and so much longer.
    grace_min: int = 30
    penalty_min: int = 5
    # A person is called once, and again so often; then she is missed.
    most_recalls: int = 2
    # Numbers are given so long before the hall opens, in the morning and after a break.
    issue_before_open_min: int = 0
    # Clerks may go on so long after the last closing; then whoever still waits is let go.
    after_close_min: int = 60
    # Whether a phone must say where it is to take a number, how many minutes' drive away it may be
    # (0: any), and how surely its holder must be known, whatever the item asks.
    place_required: int = 0
    remote_travel_min: int = 0
    remote_level: int = 0
    # So many numbers of a day a person may take by phone in one line, and in the hall (0: any).
    daily_cap_line: int = 5
    daily_cap_hall: int = 10
    # How near she must be to check in, and whether who took a number from afar must do so first.
    geofence_m: int = 200
    check_in_required: int = 0
    # Whoever waits is told that her turn is near when so many are before her (0: only when little
    # time is left).
    notice_ahead: int = 3
    # Whether an item's fee is given back when its number was given up or missed for good; else it
    # is held until staff decides.
    refund_abandoned: int = 1
    # Who manages the hall is shown a line whose wait is so long, a call that nothing followed for
    # so long, and a service that takes so many times its usual time.
    alert_wait_min: int = 45
    alert_call_min: int = 5
    alert_usual_times: int = 3

    @classmethod
    def of(cls, differing: Mapping[str, int]) -> "Rules":
        """The usual rules but for those named; names that are none of ours do not matter."""
        return cls(**{name: differing[name] for name in RULES if name in differing})

    def credit(self, priority: str) -> timedelta:
        """How much earlier somebody with this priority counts."""
        minutes: int = getattr(self, f"credit_{priority}_min")
        return timedelta(minutes=min(minutes, self.most_credit_min))

    @property
    def most_credit(self) -> timedelta:
        """The most by which anybody here counts as earlier than she came."""
        given = (name for name in RULES if name.startswith("credit_"))
        minutes: int = max(getattr(self, name) for name in given)
        return timedelta(minutes=min(minutes, self.most_credit_min))


# Each rule with the least and the most that it may be.
_MINUTES: Final = (0, 240)
_NO_MINUTES: Final = {
    "most_recalls": (0, 10),
    "place_required": (0, 1),
    "remote_level": (0, 3),
    "daily_cap_line": (0, 100),
    "daily_cap_hall": (0, 100),
    "geofence_m": (20, 5_000),
    "check_in_required": (0, 1),
    "notice_ahead": (0, 20),
    "refund_abandoned": (0, 1),
    "alert_wait_min": (1, 240),
    "alert_call_min": (1, 240),
    "alert_usual_times": (1, 20),
}
RULES: Final[Mapping[str, tuple[int, int]]] = {
    field.name: _NO_MINUTES.get(field.name, _MINUTES) for field in fields(Rules)
}


class Ranked(Protocol):
    """Anything that stands in line."""

    @property
    def id(self) -> UUID:
        """The ticket's id."""

    @property
    def rank_time(self) -> datetime:
        """Its place in the published order."""


class First(Ranked, Protocol):
    """The first of a line, as a counter finds her that may call her."""

    @property
    def own(self) -> bool:
        """Whether she is of a line of its own, or sent to it; else it only helps her line."""

    @property
    def help_after(self) -> timedelta | None:
        """How long people of her line wait until counters that help it call as from their own."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the line, and how it came about.

    `stood_at` is the rank time that she had before she let people pass, if she did.
    """

    id: UUID
    rank_time: datetime
    issued_at: datetime
    priority_at: datetime | None = None
    returned_at: datetime | None = None
    came: Came | None = None
    stood_at: datetime | None = None
    # Whether her number is that of an appointment.
    booked: bool = False


Waiting = TypeVar("Waiting", bound=Ranked)
Head = TypeVar("Head", bound=First)


def next_up(heads: Iterable[Head], now: datetime) -> Head | None:
    """The one to call, from the first of each line a counter serves; None when nobody waits.

    `models.steps` says the same in SQL; a test compares the two.
    """
    return min(
        heads,
        key=lambda head: (not counts_as_own(head, now), head.rank_time, head.id),
        default=None,
    )


def counts_as_own(head: First, now: datetime) -> bool:
    """Whether a counter calls her in the order of its own lines, also when it only helps hers."""
    if head.own or head.help_after is None:
        return head.own
    return now - head.rank_time > head.help_after


def with_credit(rank_time: datetime, priority: str, rules: Rules) -> datetime:
    """The rank time of somebody whose priority is confirmed now; it is so once a ticket."""
    return rank_time - rules.credit(priority)


def may_return(missed_at: datetime, now: datetime, rules: Rules) -> bool:
    """Whether somebody who was missed then may still come back."""
    return now <= missed_at + timedelta(minutes=rules.grace_min)


def after_return(now: datetime, rules: Rules) -> datetime:
    """The rank time of somebody who was missed and comes back now."""
    return now + timedelta(minutes=rules.penalty_min)


def behind(behind_me: Sequence[Waiting], me: UUID, people: int) -> datetime | None:
    """The rank time just behind the person so many places back, or behind the last there is.

    `behind_me` are those behind, in order. None when there is nobody. Of several who share a
    microsecond, all may pass.
    """
    passing = behind_me[:people]
    if not passing:
        return None
    last = passing[-1]
    # With the same rank time the later ticket comes later; an earlier one needs a moment more.
    return last.rank_time if me > last.id else last.rank_time + timedelta(microseconds=1)


def may_recall(recalls: int, rules: Rules) -> bool:
    """Whether somebody who was called again so often already may be called once more."""
    return recalls < rules.most_recalls


def why_ahead(her: Place, me: Place) -> Reason:
    """Why somebody who is ahead of me is.

    `let_pass`: I let her pass. `returned`: she was missed and came back, or I was and did.
    `earlier`, and only that, says that her number was issued before mine; `moved` and `transferred`
    that it was, elsewhere. `appointment`: she booked, and her slot began before I came, or mine
    begins later. `visit`: she waits for one of several items since before I came.
    """
    if me.stood_at is not None and (her.rank_time, her.id) > (me.stood_at, me.id):
        return "let_pass"
    if her.returned_at is not None:
        return "returned"
    if (her.issued_at, her.id) < (me.issued_at, me.id):
        return her.came or "earlier"
    return _why_before_earlier(her, me)


def lies_with_me(reason: Reason, her: Place) -> bool:
    """Whether she is ahead of me for what I did: let her pass, returned, or booked a later slot."""
    if reason == "returned":
        return her.returned_at is None
    return reason == "let_pass" or (reason == "appointment" and not her.booked)


def _why_before_earlier(her: Place, me: Place) -> Reason:
    """Why she is ahead though her number was issued after mine."""
    if her.priority_at is not None:
        return "priority"
    if me.returned_at is not None:
        return "appointment" if her.booked and her.rank_time < me.issued_at else "returned"
    return "appointment" if her.booked or me.booked else "visit"
