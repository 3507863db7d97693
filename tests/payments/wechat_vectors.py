"""The published messages of WeChat Pay and its SDKs, read where they are."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from integrations.wechat.pay.callbacks import Callbacks
from integrations.wechat.pay.credentials import WeChatPayCredentials
from integrations.wechat.pay.trust import Trust, certified

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"


def vector(name: str) -> dict[str, Any]:
    file = VECTORS / f"wechatpay_{name}.json"
    if not file.exists():
        pytest.skip(f"the shared test vectors are not beside this checkout: {file}")
    return dict(json.loads(file.read_text()))


def private_key(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


def public_key(pem: str) -> RSAPublicKey:
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, RSAPublicKey)
    return key


def certified_key(pem: str) -> RSAPublicKey:
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    assert isinstance(key, RSAPublicKey)
    return key


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def reader(case: dict[str, Any], ours: RSAPrivateKey) -> Callbacks:
    """What reads callbacks of the merchant of a vector, at the moment of that vector.

    The Go SDK's keys are of 16 bytes, which no account has: so it is made without `from_texts`.
    """
    credentials = WeChatPayCredentials(
        "wx0000", "1234567890", "0A", ours, case["apiv3_key"].encode()
    )
    trust = Trust({})
    serial, known = certified(case["platform_certificate_pem"].encode())
    trust.learn({serial: known, lower(case["headers"])["wechatpay-serial"]: known})
    return Callbacks(credentials, trust, lambda: case["now"])
