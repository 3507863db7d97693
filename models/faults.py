"""What can be wrong with tickets, bookings, payments and events, and how one sees it. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from models.history import NoHistory, replay
from models.standing import happened, standing
from models.tickets import OPEN_STATES, TRANSITIONS, Move, TicketState

Kind = Literal[
    "untold",
    "no_events",
    "events_of_nobody",
    "impossible_step",
    "back_in_time",
    "out_of_place",
    "number_missing",
    "number_twice",
    "number_early",
    "line_count",
    "shared_counter",
    "no_counter",
    "two_for_one_item",
    "out_of_turn",
    "stop_without_ticket",
    "stop_of_another",
    "ticket_of_no_stop",
    "two_stops_at_once",
    "visit_end",
    "stop_turns",
    "slot_count",
    "slot_overfull",
    "place_of_nobody",
    "appointment_without_place",
    "appointment_once",
    "appointment_untold",
    "impossible_appointment",
    "offer_of_nobody",
    "place_not_offered",
    "booking_overdue",
    "bill_settled_wrongly",
    "payment_not_entered",
    "refund_not_entered",
    "refunds_of_order",
    "surplus_kept",
    "entry_of_nobody",
    "channel_sum",
    "callback_lost",
    "callback_unsettled",
    "callback_of_nobody",
    "answer_without_effect",
    "receipt_gap",
    "receipt_missing",
    "receipt_over",
]
WORDS: Final[Mapping[Kind, tuple[str, str]]] = {
    "untold": ("号票与其事件不符", "a ticket is not what its events tell"),
    "no_events": ("号票没有事件", "a ticket has no events"),
    "events_of_nobody": ("事件没有对应的号票", "events have no ticket"),
    "impossible_step": ("不可能的状态变化", "a step that the state machine does not allow"),
    "back_in_time": ("事件时间倒退", "events go back in time"),
    "out_of_place": ("号码、队列与大厅不一致", "number, line and hall do not fit"),
    "number_missing": ("号码不连续", "a line's numbers are not dense"),
    "number_twice": ("号码重复", "a number was given twice"),
    "number_early": ("后发的号时间更早", "a later number was issued earlier"),
    "line_count": ("队列计数与号码不符", "a line's count is not that of its numbers"),
    "shared_counter": ("一个窗口有多个号", "several tickets are at one counter"),
    "no_counter": ("被叫的号不在营业窗口", "who is called or served is at no counter that serves"),
    "two_for_one_item": ("同一人同一事项有多个号", "one person holds two tickets for one item"),
    "out_of_turn": ("未按次序叫号", "somebody was called before a person ahead of her"),
    "stop_without_ticket": ("联办事项的号票不存在", "a stop's ticket does not exist"),
    "stop_of_another": ("联办事项的号票属于别处", "a stop's ticket is of another item or person"),
    "ticket_of_no_stop": ("号票不在其联办之中", "a ticket of a visit is none of its stops"),
    "two_stops_at_once": ("一次联办同时有多个号", "a visit has several numbers at once"),
    "visit_end": ("联办的结束与其事项不符", "a visit's end does not fit its stops"),
    "stop_turns": ("联办事项的次序不连续", "the turns of a visit's stops are not 1, 2, 3"),
    "slot_count": ("时段计数与名额不符", "a slot's counters are not those of its places"),
    "slot_overfull": ("时段超出容量", "a slot has more places taken than it has"),
    "place_of_nobody": ("名额没有对应的预约", "a place is held by no appointment that may hold it"),
    "appointment_without_place": ("预约没有名额", "an appointment has no place in its slot"),
    "appointment_once": ("预约的唯一性记录不符", "one a person, item and day is not kept"),
    "appointment_untold": ("预约与其事件不符", "an appointment is not what its events tell"),
    "impossible_appointment": ("预约不可能的变化", "a step that no appointment can take"),
    "offer_of_nobody": ("候补与其名额不符", "an offer and who waits for it do not fit"),
    "place_not_offered": ("有空位未提供给候补", "a place is free for which somebody waits"),
    "booking_overdue": ("逾期未处理", "what the worker should have ended goes on"),
    "bill_settled_wrongly": (
        "账单与结清它的支付单不符",
        "a bill is not settled by one paid order of its own",
    ),
    "payment_not_entered": (
        "支付单与账本不符",
        "a payment is not entered once in the ledger, as it is",
    ),
    "refund_not_entered": ("退款与账本不符", "a refund's steps are not those in the ledger"),
    "refunds_of_order": (
        "支付单的退款金额不符",
        "what an order says goes back is not what its refunds say",
    ),
    "surplus_kept": ("多付的钱没有退", "nobody asked for money that is to go back"),
    "entry_of_nobody": ("账本分录没有对应的支付单", "an entry is of no order or refund"),
    "channel_sum": ("渠道账户余额不符", "what a channel holds is not what its orders say"),
    "callback_lost": ("已确认的回调没有生效", "a callback was thanked for, and did not come true"),
    "callback_unsettled": (
        "回调长时间未处理",
        "a callback was stored, and is not settled for long",
    ),
    "callback_of_nobody": ("回调没有对应的支付单", "a callback is about no order of its channel"),
    "answer_without_effect": ("已答复的请求没有结果", "a kept answer tells of what does not exist"),
    "receipt_gap": ("票据号码不连续", "an issuer's receipts of a year are not numbered 1, 2, 3"),
    "receipt_missing": ("已缴费或已退款而没有票据", "what was paid or went back has no receipt"),
    "receipt_over": ("票据金额与缴费不符", "a receipt is not over what was paid or went back"),
}
# Requests of one moment are decided in any order, and machines' clocks differ a little.
SAME_MOMENT: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong; it names halls, lines, numbers and ids, and no person."""

    kind: Kind
    hall: str | None = None
    day: date | None = None
    what: str = ""
    ticket: UUID | None = None
    detail: str = ""

    def __str__(self) -> str:
        day = self.day.isoformat() if self.day else None
        ticket = str(self.ticket) if self.ticket else None
        return " ".join(part for part in (self.hall, day, self.what, ticket, self.detail) if part)


