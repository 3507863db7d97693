"""Reads WeChat Pay's callbacks: signature first, over raw bytes; only then what they say."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from integrations.ports_payment import ChannelNews, ChannelOrder, ChannelRefund, NotGenuine
from integrations.wechat.pay.credentials import WeChatPayCredentials
from integrations.wechat.pay.sealing import CannotOpen, Sealed
from integrations.wechat.pay.shapes import (
    CHANNEL,
    NoSense,
    RefundTold,
    Transaction,
    order_of,
    refund_of,
)
from integrations.wechat.pay.signing import read_seal, sealed_text, verify
from integrations.wechat.pay.trust import Trust

T = TypeVar("T")

# Theirs are of some two thousand bytes.
MOST_BYTES: Final = 65_536
_EVENT_ID: Final = re.compile(r"[!-~]{1,64}", re.ASCII)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Resource(Sealed):
    original_type: str = ""


class _Notice(Struct):
    id: str
    event_type: str
    resource_type: str
    resource: _Resource


_notice = Decoder(_Notice)
_transaction = Decoder(Transaction)
_refund = Decoder(RefundTold)


class Callbacks:
    """Reads callbacks for one merchant account; `clock` is Unix seconds."""

    def __init__(
        self, credentials: WeChatPayCredentials, trust: Trust, clock: Callable[[], float]
    ) -> None:
        self._credentials = credentials
        self._trust = trust
        self._clock = clock

    def read(self, headers: Mapping[str, str], body: bytes) -> ChannelNews:
        """Return what WeChat Pay says, or raise NotGenuine; cheapest looks come first."""
        if len(body) > MOST_BYTES:
            raise NotGenuine("too_big")
        seal = read_seal(headers)
        if seal is None or not body:
            raise NotGenuine("malformed")
        now = self._clock()
        if not seal.is_fresh(now):
            raise NotGenuine("stale")
        key = self._trust.key(seal.serial, now)
        if key is None:
            raise NotGenuine("unknown_key")
        if not verify(sealed_text(seal, body), seal.signature, key):
            raise NotGenuine("wrong_signature")
        notice = _decoded(_notice, body)
        if notice.resource_type != "encrypt-resource" or not _EVENT_ID.fullmatch(notice.id):
            raise NotGenuine("malformed")
        order, refund = self._told(notice)
        return ChannelNews(
            channel=CHANNEL,
            event_id=notice.id,
            signed_at=datetime.fromtimestamp(seal.at, UTC),
            nonce=seal.nonce,
            order=order,
            refund=refund,
        )

    def _told(self, notice: _Notice) -> tuple[ChannelOrder | None, ChannelRefund | None]:
        try:
            content = notice.resource.opened(self._credentials.api_v3_key)
        except CannotOpen:
            raise NotGenuine("sealed_wrongly") from None
        kind = notice.event_type.partition(".")[0]
        if kind == "TRANSACTION" and notice.resource.original_type == "transaction":
            return self._order(_decoded(_transaction, content)), None
        if kind == "REFUND" and notice.resource.original_type == "refund":
            return None, self._refund(_decoded(_refund, content))
        return None, None

    def _order(self, told: Transaction) -> ChannelOrder:
        if told.mchid != self._credentials.mch_id:
            raise NotGenuine("foreign_merchant")
        if told.appid != self._credentials.app_id:
            raise NotGenuine("foreign_app")
        if told.amount is not None and told.amount.currency != "CNY":
            raise NotGenuine("foreign_currency")
        try:
            return order_of(told)
        except NoSense:
            raise NotGenuine("malformed") from None

    def _refund(self, told: RefundTold) -> ChannelRefund:
        if told.mchid != self._credentials.mch_id:
            raise NotGenuine("foreign_merchant")
        if told.amount.currency != "CNY":
            raise NotGenuine("foreign_currency")
        try:
            return refund_of(told)
        except NoSense:
            raise NotGenuine("malformed") from None


def _decoded(decoder: Decoder[T], content: bytes) -> T:
    try:
        return decoder.decode(content)
    except _UNREADABLE:
        raise NotGenuine("malformed") from None
