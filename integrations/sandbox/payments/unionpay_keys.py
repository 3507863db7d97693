"""The sandbox's UnionPay, its authority, and the merchant whom both certified."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import NameOID

ROOT: Final = "unionpay-root.pem"
MIDDLE: Final = "unionpay-middle.pem"
MERCHANT_PFX: Final = "unionpay-merchant.pfx"
MERCHANT_CERT: Final = "unionpay-merchant.pem"
PLATFORM: Final = "unionpay-platform.pem"
PASSWORD: Final = "000000"  # noqa: S105 of a demo's file, as in UnionPay's own tests

_FROM: Final = datetime(2020, 1, 1, tzinfo=UTC)
_UNTIL: Final = datetime(2120, 1, 1, tzinfo=UTC)
_OWNER: Final = "041@8310000000083040@中国银联股份有限公司@00016495"


@dataclass(frozen=True, slots=True)
class UnionPayKeys:
    """UnionPay's key and certificate (PEM), and the merchant's certificate."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: str
    merchant: x509.Certificate


class UnionPayKeyRing:
    """The keys of a folder, made when they are first needed: making RSA keys takes long."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: UnionPayKeys | None = None
        self._making = asyncio.Lock()

    async def ready(self) -> UnionPayKeys:
        """Return the keys; the first call reads or makes them, in a thread."""
        if self._keys is None:
            async with self._making:
                if self._keys is None:
                    self._keys = await asyncio.to_thread(self._read)
        return self._keys

    def _read(self) -> UnionPayKeys:
        make_unionpay_keys(self._folder)
        content = (self._folder / PLATFORM).read_bytes()
        key = load_pem_private_key(content, None, unsafe_skip_rsa_key_validation=True)
        assert isinstance(key, rsa.RSAPrivateKey)
        certificate = x509.load_pem_x509_certificate(content[content.index(b"-----BEGIN CERT") :])
        merchant = x509.load_pem_x509_certificate((self._folder / MERCHANT_CERT).read_bytes())
        return UnionPayKeys(key, _pem(certificate).replace("\n", "\r\n"), merchant)


def make_unionpay_keys(folder: Path) -> None:
    """Write both sides' files into a folder, unless they are there; the last tells it is whole."""
    if (folder / PLATFORM).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    root_key, key, merchant_key = (rsa.generate_private_key(65537, 2048) for _ in range(3))
    # One key for root and middle: making a fourth would only cost time.
    root = _certified("Yiting Sandbox Root CA", root_key, root_key, authority=True)
    middle = _certified("Yiting Sandbox OCA1", root_key, root_key, root, authority=True)
    ours = _certified(_OWNER, key, root_key, middle)
    merchant = _certified("041@merchant:SIGN@00000003", merchant_key, root_key, middle)
    lock = BestAvailableEncryption(PASSWORD.encode())
    pfx = serialize_key_and_certificates(b"merchant", merchant_key, merchant, None, lock)
    bare = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    _write(folder / ROOT, _pem(root).encode())
    _write(folder / MIDDLE, _pem(middle).encode())
    _write(folder / MERCHANT_PFX, pfx)
    _write(folder / MERCHANT_CERT, _pem(merchant).encode())
    _write(folder / PLATFORM, (bare + _pem(ours)).encode())


def certify_stranger(key: rsa.RSAPrivateKey) -> str:
    """Return a certificate in UnionPay's name that nobody but its owner vouches for, in PEM."""
    return _pem(_certified(_OWNER, key, key))


def _certified(
    name: str,
    key: rsa.RSAPrivateKey,
    issuer_key: rsa.RSAPrivateKey,
    issuer: x509.Certificate | None = None,
    *,
    authority: bool = False,
) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Yiting Sandbox for tests only"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() >> 96)
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuer_key, SHA256())
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
