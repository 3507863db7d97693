"""Who we are to WeChat Pay, and how we know that it is WeChat Pay who speaks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

_LEAST_BITS: Final = 2048
_KEY_ID: Final = re.compile(r"PUB_KEY_ID_[0-9A-Z]{1,53}", re.ASCII)
_SERIAL: Final = re.compile(r"[0-9A-F]{1,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class WeChatPayCredentials:
    """Our merchant account. Make one with `from_texts`.

    `serial_no` is our certificate's. `public_keys` are WeChat Pay's by their ids, where the
    merchant platform shows one (public-key mode); else its certificates are fetched. During the
    migration between the two both occur.
    """

    app_id: str
    mch_id: str
    serial_no: str
    private_key: RSAPrivateKey = field(repr=False)
    api_v3_key: bytes = field(repr=False)
    public_keys: Mapping[str, RSAPublicKey] = field(default_factory=dict, repr=False)

    @classmethod
    def from_texts(
        cls,
        *,
        app_id: str,
        mch_id: str,
        serial_no: str,
        private_key: str,
        api_v3_key: str,
        public_keys: Mapping[str, str] | None = None,
    ) -> Self:
        """Read keys from PEM; raises ValueError that tells what is wrong and never a key."""
        serial = serial_no.upper()
        if not _SERIAL.fullmatch(serial):
            raise ValueError("the serial number of the merchant certificate is not hexadecimal")
        if not (len(api_v3_key) == 32 and api_v3_key.isascii()):
            raise ValueError("the APIv3 key is not 32 letters and digits")
        return cls(
            app_id,
            mch_id,
            serial,
            _private(private_key),
            api_v3_key.encode(),
            {_key_id(name): public_key(pem) for name, pem in (public_keys or {}).items()},
        )

    @property
    def newest_key_id(self) -> str | None:
        """The public key that answers shall be signed with; None in certificate mode."""
        return next(reversed(list(self.public_keys)), None)


def public_key(pem: str) -> RSAPublicKey:
    """Return WeChat Pay's public key; raises ValueError."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("WeChat Pay's public key is not readable") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_BITS:
        raise ValueError(f"WeChat Pay's public key is not RSA of {_LEAST_BITS} bits or more")
    return key


def _private(pem: str) -> RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Not the cause: it may quote the key.
        raise ValueError("the WeChat Pay merchant's private key is not readable") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _LEAST_BITS:
        raise ValueError(f"the merchant's private key is not RSA of {_LEAST_BITS} bits or more")
    return key


def _key_id(name: str) -> str:
    if not _KEY_ID.fullmatch(name):
        raise ValueError("the id of WeChat Pay's public key does not begin with PUB_KEY_ID_")
    return name
