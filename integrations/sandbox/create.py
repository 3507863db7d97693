"""Puts the sandbox together."""

import secrets
import time
from http import HTTPStatus

import structlog
from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import SanicException

from integrations.sandbox.alipay import Alipay
from integrations.sandbox.alipay_messages import AlipayMessages
from integrations.sandbox.endpoints import App, Clock, Endpoints
from integrations.sandbox.faults import Faults
from integrations.sandbox.identity import Identity
from integrations.sandbox.inspection import Inspection
from integrations.sandbox.maps import Maps
from integrations.sandbox.payments import Till, WeChatPay
from integrations.sandbox.payments.alipay import AlipayTrades
from integrations.sandbox.payments.bank_counter import BankCounter
from integrations.sandbox.payments.unionpay import UnionPay
from integrations.sandbox.personas import Personas
from integrations.sandbox.province_page import Province
from integrations.sandbox.replies import answer, problem
from integrations.sandbox.sent import Sent
from integrations.sandbox.settings import SandboxSettings
from integrations.sandbox.sms import Sms
from integrations.sandbox.sms_receipts import SmsReceipts
from integrations.sandbox.sms_vendors import SmsVendors
from integrations.sandbox.wechat import WeChat
from integrations.sandbox.wechat_messages import WeChatMessages
from integrations.sandbox.wechat_push import WeChatPush

log = structlog.get_logger()

_OWN_DOORS = [
    "POST /_sandbox/personas {id_number, name?, phone?, born?, topics?, blocked?, level?}",
    "GET /_sandbox/personas?limit=&cursor=",
    "GET /_sandbox/sent?to=&limit=",
    "GET /_sandbox/calls",
    "POST /_sandbox/wechat/end-token {ending?: expired|void|refused}",
    "POST /_sandbox/wechat/subscribe {openid, templates: [], answer?: accept|reject, always?, "
    "where?: prompt|settings}",
    "PUT /_sandbox/wechat/push {url, mode?: plain|aes, format?: json|xml}",
    "PUT /_sandbox/sms/receipts {gateway?, aliyun?, tencent?: url, unreachable?: [phone]}",
    "GET /_sandbox/alipay/keys",
    "POST /_sandbox/alipay/phone {id_number}",
    "POST /_sandbox/alipay/subscribe {to, templates: [], answer?: accept|reject, lasting?}",
    "POST /_sandbox/alipay/faces {certify_id, outcome: pass|fail}",
    "POST /_sandbox/province/authorize {id_number, authorize_url, tamper?}",
    "POST /_sandbox/province/rotate-keys {drop_old?}",
    "POST /_sandbox/pay {order_no, outcome: success|fail|cancel, deliveries?, delay_s?, spread_s?, "
    "until_thanked?, tamper?, even_if_closed?}",
    "POST /_sandbox/refund {refund_no, outcome: success|fail|stuck, deliveries?, …}",
    "PUT /_sandbox/refunds {outcome: success|fail|stuck|hold, takes_s?, deliveries?, …}",
    "GET /_sandbox/orders?order_no=",
    "GET /_sandbox/deliveries?about=&limit=",
    "GET /_sandbox/wechatpay/keys",
    "POST /_sandbox/wechatpay/rotate {to: key|certificate, anew?}",
    "POST /_sandbox/bank/batch {payments: [{bill_no, fen, serial?}], number?, "
    "tamper?: signature|body|key|total}",
    "PUT /_sandbox/bills/differences {channel, day, differences: [{kind, number, fen?, state?}]}",
    "PUT /_sandbox/clock {start, anchor?, speed?}",
    "PUT /_sandbox/faults {endpoint, kind: delay|error|http_500|rubbish|hang|wrong_signature, "
    "errcode?, seconds?, times?, for_s?}",
    "GET /_sandbox/faults",
    "DELETE /_sandbox/faults?endpoint=",
    "GET /healthz",
]


