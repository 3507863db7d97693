"""Alipay's word for a phone number: a payload that only Alipay can sign and only we can open."""

import base64
import binascii
import re
from typing import Final

import msgspec
import structlog
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from integrations.alipay.client import SUCCESS
from integrations.alipay.credentials import AlipayCredentials
from integrations.alipay.signing import verify
from integrations.ports import PlatformRefused

log = structlog.get_logger()

_MOST_CHARS: Final = 8192
_PHONE: Final = re.compile(r"\+?[0-9][0-9 \-]{3,18}[0-9]")
# As in 852-91234567; other hyphens and spaces are only for reading.
_WITH_COUNTRY: Final = re.compile(r"([1-9][0-9]{0,2})-([0-9]+)")
_NO_IV: Final = bytes(16)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


class _Payload(msgspec.Struct):
    response: str
    sign: str
    sign_type: str = "RSA2"


class _Opened(msgspec.Struct):
    code: str = ""
    mobile: str = ""


_payload = msgspec.json.Decoder(_Payload)
_opened = msgspec.json.Decoder(_Opened)


class AlipayPhone:
    """Opens what `my.getPhoneNumber` gives the mini-program: JSON `{response, sign}`.

    `response` is AES-128-CBC, zero IV, PKCS7, in Base64; Alipay signs it with quotes around it.
    `aes_key` is the content key from Alipay's console, in Base64; ValueError when it is none.
    """

    def __init__(self, credentials: AlipayCredentials, aes_key: str) -> None:
        self._credentials = credentials
        self._aes_key = content_key(aes_key)

    async def phone_of(self, proof: str) -> str:
        """Return the phone number in the payload, or raise PlatformRefused("code_invalid").

        Nothing is asked of anybody. The same payload opens any number of times, and does not say
        whose phone it came from.
        """
        if len(proof) > _MOST_CHARS:
            raise self._refused("too_long")
        try:
            payload = _payload.decode(proof)
        except _UNREADABLE:
            raise self._refused("rubbish") from None
        # The signature first: only Alipay may make us try our key on something.
        if not self._is_genuine(payload):
            raise self._refused("wrong_signature")
        return self._phone(payload.response)

    def _is_genuine(self, payload: _Payload) -> bool:
        if payload.sign_type != "RSA2":
            return False
        signed = f'"{payload.response}"'.encode()
        # Payloads name no certificate, so any of Alipay's keys that we know will do.
        keys = self._credentials.alipay_keys.values()
        return any(verify(signed, payload.sign, key) for key in keys)

    def _phone(self, response: str) -> str:
        try:
            opened = _opened.decode(decrypted(response, self._aes_key))
        except (ValueError, *_UNREADABLE):
            raise self._refused("not_decrypted") from None
        if opened.code != SUCCESS or not _PHONE.fullmatch(opened.mobile):
            raise self._refused("no_phone")
        return _with_plus(opened.mobile)

    def _refused(self, why: str) -> PlatformRefused:
        # A wrong key of ours looks like a wrong payload; many of these in a row are the sign.
        log.info("alipay_phone_refused", why=why, app_id=self._credentials.app_id)
        return PlatformRefused("code_invalid")


def _with_plus(mobile: str) -> str:
    """Mark a country in front: 1-3812345678 without its hyphen is a mainland number."""
    parts = _WITH_COUNTRY.fullmatch(mobile)
    return mobile if parts is None else f"+{parts[1]}{parts[2]}"


def content_key(text: str) -> bytes:
    """Return the 16 bytes of a content key in Base64; ValueError when it is none."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 16:
        raise ValueError("Alipay's content key is not 16 bytes in Base64")
    return key


def decrypted(text: str, key: bytes) -> bytes:
    """Return Alipay's encrypted content in the clear; ValueError when it does not open."""
    sealed = base64.b64decode(text, validate=True)
    opener = Cipher(AES(key), CBC(_NO_IV)).decryptor()
    padded = opener.update(sealed) + opener.finalize()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(padded) + unpadder.finalize()
