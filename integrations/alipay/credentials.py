"""Our app's key and Alipay's, in either of the two modes that Alipay's console offers."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from integrations.alipay.certificates import cert_sn, certificate_of, root_cert_sn, rsa_key_of

_LEAST_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class AlipayCredentials:
    """Who we are to Alipay, and how we know that it is Alipay who answers.

    Make one with `with_public_key` or `with_certificates`; both raise ValueError that tells what
    is wrong and never what the key is.
    """

    app_id: str
    private_key: RSAPrivateKey = field(repr=False)
    # In certificate mode by SN; the one key of plain mode stands under None.
    alipay_keys: Mapping[str | None, RSAPublicKey] = field(repr=False)
    # What certificate mode adds to every request.
    serial_numbers: Mapping[str, str]

    @classmethod
    def with_public_key(cls, app_id: str, private_key: str, alipay_public_key: str) -> Self:
        """Plain mode: Alipay's public key, not our own, is what the console shows as 支付宝公钥.

        Keys are PEM, or bare Base64 as Alipay's key tool writes them (PKCS#8 or PKCS#1).
        """
        theirs = _public_key(alipay_public_key)
        return cls(app_id, _private_key(private_key), {None: theirs}, {})

    @classmethod
    def with_certificates(
        cls,
        app_id: str,
        private_key: str,
        *,
        app_cert: str,
        alipay_certs: Sequence[str],
        alipay_root_cert: str,
    ) -> Self:
        """Certificate mode, from the texts of the files that Alipay's console hands out.

        Alipay certifies itself anew every few years, under a new SN. Its answers then come under
        either, so `alipay_certs` may be several.
        """
        key = _private_key(private_key)
        ours = certificate_of(app_cert)
        if rsa_key_of(ours) != key.public_key():
            raise ValueError("the Alipay app certificate is for another private key")
        theirs = [certificate_of(text) for text in alipay_certs]
        if not theirs:
            raise ValueError("certificate mode needs Alipay's own certificate")
        return cls(
            app_id,
            key,
            {cert_sn(one): rsa_key_of(one) for one in theirs},
            {
                "app_cert_sn": cert_sn(ours),
                "alipay_root_cert_sn": root_cert_sn(alipay_root_cert),
            },
        )

    def key_for(self, sn: str | None) -> RSAPublicKey | None:
        """Return Alipay's key for an answer that names this certificate; None when unknown."""
        if None in self.alipay_keys:
            return self.alipay_keys[None]
        return self.alipay_keys.get(sn)


def _private_key(text: str) -> RSAPrivateKey:
    try:
        key = (
            serialization.load_pem_private_key(text.encode(), password=None)
            if "-----BEGIN" in text
            else serialization.load_der_private_key(_der(text), password=None)
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Not the cause: it may quote the key.
        raise ValueError("the Alipay app's private key is not readable") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _LEAST_BITS:
        raise ValueError(f"the Alipay app's private key is not RSA of {_LEAST_BITS} bits or more")
    return key


def _public_key(text: str) -> RSAPublicKey:
    try:
        key = (
            serialization.load_pem_public_key(text.encode())
            if "-----BEGIN" in text
            else serialization.load_der_public_key(_der(text))
        )
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("Alipay's public key is not readable") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("Alipay's public key is not RSA")
    return key


def _der(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise ValueError("not Base64") from None
