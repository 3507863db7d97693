"""Kinds of notices 通知: how urgent each is, for how long it is of use, and what it may tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from models.tickets import TicketState


class NoticeKind(StrEnum):
    """What a notice is about. `ticket_…` are written by the move itself, in its transaction."""

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
        _TICKET | {"ahead", "minutes"}, timedelta(minutes=45), _WAITING, by_sms=True
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
}
