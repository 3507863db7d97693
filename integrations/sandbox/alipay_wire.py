"""How Alipay's gateway reads questions and writes answers."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from sanic import HTTPResponse, Request

from integrations.sandbox.alipay_keys import AlipayKeys

_BEIJING: Final = timezone(timedelta(hours=8))
_CLOCKS_MAY_DIFFER_S: Final = 600.0

_MSGS: Final = {
    "10003": "order success pay inprocess",
    "20000": "Service Currently Unavailable",
    "20001": "Insufficient Token Permissions",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40003": "Insufficient Conditions",
    "40004": "Business Failed",
    "40005": "Call Limited",
    "40006": "Insufficient Permissions",
}
# By sub_code; those not listed are 40004, the methods' own refusals.
_CODES: Final = {
    "ACQ.TRADE_PROCESSING": "10003",
    "isp.unknow-error": "20000",
    "aop.unknow-error": "20000",
    "aop.invalid-auth-token": "20001",
    "aop.auth-token-time-out": "20001",
    "isv.missing-method": "40001",
    "isv.missing-signature": "40001",
    "isv.missing-signature-type": "40001",
    "isv.missing-app-id": "40001",
    "isv.missing-timestamp": "40001",
    "isv.missing-version": "40001",
    "isv.missing-app-cert-sn": "40002",
    "isv.missing-alipay-root-cert-sn": "40002",
    "isv.invalid-alipay-root-cert-sn": "40002",
    "isv.app-cert-not-exist": "40002",
    "isv.invalid-method": "40002",
    "isv.invalid-parameter": "40002",
    "isp.bill_not_exist": "40004",
    "ACQ.SYSTEM_ERROR": "20000",
    "isv.invalid-signature": "40002",
    "isv.invalid-signature-type": "40002",
    "isv.invalid-app-id": "40002",
    "isv.invalid-timestamp": "40002",
    "isv.illegal-json": "40002",
    "isv.code-invalid": "40002",
    "isv.grant-type-invalid": "40002",
    "isv.refresh-token-invalid": "40002",
    "isv.missing-signature-config": "40003",
    "isv.app-call-limited": "40005",
    "isv.method-call-limited": "40005",
    "isv.insufficient-isv-permissions": "40006",
}
# What a fault that names only a code says more closely.
_SUB_CODES: Final = {
    "-1": "isp.unknow-error",
    "10003": "ACQ.TRADE_PROCESSING",
    "20000": "isp.unknow-error",
    "20001": "aop.invalid-auth-token",
    "40001": "isv.missing-method",
    "40002": "isv.invalid-parameter",
    "40003": "isv.missing-signature-config",
    "40004": "SYSTEM_ERROR",
    "40005": "isv.app-call-limited",
    "40006": "isv.insufficient-isv-permissions",
}

_REQUIRED: Final = {
    "method": "isv.missing-method",
    "sign_type": "isv.missing-signature-type",
    "sign": "isv.missing-signature",
    "timestamp": "isv.missing-timestamp",
    "version": "isv.missing-version",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: its parameters, from query and form together, decoded.

    `base` is where this sandbox was asked, as `http://host:port`.
    """

    params: Mapping[str, str]
    base: str = ""

    @property
    def in_certificate_mode(self) -> bool:
        """Whether the asker wants answers that name a certificate."""
        return "app_cert_sn" in self.params or "alipay_root_cert_sn" in self.params

    def __getitem__(self, name: str) -> str:
        return self.params.get(name, "")