@dataclass(slots=True)
class Found:
    """All faults counted by their kind, and the first `most` of each kept."""

    most: int
    counts: "Counter[Kind]" = field(default_factory=Counter)
    kept: dict[Kind, list[Fault]] = field(default_factory=dict)

    def add(self, fault: Fault) -> None:
        """Count a fault."""
        self.counts[fault.kind] += 1
        kept = self.kept.setdefault(fault.kind, [])
        if len(kept) < self.most:
            kept.append(fault)


def faults_of_ticket(ticket: Any, events: Sequence[Any]) -> Iterator[tuple[Kind, str]]:
    """What is wrong between a ticket's row and the rows of its events, in their order."""
    if not events:
        yield "no_events", ""
        return
    yield from _impossible(events)
    yield from _back_in_time(events)
    try:
        told = replay(map(happened, events))
    except (NoHistory, ValueError) as wrong:
        yield "untold", str(wrong)
        return
    stands = standing(ticket)
    differing = [
        f"{name}: {_plain(getattr(stands, name))}, events: {_plain(getattr(told, name))}"
        for name in told.__slots__
        if getattr(stands, name) != getattr(told, name)
    ]
    if events[0]["at"] != ticket["issued_at"]:
        differing.append(f"issued_at: {ticket['issued_at']}, events: {events[0]['at']}")
    if differing:
        yield "untold", "; ".join(differing)


def fault_of_place(ticket: Any, line: Any) -> str | None:
    """How a ticket's number, line and hall do not fit each other; None when they do."""
    if line is None or line["hall_id"] != ticket["hall_id"]:
        return "the line is none of the hall"
    fits = ticket["number"] == f"{line['code']}{ticket['sequence']:03d}"
    return None if fits else f"{ticket['sequence']} in line {line['code']}"


def _impossible(events: Sequence[Any]) -> Iterator[tuple[Kind, str]]:
    past: list[TicketState] = []
    for event in events:
        move, state = Move(event["move"]), TicketState(event["state"])
        if move is Move.UNDO:
            undone = past.pop() if len(past) > 1 else None
            if undone is None or past[-1] is not state:
                yield "impossible_step", f"{move} from {undone} to {state}"
        elif not past:
            if move is not Move.ISSUE or state not in OPEN_STATES:
                yield "impossible_step", f"it begins by {move} to {state}"
            past.append(state)
        else:
            if TRANSITIONS.get((past[-1], move)) is not state:
                yield "impossible_step", f"{move} from {past[-1]} to {state}"
            past.append(state)


def _back_in_time(events: Sequence[Any]) -> Iterator[tuple[Kind, str]]:
    latest = events[0]["at"]
    for event in events[1:]:
        if event["at"] < latest - SAME_MOMENT:
            yield "back_in_time", f"{event['move']} at {event['at']} after {latest}"
        latest = max(latest, event["at"])


def _plain(value: object) -> str:
    return "-" if value is None else str(value)
