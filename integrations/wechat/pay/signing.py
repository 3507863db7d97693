"""What WeChat Pay signs and how: SHA256withRSA (PKCS #1 v1.5) over lines that each end in LF."""

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

SCHEME: Final = "WECHATPAY2-SHA256-RSA2048"
# A message is stale when its clock and ours differ by this much.
FRESH_S: Final = 300

_TIMESTAMP: Final = re.compile(r"[0-9]{1,11}", re.ASCII)
_NONCE: Final = re.compile(r"[!-~]{1,128}", re.ASCII)
_SERIAL: Final = re.compile(r"[0-9A-Za-z_]{1,64}", re.ASCII)
_MOST_SIGNATURE: Final = 1024  # RSA of 4096 bits in Base64 is 684 letters


@dataclass(frozen=True, slots=True)
class Seal:
    """What WeChat says beside a message: when, with which key, and the signature in Base64."""

    timestamp: str
    nonce: str
    serial: str
    signature: str

    @property
    def at(self) -> int:
        """When it was signed, in Unix seconds."""
        return int(self.timestamp)

    def is_fresh(self, now: float) -> bool:
        """Tell whether it was signed about now; Unix seconds."""
        return abs(now - self.at) < FRESH_S


def read_seal(headers: Mapping[str, str]) -> Seal | None:
    """Return the seal in these headers, found by lower-case names; None where it lacks a part."""
    timestamp = headers.get("wechatpay-timestamp") or ""
    nonce = headers.get("wechatpay-nonce") or ""
    serial = headers.get("wechatpay-serial") or ""
    signature = headers.get("wechatpay-signature") or ""
    shaped = (
        _TIMESTAMP.fullmatch(timestamp)
        and _NONCE.fullmatch(nonce)
        and _SERIAL.fullmatch(serial)
        and 0 < len(signature) <= _MOST_SIGNATURE
    )
    # An old message names no scheme; one that names another is none of ours.
    if not shaped or headers.get("wechatpay-signature-type", SCHEME) != SCHEME:
        return None
    return Seal(timestamp, nonce, serial.upper(), signature)


def sealed_text(seal: Seal, body: bytes) -> bytes:
    """Return what the signature of a callback or an answer covers: its raw bytes."""
    return b"%b\n%b\n%b\n" % (seal.timestamp.encode(), seal.nonce.encode(), body)


def request_text(method: str, target: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """Return what the signature of a question covers; `target` is path and query as sent."""
    return f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"


def authorization(
    method: str,
    target: str,
    body: bytes,
    *,
    mch_id: str,
    serial_no: str,
    key: RSAPrivateKey,
    now: float,
    nonce: str | None = None,
) -> str:
    """Return the Authorization header of one question; `now` is Unix seconds."""
    timestamp, nonce = str(int(now)), nonce or secrets.token_hex(16)
    signature = sign(request_text(method, target, timestamp, nonce, body), key)
    facts = {
        "mchid": mch_id,
        "nonce_str": nonce,
        "timestamp": timestamp,
        "serial_no": serial_no,
        "signature": signature,
    }
    return f"{SCHEME} " + ",".join(f'{name}="{fact}"' for name, fact in facts.items())


def pay_text(app_id: str, timestamp: str, nonce: str, package: str) -> bytes:
    """Return what `paySign` covers, which a phone shows to WeChat."""
    return f"{app_id}\n{timestamp}\n{nonce}\n{package}\n".encode()


def sign(text: bytes, key: RSAPrivateKey) -> str:
    """Return a signature in Base64."""
    return base64.b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()


def verify(text: bytes, signature: str, key: RSAPublicKey) -> bool:
    """Tell whether this is the key's signature, in Base64, over exactly these bytes.

    WeChat's probes, which begin with `WECHATPAY/SIGNTEST/`, are no signatures and fail like any
    other: that is what they test.
    """
    try:
        key.verify(base64.b64decode(signature, validate=True), text, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):  # binascii.Error is a ValueError, non-ASCII raises one
        return False
    return True
