"""UnionPay's gateway as the sandbox plays it: a page to pay at, questions, notices, files."""

import secrets
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from sanic import HTTPResponse, Request, html

from integrations.sandbox.endpoints import App, Endpoint, Endpoints
from integrations.sandbox.payments.book import Order, Refund
from integrations.sandbox.payments.clock import BEIJING, beijing
from integrations.sandbox.payments.courier import Callback
from integrations.sandbox.payments.strangers import stranger_key
from integrations.sandbox.payments.till import Tamper, Till
from integrations.sandbox.payments.unionpay_bill import file_content
from integrations.sandbox.payments.unionpay_keys import UnionPayKeyRing, certify_stranger
from integrations.sandbox.payments.unionpay_page import page
from integrations.sandbox.payments.unionpay_wire import (
    Answered,
    answer_to,
    read_question,
    signed,
    what_is_wrong,
)
from integrations.sandbox.settings import SandboxSettings

FRONT: Final = "unionpay.front"
BACK: Final = "unionpay.back"
QUERY: Final = "unionpay.query"
FILE: Final = "unionpay.file"

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_CODES: Final = {"unpaid": "05", "paid": "00", "closed": "01"}
_REFUND_CODES: Final = {"pending": "05", "done": "00", "failed": "01", "stuck": "05"}
_MOST_FEN: Final = 10**12


class UnionPay:
    """One merchant's UnionPay."""

    name = "unionpay"
    tampers: frozenset[Tamper] = frozenset(
        {"amount", "merchant", "currency", "signature", "body", "key"}
    )

    def __init__(self, settings: SandboxSettings, till: Till) -> None:
        self._merchant = settings.unionpay_merchant
        self._till = till
        folder = settings.unionpay_keys
        self._own = tempfile.TemporaryDirectory() if folder is None else None
        self.ring = UnionPayKeyRing(folder or Path(self._own.name if self._own else ""))

    def open(self, app: App, endpoints: Endpoints) -> None:
        """Put UnionPay's addresses on the app."""
        for name, path, handle in (
            (FRONT, "/gateway/api/frontTransReq.do", self._front),
            (BACK, "/gateway/api/backTransReq.do", self._back),
            (QUERY, "/gateway/api/queryTrans.do", self._query),
            (FILE, "/filedownload/", self._file),
        ):
            endpoint = Endpoint(name, "POST", path, self._checked(handle), _refuse, _signed_wrongly)
            sealed = self._sealed(endpoints.counted(endpoint))
            app.add_route(sealed, path, methods=["POST"], name=name.replace(".", "_"))

    def is_thanks(self, status: int, body: bytes) -> bool:
        """Tell whether it is a 200; UnionPay does not read what it says."""
        return status in (200, 302)

    async def paid(self, order: Order, tamper: Tamper | None) -> Callback:
        """Write the notice of a payment."""
        at = beijing(order.paid_at or self._till.clock.now())
        told = {
            "txnType": "01",
            "txnSubType": "01",
            "orderId": order.order_no,
            "txnTime": order.facts["txnTime"],
            "queryId": order.channel_no,
            "txnAmt": str(order.fen + (tamper == "amount")),
            "traceTime": f"{at:%m%d%H%M%S}",
            "settleDate": f"{at:%m%d}",
        }
        return await self._notice(order.notify_url, told, tamper)

    async def refunded(self, refund: Refund, tamper: Tamper | None) -> Callback | None:
        """Write the notice of a refund; UnionPay tells only of those that went through."""
        if refund.state != "done" and tamper is None:
            return None
        at = beijing(refund.done_at or self._till.clock.now())
        told = {
            "txnType": "04",
            "txnSubType": "00",
            "orderId": refund.refund_no,
            "txnTime": refund.facts["txnTime"],
            "queryId": refund.channel_no,
            "origQryId": refund.order.channel_no,
            "txnAmt": str(refund.fen + (tamper == "amount")),
            "traceTime": f"{at:%m%d%H%M%S}",
            "settleDate": f"{at:%m%d}",
        }
        return await self._notice(refund.notify_url, told, tamper)

    async def _front(self, asked: Mapping[str, str]) -> HTTPResponse:
        """Take an order and show the page to pay it at."""
        number, time = asked.get("orderId", ""), asked["txnTime"]
        order = self._till.book.order(self.name, number)
        if order is None:
            fen, expiry = _fen(asked), _moment(asked.get("payTimeout", ""))
            if not (8 <= len(number) <= 40 and number.isalnum() and _moment(time)):
                return answer_to(asked, "10")
            if not 0 < fen < _MOST_FEN:
                return answer_to(asked, "33")
            order = self._placed(asked, fen, expiry)
        elif order.terms != _terms(asked):
            return answer_to(asked, "12")
        if order.state != "unpaid":
            return answer_to(asked, "12" if order.state == "paid" else "35")
        return html(page(order, asked.get("frontUrl", "/")))

    def _placed(self, asked: Mapping[str, str], fen: int, expiry: float | None) -> Order:
        now = self._till.clock.now()
        if expiry is not None and expiry < now:
            expiry = now - 1
        order = Order(
            channel=self.name,
            order_no=asked["orderId"],
            fen=fen,
            subject=asked.get("orderDesc", ""),
            payer="",
            notify_url=asked.get("backUrl", ""),
            placed_at=now,
            expires_at=expiry,
            channel_no=_query_id(now),
            terms=_terms(asked),
            facts={"txnTime": asked["txnTime"]},
        )
        self._till.book.place(order)
        return self._till.book.order(self.name, order.order_no) or order

    async def _back(self, asked: Mapping[str, str]) -> HTTPResponse:
        """Take a refund."""
        if asked["txnType"] != "04":
            return answer_to(asked, "10")
        number, fen = asked.get("orderId", ""), _fen(asked)
        order = self._till.book.order_by_channel_no(self.name, asked.get("origQryId", ""))
        if self._till.book.refund(self.name, number) is not None:
            return answer_to(asked, "12")
        if order is None or order.paid_at is None:
            return answer_to(asked, "34" if order is None else "35")
        if not 0 < fen <= order.fen - order.refunded_fen:
            return answer_to(asked, "36")
        refund = self._till.book.ask_refund(order, number, fen, asked.get("backUrl", ""))
        refund.facts["txnTime"] = asked["txnTime"]
        refund.channel_no = _query_id(refund.asked_at)
        self._till.refund_asked(refund)
        return answer_to(asked, "00", queryId=refund.channel_no, txnAmt=str(fen))

    async def _query(self, asked: Mapping[str, str]) -> HTTPResponse:
        """Tell of one transaction by its number and time."""
        number, time = asked.get("orderId", ""), asked["txnTime"]
        order = self._till.book.order(self.name, number)
        refund = self._till.book.refund(self.name, number)
        if order is not None and order.facts["txnTime"] == time:
            said = answer_to(asked, "00", origRespCode=_CODES[order.state])
            return _about(said, "01", order.channel_no, order.fen, order.paid_at)
        if refund is not None and refund.facts["txnTime"] == time:
            said = answer_to(asked, "00", origRespCode=_REFUND_CODES[refund.state])
            return _about(said, "04", refund.channel_no, refund.fen, refund.done_at)
        return answer_to(asked, "34")

    async def _file(self, asked: Mapping[str, str]) -> HTTPResponse:
        """Hand out the settlement file of a day that is over."""
        today = beijing(self._till.clock.now()).date()
        day = _day(asked.get("settleDate", ""), today)
        lines = self._till.bills.lines
        if day is None or day >= today or next(lines(self.name, day), None) is None:
            return answer_to(asked, "98" if day else "10")
        name, content = file_content(self._merchant, day, lines(self.name, day))
        return answer_to(asked, "00", fileName=name, fileContent=content)

    def _checked(
        self, handle: Callable[[Mapping[str, str]], Awaitable[HTTPResponse]]
    ) -> Callable[[Request], Awaitable[HTTPResponse]]:
        async def checked(request: Request) -> HTTPResponse:
            asked = read_question(request) or {}
            wrong = what_is_wrong(asked, await self.ring.ready(), self._merchant)
            return answer_to(asked, wrong) if wrong else await handle(asked)

        return checked

    def _sealed(
        self, handle: Callable[[Request], Awaitable[HTTPResponse]]
    ) -> Callable[[Request], Coroutine[Any, Any, HTTPResponse]]:
        # Outside of the counting, so that answers of a fault are signed as well.
        async def sealed(request: Request) -> HTTPResponse:
            reply = await handle(request)
            return reply.sealed(await self.ring.ready()) if isinstance(reply, Answered) else reply

        return sealed

    async def _notice(self, url: str, told: dict[str, str], tamper: Tamper | None) -> Callback:
        keys = await self.ring.ready()
        fields = {
            "bizType": "000201",
            "accessType": "0",
            "merId": "777299999999999" if tamper == "merchant" else self._merchant,
            "currencyCode": "840" if tamper == "currency" else "156",
            "respCode": "00",
            "respMsg": "成功[0000000]",
            "accNo": "6217****0001+/=",
            "settleAmt": told["txnAmt"],
            "settleCurrencyCode": "156",
            **told,
        }
        if tamper == "key":
            key = await stranger_key()
            message = signed(fields, key, certify_stranger(key))
        else:
            message = signed(fields, keys.key, keys.certificate)
        if tamper == "signature":
            message["signature"] = signed(fields | {"x": "x"}, keys.key, keys.certificate)[
                "signature"
            ]
        if tamper == "body":
            message["respMsg"] += "。"
        return Callback(url, _FORM, urlencode(message).encode())


