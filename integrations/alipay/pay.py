"""Paying with Alipay inside its mini-program: orders, refunds and bills.

The contract is that of `alipay.trade.*` and `alipay.data.dataservice.bill.downloadurl.query`.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import httpx
import structlog

from integrations.alipay.bill import AlipayBills, read_bill
from integrations.alipay.client import (
    BEIJING,
    BUSY,
    OUR_FAULT,
    SUCCESS,
    TOO_OFTEN,
    AlipayGateway,
    Answer,
    harmless,
    real_time,
)
from integrations.alipay.credentials import AlipayCredentials
from integrations.alipay.notices import AlipayNotices
from integrations.alipay.pay_answers import (
    REFUSALS,
    UNKNOWN,
    Created,
    Refunded,
    RefundFound,
    Trade,
    moment,
)
from integrations.asking import AFTER_REPAIR_S, LATER_S, SOON_S, NeverSent
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
from integrations.yuan import fen_of, yuan_of

log = structlog.get_logger()

T = TypeVar("T")

_CREATE: Final = "alipay.trade.create"
_QUERY: Final = "alipay.trade.query"
_CLOSE: Final = "alipay.trade.close"
_REFUND: Final = "alipay.trade.refund"
_QUERY_REFUND: Final = "alipay.trade.fastpay.refund.query"

_PROCESSING: Final = "10003"
_MOST_SUBJECT: Final = 128
_MOST_REASON: Final = 128


class AlipayPay:
    """Takes money through Alipay for one seller account.

    `now` is real time, by which notices are dated; `city_now` is the clock of payments and bills.
    """

    name = "alipay"

    def __init__(
        self,
        http: httpx.AsyncClient,
        gateway: AlipayGateway,
        credentials: AlipayCredentials,
        seller_id: str,
        *,
        now: Callable[[], datetime] = real_time,
        city_now: Callable[[], datetime] = real_time,
    ) -> None:
        self._gateway = gateway
        self._seller_id = seller_id
        self._notices = AlipayNotices(credentials, seller_id, now)
        self._bills = AlipayBills(http, gateway, city_now)

    async def create(self, order: NewOrder) -> Prepared:
        """Place an order for `my.tradePay`, which its buyer alone can pay."""
        payer = order.payer or ""
        biz = {
            "out_trade_no": order.order_no,
            "total_amount": yuan_of(order.amount_fen),
            "subject": _plain(order.subject)[:_MOST_SUBJECT],
            "product_code": "JSAPI_PAY",
            "op_app_id": self._gateway.app_id,
            "seller_id": self._seller_id,
            "time_expire": order.expires_at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S"),
            # Apps from before the open_id know people by their user_id.
            "buyer_id" if _is_user_id(payer) else "buyer_open_id": payer,
        }
        answer = await self._change(_CREATE, biz, notify_url=order.notify_url)
        created = self._read(_CREATE, answer, Created, changes=True)
        self._same(_CREATE, created.out_trade_no, order.order_no, changes=True)
        return Prepared({"tradeNO": created.trade_no}, created.trade_no)

    async def query(self, order: OrderRef) -> ChannelOrder:
        """Return what Alipay knows of an order."""
        answer = await self._ask(_QUERY, {"out_trade_no": order.order_no})
        if _sub_code(answer) == "TRADE_NOT_EXIST":
            return ChannelOrder(order_no=order.order_no, state="absent")
        self._require_success(_QUERY, answer)
        told = self._read(_QUERY, answer, Trade).told()
        if told is None:
            raise self._unavailable(_QUERY, "unexpected_content")
        self._same(_QUERY, told.order_no, order.order_no)
        return told

    async def close(self, order: OrderRef) -> OrderState:
        """Close an order that waits for its buyer; what it is already stays as it is."""
        try:
            await self._change(_CLOSE, {"out_trade_no": order.order_no})
        except ChannelRefused as refused:
            if refused.reason == "order_unknown":
                return "absent"
            return (await self.query(order)).state
        return "closed"

    async def refund(self, refund: NewRefund) -> ChannelRefund:
        """Ask for money to go back; the same number again moves nothing twice."""
        ref = refund.ref
        biz = {
            "out_trade_no": ref.order.order_no,
            "out_request_no": ref.refund_no,
            "refund_amount": yuan_of(refund.refund_fen),
            "refund_reason": _plain(refund.reason)[:_MOST_REASON],
        }
        answer = await self._change(_REFUND, biz)
        told = self._read(_REFUND, answer, Refunded, changes=True)
        self._same(_REFUND, told.out_trade_no, ref.order.order_no, changes=True)
        moved = told.fund_change == "Y"
        return ChannelRefund(
            refund_no=ref.refund_no,
            # N: this request moved nothing, since an earlier one did or none has yet.
            state="done" if moved else "pending",
            order_no=ref.order.order_no,
            refund_fen=refund.refund_fen if moved else None,
            done_at=moment(told.gmt_refund_pay),
        )

    async def query_refund(self, refund: RefundRef) -> ChannelRefund:
        """Return what Alipay knows of a refund; to it, one not yet done is one never asked for."""
        biz = {
            "out_trade_no": refund.order.order_no,
            "out_request_no": refund.refund_no,
            "query_options": ["gmt_refund_pay"],
        }
        answer = await self._ask(_QUERY_REFUND, biz)
        if _sub_code(answer) == "TRADE_NOT_EXIST":
            return ChannelRefund(refund_no=refund.refund_no, state="absent")
        self._require_success(_QUERY_REFUND, answer)
        found = self._read(_QUERY_REFUND, answer, RefundFound)
        if found.refund_status != "REFUND_SUCCESS":
            return ChannelRefund(refund_no=refund.refund_no, state="absent")
        self._same(_QUERY_REFUND, found.out_request_no, refund.refund_no)
        try:
            fen = fen_of(found.refund_amount or "")
        except ValueError:
            raise self._unavailable(_QUERY_REFUND, "unexpected_content") from None
        return ChannelRefund(
            refund_no=refund.refund_no,
            state="done",
            order_no=refund.order.order_no,
            refund_fen=fen,
            done_at=moment(found.gmt_refund_pay),
        )

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> ChannelNews:
        """Read a notice; all that is signed of it stands in its body."""
        return self._notices.read(body)

    def thanks(self) -> CallbackReply:
        """Return exactly what ends the repeating."""
        return CallbackReply(200, b"success")

    def refusal(self, fault: NotGenuine) -> CallbackReply:
        """Return what Alipay, if it was Alipay, takes for a failure."""
        statuses = {"too_big": 413, "wrong_signature": 401, "unknown_key": 401, "stale": 401}
        return CallbackReply(statuses.get(fault.reason, 400), b"fail")

    def not_now(self) -> CallbackReply:
        """Return what makes Alipay come again."""
        return CallbackReply(503, b"fail")

    async def refresh_keys(self) -> None:
        """Do nothing: Alipay's keys are set, and changed by whoever sets them."""

    async def fetch_bill(self, day: date, folder: Path) -> DayBill | None:
        """Download a day's trade bill, a ZIP of tables."""
        return await self._bills.fetch(day, folder)

    def read_bill(self, bill: DayBill) -> Iterator[BillLine]:
        """Read its payments and refunds, one at a time."""
        return read_bill(bill)

    async def _ask(self, method: str, biz: object) -> Answer:
        try:
            return await self._gateway.exchange(method, biz_content=biz)
        except PlatformUnavailable as fault:
            raise ChannelUnavailable(fault.retry_after_s) from None

    async def _change(self, method: str, biz: object, *, notify_url: str | None = None) -> Answer:
        """Ask for something to happen, and return only when it did."""
        params = {"notify_url": notify_url} if notify_url else None
        try:
            answer = await self._gateway.exchange(method, params=params, biz_content=biz)
        except NeverSent as fault:
            raise ChannelUnavailable(fault.retry_after_s) from None
        except PlatformUnavailable as fault:
            raise OutcomeUnknown(fault.retry_after_s) from None
        if answer.code != SUCCESS:
            self._refuse(method, answer)
        return answer

    def _refuse(self, method: str, answer: Answer) -> NoReturn:
        sub_code = _sub_code(answer)
        if answer.code in (BUSY, _PROCESSING) or sub_code in UNKNOWN:
            self._log("alipay_outcome_unknown", method, answer)
            raise OutcomeUnknown(SOON_S)
        if answer.code in OUR_FAULT or answer.code == TOO_OFTEN:
            self._require_success(method, answer)
        self._log("alipay_refused", method, answer)
        raise ChannelRefused(REFUSALS.get(sub_code, "request_invalid"), harmless(sub_code))

    def _require_success(self, method: str, answer: Answer) -> None:
        if answer.code == SUCCESS:
            return
        if answer.code in OUR_FAULT:
            self._log("alipay_misconfigured", method, answer)
            raise ChannelUnavailable(AFTER_REPAIR_S)
        self._log("alipay_unavailable", method, answer)
        raise ChannelUnavailable(LATER_S)

    def _read(self, method: str, answer: Answer, shape: type[T], *, changes: bool = False) -> T:
        found = answer.read(shape)
        if found is None:
            fault = self._unavailable(method, "unexpected_content")
            raise OutcomeUnknown(fault.retry_after_s) if changes else fault
        return found

    def _same(self, method: str, told: str | None, ours: str, *, changes: bool = False) -> None:
        if told != ours:
            fault = self._unavailable(method, "another_number")
            raise OutcomeUnknown(fault.retry_after_s) if changes else fault

    def _unavailable(self, method: str, why: str) -> ChannelUnavailable:
        return ChannelUnavailable(self._gateway.unavailable(method, why).retry_after_s)

    def _log(self, event: str, method: str, answer: Answer) -> None:
        codes = {"code": harmless(answer.code), "sub_code": harmless(answer.sub_code or "")}
        log.warning(event, method=method, app_id=self._gateway.app_id, **codes)


def _sub_code(answer: Answer) -> str:
    return (answer.sub_code or "").removeprefix("ACQ.")


def _is_user_id(payer: str) -> bool:
    return len(payer) == 16 and payer.isdecimal() and payer.startswith("2088")


def _plain(text: str) -> str:
    """Return a text without what Alipay refuses in one, and what would tear its bill's lines."""
    return "".join(" " if c in '/=&,"' or not c.isprintable() else c for c in text)
