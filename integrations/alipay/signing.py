"""Alipay's RSA2 signatures (SHA256withRSA): over parameters, and over parts of JSON as they came.

The rules are those of Alipay's open platform for the gateway `gateway.do`; they were checked
against messages that Alipay itself signed.
"""

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from integrations.canonical import unbase64

_IN_REQUESTS: Final = frozenset({"sign"})
_IN_NOTICES: Final = frozenset({"sign", "sign_type"})

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class NotAnAnswer(ValueError):
    """What came has not the shape of a signed message."""


@dataclass(frozen=True, slots=True)
class SignedPart:
    """One value of a JSON object byte for byte as it came, and what is said about its signature.

    `name` is the member it came under. `signature` is Base64, None when the message carries none;
    `cert_sn` names the certificate of the signing key, in certificate mode.
    """

    name: str
    content: bytes
    signature: str | None
    cert_sn: str | None


def text_to_sign(params: Mapping[str, str], *, without: Collection[str] = _IN_REQUESTS) -> str:
    """Return what a signature over parameters covers.

    `k=v` joined by `&`, sorted by key, raw values, leaving out what is empty and `without`. In
    requests `sign_type` is covered.
    """
    return "&".join(f"{k}={v}" for k, v in sorted(params.items()) if v and k not in without)


def sign(text: str, key: RSAPrivateKey) -> str:
    """Return the RSA2 signature of a text, in Base64."""
    return base64.b64encode(key.sign(text.encode(), PKCS1v15(), SHA256())).decode()


def verify(content: bytes, signature: str, key: RSAPublicKey) -> bool:
    """Tell whether this is the key's RSA2 signature, in Base64, over exactly these bytes."""
    try:
        key.verify(unbase64(signature), content, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def notice_is_genuine(params: Mapping[str, str], key: RSAPublicKey) -> bool:
    """Tell whether Alipay signed a notice with this key; `params` are its fields, URL-decoded once.

    Trade notices leave `sign_type` out of the signed text and some other kinds keep it in. Both
    texts hold the same facts, so a notice may pass with either.
    """
    signature = params.get("sign")
    if not signature or params.get("sign_type") != "RSA2":
        return False
    texts = (text_to_sign(params, without=names) for names in (_IN_NOTICES, _IN_REQUESTS))
    return any(verify(text.encode(), signature, key) for text in texts)


def signed_part(message: bytes, *names: str) -> SignedPart:
    """Return the first of the named members that a JSON object has, or raise NotAnAnswer.

    The value stays as it came, with escaped slashes, spaces and a string's own quotes: writing it
    anew would change what was signed. Only the outer object is looked at, so that a `sign` within
    the value is never taken for the signature.
    """
    try:
        members = _members.decode(message)
        name = next(name for name in names if name in members)
        signature, cert_sn = (
            _text.decode(members[member]) if member in members else None
            for member in ("sign", "alipay_cert_sn")
        )
    except (*_UNREADABLE, StopIteration):
        raise NotAnAnswer from None
    return SignedPart(name, bytes(members[name]), signature, cert_sn)