def create_sandbox(
    settings: SandboxSettings | None = None,
    *,
    clock: Clock = time.monotonic,
    name: str | None = None,
) -> App:
    """Build a sandbox that shares nothing with any other in this process.

    Run it in one process: what it knows is in its memory. Everything it knows hangs on `app.ctx`.
    """
    settings = settings or SandboxSettings()
    app: App = Sanic(name or f"sandbox-{secrets.token_hex(4)}", configure_logging=False)
    app.config.ACCESS_LOG = False
    app.config.AUTO_EXTEND = False
    app.config.REQUEST_MAX_SIZE = 1_000_000
    # Longer than Sanic would wait by itself, so that a hanging endpoint hangs.
    app.config.RESPONSE_TIMEOUT = 4000

    app.ctx.personas = Personas(settings.most_personas)
    app.ctx.sent = Sent(settings.most_sent)
    app.ctx.faults = Faults()
    app.ctx.endpoints = Endpoints(app.ctx.faults, clock)
    app.ctx.wechat = WeChat(settings, clock)
    app.ctx.wechat.open(app, app.ctx.endpoints)
    pushing = WeChatPush(settings)
    pushing.open(app)
    messages = WeChatMessages(
        settings,
        clock,
        app.ctx.wechat,
        app.ctx.sent,
        push=pushing.tell,
        reaches=pushing.reaches,
    )
    messages.open(app, app.ctx.endpoints)
    app.ctx.alipay = Alipay(settings, app.ctx.personas, clock)
    app.ctx.alipay.open(app, app.ctx.endpoints)
    AlipayMessages(app.ctx.alipay, app.ctx.sent).open(app, app.ctx.endpoints)
    app.ctx.province = Province(settings, clock, app.ctx.personas)
    app.ctx.province.open(app, app.ctx.endpoints)
    Identity(settings, clock, app.ctx.personas).open(app, app.ctx.endpoints)
    receipts = SmsReceipts(settings)
    receipts.open(app)
    Sms(settings, clock, app.ctx.sent, receipts).open(app, app.ctx.endpoints)
    SmsVendors(settings, clock, app.ctx.sent, receipts).open(app, app.ctx.endpoints)
    Maps(settings, clock).open(app, app.ctx.endpoints)
    app.ctx.till = Till(settings.most_orders)
    app.ctx.unionpay = UnionPay(settings, app.ctx.till)
    app.ctx.till.open(
        app,
        app.ctx.endpoints,
        [
            WeChatPay(settings, app.ctx.till),
            AlipayTrades(settings, app.ctx.alipay, app.ctx.till),
            app.ctx.unionpay,
        ],
    )
    BankCounter(settings.bank_keys, app.ctx.till.clock).open(app)
    Inspection(
        personas=app.ctx.personas,
        platforms=[app.ctx.wechat, app.ctx.alipay, app.ctx.province],
        endpoints=app.ctx.endpoints,
        faults=app.ctx.faults,
        sent=app.ctx.sent,
        clock=clock,
    ).open(app)
    app.add_route(_welcome, "/", name="welcome")
    app.add_route(_healthz, "/healthz", name="healthz")
    app.error_handler.add(Exception, _explain)
    return app


async def _welcome(request: Request) -> HTTPResponse:
    return answer(
        {
            "what": "Yiting's sandbox: the platforms, played locally. For demonstrations and "
            "tests only; nobody here is real and nothing here is secret.",
            "platforms": request.app.ctx.endpoints.described(),
            "sandbox": _OWN_DOORS,
        }
    )


async def _healthz(_: Request) -> HTTPResponse:
    return answer({"status": "ok"})


def _explain(_: Request, error: Exception) -> HTTPResponse:
    if isinstance(error, SanicException):
        status = HTTPStatus(error.status_code)
        response = problem(status, status.name.lower(), status.description or status.phrase)
        response.headers.extend(error.headers)
        return response
    log.error("sandbox_failed", exc_info=error)
    return problem(500, "sandbox_failed", "The sandbox made a mistake; its log says which.")
