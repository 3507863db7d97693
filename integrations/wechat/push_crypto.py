"""How WeChat's message push is signed and sealed.

Plain: `signature` = sha1 of token, timestamp and nonce. Safe mode: `msg_signature` covers what is
sealed too; AES-256-CBC over 16 random bytes, a length, the message and the app's id.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from integrations.ports_payment import NotGenuine

_BLOCK: Final = 32
_RANDOM: Final = 16


def signature(*parts: str) -> str:
    """The signature over these texts."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def is_signed(given: str, *parts: str) -> bool:
    """Whether a signature is the one over these texts."""
    return hmac.compare_digest(signature(*parts).encode(), given.encode())


class PushKey:
    """The mini-program's EncodingAESKey: 43 characters of Base64."""

    def __init__(self, encoding_aes_key: str) -> None:
        try:
            key = base64.b64decode(encoding_aes_key + "=", validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _BLOCK:
            raise ValueError("an EncodingAESKey has 43 characters of Base64")
        self._cipher = Cipher(algorithms.AES(key), modes.CBC(key[:_RANDOM]))

    def open(self, sealed: str, *, app_id: str) -> bytes:
        """The message inside. Raises NotGenuine when it is none, or another app's."""
        try:
            text = base64.b64decode(sealed, validate=True)
            decryptor = self._cipher.decryptor()
            padded = decryptor.update(text) + decryptor.finalize()
        except (binascii.Error, ValueError):
            raise NotGenuine("sealed_wrongly") from None
        plain = _without_padding(padded)
        length = int.from_bytes(plain[_RANDOM : _RANDOM + 4], "big")
        message = plain[_RANDOM + 4 :][:length]
        receiver = plain[_RANDOM + 4 + length :]
        if len(plain) < _RANDOM + 4 or len(message) != length:
            raise NotGenuine("sealed_wrongly")
        if not hmac.compare_digest(receiver, app_id.encode()):
            raise NotGenuine("foreign_app")
        return message

    def seal(self, message: bytes, *, app_id: str, random: bytes) -> str:
        """The message sealed for an app with 16 random bytes."""
        plain = random + len(message).to_bytes(4, "big") + message + app_id.encode()
        short = _BLOCK - len(plain) % _BLOCK
        encryptor = self._cipher.encryptor()
        sealed = encryptor.update(plain + bytes([short]) * short) + encryptor.finalize()
        return base64.b64encode(sealed).decode()


def _without_padding(padded: bytes) -> bytes:
    short = padded[-1] if padded else 0
    if not 1 <= short <= _BLOCK or padded[-short:] != bytes([short]) * short:
        raise NotGenuine("sealed_wrongly")
    return padded[:-short]
