"""How the sandbox's UnionPay reads questions and writes answers and notices.

Written from UnionPay's contract, not from our client.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from sanic import HTTPResponse, Request

from integrations.sandbox.payments.unionpay_keys import UnionPayKeys

MESSAGES: Final = {
    "00": "成功[0000000]",
    "03": "交易通讯超时，请发起查询交易",
    "04": "交易状态未明，请查询对账结果",
    "05": "交易已受理，请稍后查询交易结果",
    "06": "系统繁忙，请稍后再试",
    "10": "报文格式错误",
    "11": "验证签名失败",
    "12": "重复交易",
    "13": "报文交易要素缺失",
    "31": "商户状态不正确",
    "33": "交易金额超限",
    "34": "查无此交易",
    "35": "原交易状态不正确",
    "36": "与原交易信息不符",
    "98": "文件不存在",
}
_ECHOED: Final = (
    *("encoding", "bizType", "txnType", "txnSubType", "accessType", "merId", "orderId", "txnTime"),
)


class Answered(HTTPResponse):
    """What UnionPay will say, before it is signed."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        self.wrongly = False
        super().__init__(b"", content_type="text/html;charset=UTF-8")

    def sealed(self, keys: UnionPayKeys) -> HTTPResponse:
        """Return the whole answer, not percent-encoded."""
        every = signed(self.fields, keys.key, keys.certificate)
        if self.wrongly:
            every["signature"] = signed(self.fields | {"x": "x"}, keys.key, keys.certificate)[
                "signature"
            ]
        text = "&".join(f"{k}={v}" for k, v in every.items())
        return HTTPResponse(text.encode(), content_type="text/html;charset=UTF-8")


def answer_to(asked: Mapping[str, str], code: str, **facts: str) -> Answered:
    """Answer with a code, repeating what was asked."""
    echo = {name: asked[name] for name in _ECHOED if name in asked}
    message = MESSAGES.get(code, "其他错误")
    return Answered({**echo, "respCode": code, "respMsg": message, **facts})


def signed(fields: Mapping[str, str], key: RSAPrivateKey, certificate: str) -> dict[str, str]:
    """Return a message as UnionPay sends it: with its certificate and signature."""
    every = {
        **fields,
        "version": "5.1.0",
        "signMethod": "01",
        "encoding": "UTF-8",
        "signPubKeyCert": certificate,
    }
    signature = base64.b64encode(key.sign(_digits(every), PKCS1v15(), SHA256())).decode()
    return every | {"signature": signature}


def read_question(request: Request) -> dict[str, str] | None:
    """Read a posted form; None when it is none."""
    try:
        return dict(parse_qsl(request.body.decode(), keep_blank_values=True, errors="strict"))
    except ValueError:
        return None


def what_is_wrong(asked: Mapping[str, str], keys: UnionPayKeys, merchant: str) -> str | None:
    """Return the code of the first thing wrong with a question, if any."""
    if not all(asked.get(name) for name in ("txnType", "txnSubType", "bizType", "txnTime")):
        return "13"
    if asked.get("version") != "5.1.0" or asked.get("signMethod") != "01":
        return "10"
    if asked.get("merId") != merchant:
        return "31"
    if asked.get("certId") != str(keys.merchant.serial_number):
        return "11"
    key = keys.merchant.public_key()
    assert isinstance(key, RSAPublicKey)
    try:
        signature = base64.b64decode(asked.get("signature", ""), validate=True)
        key.verify(signature, _digits(asked), PKCS1v15(), SHA256())
    except (binascii.Error, ValueError, InvalidSignature):
        return "11"
    return None


def _digits(fields: Mapping[str, str]) -> bytes:
    covered = sorted((k, v) for k, v in fields.items() if v and k != "signature")
    text = "&".join(f"{k}={v}" for k, v in covered)
    return hashlib.sha256(text.encode()).hexdigest().encode("ascii")
