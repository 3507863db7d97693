"""UnionPay's signatures, version 5.1.0: RSA over the digest of a digest.

All fields but the signature, without the empty ones, sorted by name and joined as `k=v&k=v`, are
hashed with SHA-256; the hexadecimal digits of that hash, as text, are what is signed with
SHA256withRSA. Checked against messages that UnionPay's test environment signed.
"""

import base64
import hashlib
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from integrations.canonical import unbase64


def sign(fields: Mapping[str, str], key: RSAPrivateKey) -> str:
    """Return the signature of a message's fields, in Base64."""
    return base64.b64encode(key.sign(_digits(fields), PKCS1v15(), SHA256())).decode()


def verify(fields: Mapping[str, str], key: RSAPublicKey) -> bool:
    """Tell whether a message's `signature` is this key's over all its other fields."""
    try:
        signature = unbase64(fields.get("signature", ""))
        key.verify(signature, _digits(fields), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def _digits(fields: Mapping[str, str]) -> bytes:
    covered = (f"{k}={v}" for k, v in sorted(fields.items()) if v and k != "signature")
    digest = hashlib.sha256()
    # Piece by piece: a settlement file is one of the fields.
    for at, text in enumerate(covered):
        digest.update(("&" + text if at else text).encode())
    return digest.hexdigest().encode()
