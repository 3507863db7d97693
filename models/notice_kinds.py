"""Kinds of notices 通知: how urgent each is, for how long it is of use, and what it may tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from models.tickets import TicketState


class NoticeKind(StrEnum):
    """What a notice is about.

    `ticket_…` are written by the move itself, `appointment_…` and `case_…` by the step, `bill_…` by
    what happens to the bill, in their transactions; what only time brings, when it has come.
    """

    TICKET_CALLED = "ticket_called"
    TICKET_RECALLED = "ticket_recalled"
    TICKET_MISSED = "ticket_missed"
    TICKET_SENT_ON = "ticket_sent_on"
    TURN_NEAR = "turn_near"
    LEAVE_NOW = "leave_now"
    BETTER_HALL = "better_hall"
    COUNTER_OPENED = "counter_opened"
    LINE_DELAYED = "line_delayed"
    HALL_CLOSING = "hall_closing"
    APPOINTMENT_BOOKED = "appointment_booked"
    APPOINTMENT_TOMORROW = "appointment_tomorrow"
    APPOINTMENT_SOON = "appointment_soon"
    APPOINTMENT_LEAVE = "appointment_leave"
    APPOINTMENT_CHANGED = "appointment_changed"
    APPOINTMENT_MOVED = "appointment_moved"
    APPOINTMENT_MUST_MOVE = "appointment_must_move"
    APPOINTMENT_CANCELLED = "appointment_cancelled"
    APPOINTMENT_OFFERED = "appointment_offered"
    APPOINTMENT_MISSED = "appointment_missed"
    BOOKING_WARNED = "booking_warned"
    BOOKING_BLOCKED = "booking_blocked"
    BILL_DUE = "bill_due"
    BILL_PAID = "bill_paid"
    BILL_REFUNDED = "bill_refunded"
    BILL_EXPIRING = "bill_expiring"
    BILL_GOING_BACK = "bill_going_back"
    BILL_HELD = "bill_held"
    CASE_OPENED = "case_opened"
    CASE_STEP = "case_step"
    CASE_WANTED = "case_wanted"
    CASE_FINISHED = "case_finished"
    CASE_REFUSED = "case_refused"
    RATING_INVITED = "rating_invited"
    DOCUMENT_EXPIRING = "document_expiring"
    SERVICE_DUE = "service_due"
    POLICY_NEWS = "policy_news"


class Urgency:
    """Whose notices go first. Those of turns have couriers of their own."""

    TURN: Final = 0
    MATTER: Final = 1
    CAMPAIGN: Final = 2


@dataclass(frozen=True, slots=True)
class KindRule:
    """How a kind of notice is treated.

    It is of use while its ticket is in the state `while_state` (null: whatever becomes of it), and
    for `useful` at most. `words` are the only facts that its templates may name: no text of it says
    more about anybody. `by_sms`: worth a text message where nothing else reaches her.
    """

    words: frozenset[str]
    useful: timedelta
    while_state: TicketState | None = None
    urgency: int = Urgency.TURN
    by_sms: bool = False


_TICKET: Final = frozenset({"number", "hall", "line", "item", "time"})
_WAITING: Final = TicketState.WAITING
_SLOT: Final = frozenset({"hall", "item", "slot", "time"})
_BILL: Final = frozenset({"title", "amount", "hall", "time"})
_CASE: Final = frozenset({"number", "item", "step", "hall", "time"})

# What is written for a purpose that she consented to says why it came (`because`).
_CONCERNS: Final = frozenset({"title", "text", "because", "item", "time"})
_DOCUMENT: Final = frozenset({"document", "day", "days", "because", "time"})


def _matter(words: frozenset[str], days: int = 3, *, by_sms: bool = False) -> KindRule:
    """What can wait till morning; whatever ends it earlier is told with the notice itself."""
    return KindRule(words, timedelta(days=days), urgency=Urgency.MATTER, by_sms=by_sms)


# The times are also written in the migration's trigger, for the kinds that moves cause; a test
# holds the two together.
RULES: Final[Mapping[NoticeKind, KindRule]] = {
    NoticeKind.TICKET_CALLED: KindRule(
        _TICKET | {"counter"}, timedelta(minutes=30), TicketState.CALLED, by_sms=True
    ),
    NoticeKind.TICKET_RECALLED: KindRule(
        _TICKET | {"counter"}, timedelta(minutes=30), TicketState.CALLED, by_sms=True
    ),
    NoticeKind.TICKET_MISSED: KindRule(_TICKET, timedelta(hours=2), TicketState.MISSED),
    NoticeKind.TICKET_SENT_ON: KindRule(_TICKET, timedelta(hours=2), _WAITING),
    NoticeKind.TURN_NEAR: KindRule(
        _TICKET | {"ahead", "minutes", "soon"}, timedelta(minutes=45), _WAITING, by_sms=True
    ),
    NoticeKind.LEAVE_NOW: KindRule(
        _TICKET | {"minutes"}, timedelta(minutes=45), _WAITING, by_sms=True
    ),
    NoticeKind.BETTER_HALL: KindRule(
        _TICKET | {"other_hall", "minutes"}, timedelta(minutes=20), _WAITING
    ),
    NoticeKind.COUNTER_OPENED: KindRule(_TICKET | {"minutes"}, timedelta(minutes=30), _WAITING),
    NoticeKind.LINE_DELAYED: KindRule(_TICKET | {"minutes"}, timedelta(minutes=30), _WAITING),
    NoticeKind.HALL_CLOSING: KindRule(_TICKET | {"until"}, timedelta(hours=2), _WAITING),
    NoticeKind.APPOINTMENT_BOOKED: _matter(_SLOT),
    NoticeKind.APPOINTMENT_TOMORROW: _matter(_SLOT, by_sms=True),
    NoticeKind.APPOINTMENT_SOON: _matter(_SLOT, by_sms=True),
    # As that of a ticket: about to begin, whatever the hour.
    NoticeKind.APPOINTMENT_LEAVE: KindRule(
        _SLOT | {"minutes"}, timedelta(hours=2), urgency=Urgency.TURN, by_sms=True
    ),
    NoticeKind.APPOINTMENT_CHANGED: _matter(_SLOT),
    NoticeKind.APPOINTMENT_MOVED: _matter(_SLOT, by_sms=True),
    NoticeKind.APPOINTMENT_MUST_MOVE: _matter(_SLOT, by_sms=True),
    NoticeKind.APPOINTMENT_CANCELLED: _matter(_SLOT, by_sms=True),
    NoticeKind.APPOINTMENT_OFFERED: _matter(_SLOT | {"until"}, by_sms=True),
    NoticeKind.APPOINTMENT_MISSED: _matter(_SLOT),
    NoticeKind.BOOKING_WARNED: _matter(frozenset({"hall", "many", "time"})),
    NoticeKind.BOOKING_BLOCKED: _matter(frozenset({"hall", "day", "time"})),
    NoticeKind.BILL_DUE: _matter(_BILL),
    NoticeKind.BILL_PAID: _matter(_BILL),
    NoticeKind.BILL_REFUNDED: _matter(_BILL, by_sms=True),
    NoticeKind.BILL_EXPIRING: _matter(_BILL | {"until"}),
    NoticeKind.BILL_GOING_BACK: _matter(_BILL),
    NoticeKind.BILL_HELD: _matter(_BILL, by_sms=True),
    NoticeKind.CASE_OPENED: _matter(_CASE, 7),
    NoticeKind.CASE_STEP: _matter(_CASE, 7),
    NoticeKind.CASE_WANTED: _matter(_CASE, 7, by_sms=True),
    NoticeKind.CASE_FINISHED: _matter(_CASE, 7, by_sms=True),
    NoticeKind.CASE_REFUSED: _matter(_CASE, 7, by_sms=True),
    NoticeKind.RATING_INVITED: _matter(_TICKET, 1),
    NoticeKind.DOCUMENT_EXPIRING: _matter(_DOCUMENT, 7, by_sms=True),
    NoticeKind.SERVICE_DUE: _matter(_CONCERNS, 7),
    # A campaign ends before, and takes back what waits then.
    NoticeKind.POLICY_NEWS: KindRule(_CONCERNS, timedelta(days=90), urgency=Urgency.CAMPAIGN),
}