def _about(said: Answered, kind: str, query_id: str, fen: int, at: float | None) -> Answered:
    said.fields |= {
        "txnType": kind,
        "queryId": query_id,
        "txnAmt": str(fen),
        "currencyCode": "156",
    }
    if at is not None:
        said.fields["traceTime"] = f"{beijing(at):%m%d%H%M%S}"
    return said


def _refuse(told: int | str) -> HTTPResponse:
    code = "06" if str(told) == "-1" else str(told).zfill(2)
    return answer_to({}, code)


def _signed_wrongly(reply: HTTPResponse) -> HTTPResponse:
    if isinstance(reply, Answered):
        reply.wrongly = True
    return reply


def _terms(asked: Mapping[str, str]) -> dict[str, str]:
    return {k: asked.get(k, "") for k in ("txnTime", "txnAmt", "backUrl", "currencyCode")}


def _query_id(now: float) -> str:
    return f"{secrets.randbelow(900) + 100}{beijing(now):%y%m%d%H%M%S}{secrets.randbelow(10**6):06}"


def _fen(asked: Mapping[str, str]) -> int:
    text = asked.get("txnAmt", "")
    return int(text) if text.isdecimal() and text.isascii() else -1


def _moment(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING).timestamp()
    except ValueError:
        return None


def _day(text: str, today: date) -> date | None:
    """Return the last such day, of a text like 1123."""
    for year in (today.year, today.year - 1):
        try:
            day = datetime.strptime(f"{year}{text}", "%Y%m%d").date()
        except ValueError:
            continue
        if day <= today:
            return day
    return None
