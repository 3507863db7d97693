"""Where channels tell us their news: verified over raw bytes, stored once, thanked for.

Nothing is settled before the thanks; what is stored is never lost. Whatever is not genuine, stale,
foreign, or not about an order of ours over its very amount, is turned away with 4xx and one row of
the audit log, and changes nothing.

A channel that hangs up cancels its request. What it said is then stored with the others of its
moment all the same, settled by the worker, and told again by the channel.
"""

import hashlib
from typing import Final

import structlog
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from integrations.ports_payment import (
    CallbackReply,
    ChannelNews,
    NotGenuine,
    PaymentChannel,
)
from models import inbox
from models.database import rows
from models.inbox import News
from server.auth import CHANNEL
from server.errors import NotAvailable, TooLarge
from server.faults import is_store_fault
from server.http.answers import Answer
from server.http.endpoint import Also, endpoint
from server.payments.channels import channel_of
from server.services import Services, services

log = structlog.get_logger()

bp = Blueprint("callbacks", url_prefix="/callbacks")
TAG: Final = "callbacks"
_REFUSED = Also(400, "Not genuine, or not about anything of ours; the body is the channel's.")
_NOT_SIGNED = Also(401, "The signature does not count: forged, stale, an unknown key, a probe.")
_LATER = Also(503, "It could not be stored: the channel comes again.")
_ANSWERS = (_REFUSED, _NOT_SIGNED, _LATER)


@endpoint(
    bp,
    "POST",
    "/wechatpay",
    summary=("微信支付通知", "WeChat Pay tells of a payment"),
    tag=TAG,
    guard=CHANNEL,
    status=204,
    refuses=[NotAvailable, TooLarge],
    also=_ANSWERS,
    droppable=True,
)
async def wechat_paid(request: Request) -> HTTPResponse:
    """A payment's news, signed (`Wechatpay-Signature`) and sealed; 204 once stored."""
    return await _take(request, "wechat")


@endpoint(
    bp,
    "POST",
    "/wechatpay/refund",
    summary=("微信退款通知", "WeChat Pay tells of a refund"),
    tag=TAG,
    guard=CHANNEL,
    status=204,
    refuses=[NotAvailable, TooLarge],
    also=_ANSWERS,
    droppable=True,
)
async def wechat_refunded(request: Request) -> HTTPResponse:
    """A refund's news, signed (`Wechatpay-Signature`) and sealed; 204 once stored."""
    return await _take(request, "wechat")


@endpoint(
    bp,
    "POST",
    "/alipay",
    summary=("支付宝通知", "Alipay tells of a trade"),
    tag=TAG,
    guard=CHANNEL,
    returns=str,
    content_type="text/plain",
    refuses=[NotAvailable, TooLarge],
    also=_ANSWERS,
    droppable=True,
)
async def alipay_told(request: Request) -> HTTPResponse:
    """A trade's news as a signed form; exactly `success` once stored."""
    return await _take(request, "alipay")


@endpoint(
    bp,
    "POST",
    "/unionpay",
    summary=("银联通知", "UnionPay tells of a payment"),
    tag=TAG,
    guard=CHANNEL,
    returns=str,
    content_type="text/plain",
    refuses=[NotAvailable, TooLarge],
    also=_ANSWERS,
    droppable=True,
)
async def unionpay_told(request: Request) -> HTTPResponse:
    """A payment's or refund's news as a signed form; `ok` once stored."""
    return await _take(request, "unionpay")


async def _take(request: Request, name: str) -> HTTPResponse:
    room = services(request)
    channel, app = channel_of(room, name), request.app
    try:
        news = channel.read_callback(request.headers, request.body)
        if news.nonce is not None and not await app.ctx.deliveries.is_new(name, news.nonce):
            raise NotGenuine("replayed")
        await _store(request, room, news)
    except NotGenuine as fault:
        is_alone = await app.ctx.refused_callbacks.note(name, fault.reason)
        # Of a flood the first of each second do: each that asks waits for the channel's answer.
        if fault.reason == "unknown_key" and is_alone:
            _fetch_keys(room, channel)
        return _sent(channel.refusal(fault), quiet=not is_alone)
    except Exception as fault:
        if not is_store_fault(fault):
            raise
        log.error("callback_not_stored", channel=name, fault=type(fault).__name__)
        return _sent(channel.not_now())
    return _sent(channel.thanks())


async def _store(request: Request, room: Services, news: ChannelNews) -> None:
    """Keep what it says for good, once. Raises NotGenuine for what is none of ours."""
    told = _in_our_words(news, request.body)
    if told is None:
        return  # genuine, and about something that we do not deal in
    kept = await inbox.keep(told)
    if not kept.known:
        raise NotGenuine("unknown_number")
    if not kept.fits:
        await _look_soon(room, told)
        raise NotGenuine("amount_differs")
    if kept.id is not None:
        request.app.ctx.settler.told(kept.id)


def _in_our_words(news: ChannelNews, body: bytes) -> News | None:
    digest = hashlib.sha256(body).hexdigest()
    if (order := news.order) is not None:
        return News(
            channel=news.channel,
            event_id=news.event_id,
            signed_at=news.signed_at,
            digest=digest,
            number=order.order_no,
            amount_fen=order.amount_fen,
            said=order.state,
            channel_no=order.channel_no,
            happened_at=order.paid_at,
        )
    if (refund := news.refund) is not None:
        return News(
            channel=news.channel,
            event_id=news.event_id,
            signed_at=news.signed_at,
            digest=digest,
            number=refund.refund_no,
            amount_fen=refund.refund_fen,
            said=refund.state,
            channel_no=refund.channel_refund_no,
            happened_at=refund.done_at,
            of_refund=True,
        )
    return None


async def _look_soon(room: Services, told: News) -> None:
    """What disagrees is a hint that something is wrong: the channel is asked at once."""
    await rows(
        "UPDATE pay_order SET look_at = least(look_at, $3)"
        " WHERE channel = $1 AND order_no = $2 AND state = 'pending'",
        told.channel,
        told.number,
        room.clock.now(),
    )


def _fetch_keys(room: Services, channel: PaymentChannel) -> None:
    room.afterwards.do("refresh_keys", channel.refresh_keys())


def _sent(reply: CallbackReply, *, quiet: bool = False) -> HTTPResponse:
    answer = Answer(reply.body, status=reply.status, content_type=reply.content_type)
    answer.quiet = quiet
    return answer
