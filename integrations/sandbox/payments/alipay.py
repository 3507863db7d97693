"""Alipay's trades as the sandbox plays them, at the gateway that also signs people in."""

import io
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from sanic import HTTPResponse, Request, raw

from integrations.sandbox.alipay import Alipay
from integrations.sandbox.alipay_wire import Asked, Said, answer_name, failure
from integrations.sandbox.endpoints import App, Endpoints
from integrations.sandbox.payments.alipay_bill import written
from integrations.sandbox.payments.alipay_notice import notice
from integrations.sandbox.payments.alipay_questions import (
    BillOf,
    Create,
    Named,
    QueryReturn,
    Return,
    buyer,
    decoded,
    expiry,
    fen_asked,
    status,
    success,
    text,
    wrong_refund,
)
from integrations.sandbox.payments.book import Order, Refund
from integrations.sandbox.payments.clock import beijing
from integrations.sandbox.payments.courier import Callback
from integrations.sandbox.payments.till import Tamper, Till
from integrations.sandbox.replies import problem
from integrations.sandbox.settings import SandboxSettings
from integrations.yuan import yuan_of

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
            "gmt_payment": text(order.paid_at or self._till.clock.now()),
            "receipt_amount": yuan_of(order.fen),
            "buyer_pay_amount": yuan_of(order.fen),
        }
        return await self._told(order, f"paid {order.order_no}", told, tamper)

    async def refunded(self, refund: Refund, tamper: Tamper | None) -> Callback | None:
        """Write the notice of a trade that money went back of; of what did not go none is sent."""
        order = refund.order
        if refund.state != "done" and tamper is None:
            return None
        told = {
            "trade_status": status(order),
            "gmt_payment": text(order.paid_at or 0.0),
            "gmt_refund": text(refund.done_at or self._till.clock.now()) + ".000",
            "out_biz_no": refund.refund_no,
            "refund_fee": yuan_of(sum(r.fen for r in order.refunds if r.state == "done")),
        }
        return await self._told(order, f"refunded {refund.refund_no}", told, tamper)

    async def bill_file(self, request: Request) -> HTTPResponse:
        """Hand out a bill to who came with an address that is young enough."""
        day, until = self._bills.get(request.args.get("fileId", ""), (None, 0.0))
        if day is None or self._real_time() > until:
            return problem(404, "no_such_bill", "This address was valid for half a minute.")
        content = io.BytesIO()
        written(content, self._seller_id, day, self._till.bills.lines(self.name, day))
        return raw(content.getvalue(), content_type="application/zip")

    def _create(self, asked: Asked) -> Said:
        wanted = decoded(Create, asked)
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
        return success(CREATE, out_trade_no=order.order_no, trade_no=order.channel_no)

    def _wrong_order(self, wanted: Create) -> str | None:
        buyer = wanted.buyer_open_id or wanted.buyer_id or ""
        if not buyer.startswith("2088" if wanted.buyer_id else "011"):
            return "ACQ.BUYER_NOT_EXIST"
        if not 0 < fen_asked(wanted.total_amount) <= _MOST_FEN:
            return "ACQ.TOTAL_FEE_EXCEED"
        right = (
            0 < len(wanted.out_trade_no) <= 64
            and 0 < len(wanted.subject) <= 256
            and wanted.product_code == "JSAPI_PAY"
            and wanted.op_app_id == self._app_id
            and wanted.seller_id in (None, self._seller_id)
            and (wanted.time_expire is None or expiry(wanted.time_expire) is not None)
        )
        return None if right else "ACQ.INVALID_PARAMETER"

    def _placed(self, wanted: Create, notify_url: str) -> Order:
        now = self._till.clock.now()
        order = Order(
            channel=self.name,
            order_no=wanted.out_trade_no,
            fen=fen_asked(wanted.total_amount),
            subject=wanted.subject,
            payer=wanted.buyer_open_id or wanted.buyer_id or "",
            notify_url=notify_url,
            placed_at=now,
            expires_at=expiry(wanted.time_expire) or now + 15 * _DAY_S,
            channel_no=f"{beijing(now):%Y%m%d}2200149{secrets.randbelow(10**13):013d}",
            terms=wanted,
        )
        self._till.book.place(order)
        return order

    def _query(self, asked: Asked) -> Said:
        order = self._named(asked, Named)
        if isinstance(order, str):
            return failure(answer_name(QUERY), order)
        paid = {} if order.paid_at is None else {"send_pay_date": text(order.paid_at)}
        return success(
            QUERY,
            out_trade_no=order.order_no,
            trade_no=order.channel_no,
            trade_status=status(order),
            total_amount=yuan_of(order.fen),
            **buyer(order, "buyer_user_id"),
            **paid,
        )

    def _close(self, asked: Asked) -> Said:
        order = self._named(asked, Named)
        if isinstance(order, str):
            return failure(answer_name(CLOSE), order)
        if order.state != "unpaid":
            return failure(answer_name(CLOSE), "ACQ.TRADE_STATUS_ERROR")
        order.state = "closed"
        return success(CLOSE, out_trade_no=order.order_no, trade_no=order.channel_no)

    def _refund(self, asked: Asked) -> Said:
        order = self._named(asked, Return)
        wanted = decoded(Return, asked)
        if isinstance(order, str) or isinstance(wanted, str):
            return failure(answer_name(REFUND), str(order))
        number, fen = wanted.out_request_no or order.order_no, fen_asked(wanted.refund_amount)
        before = self._till.book.refund(self.name, number)
        wrong = wrong_refund(order, before, fen)
        if wrong:
            return failure(answer_name(REFUND), wrong)
        refund = before or self._till.book.ask_refund(order, number, fen, order.notify_url)
        if before is None:
            self._till.refund_asked(refund)
        moved = before is None and refund.state == "done"
        return success(
            REFUND,
            out_trade_no=order.order_no,
            trade_no=order.channel_no,
            fund_change="Y" if moved else "N",
            refund_fee=yuan_of(sum(r.fen for r in order.refunds if r.state == "done")),
            **({"gmt_refund_pay": text(refund.done_at)} if refund.done_at else {}),
        )

    def _query_refund(self, asked: Asked) -> Said:
        order = self._named(asked, QueryReturn)
        wanted = decoded(QueryReturn, asked)
        if isinstance(order, str) or isinstance(wanted, str):
            return failure(answer_name(QUERY_REFUND), str(order))
        refund = self._till.book.refund(self.name, wanted.out_request_no)
        names = {"out_trade_no": order.order_no, "trade_no": order.channel_no}
        if refund is None or refund.state != "done" or refund.order is not order:
            return success(QUERY_REFUND, **names)
        return success(
            QUERY_REFUND,
            **names,
            out_request_no=refund.refund_no,
            refund_status="REFUND_SUCCESS",
            refund_amount=yuan_of(refund.fen),
            total_amount=yuan_of(order.fen),
            gmt_refund_pay=text(refund.done_at or 0.0),
        )

    def _bill(self, asked: Asked) -> Said:
        wanted = decoded(BillOf, asked)
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
        return success(BILL, bill_download_url=f"{asked.base}{_BILL_PATH}?fileId={token}")

    def _named(self, asked: Asked, shape: type[Named]) -> Order | str:
        """Return the order that a question names, or the sub_code that says why not."""
        wanted = decoded(shape, asked)
        if isinstance(wanted, str):
            return wanted
        book = self._till.book
        if wanted.trade_no:
            found = book.order_by_channel_no(self.name, wanted.trade_no)
        else:
            found = book.order(self.name, wanted.out_trade_no or "")
        return found or "ACQ.TRADE_NOT_EXIST"

    async def _told(
        self, order: Order, event: str, told: Mapping[str, str], tamper: Tamper | None
    ) -> Callback:
        keys, whose = await self._alipay.ring.ready(), (self._app_id, self._seller_id)
        now = self._real_time()
        return await notice(keys, whose, order, event, told, tamper=tamper, now=now)
