"""The keys of the sandbox's Alipay and of our app, and certificates made for them."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from integrations.sandbox.settings import SandboxSettings

_FROM: Final = datetime(2020, 1, 1, tzinfo=UTC)
_UNTIL: Final = datetime(2120, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AlipayKeys:
    """Everything either side needs in either mode; certificates are PEM.

    `app_private_key` is PEM and only there when the sandbox had to make our app's key.
    """

    alipay: rsa.RSAPrivateKey = field(repr=False)
    app: rsa.RSAPublicKey
    app_private_key: str | None = field(repr=False)
    app_cert: str
    app_cert_sn: str
    alipay_cert: str
    alipay_cert_sn: str
    root_cert: str
    root_cert_sn: str


class AlipayKeyRing:
    """The keys, made or read when they are first needed: making RSA keys takes long."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._keys: AlipayKeys | None = None
        self._making = asyncio.Lock()

    async def ready(self) -> AlipayKeys:
        """Return the keys; the first call makes them, in a thread."""
        if self._keys is None:
            async with self._making:
                if self._keys is None:
                    self._keys = await asyncio.to_thread(_keys, self._settings)
        return self._keys


def make_private_key() -> str:
    """Return a fresh RSA-2048 private key in PEM (PKCS#8), for the app's or for Alipay's part."""
    return _private_pem(rsa.generate_private_key(65537, 2048))


def public_key_of(private_key: str) -> str:
    """Return the public key, in PEM, that belongs to a private RSA key in PEM."""
    return public_pem(_rsa_private(private_key).public_key())


def public_pem(key: PublicKeyTypes) -> str:
    """Return a public key in PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _keys(settings: SandboxSettings) -> AlipayKeys:
    alipay = _rsa_private(settings.alipay_private_key or make_private_key())
    made = None if settings.alipay_app_public_key else make_private_key()
    app = _rsa_public(settings.alipay_app_public_key or public_key_of(made or ""))
    # One key for root and Alipay: making a third would only cost time.
    root = _certificate("Yiting Sandbox Root", alipay.public_key(), alipay)
    alipay_cert = _certificate("Yiting Sandbox Alipay", alipay.public_key(), alipay)
    app_cert = _certificate(settings.alipay_app_id, app, alipay)
    return AlipayKeys(
        alipay=alipay,
        app=app,
        app_private_key=made,
        app_cert=_pem(app_cert),
        app_cert_sn=_sn(app_cert),
        alipay_cert=_pem(alipay_cert) + _pem(root),
        alipay_cert_sn=_sn(alipay_cert),
        # Alipay's own bundle begins with a root that is not RSA-signed and does not count.
        # An empty line between, as in Alipay's own.
        root_cert=_pem(_elliptic_root()) + "\n" + _pem(root),
        root_cert_sn=_sn(root),
    )


def _rsa_private(pem: str) -> rsa.RSAPrivateKey:
    # Testing its primes takes a tenth of a second at each start, and it protects nobody here.
    key = serialization.load_pem_private_key(
        pem.encode(), password=None, unsafe_skip_rsa_key_validation=True
    )
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("alipay_private_key is not an RSA key")
    return key


def _rsa_public(pem: str) -> rsa.RSAPublicKey:
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("alipay_app_public_key is not an RSA key")
    return key


def _certificate(
    subject: str,
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    issuer: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    # The same keys get the same serial numbers, so that they stay over restarts.
    digest = hashlib.sha256(f"{subject}\n{public_pem(key)}".encode()).digest()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name("Yiting Sandbox Root"))
        .public_key(key)
        .serial_number(int.from_bytes(digest[:16], "big") >> 1 | 1)
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .sign(issuer, SHA256())
    )


def _elliptic_root() -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    return _certificate("Yiting Sandbox Elliptic Root", key.public_key(), key)


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Yiting Sandbox for tests only"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Certification Authority test"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _sn(certificate: x509.Certificate) -> str:
    issuer = {a.rfc4514_attribute_name: str(a.value) for a in certificate.issuer}
    name = ",".join(f"{part}={issuer[part]}" for part in ("CN", "OU", "O", "C"))
    text = f"{name}{certificate.serial_number}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
