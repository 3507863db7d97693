"""Whose certificate came in a message: UnionPay's, of our trusted chain, and of today; or nobody's.

UnionPay's messages carry the certificate that they were signed with, so a signature that verifies
proves nothing by itself: anybody can sign with a certificate of their own.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512
from cryptography.x509.oid import NameOID

# As UnionPay's own programs check it: the third part of the common name, between its at-signs.
UNIONPAY: Final = "中国银联股份有限公司"
_MOST_CHARS: Final = 8192
_MOST_STEPS: Final = 4
_MOST_KNOWN: Final = 16


def real_time() -> datetime:
    """Return the time that certificates are judged by; never the business clock."""
    return datetime.now(UTC)


class Trust:
    """Knows whom to believe: UnionPay's root and the certificates between, in PEM.

    `owner` is whose messages we take. Raises ValueError when there is no root, or something that is
    no certificate.
    """

    def __init__(
        self,
        roots: Sequence[x509.Certificate],
        between: Sequence[x509.Certificate] = (),
        *,
        owner: str = UNIONPAY,
        now: Callable[[], datetime] = real_time,
    ) -> None:
        if not roots:
            raise ValueError("UnionPay's root certificate is missing")
        self._roots = list(roots)
        self._between = list(between)
        self._owner = owner
        self._now = now
        # Those that once passed, by their text: of every change of theirs a rewritten text tells.
        self._known: OrderedDict[str, x509.Certificate] = OrderedDict()

    def key_in(self, pem: str) -> RSAPublicKey | None:
        """Return the certified key; None unless this is a certificate of UnionPay's, valid now."""
        certificate = self._known.get(pem) or self._met(pem)
        if certificate is None or not _is_valid(certificate, self._now()):
            return None
        key = certificate.public_key()
        return key if isinstance(key, RSAPublicKey) else None

    def _met(self, pem: str) -> x509.Certificate | None:
        if len(pem) > _MOST_CHARS:
            return None
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            good = (
                isinstance(certificate.public_key(), RSAPublicKey)
                and owner_of(certificate) == self._owner
                and not _is_authority(certificate)
                and self._leads_to_a_root(certificate, _MOST_STEPS)
            )
        except (
            Exception
        ):  # whatever cryptography raises of what a stranger made, it is no certificate
            return None
        if not good:
            return None
        self._known[pem] = certificate
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return certificate

    def _leads_to_a_root(self, certificate: x509.Certificate, steps: int) -> bool:
        if any(self._issued(root, certificate) for root in self._roots):
            return True
        return steps > 0 and any(
            self._issued(one, certificate) and self._leads_to_a_root(one, steps - 1)
            for one in self._between
        )

    def _issued(self, issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
        # Names first: a stranger's certificate costs no reckoning with keys.
        if certificate.issuer != issuer.subject or not _is_authority(issuer):
            return False
        if not _is_valid(issuer, self._now()):
            return False
        return _is_signed_by(issuer, certificate)


def owner_of(certificate: x509.Certificate) -> str:
    """Return whose certificate it is, of a common name like `041@8310…@owner@00016495`; or ``."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    parts = str(names[0].value).split("@") if len(names) == 1 else []
    return parts[2] if len(parts) > 2 else ""


def cert_id(certificate: x509.Certificate) -> str:
    """Return `certId`: the certificate's serial number in decimal."""
    return str(certificate.serial_number)


def _is_signed_by(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    # By hand: cryptography's own check refuses SHA-1, with which UnionPay's authority still signs.
    key, digest = issuer.public_key(), certificate.signature_hash_algorithm
    if not isinstance(key, RSAPublicKey) or not isinstance(digest, SHA1 | SHA256 | SHA384 | SHA512):
        return False
    try:
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, PKCS1v15(), digest)
    except (InvalidSignature, ValueError):
        return False
    return True


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
