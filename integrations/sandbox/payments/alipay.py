"""Alipay's trades as the sandbox plays them, at the gateway that also signs people in."""

import hashlib
import io
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from sanic import HTTPResponse, Request, raw

from integrations.sandbox.alipay import Alipay
from integrations.sandbox.alipay_wire import Asked, Said, answer_name, failure, rsa2
from integrations.sandbox.endpoints import App, Endpoints
from integrations.sandbox.payments.alipay_bill import written
from integrations.sandbox.payments.book import Order, Refund
from integrations.sandbox.payments.clock import BEIJING, beijing
from integrations.sandbox.payments.courier import Callback
from integrations.sandbox.payments.strangers import stranger_key
from integrations.sandbox.payments.till import Tamper, Till
from integrations.sandbox.replies import problem
from integrations.sandbox.settings import SandboxSettings
from integrations.yuan import fen_of, yuan_of

T = TypeVar("T")

CREATE: Final = "alipay.trade.create"
QUERY: Final = "alipay.trade.query"
CLOSE: Final = "alipay.trade.close"
REFUND: Final = "alipay.trade.refund"
QUERY_REFUND: Final = "alipay.trade.fastpay.refund.query"
BILL: Final = "alipay.data.dataservice.bill.downloadurl.query"

_BILL_PATH: Final = "/downloadBillFile.resource"
_BILL_LIFE_S: Final = 30.0
_MOST_FEN: Final = 10_000_000_000
_DAY_S: Final = 86_400.0
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
_STATES: Final = {"unpaid": "WAIT_BUYER_PAY", "paid": "TRADE_SUCCESS", "closed": "TRADE_CLOSED"}


class _Create(Struct):
    out_trade_no: str
    total_amount: str
    subject: str
    product_code: str
    op_app_id: str
    seller_id: str | None = None
    time_expire: str | None = None
    buyer_id: str | None = None
    buyer_open_id: str | None = None


class _Named(Struct):
    out_trade_no: str | None = None
    trade_no: str | None = None


class _Refund(_Named):
    refund_amount: str = ""
    out_request_no: str = ""
    refund_reason: str | None = None


class _QueryRefund(_Named):
    out_request_no: str = ""


class _Bill(Struct):
    bill_type: str
    bill_date: str


