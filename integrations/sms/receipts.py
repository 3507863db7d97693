"""Delivery receipts of text messages, as our gateway, Aliyun and Tencent Cloud push them.

Our gateway signs a receipt as we sign requests (see `integrations.signed_asking`):
`{"receipts": [{"message_id", "status": "delivered" | "failed", "code"?}]}`, answered by any 200.

Aliyun (`SmsReport` over HTTP: `[{"biz_id", "success", "err_code", ...}]`, answered by
`{"code": 0}`; `out_id` is our own reference) and Tencent Cloud (`[{"sid", "report_status":
"SUCCESS" | "FAIL", "errmsg", ...}]`, answered by `{"result": 0}`) sign nothing: the address that is
registered with them ends in `?key=` and a secret that only they are told. Phone numbers come too,
and are not read.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

import msgspec

from integrations.ports_message import Receipt
from integrations.ports_payment import NotGenuine

_FRESH_S: Final = 300.0
_LARGEST: Final = 64 * 1024
_MOST: Final = 500
_LONGEST_NUMBER: Final = 128
# A vendor's word for why; a sentence might name somebody.
_WORD: Final = re.compile(r"[A-Za-z0-9_.:\-]{1,40}")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9_\-]{1,64}")

T = TypeVar("T")


class _OfGateway(msgspec.Struct):
    message_id: str
    status: str
    code: str = ""


class _Gateway(msgspec.Struct):
    receipts: list[_OfGateway]


class _OfAliyun(msgspec.Struct):
    biz_id: str
    success: bool
    err_code: str = ""
    out_id: str | None = None


class _OfTencent(msgspec.Struct):
    sid: str
    report_status: str
    errmsg: str = ""


_gateway = msgspec.json.Decoder(_Gateway)
_aliyun = msgspec.json.Decoder(list[_OfAliyun])
_tencent = msgspec.json.Decoder(list[_OfTencent])


class GatewayReceipts:
    """Receipts of one account of our gateway, signed; `now` is Unix seconds."""

    thanks = b"{}"

    def __init__(self, app_key: str, secret: str, *, now: Callable[[], float] = time.time) -> None:
        self._app_key = app_key.encode()
        self._secret = secret.encode()
        self._now = now

    def read(
        self, path: str, headers: Mapping[str, str], query: Mapping[str, str], body: bytes
    ) -> list[Receipt]:
        """What became of messages. Raises NotGenuine."""
        del query
        _check_size(body)
        stamp, nonce = headers.get("x-timestamp", ""), headers.get("x-nonce", "")
        text = "\n".join(("POST", path, stamp, nonce, hashlib.sha256(body).hexdigest()))
        wanted = hmac.digest(self._secret, text.encode(errors="replace"), hashlib.sha256).hex()
        ours = _same(headers.get("x-app-key", ""), self._app_key)
        if not _same(headers.get("x-signature", ""), wanted.encode()) or not ours:
            raise NotGenuine("wrong_signature")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
            raise NotGenuine("malformed")
        if abs(self._now() - int(stamp)) > _FRESH_S:
            raise NotGenuine("stale")
        return _receipts(
            (each.message_id, each.status == "delivered", each.code, None)
            for each in _decoded(_gateway, body).receipts
        )


class AliyunReceipts:
    """Receipts that come to an address with our key."""

    thanks = '{"code": 0, "msg": "成功"}'.encode()

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def read(
        self, path: str, headers: Mapping[str, str], query: Mapping[str, str], body: bytes
    ) -> list[Receipt]:
        """What became of messages. Raises NotGenuine."""
        del path, headers
        _check_key(query, self._key)
        _check_size(body)
        found = _decoded(_aliyun, body)
        return _receipts((each.biz_id, each.success, each.err_code, each.out_id) for each in found)


class TencentReceipts:
    """Receipts that come to an address with our key."""

    thanks = b'{"result": 0, "errmsg": "OK"}'

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def read(
        self, path: str, headers: Mapping[str, str], query: Mapping[str, str], body: bytes
    ) -> list[Receipt]:
        """What became of messages. Raises NotGenuine."""
        del path, headers
        _check_key(query, self._key)
        _check_size(body)
        found = _decoded(_tencent, body)
        return _receipts(
            (each.sid, each.report_status == "SUCCESS", each.errmsg, None) for each in found
        )


def _check_key(query: Mapping[str, str], key: bytes) -> None:
    if not _same(query.get("key", ""), key):
        raise NotGenuine("wrong_signature")


def _check_size(body: bytes) -> None:
    if len(body) > _LARGEST:
        raise NotGenuine("too_big")


def _same(given: str, wanted: bytes) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), wanted)


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NotGenuine("malformed") from None


def _receipts(said: Iterable[tuple[str, bool, str, str | None]]) -> list[Receipt]:
    found = [
        Receipt(number, None if arrived else _word(why), _reference(ours))
        for number, arrived, why, ours in said
        if 0 < len(number) <= _LONGEST_NUMBER and number.isascii() and number.isprintable()
    ]
    if len(found) > _MOST:
        raise NotGenuine("malformed")
    return found


def _reference(said: str | None) -> str | None:
    return said if said and _REFERENCE.fullmatch(said) else None


def _word(why: str) -> str:
    return why if _WORD.fullmatch(why) else "unknown"
