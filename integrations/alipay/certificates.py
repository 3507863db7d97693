"""Certificates as Alipay's certificate mode uses them: named by serial numbers of its own making.

A serial number (SN) is the MD5, in hexadecimal, of the issuer's name with the most specific part
first (`CN=…,OU=…,O=…,C=…`) followed by the certificate's serial number in decimal.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_ONE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_RSA_SIGNATURES: Final = "1.2.840.113549.1.1."


def certificate_of(pem: str) -> x509.Certificate:
    """Return a PEM file's first certificate, which is the owner's; ValueError when it has none.

    Files from Alipay carry the issuer's certificate behind it.
    """
    for certificate in _readable(pem):
        return certificate
    raise ValueError("no readable certificate in it")


def rsa_key_of(certificate: x509.Certificate) -> RSAPublicKey:
    """Return the certified key; ValueError when it is not RSA."""
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the certified key is not RSA")
    return key


def cert_sn(certificate: x509.Certificate) -> str:
    """Return the SN: `app_cert_sn` of our certificate, `alipay_cert_sn` of Alipay's."""
    name = certificate.issuer.rfc4514_string() + str(certificate.serial_number)
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def root_cert_sn(pem: str) -> str:
    """Return `alipay_root_cert_sn`: the SNs of the bundle's RSA-signed certificates, joined by `_`.

    ValueError when there is none.
    """
    if sns := [cert_sn(one) for one in _readable(pem) if _is_rsa_signed(one)]:
        return "_".join(sns)
    raise ValueError("no RSA-signed certificate in it")


def _is_rsa_signed(certificate: x509.Certificate) -> bool:
    return certificate.signature_algorithm_oid.dotted_string.startswith(_RSA_SIGNATURES)


def _readable(pem: str) -> Iterator[x509.Certificate]:
    # One by one: Alipay's root bundle also holds certificates of Chinese elliptic curves, which
    # cryptography refuses, and they must not take the others with them.
    for one in _ONE.findall(pem):
        try:
            yield x509.load_pem_x509_certificate(one.encode())
        except (ValueError, UnsupportedAlgorithm):
            continue
