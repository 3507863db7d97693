"""Who we are to UnionPay: the merchant's key and certificate, and whom we believe."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

from integrations.unionpay.certificates import UNIONPAY, Trust, cert_id, real_time

_LEAST_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class UnionPayCredentials:
    """Our merchant number, what we sign with, and how we know that it is UnionPay who speaks.

    Make one with `from_files`, which raises ValueError that tells what is wrong and never a key.
    """

    merchant: str
    private_key: RSAPrivateKey = field(repr=False)
    cert_id: str
    trust: Trust = field(repr=False)

    @classmethod
    def from_files(
        cls,
        merchant: str,
        pfx: bytes,
        password: str,
        *,
        root_certs: str,
        middle_certs: str,
        owner: str = UNIONPAY,
        now: Callable[[], datetime] = real_time,
    ) -> Self:
        """From the contents of the files that UnionPay hands out.

        `pfx` is the merchant's key and certificate, under a password; `root_certs` and
        `middle_certs` are PEM, one or several.
        """
        try:
            key, ours, _ = load_key_and_certificates(pfx, password.encode())
        except ValueError:
            # Not the cause: it may quote what it could not read.
            raise ValueError("UnionPay's pfx file does not open with its password") from None
        if not isinstance(key, RSAPrivateKey) or key.key_size < _LEAST_BITS or ours is None:
            raise ValueError(f"UnionPay's pfx file holds no RSA key of {_LEAST_BITS} bits or more")
        trust = Trust(
            _certificates(root_certs, "root"),
            _certificates(middle_certs, "middle"),
            owner=owner,
            now=now,
        )
        return cls(merchant, key, cert_id(ours), trust)


def _certificates(pem: str, which: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise ValueError(f"UnionPay's {which} certificate is not readable") from None
