"""The keys of the sandbox's WeChat Pay and of our merchant, and the certificates it changes."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from integrations.sandbox.alipay_keys import make_private_key, public_key_of, public_pem
from integrations.sandbox.settings import SandboxSettings

SignsWith = Literal["key", "certificate"]
_LIFE: Final = timedelta(days=5 * 365)


@dataclass(frozen=True, slots=True)
class PlatformCertificate:
    """One certificate of WeChat Pay's, with its private key."""

    serial: str
    key: RSAPrivateKey = field(repr=False)
    pem: str
    since: datetime
    until: datetime


@dataclass(slots=True)
class WeChatPayKeys:
    """Everything either side needs; `merchant_private_key` only where the sandbox made it."""

    key_id: str
    key: RSAPrivateKey = field(repr=False)
    merchant: RSAPublicKey
    merchant_private_key: str | None = field(repr=False)
    signs_with: SignsWith
    certificates: list[PlatformCertificate]

    @property
    def public_key(self) -> str:
        """WeChat Pay's public key, in PEM."""
        return public_pem(self.key.public_key())

    def signer(self, asked_for: str = "") -> tuple[str, RSAPrivateKey]:
        """Return who signs: the public key where it is asked for or in use, else a certificate."""
        if asked_for == self.key_id or self.signs_with == "key":
            return self.key_id, self.key
        return self.certificates[-1].serial, self.certificates[-1].key

    async def rotate(self) -> None:
        """Make a new certificate with a key of its own; the old ones are listed on."""
        key = _private(await asyncio.to_thread(make_private_key))
        self.certificates.append(_certificate(key))


class WeChatPayKeyRing:
    """The keys, made or read when they are first needed: making RSA keys takes long."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._keys: WeChatPayKeys | None = None
        self._making = asyncio.Lock()

    async def ready(self) -> WeChatPayKeys:
        """Return the keys; the first call makes them, in a thread."""
        if self._keys is None:
            async with self._making:
                if self._keys is None:
                    self._keys = await asyncio.to_thread(_keys, self._settings)
        return self._keys


def _keys(settings: SandboxSettings) -> WeChatPayKeys:
    key = _private(settings.wechat_pay_private_key or make_private_key())
    made = None if settings.wechat_mch_public_key else make_private_key()
    merchant = serialization.load_pem_public_key(
        (settings.wechat_mch_public_key or public_key_of(made or "")).encode()
    )
    if not isinstance(merchant, RSAPublicKey):
        raise ValueError("wechat_mch_public_key is not an RSA key")
    return WeChatPayKeys(
        key_id=settings.wechat_pay_key_id,
        key=key,
        merchant=merchant,
        merchant_private_key=made,
        signs_with=settings.wechat_pay_signs_with,
        # The same key under both names: making another would only cost time.
        certificates=[_certificate(key)],
    )


def _private(pem: str) -> RSAPrivateKey:
    # Testing its primes takes a tenth of a second at each start, and it protects nobody here.
    key = serialization.load_pem_private_key(
        pem.encode(), password=None, unsafe_skip_rsa_key_validation=True
    )
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("wechat_pay_private_key is not an RSA key")
    return key


def _certificate(key: RSAPrivateKey) -> PlatformCertificate:
    serial = x509.random_serial_number()
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com sandbox")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(since)
        .not_valid_after(since + _LIFE)
        .sign(key, SHA256())
    )
    pem = made.public_bytes(Encoding.PEM).decode()
    return PlatformCertificate(f"{serial:X}", key, pem, since, since + _LIFE)