class Said(HTTPResponse):
    """What Alipay will say, before it is signed in the mode of the question."""

    def __init__(self, name: str, content: Mapping[str, object], *, signed: bool = True) -> None:
        # Slashes escaped, as Alipay writes them.
        self.content = msgspec.json.encode(content).replace(b"/", b"\\/")
        self.name = name
        self.signed = signed
        self.wrongly = False
        super().__init__(self.content, content_type="text/html;charset=utf-8")

    def sealed(self, asked: Asked, keys: AlipayKeys) -> HTTPResponse:
        """Return the whole answer."""
        parts = [f'"{self.name}":'.encode() + self.content]
        if self.signed:
            covered = self.content + b" " if self.wrongly else self.content
            if asked.in_certificate_mode:
                parts.append(f'"alipay_cert_sn":"{keys.alipay_cert_sn}"'.encode())
            parts.append(f'"sign":"{rsa2(covered, keys.alipay)}"'.encode())
        body = b"{" + b",".join(parts) + b"}"
        return HTTPResponse(body, content_type="text/html;charset=utf-8")


def read_question(request: Request) -> Asked | None:
    """Read a question; None when it is not UTF-8."""
    try:
        fields = [
            pair
            for text in (request.query_string, request.body.decode())
            for pair in parse_qsl(text, keep_blank_values=True, errors="strict")
        ]
    except ValueError:
        return None
    return Asked(dict(fields), f"{request.scheme}://{request.host}")


def what_is_wrong(asked: Asked, keys: AlipayKeys, app_id: str, now: float) -> str | None:
    """Return the sub_code of the first thing wrong with a question, if any.

    `now` is real time, in Unix seconds. The app id comes first, as Alipay does it.
    """
    if not asked["app_id"]:
        return "isv.missing-app-id"
    if asked["app_id"] != app_id:
        return "isv.invalid-app-id"
    return (
        next((sub_code for name, sub_code in _REQUIRED.items() if not asked[name]), None)
        or _wrong_certificates(asked, keys)
        or _wrong_signature(asked, keys)
        or (None if _is_recent(asked["timestamp"], now) else "isv.invalid-timestamp")
    )


def failure(name: str, told: int | str) -> Said:
    """Refuse, for a code such as 40005 or a sub_code such as `isv.code-invalid`."""
    text = str(told)
    sub_code = _SUB_CODES.get(text, text)
    code = _CODES.get(sub_code, "40004")
    return Said(
        name,
        {"code": code, "msg": _MSGS[code], "sub_code": sub_code, "sub_msg": f"沙箱：{sub_code}"},
        # Alipay does not sign for apps it does not know.
        signed=sub_code not in ("isv.missing-app-id", "isv.invalid-app-id"),
    )


def answer_name(method: str) -> str:
    """Return the name an answer comes under."""
    return method.replace(".", "_") + "_response"


def rsa2(content: bytes, key: RSAPrivateKey) -> str:
    """Return Alipay's signature over these bytes, in Base64."""
    return base64.b64encode(key.sign(content, PKCS1v15(), SHA256())).decode()


def _wrong_certificates(asked: Asked, keys: AlipayKeys) -> str | None:
    if not asked.in_certificate_mode:
        return None
    if not asked["app_cert_sn"]:
        return "isv.missing-app-cert-sn"
    if not asked["alipay_root_cert_sn"]:
        return "isv.missing-alipay-root-cert-sn"
    if asked["app_cert_sn"] != keys.app_cert_sn:
        return "isv.app-cert-not-exist"
    if asked["alipay_root_cert_sn"] != keys.root_cert_sn:
        return "isv.invalid-alipay-root-cert-sn"
    return None


def _wrong_signature(asked: Asked, keys: AlipayKeys) -> str | None:
    if asked["sign_type"] != "RSA2":
        return "isv.invalid-signature-type"
    covered = sorted((k, v) for k, v in asked.params.items() if v and k != "sign")
    text = "&".join(f"{k}={v}" for k, v in covered)
    try:
        signature = base64.b64decode(asked["sign"], validate=True)
        keys.app.verify(signature, text.encode(), PKCS1v15(), SHA256())
    except (binascii.Error, ValueError, InvalidSignature):
        return "isv.invalid-signature"
    return None


def _is_recent(text: str, now: float) -> bool:
    try:
        told = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=_BEIJING)
    except ValueError:
        return False
    return abs(told.timestamp() - now) <= _CLOCKS_MAY_DIFFER_S
