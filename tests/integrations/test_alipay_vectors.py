"""Signatures, serial numbers and encryption against messages that Alipay and its SDKs published."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_public_key,
    load_pem_private_key,
)

from integrations.alipay.certificates import cert_sn, certificate_of, root_cert_sn, rsa_key_of
from integrations.alipay.phone import content_key, decrypted
from integrations.alipay.signing import (
    notice_is_genuine,
    sign,
    signed_part,
    text_to_sign,
    verify,
)

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"

NOTICES = [
    "notify_cert_mode",
    "notify_keep_sign_type",
    "notify_keep_sign_type_invalid",
    "notify_trade_rsa2",
    "notify_trade_rsa2_invalid",
    "return_url_cert_mode",
]


def vector(name: str) -> dict[str, Any]:
    file = VECTORS / f"alipay_{name}.json"
    if not file.exists():
        pytest.skip(f"the shared test vectors are not beside this checkout: {file}")
    return dict(json.loads(file.read_text()))


def key_of(case: dict[str, Any]) -> RSAPublicKey:
    if "certificate_pem" in case:
        return rsa_key_of(certificate_of(case["certificate_pem"]))
    key = load_der_public_key(base64.b64decode(case["alipay_public_key_base64_der"]))
    assert isinstance(key, RSAPublicKey)
    return key


def test_every_published_vector_is_used_here() -> None:
    if not VECTORS.exists():
        pytest.skip(f"the shared test vectors are not beside this checkout: {VECTORS}")
    others = {
        "aes",
        "cert_sn",
        "request_sign",
        "response_cert_mode",
        "response_extract",
        "response_verify",
        "response_verify_gopay",
    }
    found = {file.stem.removeprefix("alipay_") for file in VECTORS.glob("alipay_*.json")}
    assert found == others | set(NOTICES)


def test_a_request_is_signed_as_alipay_expects() -> None:
    case = vector("request_sign")
    key = load_pem_private_key(case["private_key_pem"].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    assert sign(text_to_sign(case["params"]), key) == case["expected"]["sign"]


def test_serial_numbers_are_those_of_the_official_tools() -> None:
    case = vector("cert_sn")
    for one in case["cases"]:
        pem = one["pem"]
        found = root_cert_sn(pem) if one["root"] else cert_sn(certificate_of(pem))
        assert found == one["expected_sn"]
    der = base64.b64decode(case["expected"]["alipay_public_key_of_case_1_base64_der"])
    assert rsa_key_of(certificate_of(case["cases"][1]["pem"])) == load_der_public_key(der)


def test_an_answer_is_verified_as_it_came() -> None:
    case = vector("response_verify")
    part = signed_part(case["raw"].encode(), case["response_key"], "error_response")
    assert part.content.decode() == case["expected"]["signed_substring"]
    assert part.signature is not None
    assert verify(part.content, part.signature, key_of(case))
    assert not verify(part.content + b" ", part.signature, key_of(case))
    assert not verify(part.content.replace(b"10000", b"10001"), part.signature, key_of(case))


@pytest.mark.parametrize("name", ["response_verify_gopay", "response_cert_mode"])
def test_a_signed_content_is_verified_and_another_is_not(name: str) -> None:
    case = vector(name)
    content = case["signed_string"].encode()
    assert verify(content, case["sign"], key_of(case))
    assert not verify(content.replace(b"0.01", b"0.02"), case["sign"], key_of(case))


def test_the_signed_part_keeps_slashes_spaces_and_inner_signs() -> None:
    for case in vector("response_extract")["cases"]:
        part = signed_part(case["raw"].encode(), case["response_key"])
        assert part.content.decode() == case["expected_substring"]
        assert part.signature is not None
        assert part.signature.startswith("P8xrBWqZCUv11")


@pytest.mark.parametrize("name", NOTICES)
def test_a_notice_is_genuine_or_not(name: str) -> None:
    case = vector(name)
    params, key, expected = case["params"], key_of(case), case["expected"]
    without = verify(
        text_to_sign(params, without={"sign", "sign_type"}).encode(), params["sign"], key
    )
    assert without == expected["valid_without_sign_type"]
    if "valid_with_sign_type" in expected:
        covered = verify(text_to_sign(params).encode(), params["sign"], key)
        assert covered == expected["valid_with_sign_type"]
    genuine = notice_is_genuine(params, key)
    assert genuine == any(expected.values())
    for field in params.keys() - {"sign"}:
        assert not notice_is_genuine(params | {field: params[field] + "0"}, key)


def test_encrypted_content_opens() -> None:
    case = vector("aes")
    key = content_key(case["aes_key_base64"])
    assert decrypted(case["ciphertext_base64"], key).decode() == case["expected"]["plaintext"]
