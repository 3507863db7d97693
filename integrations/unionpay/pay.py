"""Paying through UnionPay's gateway, version 5.1.0: a form for her browser, and what follows.

UnionPay knows an order or refund by its number and the second it is dated with. A void (消费撤销)
does on the same day, before settlement, what a refund does on any: only refunds are asked for.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from integrations.asking import SOON_S, NeverSent
from integrations.ports import PlatformUnavailable
from integrations.ports_bill import BillLine, DayBill
from integrations.ports_payment import (
    CallbackReply,
    ChannelNews,
    ChannelOrder,
    ChannelRefund,
    ChannelRefused,
    ChannelUnavailable,
    NewOrder,
    NewRefund,
    NotGenuine,
    OrderRef,
    OrderState,
    OutcomeUnknown,
    Prepared,
    RefundRef,
)
from integrations.unionpay.bill import UnionPayBills, read_bill
from integrations.unionpay.certificates import real_time
from integrations.unionpay.client import (
    BACK,
    BUSY,
    DONE,
    NO_SUCH,
    OUR_FAULT,
    QUERY,
    SUCCESS,
    UNKNOWN,
    UnionPayGateway,
    beijing,
    harmless,
)
from integrations.unionpay.notices import read_notice
from integrations.unionpay.wire import CONSUME, CURRENCY, REFUND, REFUSALS, fen_in, traced_at

_BUSINESS: Final = "000201"
_REPEATED: Final = "12"
_MOST_SUBJECT: Final = 32

# A form, once given out, can be posted until its time is up. Nobody can call it back, so it is
# short, and only when it has passed is it sure that nobody pays any more.
LIFE: Final = timedelta(minutes=30)
_CLOCKS_MAY_DIFFER: Final = timedelta(minutes=2)


class UnionPayPay:
    """Takes money through UnionPay for one merchant.

    `front_url` is where UnionPay sends her browser back to. `city_now` is the clock that orders
    are dated with.
    """

    name = "unionpay"

    def __init__(
        self,
        gateway: UnionPayGateway,
        front_url: str,
        *,
        city_now: Callable[[], datetime] = real_time,
    ) -> None:
        self._gateway = gateway
        self._front_url = front_url
        self._now = city_now
        self._bills = UnionPayBills(gateway, city_now)

    async def create(self, order: NewOrder) -> Prepared:
        """Return a signed form that her browser posts; UnionPay hears of the order only then."""
        until = min(order.expires_at, order.placed_at + LIFE)
        fields = {
            "txnType": CONSUME,
            "txnSubType": "01",
            "bizType": _BUSINESS,
            "channelType": "08",
            "currencyCode": CURRENCY,
            "orderId": order.order_no,
            "txnTime": beijing(order.placed_at),
            "txnAmt": str(order.amount_fen),
            "orderDesc": _plain(order.subject)[:_MOST_SUBJECT],
            "payTimeout": beijing(until),
            "frontUrl": self._front_url,
            "backUrl": order.notify_url,
        }
        return Prepared(self._gateway.form(fields))

    async def query(self, order: OrderRef) -> ChannelOrder:
        """Return what UnionPay knows of an order; `unpaid` while its form may still be posted."""
        answer = await self._find(order.order_no, order.placed_at)
        if answer is None:
            return ChannelOrder(order_no=order.order_no, state="absent")
        code = answer.get("origRespCode", "")
        if code in DONE and answer.get("txnType") == CONSUME:
            return ChannelOrder(
                order_no=order.order_no,
                state="paid",
                amount_fen=self._fen(answer),
                channel_no=answer.get("queryId") or None,
                paid_at=traced_at(answer.get("traceTime", ""), order.placed_at),
            )
        is_over = code not in UNKNOWN and self._is_over(order)
        return ChannelOrder(
            order_no=order.order_no,
            state="closed" if is_over else "unpaid",
            amount_fen=self._fen(answer),
            channel_no=answer.get("queryId") or None,
        )

    async def close(self, order: OrderRef) -> OrderState:
        """Tell how the order stands: its form ends by its time, and by nothing we could ask."""
        found = await self.query(order)
        if found.state == "absent" and not self._is_over(order):
            return "unpaid"
        return found.state

    async def refund(self, refund: NewRefund) -> ChannelRefund:
        """Ask for money to go back; the same number again is the same refund."""
        ref = refund.ref
        paid = ref.order.channel_no or (await self.query(ref.order)).channel_no
        if paid is None:
            raise ChannelRefused("order_unknown", NO_SUCH)
        fields = {
            "txnType": REFUND,
            "txnSubType": "00",
            "bizType": _BUSINESS,
            "channelType": "08",
            "orderId": ref.refund_no,
            "txnTime": beijing(ref.asked_at),
            "origQryId": paid,
            "txnAmt": str(refund.refund_fen),
            "backUrl": refund.notify_url,
        }
        answer = await self._change(fields)
        code = answer.get("respCode", "")
        if code == _REPEATED:
            return await self._the_same(refund)
        if code in UNKNOWN or code in BUSY:
            raise OutcomeUnknown(self._gateway.unavailable("unknown", code).retry_after_s)
        if code in OUR_FAULT:
            raise self._unavailable("refused", code)
        if code not in DONE:
            raise ChannelRefused(REFUSALS.get(code, "request_invalid"), harmless(code))
        return ChannelRefund(
            refund_no=ref.refund_no,
            state="pending",
            order_no=ref.order.order_no,
            refund_fen=self._fen(answer),
            channel_refund_no=answer.get("queryId") or None,
        )

    async def query_refund(self, refund: RefundRef) -> ChannelRefund:
        """Return what UnionPay knows of a refund."""
        answer = await self._find(refund.refund_no, refund.asked_at)
        if answer is None:
            return ChannelRefund(refund_no=refund.refund_no, state="absent")
        code = answer.get("origRespCode", "")
        is_done = code in DONE and answer.get("txnType") == REFUND
        return ChannelRefund(
            refund_no=refund.refund_no,
            state="done" if is_done else "pending" if code in UNKNOWN else "failed",
            order_no=refund.order.order_no,
            refund_fen=self._fen(answer),
            channel_refund_no=answer.get("queryId") or None,
            done_at=traced_at(answer.get("traceTime", ""), refund.asked_at) if is_done else None,
        )

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> ChannelNews:
        """Read a notice; all that is signed of it stands in its body."""
        return read_notice(self._gateway, body)

    def thanks(self) -> CallbackReply:
        """Return what ends the repeating: a 200."""
        return CallbackReply(200, b"ok")

    def refusal(self, fault: NotGenuine) -> CallbackReply:
        """Return what UnionPay, if it was UnionPay, takes for a failure."""
        statuses = {"too_big": 413, "wrong_signature": 401}
        return CallbackReply(statuses.get(fault.reason, 400), b"fail")

    def not_now(self) -> CallbackReply:
        """Return what makes UnionPay come again."""
        return CallbackReply(503, b"fail")

    async def refresh_keys(self) -> None:
        """Do nothing: UnionPay's messages bring its certificate, which our chain vouches for."""

    async def fetch_bill(self, day: date, folder: Path) -> DayBill | None:
        """Download a day's settlement file, a ZIP."""
        return await self._bills.fetch(day, folder)

    def read_bill(self, bill: DayBill) -> Iterator[BillLine]:
        """Read its payments and refunds, one at a time."""
        return read_bill(bill)

    def _is_over(self, order: OrderRef) -> bool:
        return self._now() > order.placed_at + LIFE + _CLOCKS_MAY_DIFFER

    async def _the_same(self, refund: NewRefund) -> ChannelRefund:
        """Return how the refund stands that this number asked for before."""
        found = await self.query_refund(refund.ref)
        if found.state == "absent":
            # Dated by another second: some other transaction has the number.
            raise ChannelRefused("number_used", _REPEATED)
        if found.refund_fen != refund.refund_fen:
            raise ChannelRefused("number_used", _REPEATED)
        return found

    async def _find(self, number: str, dated: datetime) -> dict[str, str] | None:
        """Return what UnionPay says of one transaction of ours; None when it knows none."""
        fields = {
            "txnType": "00",
            "txnSubType": "00",
            "bizType": "000000",
            "orderId": number,
            "txnTime": beijing(dated),
        }
        try:
            answer = await self._gateway.ask(QUERY, fields)
        except PlatformUnavailable as fault:
            raise ChannelUnavailable(fault.retry_after_s) from None
        code = answer.get("respCode", "")
        if code == NO_SUCH:
            return None
        if code != SUCCESS:
            raise self._unavailable("not_told", code)
        if answer.get("orderId") != number:
            raise self._unavailable("another_number", code)
        return answer

    async def _change(self, fields: Mapping[str, str]) -> dict[str, str]:
        try:
            answer = await self._gateway.ask(BACK, fields)
        except NeverSent as fault:
            raise ChannelUnavailable(fault.retry_after_s) from None
        except PlatformUnavailable as fault:
            raise OutcomeUnknown(fault.retry_after_s) from None
        if answer.get("orderId", fields["orderId"]) != fields["orderId"]:
            raise OutcomeUnknown(SOON_S)
        return answer

    def _fen(self, answer: Mapping[str, str]) -> int | None:
        try:
            return fen_in(answer["txnAmt"]) if "txnAmt" in answer else None
        except ValueError:
            raise self._unavailable("unexpected_content", "") from None

    def _unavailable(self, why: str, code: str) -> ChannelUnavailable:
        return ChannelUnavailable(self._gateway.unavailable(why, code).retry_after_s)


def _plain(text: str) -> str:
    """Return a text without what would end a field or open a bracket."""
    return "".join(" " if c in "&=[]{}" or not c.isprintable() else c for c in text)
