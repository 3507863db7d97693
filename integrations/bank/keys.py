"""The keys that a bank signs its batch files with: a shared secret, or an RSA key of its own."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct

from integrations.canonical import unbase64

_LEAST_SECRET: Final = 32
_LEAST_BITS: Final = 2048


class BankKey(Protocol):
    """One key, good for one way of signing."""

    @property
    def algorithm(self) -> str:
        """The way's name in the signature line."""
        ...

    def verifies(self, content: bytes, signature: bytes) -> bool:
        """Tell whether this is the key's signature over exactly these bytes."""
        ...


@dataclass(frozen=True, slots=True)
class HmacKey:
    """A secret that the bank and we share; ValueError for one of fewer than 32 bytes."""

    secret: bytes = field(repr=False)
    algorithm: str = field(default="HMAC-SHA256", init=False)

    def __post_init__(self) -> None:
        if len(self.secret) < _LEAST_SECRET:
            raise ValueError(f"a bank's secret is shorter than {_LEAST_SECRET} bytes")

    def verifies(self, content: bytes, signature: bytes) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.sign(content), signature)

    def sign(self, content: bytes) -> bytes:
        """Return the signature over these bytes."""
        return hmac.digest(self.secret, content, hashlib.sha256)


@dataclass(frozen=True, slots=True)
class RsaKey:
    """The bank's public key: nobody on our side can make a file of theirs."""

    public: RSAPublicKey
    algorithm: str = field(default="RSA-SHA256", init=False)

    @classmethod
    def from_pem(cls, pem: str) -> "RsaKey":
        """Return the key of a PEM file; ValueError when it holds none of 2048 bits or more."""
        try:
            key = serialization.load_pem_public_key(pem.encode())
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError("the bank's public key is not readable") from None
        if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_BITS:
            raise ValueError(f"the bank's public key is not RSA of {_LEAST_BITS} bits or more")
        return cls(key)

    def verifies(self, content: bytes, signature: bytes) -> bool:
        """Check SHA256withRSA (PKCS #1 v1.5)."""
        try:
            self.public.verify(signature, content, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True


# By bank and key id, so that a bank may change its key from one file to the next.
BankKeys = Mapping[tuple[str, str], BankKey]


class _Entry(Struct, forbid_unknown_fields=True):
    bank: str
    key_id: str
    secret: str | None = None
    public_key: str | None = None


_entries = msgspec.json.Decoder(list[_Entry])


def read_keys(text: str) -> BankKeys:
    """Read a key file: JSON, `[{"bank", "key_id", "secret" | "public_key"}]`.

    `secret` is Base64, `public_key` PEM. Raises ValueError, which never quotes a key.
    """
    try:
        entries = _entries.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise ValueError("the file of bank keys has not the right shape") from None
    keys = {(one.bank, one.key_id): _key(one) for one in entries}
    if len(keys) != len(entries):
        raise ValueError("the file of bank keys has two keys of one bank under one key id")
    return keys


def _key(entry: _Entry) -> BankKey:
    if entry.secret is not None and entry.public_key is None:
        try:
            secret = unbase64(entry.secret)
        except ValueError:
            raise ValueError("a bank's secret is not Base64") from None
        return HmacKey(secret)
    if entry.public_key is not None and entry.secret is None:
        return RsaKey.from_pem(entry.public_key)
    raise ValueError("a bank's key needs either a secret or a public key")