class AlipayTrades:
    """One seller's trades with Alipay."""

    name = "alipay"
    tampers: frozenset[Tamper] = frozenset(
        {
            *("amount", "appid", "merchant", "currency", "signature"),
            *("stale", "future", "body", "key"),
        }
    )

    def __init__(
        self,
        settings: SandboxSettings,
        alipay: Alipay,
        till: Till,
        real_time: Callable[[], float] = time.time,
    ) -> None:
        self._app_id = settings.alipay_app_id
        self._seller_id = settings.alipay_seller_id
        self._alipay = alipay
        self._till = till
        self._real_time = real_time
        self._bills: dict[str, tuple[date, float]] = {}

    def open(self, app: App, endpoints: Endpoints) -> None:
        """Teach the gateway the methods of trades, and lay out bills to fetch."""
        for method, handle in (
            (CREATE, self._create),
            (QUERY, self._query),
            (CLOSE, self._close),
            (REFUND, self._refund),
            (QUERY_REFUND, self._query_refund),
            (BILL, self._bill),
        ):
            self._alipay.answer(endpoints, method, handle)
        app.add_route(self.bill_file, _BILL_PATH, methods=["GET"], name="alipay_bill_file")

    def is_thanks(self, status: int, body: bytes) -> bool:
        """Tell whether it is the one word, and nothing else."""
        return status == 200 and body == b"success"

    async def paid(self, order: Order, tamper: Tamper | None) -> Callback:
        """Write the notice of a payment."""
        told = {
            "trade_status": "TRADE_SUCCESS",
            "gmt_payment": _text(order.paid_at or self._till.clock.now()),
            "receipt_amount": yuan_of(order.fen),
            "buyer_pay_amount": yuan_of(order.fen),
        }
        return await self._notice(order, f"paid {order.order_no}", told, tamper)

    async def refunded(self, refund: Refund, tamper: Tamper | None) -> Callback | None:
        """Write the notice of a trade that money went back of; of what did not go none is sent."""
        order = refund.order
        if refund.state != "done" and tamper is None:
            return None
        told = {
            "trade_status": _status(order),
            "gmt_payment": _text(order.paid_at or 0.0),
            "gmt_refund": _text(refund.done_at or self._till.clock.now()) + ".000",
            "out_biz_no": refund.refund_no,
            "refund_fee": yuan_of(sum(r.fen for r in order.refunds if r.state == "done")),
        }
        return await self._notice(order, f"refunded {refund.refund_no}", told, tamper)

    async def bill_file(self, request: Request) -> HTTPResponse:
        """Hand out a bill to who came with an address that is young enough."""
        day, until = self._bills.get(request.args.get("fileId", ""), (None, 0.0))
        if day is None or self._real_time() > until:
            return problem(404, "no_such_bill", "This address was valid for half a minute.")
        content = io.BytesIO()
        written(content, self._seller_id, day, self._till.bills.lines(self.name, day))
        return raw(content.getvalue(), content_type="application/zip")

    def _create(self, asked: Asked) -> Said:
        wanted = _decoded(_Create, asked)
        if isinstance(wanted, str):
            return failure(answer_name(CREATE), wanted)
        wrong = self._wrong_order(wanted)
        if wrong:
            return failure(answer_name(CREATE), wrong)
        order = self._till.book.order(self.name, wanted.out_trade_no)
        if order is None:
            order = self._placed(wanted, asked["notify_url"])
        elif order.state != "unpaid":
            paid = order.state == "paid"
            return failure(
                answer_name(CREATE), "ACQ.TRADE_HAS_SUCCESS" if paid else "ACQ.TRADE_HAS_CLOSE"
            )
        elif order.terms != wanted:
            return failure(answer_name(CREATE), "ACQ.CONTEXT_INCONSISTENT")
        return _success(CREATE, out_trade_no=order.order_no, trade_no=order.channel_no)

    def _wrong_order(self, wanted: _Create) -> str | None:
        buyer = wanted.buyer_open_id or wanted.buyer_id or ""
        if not buyer.startswith("2088" if wanted.buyer_id else "011"):
            return "ACQ.BUYER_NOT_EXIST"
        if not 0 < _fen(wanted.total_amount) <= _MOST_FEN:
            return "ACQ.TOTAL_FEE_EXCEED"
        right = (
            0 < len(wanted.out_trade_no) <= 64
            and 0 < len(wanted.subject) <= 256
            and wanted.product_code == "JSAPI_PAY"
            and wanted.op_app_id == self._app_id
            and wanted.seller_id in (None, self._seller_id)
            and (wanted.time_expire is None or _expiry(wanted.time_expire) is not None)
        )
        return None if right else "ACQ.INVALID_PARAMETER"

    def _placed(self, wanted: _Create, notify_url: str) -> Order:
        now = self._till.clock.now()
        order = Order(
            channel=self.name,
            order_no=wanted.out_trade_no,
            fen=_fen(wanted.total_amount),
            subject=wanted.subject,
            payer=wanted.buyer_open_id or wanted.buyer_id or "",
            notify_url=notify_url,
            placed_at=now,
            expires_at=_expiry(wanted.time_expire) or now + 15 * _DAY_S,
            channel_no=f"{beijing(now):%Y%m%d}2200149{secrets.randbelow(10**13):013d}",
            terms=wanted,
        )
        self._till.book.place(order)
        return order

    def _query(self, asked: Asked) -> Said:
        order = self._named(asked, _Named)
        if isinstance(order, str):
            return failure(answer_name(QUERY), order)
        paid = {} if order.paid_at is None else {"send_pay_date": _text(order.paid_at)}
        return _success(
            QUERY,
            out_trade_no=order.order_no,
            trade_no=order.channel_no,
            trade_status=_status(order),
            total_amount=yuan_of(order.fen),
            **_buyer(order, "buyer_user_id"),
            **paid,
        )

    def _close(self, asked: Asked) -> Said:
        order = self._named(asked, _Named)
        if isinstance(order, str):
            return failure(answer_name(CLOSE), order)
        if order.state != "unpaid":
            return failure(answer_name(CLOSE), "ACQ.TRADE_STATUS_ERROR")
        order.state = "closed"
        return _success(CLOSE, out_trade_no=order.order_no, trade_no=order.channel_no)

    def _refund(self, asked: Asked) -> Said:
        order = self._named(asked, _Refund)
        wanted = _decoded(_Refund, asked)
        if isinstance(order, str) or isinstance(wanted, str):
            return failure(answer_name(REFUND), str(order))
        number, fen = wanted.out_request_no or order.order_no, _fen(wanted.refund_amount)
        before = self._till.book.refund(self.name, number)
        wrong = _wrong_refund(order, before, fen)
        if wrong:
            return failure(answer_name(REFUND), wrong)
        refund = before or self._till.book.ask_refund(order, number, fen, order.notify_url)
        if before is None:
            self._till.refund_asked(refund)
        moved = before is None and refund.state == "done"
        return _success(
            REFUND,
            out_trade_no=order.order_no,
            trade_no=order.channel_no,
            fund_change="Y" if moved else "N",
            refund_fee=yuan_of(sum(r.fen for r in order.refunds if r.state == "done")),
            **({"gmt_refund_pay": _text(refund.done_at)} if refund.done_at else {}),
        )

    def _query_refund(self, asked: Asked) -> Said:
        order = self._named(asked, _QueryRefund)
        wanted = _decoded(_QueryRefund, asked)
        if isinstance(order, str) or isinstance(wanted, str):
            return failure(answer_name(QUERY_REFUND), str(order))
        refund = self._till.book.refund(self.name, wanted.out_request_no)
        names = {"out_trade_no": order.order_no, "trade_no": order.channel_no}
        if refund is None or refund.state != "done" or refund.order is not order:
            return _success(QUERY_REFUND, **names)
        return _success(
            QUERY_REFUND,
            **names,
            out_request_no=refund.refund_no,
            refund_status="REFUND_SUCCESS",
            refund_amount=yuan_of(refund.fen),
            total_amount=yuan_of(order.fen),
            gmt_refund_pay=_text(refund.done_at or 0.0),
        )

    def _bill(self, asked: Asked) -> Said:
        wanted = _decoded(_Bill, asked)
        if isinstance(wanted, str):
            return failure(answer_name(BILL), wanted)
        try:
            day = date.fromisoformat(wanted.bill_date)
        except ValueError:
            return failure(answer_name(BILL), "isv.invalid-parameter")
        is_over = day < beijing(self._till.clock.now()).date()
        if not is_over or next(self._till.bills.lines(self.name, day), None) is None:
            return failure(answer_name(BILL), "isp.bill_not_exist")
        now = self._real_time()
        self._bills = {k: v for k, v in self._bills.items() if v[1] > now}
        token = secrets.token_urlsafe(24)
        self._bills[token] = (day, now + _BILL_LIFE_S)
        return _success(BILL, bill_download_url=f"{asked.base}{_BILL_PATH}?fileId={token}")

    def _named(self, asked: Asked, shape: type[_Named]) -> Order | str:
        """Return the order that a question names, or the sub_code that says why not."""
        wanted = _decoded(shape, asked)
        if isinstance(wanted, str):
            return wanted
        book = self._till.book
        if wanted.trade_no:
            found = book.order_by_channel_no(self.name, wanted.trade_no)
        else:
            found = book.order(self.name, wanted.out_trade_no or "")
        return found or "ACQ.TRADE_NOT_EXIST"

    async def _notice(
        self, order: Order, event: str, told: Mapping[str, str], tamper: Tamper | None
    ) -> Callback:
        keys = await self._alipay.ring.ready()
        late = {"stale": -3 * _DAY_S, "future": _DAY_S}.get(tamper or "", 0.0)
        fields = {
            "notify_type": "trade_status_sync",
            # One event keeps its id, however often it is told.
            "notify_id": hashlib.sha256(event.encode()).hexdigest()[:34],
            "notify_time": _text(self._real_time() + late),
            "charset": "utf-8",
            "version": "1.0",
            "app_id": "2021009999999999" if tamper == "appid" else self._app_id,
            "auth_app_id": self._app_id,
            "seller_id": "2088999999999999" if tamper == "merchant" else self._seller_id,
            "out_trade_no": order.order_no,
            "trade_no": order.channel_no,
            "subject": order.subject,
            "total_amount": yuan_of(order.fen + (tamper == "amount")),
            "gmt_create": _text(order.placed_at),
            "fund_bill_list": f'[{{"amount":"{yuan_of(order.fen)}","fundChannel":"PCREDIT"}}]',
            **_buyer(order, "buyer_id"),
            **({"trans_currency": "USD"} if tamper == "currency" else {}),
            **told,
        }
        text = "&".join(f"{k}={v}" for k, v in sorted(fields.items()) if v)
        key = await stranger_key() if tamper == "key" else keys.alipay
        sign = rsa2(text.encode() + (b" " if tamper == "signature" else b""), key)
        if tamper == "body":
            fields["subject"] += "。"
        body = urlencode({**fields, "sign_type": "RSA2", "sign": sign}).encode()
        return Callback(order.notify_url, _FORM, body)


