"""Where WeChat tells what became of permissions and messages: verified, taken once, thanked for."""

import hashlib
from typing import Final

import redis.asyncio as aioredis
import structlog
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from integrations.ports_message import EventReader, PushEvent
from integrations.ports_payment import NotGenuine
from models import notice_receipts, subscriptions
from models.database import transaction
from server.auth import CHANNEL
from server.errors import NotAvailable, TooLarge
from server.faults import is_store_fault
from server.http.answers import Answer
from server.http.endpoint import Also, endpoint
from server.services import Services, services

log = structlog.get_logger()

bp = Blueprint("events", url_prefix="/callbacks")
EVENTS: Final = "/wechat/events"
TAG: Final = "callbacks"
# Longer than a signature is fresh.
_NONCE_S: Final = 900
_ANSWERS: Final = (
    Also(403, "Not signed by the platform for us, stale, or sealed wrongly.", str, "text/plain"),
    Also(503, "It could not be stored: the platform comes again.", str, "text/plain"),
)


@endpoint(
    bp,
    "GET",
    EVENTS,
    summary=("消息推送地址校验", "WeChat checks our address"),
    tag=TAG,
    guard=CHANNEL,
    returns=str,
    content_type="text/plain",
    refuses=[NotAvailable],
    also=_ANSWERS[:1],
)
async def wechat_checks(request: Request) -> HTTPResponse:
    """`signature`, `timestamp` and `nonce` with our token; `echostr` is answered as it came."""
    reader = _reader(services(request))
    try:
        return _said(reader.answer_to_check(_query(request)))
    except NotGenuine as fault:
        return await _turned_away(request, fault)


@endpoint(
    bp,
    "POST",
    EVENTS,
    summary=("消息推送", "WeChat pushes an event"),
    tag=TAG,
    guard=CHANNEL,
    returns=str,
    content_type="text/plain",
    refuses=[NotAvailable, TooLarge],
    also=_ANSWERS,
)
async def wechat_tells(request: Request) -> HTTPResponse:
    """What people allow or refuse, and what became of messages; `success` once it is stored.

    Sealed where we have a key, in JSON or XML. The same event again changes nothing.
    """
    room = services(request)
    reader = _reader(room)
    try:
        events = reader.read(_query(request), request.body)
        await _check_new(room.valkey, request)
        await _take(events)
    except NotGenuine as fault:
        return await _turned_away(request, fault)
    except Exception as fault:
        if not is_store_fault(fault):
            raise
        log.error("event_not_stored", fault=type(fault).__name__)
        return _said("later", status=503)
    return _said("success")


async def _take(events: list[PushEvent]) -> None:
    async with transaction() as tx:
        for event in sorted(events, key=lambda each: (each.subject, each.template_id)):
            if not await subscriptions.heard(tx, "wechat", event.key):
                continue
            if event.said == "allowed":
                await subscriptions.grant(
                    tx, "wechat", event.subject, [event.template_id], by_push=True
                )
            elif event.said == "refused":
                await subscriptions.withdraw(tx, "wechat", event.subject, [event.template_id])
            else:
                await notice_receipts.take(tx, "wechat", [_told(event)])
    await notice_receipts.go_on(
        [
            ("wechat", event.message_no)
            for event in events
            if event.said == "not_arrived" and event.message_no
        ]
    )


def _told(event: PushEvent) -> notice_receipts.Told:
    return notice_receipts.Told(
        message_no=event.message_no or "",
        code=event.code,
        subject=event.subject,
        template_id=event.template_id,
        at=event.at,
    )


async def _check_new(valkey: aioredis.Redis, request: Request) -> None:
    """Raise NotGenuine where a signature comes with another body: plain ones do not cover it.

    Without Valkey nothing is lost by going on: what it says is taken once.
    """
    query = _query(request)
    given = f"{query.get('timestamp')} {query.get('nonce')} {query.get('signature')}"
    key = f"push:wechat:{hashlib.sha256(given.encode()).hexdigest()}"
    digest = hashlib.sha256(request.body).digest()
    try:
        before = await valkey.set(key, digest, ex=_NONCE_S, nx=True, get=True)
    except (aioredis.RedisError, OSError) as fault:
        log.warning("nonce_not_remembered", fault=type(fault).__name__)
        return
    if before is not None and before != digest:
        raise NotGenuine("replayed")


async def _turned_away(request: Request, fault: NotGenuine) -> HTTPResponse:
    await request.app.ctx.refused_callbacks.note("wechat_push", fault.reason)
    return _said("refused", status=403)


def _reader(room: Services) -> EventReader:
    reader = room.platforms.events.get("wechat")
    if reader is None:
        raise NotAvailable
    return reader


def _query(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in request.args.items() if values}


def _said(text: str, status: int = 200) -> HTTPResponse:
    return Answer(text.encode(), status=status, content_type="text/plain; charset=utf-8")
