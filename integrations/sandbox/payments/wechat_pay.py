"""WeChat Pay as a merchant's backend meets it: orders, refunds, certificates, callbacks."""

import uuid
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct
from sanic import HTTPResponse, Request

from integrations.sandbox.endpoints import App, Counted, Endpoint, Endpoints, Handler
from integrations.sandbox.payments.book import Order, Refund
from integrations.sandbox.payments.clock import beijing
from integrations.sandbox.payments.courier import Callback
from integrations.sandbox.payments.till import Tamper, Till
from integrations.sandbox.payments.wechat_desk import Desk
from integrations.sandbox.payments.wechat_handout import BillHandout
from integrations.sandbox.payments.wechat_keys import SignsWith, WeChatPayKeyRing
from integrations.sandbox.payments.wechat_told import paid_body, refunded_body
from integrations.sandbox.payments.wechat_wire import (
    Told,
    callback,
    encrypted,
    is_authentic,
    refuse,
    say,
)
from integrations.sandbox.replies import answer, read
from integrations.sandbox.settings import SandboxSettings

_ORDERS: Final = "/v3/pay/transactions"
_REFUNDS: Final = "/v3/refund/domestic/refunds"


class _Rotate(Struct, forbid_unknown_fields=True):
    to: SignsWith
    anew: bool = False


_rotate = msgspec.json.Decoder(_Rotate)


