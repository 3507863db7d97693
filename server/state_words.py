"""States in words, for whoever is told that something cannot be done in the present one."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from models.appointments import AppointmentState
from models.bills import BillState
from models.cases import CaseFileState
from models.halls import CounterState, LineState
from models.orders import OrderState
from models.proxies import ProxyState
from models.reconciliation import CaseState
from models.refunds import RefundState
from models.tickets import TicketState, WrongState
from models.visits import VisitState
from server.errors import Sentence, WrongStateRefusal

# What is in a state, and each of its states.
_WORDS: Final[Mapping[type[StrEnum], tuple[Sentence, Mapping[StrEnum, Sentence]]]] = {
    TicketState: (
        ("号票", "the ticket"),
        {
            TicketState.WAITING: ("等候", "waiting"),
            TicketState.CALLED: ("已叫号", "called"),
            TicketState.SERVING: ("办理中", "being served"),
            TicketState.PARKED: ("挂起", "parked"),
            TicketState.FINISHED: ("已办结", "finished"),
            TicketState.MISSED: ("已过号", "missed"),
            TicketState.CANCELLED: ("已取消", "cancelled"),
        },
    ),
    CounterState: (
        ("窗口", "the counter"),
        {
            CounterState.OPEN: ("开放", "open"),
            CounterState.PAUSED: ("暂停", "paused"),
            CounterState.CLOSED: ("关闭", "closed"),
        },
    ),
    LineState: (
        ("队列", "the line"),
        {
            LineState.OPEN: ("开放", "open"),
            LineState.PAUSED: ("暂停取号", "paused"),
            LineState.STOPPED: ("停办", "stopped"),
        },
    ),
    AppointmentState: (
        ("预约", "the appointment"),
        {
            AppointmentState.HELD: ("待确认", "held, to be confirmed"),
            AppointmentState.OFFERED: ("候补待接受", "offered, to be accepted"),
            AppointmentState.BOOKED: ("已预约", "booked"),
            AppointmentState.CHECKED_IN: ("已签到", "checked in"),
            AppointmentState.MISSED: ("已爽约", "missed"),
            AppointmentState.CANCELLED: ("已取消", "cancelled"),
            AppointmentState.EXPIRED: ("已失效", "expired"),
        },
    ),
    VisitState: (
        ("联办", "the visit"),
        {
            VisitState.OPEN: ("进行中", "open"),
            VisitState.FINISHED: ("已办结", "finished"),
            VisitState.CANCELLED: ("已取消", "cancelled"),
            VisitState.DAY_ENDED: ("已随当天结束", "over with its day"),
        },
    ),
    BillState: (
        ("账单", "the bill"),
        {
            BillState.DUE: ("待缴", "due"),
            BillState.PAID: ("已缴", "paid"),
            BillState.CANCELLED: ("已取消", "cancelled"),
        },
    ),
    OrderState: (
        ("支付单", "the payment"),
        {
            OrderState.PENDING: ("待支付", "pending"),
            OrderState.PAID: ("已支付", "paid"),
            OrderState.CLOSED: ("已关闭", "closed"),
            OrderState.REFUNDING: ("退款中", "being refunded"),
            OrderState.PARTLY_REFUNDED: ("部分退款", "partly refunded"),
            OrderState.REFUNDED: ("已退款", "refunded"),
        },
    ),
    RefundState: (
        ("退款", "the refund"),
        {
            RefundState.ASKED: ("待审批", "to be approved"),
            RefundState.REJECTED: ("已驳回", "rejected"),
            RefundState.APPROVED: ("已批准", "approved"),
            RefundState.PENDING: ("退款处理中", "under way at the channel"),
            RefundState.DONE: ("已退款", "done"),
            RefundState.FAILED: ("退款失败", "failed"),
            RefundState.STUCK: ("退款异常", "stuck at the channel"),
        },
    ),
    CaseState: (
        ("差异", "the difference"),
        {
            CaseState.WAITING: ("待次日对账单", "waiting for the next statement"),
            CaseState.OPEN: ("待处理", "open"),
            CaseState.REPAIRED: ("已修复", "repaired"),
            CaseState.AGREED: ("已一致", "gone"),
            CaseState.CLOSED: ("已办结", "closed"),
        },
    ),
    CaseFileState: (
        ("办件", "the case"),
        {
            CaseFileState.ACCEPTED: ("已受理", "accepted"),
            CaseFileState.WAITING_FOR_MATERIALS: ("待补正材料", "waiting for materials"),
            CaseFileState.IN_PROGRESS: ("办理中", "in progress"),
            CaseFileState.FINISHED: ("已办结", "finished"),
            CaseFileState.REFUSED: ("不予办理", "refused"),
            CaseFileState.WITHDRAWN: ("已撤回", "withdrawn"),
        },
    ),
    ProxyState: (
        ("代办关系", "the proxy"),
        {
            ProxyState.ASKED: ("待同意", "asked for"),
            ProxyState.ACTIVE: ("有效", "active"),
            ProxyState.ENDED: ("已结束", "ended"),
        },
    ),
}


def wrong_state(fault: WrongState) -> WrongStateRefusal:
    """The refusal that says in which state it is, and what else stands against it."""
    said = [fault.told] if fault.told else []
    if fault.state is not None:
        (what, what_en), words = _WORDS[type(fault.state)]
        word, word_en = words[fault.state]
        said.append((f"{what}现为“{word}”", f"{what_en} is {word_en}"))
    if not said:
        return WrongStateRefusal()
    zh, en = WrongStateRefusal.sentence
    refusal = WrongStateRefusal(
        (
            f"{zh[:-1]}：{'；'.join(each for each, _ in said)}。",
            f"{en[:-1]}: {'; '.join(each for _, each in said)}.",
        )
    )
    refusal.state = fault.state.value if fault.state is not None else None
    return refusal
