"""WeChat Pay behind our port: orders paid from the mini-program (JSAPI), refunds, callbacks."""

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta, timezone
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx
from msgspec import Struct
from msgspec.json import Decoder

from integrations.asking import LATER_S
from integrations.ports import PlatformUnavailable
from integrations.ports_bill import BillLine, DayBill, FundLine
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
from integrations.wechat.pay.bill_files import BillDesk
from integrations.wechat.pay.bills import read_funds as funds_in
from integrations.wechat.pay.bills import read_trades as trades_in
from integrations.wechat.pay.callbacks import Callbacks
from integrations.wechat.pay.credentials import WeChatPayCredentials
from integrations.wechat.pay.exchange import Exchange
from integrations.wechat.pay.questions import NO_SUCH, Questions
from integrations.wechat.pay.shapes import (
    CHANNEL,
    NoSense,
    RefundTold,
    Transaction,
    order_of,
    refund_of,
)
from integrations.wechat.pay.signing import pay_text, sign
from integrations.wechat.pay.trust import Trust

_PREPAY: Final = "/v3/pay/transactions/jsapi"
_ORDER: Final = "/v3/pay/transactions/out-trade-no"
_REFUNDS: Final = "/v3/refund/domestic/refunds"
_BEIJING: Final = timezone(timedelta(hours=8))
_LONGEST_SUBJECT: Final = 127
_LONGEST_REASON: Final = 80
_ODD: Final = re.compile(r"[\x00-\x1f\x7f`]+")

# How an order stands that could not be closed.
_UNCLOSED: Final[dict[str, OrderState]] = {
    "ORDERPAID": "paid",
    "ORDERCLOSED": "closed",
    "ORDERNOTEXIST": "absent",
    "RESOURCENOTEXISTS": "absent",
}
_THANKS: Final = CallbackReply(204)
_FAIL: Final = b'{"code":"FAIL","message":"%b"}'
_JSON: Final = "application/json"


class _PrepayTold(Struct):
    prepay_id: str


_prepay_told = Decoder(_PrepayTold)
_transaction = Decoder(Transaction)
_refund_told = Decoder(RefundTold)