class WeChatPay:
    """One merchant's WeChat Pay."""

    name: Final = "wechat"
    tampers: Final = frozenset(
        {
            *("amount", "appid", "merchant", "currency", "signature", "stale", "future"),
            *("body", "key", "probe", "sealed", "no_header"),
        }
    )

    def __init__(self, settings: SandboxSettings, till: Till) -> None:
        self._settings = settings
        self._till = till
        self._ring = WeChatPayKeyRing(settings)
        self._desk = Desk(settings, till)
        self._bills = BillHandout(settings, till)

    def open(self, app: App, endpoints: Endpoints) -> None:
        """Put WeChat Pay's endpoints and the sandbox's doors beside them on the app."""
        by_number = f"{_ORDERS}/out-trade-no/<number>"
        for name, method, path, handle in (
            ("prepay", "POST", f"{_ORDERS}/jsapi", self._desk.place),
            ("query", "GET", by_number, self._desk.query),
            ("query_id", "GET", f"{_ORDERS}/id/<number>", self._desk.query_id),
            ("close", "POST", f"{by_number}/close", self._desk.close),
            ("refund", "POST", _REFUNDS, self._desk.ask_refund),
            ("query_refund", "GET", f"{_REFUNDS}/<number>", self._desk.query_refund),
            ("certificates", "GET", "/v3/certificates", self._certificates),
            ("tradebill", "GET", "/v3/bill/tradebill", self._bills.trades),
            ("fundflowbill", "GET", "/v3/bill/fundflowbill", self._bills.funds),
            ("billdownload", "GET", "/v3/billdownload/file", self._bills.file),
        ):
            endpoint = Endpoint(
                f"wechatpay.{name}", method, path, self._authentic(handle), refuse, _wrongly
            )
            app.add_route(
                self._sealing(endpoints.counted(endpoint)),
                path,
                methods=[method],
                name=f"wechatpay_{name}",
            )
        for door, path, method in (
            (self.keys, "/_sandbox/wechatpay/keys", "GET"),
            (self.rotate, "/_sandbox/wechatpay/rotate", "POST"),
        ):
            app.add_route(door, path, methods=[method], name=f"wechatpay_{door.__name__}")

    async def keys(self, _: Request) -> HTTPResponse:
        """Tell what a merchant needs; its own private key only when the sandbox had to make it."""
        keys, ours = await self._ring.ready(), self._settings
        return answer(
            {
                "app_id": ours.wechat_app_id,
                "mch_id": ours.wechat_mch_id,
                "serial_no": ours.wechat_mch_serial,
                "api_v3_key": ours.wechat_api_v3_key,
                "merchant_private_key": keys.merchant_private_key,
                "public_key_id": keys.key_id,
                "public_key": keys.public_key,
                "signs_with": keys.signs_with,
                "certificates": [one.pem for one in keys.certificates],
            }
        )

    async def rotate(self, request: Request) -> HTTPResponse:
        """Sign with the public key or with a certificate from now on, one made `anew` if wanted."""
        asked = read(_rotate, request.body)
        if isinstance(asked, HTTPResponse):
            return asked
        keys = await self._ring.ready()
        if asked.anew:
            await keys.rotate()
        keys.signs_with = asked.to
        return await self.keys(request)

    async def paid(self, order: Order, tamper: Tamper | None) -> Callback:
        """Write `TRANSACTION.SUCCESS`; the same order has the same notice id for ever."""
        content = paid_body(order, self._settings, self._till.clock.now(), tamper)
        event = order.facts.setdefault("notice", str(uuid.uuid4()))
        kind = "TRANSACTION.SUCCESS"
        return await self._callback(
            order.notify_url, content, event=event, kind=kind, tamper=tamper
        )

    async def refunded(self, refund: Refund, tamper: Tamper | None) -> Callback:
        """Write `REFUND.…` for how the refund ended."""
        kinds = {"done": "REFUND.SUCCESS", "failed": "REFUND.CLOSED", "stuck": "REFUND.ABNORMAL"}
        kind = kinds.get(refund.state, "REFUND.SUCCESS")
        content = refunded_body(refund, self._settings, tamper)
        event = refund.facts.setdefault(f"notice {kind}", str(uuid.uuid4()))
        return await self._callback(
            refund.notify_url, content, event=event, kind=kind, tamper=tamper
        )

    def is_thanks(self, status: int, body: bytes) -> bool:
        """200 or 204, whatever the body says."""
        return status in (200, 204)

    async def _callback(
        self, url: str, content: bytes, *, event: str, kind: str, tamper: Tamper | None
    ) -> Callback:
        keys, key = await self._ring.ready(), self._settings.wechat_api_v3_key
        about = kind.partition(".")[0].lower()
        body = {
            "id": event,
            "create_time": beijing(self._till.clock.now()).isoformat(timespec="seconds"),
            "resource_type": "encrypt-resource",
            "event_type": kind,
            "summary": "沙箱",
            "resource": {"original_type": about}
            | encrypted(content, about, key[::-1] if tamper == "sealed" else key),
        }
        return callback(url, msgspec.json.encode(body), keys, tamper)

    def _authentic(self, handle: Callable[[Request], Told]) -> Handler:
        async def authentic(request: Request, **_: Any) -> HTTPResponse:
            ours, merchant = self._settings, request.ctx.keys.merchant
            if not is_authentic(request, ours.wechat_mch_id, ours.wechat_mch_serial, merchant):
                return refuse("SIGN_ERROR")
            return handle(request)

        return authentic

    def _sealing(self, counted: Counted) -> Counted:
        async def sealing(request: Request, **_: Any) -> HTTPResponse:
            request.ctx.keys = keys = await self._ring.ready()
            reply = await counted(request)
            asked_for = request.headers.get("wechatpay-serial", "")
            return reply.sealed(keys, asked_for) if isinstance(reply, Told) else reply

        return sealing

    def _certificates(self, request: Request) -> Told:
        key = self._settings.wechat_api_v3_key
        listed = [
            {
                "serial_no": one.serial,
                "effective_time": one.since.isoformat(),
                "expire_time": one.until.isoformat(),
                "encrypt_certificate": encrypted(one.pem.encode(), "certificate", key),
            }
            for one in request.ctx.keys.certificates
        ]
        return say({"data": listed})


def _wrongly(reply: HTTPResponse) -> HTTPResponse:
    if isinstance(reply, Told):
        reply.wrongly = True
    return reply
