"""How WeChat Pay reads questions and writes answers and callbacks, from its contract."""

import base64
import binascii
import re
import secrets
import time
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from sanic import HTTPResponse, Request

from integrations.sandbox.payments.courier import Callback
from integrations.sandbox.payments.wechat_keys import WeChatPayKeys

_SCHEME: Final = "WECHATPAY2-SHA256-RSA2048"
_WINDOW_S: Final = 300
_FACT: Final = re.compile(r'(\w+)="([^"]*)"')
_SERIAL: Final = "0123456789ABCDEF" * 4

_STATUSES: Final = {
    "PARAM_ERROR": 400,
    "INVALID_REQUEST": 400,
    "APPID_MCHID_NOT_MATCH": 400,
    "MCH_NOT_EXISTS": 400,
    "ORDER_CLOSED": 400,
    "ORDERPAID": 400,
    "NO_STATEMENT_EXIST": 400,
    "STATEMENT_CREATING": 400,
    "SIGN_ERROR": 401,
    "NO_AUTH": 403,
    "OUT_TRADE_NO_USED": 403,
    "NOT_ENOUGH": 403,
    "USER_ACCOUNT_ABNORMAL": 403,
    "REQUEST_BLOCKED": 403,
    "ORDER_NOT_EXIST": 404,
    "RESOURCE_NOT_EXISTS": 404,
    "USER_NOT_EXISTS": 404,
    "FREQUENCY_LIMITED": 429,
    "RATELIMIT_EXCEEDED": 429,
}


class Told(HTTPResponse):
    """What WeChat Pay will say, before it is signed; `wrongly`: as its probes are."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        super().__init__(body, status=status, content_type="application/json; charset=utf-8")
        self.content = body
        self.wrongly = False

    def sealed(self, keys: WeChatPayKeys, asked_for: str) -> HTTPResponse:
        """Sign and return the whole answer; who could not be authenticated gets no signature."""
        if self.status != 401:
            self.headers.update(seal(self.content, *keys.signer(asked_for), probe=self.wrongly))
        self.headers["Request-ID"] = secrets.token_hex(16).upper()
        return self


def say(body: object, status: int = 200) -> Told:
    """Answer in JSON; None is an empty body."""
    return Told(b"" if body is None else msgspec.json.encode(body), status)


def refuse(code: int | str) -> Told:
    """Answer as WeChat Pay does when it will not."""
    word = str(code) if isinstance(code, str) else "SYSTEM_ERROR"
    return say({"code": word, "message": f"沙箱：{word}"}, _STATUSES.get(word, 500))


def seal(
    body: bytes, serial: str, key: RSAPrivateKey, *, at: float | None = None, probe: bool = False
) -> dict[str, str]:
    """Return the headers that sign a message; `at` is Unix seconds, by default now."""
    timestamp, nonce = str(int(time.time() if at is None else at)), secrets.token_urlsafe(24)
    text = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
    signature = base64.b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()
    return {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": serial,
        "Wechatpay-Signature": f"WECHATPAY/SIGNTEST/{signature[19:]}" if probe else signature,
        "Wechatpay-Signature-Type": _SCHEME,
    }


def is_authentic(request: Request, mch_id: str, serial: str, merchant: RSAPublicKey) -> bool:
    """Tell whether our merchant signed this question about now."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    facts = dict(_FACT.findall(rest))
    known = (scheme, facts.get("mchid"), facts.get("serial_no")) == (_SCHEME, mch_id, serial)
    timestamp, nonce = facts.get("timestamp", ""), facts.get("nonce_str", "")
    if not (known and nonce and timestamp.isdecimal()):
        return False
    if abs(time.time() - int(timestamp)) >= _WINDOW_S:
        return False
    target = request.raw_url.decode()
    text = f"{request.method}\n{target}\n{timestamp}\n{nonce}\n".encode() + request.body + b"\n"
    try:
        signature = base64.b64decode(facts.get("signature", ""), validate=True)
        merchant.verify(signature, text, PKCS1v15(), SHA256())
    except (binascii.Error, InvalidSignature):
        return False
    return True


def encrypted(content: bytes, about: str, api_v3_key: str) -> dict[str, str]:
    """Return content as a resource that only the merchant opens."""
    nonce = secrets.token_hex(6)
    sealed = AESGCM(api_v3_key.encode()).encrypt(nonce.encode(), content, about.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(sealed).decode(),
        "associated_data": about,
        "nonce": nonce,
    }


def callback(url: str, body: bytes, keys: WeChatPayKeys, tamper: str | None) -> Callback:
    """Sign a callback and spoil what is around its content, where that is wanted."""
    serial, key = keys.signer()
    late_s = {"stale": -_WINDOW_S - 1, "future": _WINDOW_S + 2}.get(tamper or "", 0)
    headers = seal(body, serial, key, at=time.time() + late_s, probe=tamper == "probe")
    if tamper == "signature":
        was = headers["Wechatpay-Signature"]
        headers["Wechatpay-Signature"] = ("B" if was[0] == "A" else "A") + was[1:]
    elif tamper == "key":
        headers["Wechatpay-Serial"] = _SERIAL[1:41]
    elif tamper == "no_header":
        del headers["Wechatpay-Timestamp"]
    elif tamper == "body":
        body = body[:-1] + b" }"
    return Callback(url, headers | {"Content-Type": "application/json"}, body)
