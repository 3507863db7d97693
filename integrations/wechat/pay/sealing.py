"""What WeChat Pay encrypts for us: resources with our APIv3 key, single fields with our RSA key."""

import base64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1
from msgspec import Struct

_ALGORITHM = "AEAD_AES_256_GCM"


class CannotOpen(ValueError):
    """What came was not encrypted for us, or not whole."""


class Sealed(Struct):
    """An encrypted resource, as it stands in callbacks and among certificates."""

    algorithm: str
    ciphertext: str
    nonce: str
    associated_data: str = ""

    def opened(self, key: bytes) -> bytes:
        """Return what is in it, or raise CannotOpen."""
        if self.algorithm != _ALGORITHM:
            raise CannotOpen
        return opened(self.ciphertext, self.nonce, self.associated_data, key)


def opened(ciphertext: str, nonce: str, associated_data: str, key: bytes) -> bytes:
    """Open AES-GCM with its tag behind it, in Base64, or raise CannotOpen."""
    try:
        sealed = base64.b64decode(ciphertext, validate=True)
        return AESGCM(key).decrypt(nonce.encode(), sealed, associated_data.encode())
    # A key, nonce or text of a wrong length is a ValueError, not an InvalidTag.
    except (InvalidTag, ValueError):
        raise CannotOpen from None


def opened_field(ciphertext: str, key: RSAPrivateKey) -> str:
    """Open one sensitive field (RSA-OAEP with SHA-1), in Base64, or raise CannotOpen."""
    # The scheme is WeChat's; OAEP does not rest on what SHA-1 has lost.
    padding = OAEP(MGF1(SHA1()), SHA1(), None)  # noqa: S303
    try:
        return key.decrypt(base64.b64decode(ciphertext, validate=True), padding).decode()
    except ValueError:
        raise CannotOpen from None