def _wrong_refund(order: Order, before: Refund | None, fen: int) -> str | None:
    if before is not None:
        same = before.fen == fen and before.order is order
        return None if same else "ACQ.DISCORDANT_REPEAT_REQUEST"
    if order.paid_at is None:
        return "ACQ.TRADE_STATUS_ERROR"
    if not 0 < fen <= order.fen - order.refunded_fen:
        return "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
    return None


def _status(order: Order) -> str:
    """Return a trade's state in Alipay's words: what wholly went back is closed."""
    back = sum(refund.fen for refund in order.refunds if refund.state == "done")
    return "TRADE_CLOSED" if order.state == "paid" and back == order.fen else _STATES[order.state]


def _buyer(order: Order, user_id: str) -> dict[str, str]:
    return {user_id if order.payer.startswith("2088") else "buyer_open_id": order.payer}


def _text(moment: float) -> str:
    return f"{beijing(moment):%Y-%m-%d %H:%M:%S}"


def _fen(yuan: str) -> int:
    try:
        return fen_of(yuan)
    except ValueError:
        return -1


def _expiry(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text or "").replace(tzinfo=BEIJING).timestamp()
    except ValueError:
        return None


def _success(method: str, **facts: str) -> Said:
    return Said(answer_name(method), {"code": "10000", "msg": "Success", **facts})


def _decoded(shape: type[T], asked: Asked) -> T | str:
    """Return the biz_content, or the sub_code that says why not."""
    try:
        return msgspec.json.decode(asked["biz_content"], type=shape)
    except msgspec.ValidationError:
        return "ACQ.INVALID_PARAMETER"
    except _UNREADABLE:
        return "isv.illegal-json"