class WeChatPay:
    """One merchant account and mini-program; a `PaymentChannel` and a `FundsChannel`.

    `clock` is Unix seconds of real time, which signatures are dated with.
    """

    name: Final = CHANNEL

    def __init__(
        self,
        http: httpx.AsyncClient,
        hosts: Sequence[str],
        credentials: WeChatPayCredentials,
        *,
        budget_s: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        trust = Trust(credentials.public_keys)
        self._ours = credentials
        self._exchange = Exchange(http, hosts, credentials, trust, budget_s=budget_s, clock=clock)
        self._ask = Questions(self._exchange)
        self._callbacks = Callbacks(credentials, trust, clock)
        self._bills = BillDesk(http, self._exchange, self._ask)
        self._clock = clock

    async def create(self, order: NewOrder) -> Prepared:
        """Place an order; asked again for the same one, WeChat answers with a prepay id again."""
        if not order.payer:
            raise ChannelRefused("payer_unknown")
        body = {
            "appid": self._ours.app_id,
            "mchid": self._ours.mch_id,
            "description": _plain(order.subject)[:_LONGEST_SUBJECT] or "缴费",
            "out_trade_no": order.order_no,
            "time_expire": order.expires_at.astimezone(_BEIJING).isoformat(timespec="seconds"),
            "notify_url": order.notify_url,
            "amount": {"total": order.amount_fen, "currency": "CNY"},
            "payer": {"openid": order.payer},
        }
        told = self._ask.done(_prepay_told, await self._ask.change(_PREPAY, body))
        return Prepared(self._for_the_phone(told.prepay_id))

    async def query(self, order: OrderRef) -> ChannelOrder:
        """Return what WeChat Pay knows of an order."""
        target = f"{_ORDER}/{quote(order.order_no, safe='')}?mchid={self._ours.mch_id}"
        answer = await self._ask.look(target)
        if answer.code in NO_SUCH:
            return ChannelOrder(order_no=order.order_no, state="absent")
        told = self._ask.seen(_transaction, answer)
        ours = (self._ours.mch_id, self._ours.app_id, order.order_no)
        if (told.mchid, told.appid, told.out_trade_no) != ours:
            raise self._ask.strange("another_order")
        if told.amount is not None and told.amount.currency != "CNY":
            raise self._ask.strange("foreign_currency")
        try:
            return order_of(told)
        except NoSense:
            raise self._ask.strange("no_sense") from None

    async def close(self, order: OrderRef) -> OrderState:
        """Close an order, unless it is paid; never `unpaid`."""
        target = f"{_ORDER}/{quote(order.order_no, safe='')}/close"
        answer = await self._ask.change(target, {"mchid": self._ours.mch_id})
        if not (answer.is_success or answer.code in _UNCLOSED):
            self._ask.refuse(answer)
        return _UNCLOSED.get(answer.code, "closed")

    async def refund(self, refund: NewRefund) -> ChannelRefund:
        """Ask for money to go back; the answer means accepted, and rarely more."""
        body = {
            "out_trade_no": refund.ref.order.order_no,
            "out_refund_no": refund.ref.refund_no,
            "reason": _plain(refund.reason)[:_LONGEST_REASON] or "退款",
            "notify_url": refund.notify_url,
            "amount": {
                "refund": refund.refund_fen,
                "total": refund.order_fen,
                "currency": "CNY",
            },
        }
        told = self._ask.done(_refund_told, await self._ask.change(_REFUNDS, body))
        try:
            return self._refund(told, refund.ref)
        except NoSense:
            raise OutcomeUnknown(LATER_S) from None

    async def query_refund(self, refund: RefundRef) -> ChannelRefund:
        """Return what WeChat Pay knows of a refund."""
        answer = await self._ask.look(f"{_REFUNDS}/{quote(refund.refund_no, safe='')}")
        if answer.code in NO_SUCH:
            return ChannelRefund(refund_no=refund.refund_no, state="absent")
        try:
            return self._refund(self._ask.seen(_refund_told, answer), refund)
        except NoSense:
            raise self._ask.strange("no_sense") from None

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> ChannelNews:
        """Read a callback, of either address, or raise NotGenuine."""
        return self._callbacks.read(headers, body)

    def thanks(self) -> CallbackReply:
        """204 without a body."""
        return _THANKS

    def refusal(self, fault: NotGenuine) -> CallbackReply:
        """401 for a signature that does not count, 400 for the rest; the reason is ours alone."""
        status = 400 if fault.reason in ("malformed", "too_big") else 401
        return CallbackReply(status, _FAIL % fault.reason.encode(), _JSON)

    def not_now(self) -> CallbackReply:
        """503: WeChat Pay comes again."""
        return CallbackReply(503, _FAIL % b"later", _JSON)

    async def refresh_keys(self) -> None:
        """Fetch WeChat Pay's certificates."""
        try:
            await self._exchange.refresh()
        except PlatformUnavailable as fault:
            raise ChannelUnavailable(fault.retry_after_s) from None

    async def fetch_bill(self, day: date, folder: Path) -> DayBill | None:
        """Download the trade bill, which is made after ten the next morning."""
        return await self._bills.fetch_trades(day, folder)

    def read_bill(self, bill: DayBill) -> Iterator[BillLine]:
        """Read the trade bill's lines and compare its totals."""
        return trades_in(bill)

    async def fetch_funds(self, day: date, folder: Path) -> DayBill | None:
        """Download the fund-flow bill of our basic account."""
        return await self._bills.fetch_funds(day, folder)

    def read_funds(self, bill: DayBill) -> Iterator[FundLine]:
        """Read the fund-flow bill's lines and compare its totals."""
        return funds_in(bill)

    def _for_the_phone(self, prepay_id: str) -> dict[str, str]:
        timestamp, nonce = str(int(self._clock())), secrets.token_hex(16)
        package = f"prepay_id={prepay_id}"
        text = pay_text(self._ours.app_id, timestamp, nonce, package)
        return {
            "timeStamp": timestamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": sign(text, self._ours.private_key),
        }

    def _refund(self, told: RefundTold, asked: RefundRef) -> ChannelRefund:
        """Put a refund into our words; raises NoSense, also where it is another one."""
        if told.out_refund_no != asked.refund_no or told.amount.currency != "CNY":
            raise NoSense
        return refund_of(told)


def _plain(text: str) -> str:
    """Leave out what would break a line or a cell of WeChat's bills."""
    return _ODD.sub(" ", text).strip()
