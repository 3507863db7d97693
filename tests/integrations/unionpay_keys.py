"""A certification authority of the tests' own, and what it certifies: UnionPay, us, and others."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import NameOID

from integrations.unionpay.certificates import UNIONPAY
from integrations.unionpay.credentials import UnionPayCredentials
from integrations.unionpay.signing import sign
from tests.integrations.alipay_running import private_key

FROM = datetime(2020, 1, 1, tzinfo=UTC)
UNTIL = datetime(2120, 1, 1, tzinfo=UTC)
MERCHANT = "777290058167151"
PASSWORD = "000000"


@dataclass(frozen=True)
class Certified:
    """A key and its certificate."""

    key: RSAPrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()


def certified(
    name: str,
    whose: str,
    by: Certified | None = None,
    *,
    authority: bool = False,
    since: datetime = FROM,
    until: datetime = UNTIL,
    serial: int = 69903319369,
) -> Certified:
    """`whose` key, certified under a name by somebody, or by itself."""
    key = private_key(whose)
    subject = _name(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(by.key if by else key, SHA256())
    )
    return Certified(key, made)


@cache
def root() -> Certified:
    return certified("Tests' Root", "unionpay root", authority=True)


@cache
def middle() -> Certified:
    return certified("Tests' Middle", "unionpay middle", root(), authority=True)


@cache
def unionpay() -> Certified:
    return certified(f"041@8310000000083040@{UNIONPAY}@00016495", "unionpay", middle(), serial=7)


@cache
def pfx() -> bytes:
    ours = certified("041@Z2014-11-11@merchant:SIGN@00000003", "merchant", middle())
    return serialize_key_and_certificates(
        b"merchant", ours.key, ours.certificate, None, BestAvailableEncryption(PASSWORD.encode())
    )


@cache
def credentials() -> UnionPayCredentials:
    return UnionPayCredentials.from_files(
        MERCHANT, pfx(), PASSWORD, root_certs=root().pem, middle_certs=middle().pem
    )


def said_by(who: Certified, **fields: str) -> dict[str, str]:
    """A message with its sender's certificate in it, signed."""
    message = {
        "version": "5.1.0",
        "signMethod": "01",
        "encoding": "UTF-8",
        "merId": MERCHANT,
        "signPubKeyCert": who.pem,
        **fields,
    }
    return message | {"signature": sign(message, who.key)}


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
