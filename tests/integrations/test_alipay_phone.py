"""Alipay's phone payloads: what phones bring is opened only when Alipay signed it."""

import base64
import json
import logging
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from structlog.testing import capture_logs

from integrations.alipay import AlipayPhone
from integrations.alipay.phone import content_key
from integrations.ports import PlatformRefused
from tests.integrations.alipay_running import RunningAlipay, plain_credentials, private_key

AES_KEY = base64.b64encode(b"sixteen bytes ok").decode()


def reader(alipay: RunningAlipay) -> AlipayPhone:
    return AlipayPhone(alipay.credentials, alipay.keys["aes_key"])


def sealed(content: bytes, *, pad: bytes | None = None) -> str:
    """A ciphertext of AES_KEY; `pad` replaces the right padding."""
    short = 16 - len(content) % 16
    cipher = Cipher(AES(content_key(AES_KEY)), CBC(bytes(16))).encryptor()
    return base64.b64encode(cipher.update(content + (pad or bytes([short]) * short))).decode()


def payload(response: str, *, whose: str = "alipay", quoted: bool = True, **other: Any) -> str:
    signed = f'"{response}"' if quoted else response
    signature = private_key(whose).sign(signed.encode(), PKCS1v15(), SHA256())
    return json.dumps({"response": response, "sign": base64.b64encode(signature).decode()} | other)


def mobile(number: str) -> str:
    return sealed(json.dumps({"code": "10000", "msg": "Success", "mobile": number}).encode())


async def test_a_payload_opens_to_the_persons_phone(either_alipay: RunningAlipay) -> None:
    alipay = either_alipay
    persona = await alipay.sandbox.persona(phone="13800138000")
    proof = await alipay.payload(persona["id_number"])
    assert "13800138000" not in proof
    assert await reader(alipay).phone_of(proof) == "13800138000"


async def test_another_content_key_opens_nothing(alipay: RunningAlipay) -> None:
    persona = await alipay.sandbox.persona()
    proof = await alipay.payload(persona["id_number"])
    with pytest.raises(PlatformRefused, match="code_invalid"):
        await AlipayPhone(alipay.credentials, AES_KEY).phone_of(proof)


async def test_any_change_to_what_was_signed_is_refused(alipay: RunningAlipay) -> None:
    persona = await alipay.sandbox.persona()
    proof = json.loads(await alipay.payload(persona["id_number"]))
    response = bytearray(base64.b64decode(proof["response"]))
    response[0] ^= 1
    for change in (
        {"response": base64.b64encode(response).decode()},
        {"response": proof["response"] + "="},
        {"response": f'"{proof["response"]}"'},
        {"sign": proof["sign"][:-4] + "AAA="},
        {"sign": ""},
        {"sign_type": "RSA"},
    ):
        with capture_logs() as logs, pytest.raises(PlatformRefused, match="code_invalid"):
            await reader(alipay).phone_of(json.dumps(proof | change))
        assert [entry["why"] for entry in logs] == ["wrong_signature"]


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        ("", "rubbish"),
        ("{}", "rubbish"),
        ("[]", "rubbish"),
        ("null", "rubbish"),
        ("\ud800", "rubbish"),
        ('{"response":' + "[" * 8000, "rubbish"),
        ('{"response":{"code":"10000","mobile":"13800138000"},"sign":"x"}', "rubbish"),
        ("x" * 8193, "too_long"),
        ('{"response":"签名","sign":"签名"}', "wrong_signature"),
        (payload(mobile("13800138000"), quoted=False), "wrong_signature"),
        (payload(mobile("13800138000"), whose="app"), "wrong_signature"),
        (payload(""), "not_decrypted"),
        (payload("not base64"), "not_decrypted"),
        (payload(base64.b64encode(b"fifteen bytes..").decode()), "not_decrypted"),
        (payload(sealed(b"x", pad=bytes(15))), "not_decrypted"),
        (payload(sealed(b"not JSON")), "not_decrypted"),
        (payload(sealed(b'{"code":"10000","mobile":7}')), "not_decrypted"),
        (payload(sealed(b'{"code":"10000","mobile":"\xff"}')), "not_decrypted"),
        (payload(sealed(b'{"code":"40001","msg":"x","subCode":"isv.x"}')), "no_phone"),
        (payload(sealed(b'{"code":"10000"}')), "no_phone"),
        (payload(sealed(b'{"mobile":"13800138000"}')), "no_phone"),
        (payload(mobile("")), "no_phone"),
        (payload(mobile("call me")), "no_phone"),
        (payload(mobile("13800138000\n")), "no_phone"),
        (payload(mobile("1" * 21)), "no_phone"),
    ],
)
async def test_what_is_wrong_with_a_payload_is_refused(proof: str, why: str) -> None:
    with capture_logs() as logs, pytest.raises(PlatformRefused) as no:
        await AlipayPhone(plain_credentials(), AES_KEY).phone_of(proof)
    assert (no.value.reason, [entry["why"] for entry in logs]) == ("code_invalid", [why])


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("13800138000", "13800138000"),
        ("852-91234567", "+85291234567"),
        ("+85291234567", "+85291234567"),
        ("1-3812345678", "+13812345678"),
        ("86-13800138000", "+8613800138000"),
    ],
)
async def test_numbers_of_any_country_are_read_and_none_passes_for_another(
    number: str, told: str
) -> None:
    phones = AlipayPhone(plain_credentials(), AES_KEY)
    assert await phones.phone_of(payload(mobile(number), charset="UTF-8")) == told


async def test_nothing_of_a_phone_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    phones = AlipayPhone(plain_credentials(), AES_KEY)
    with capture_logs() as logs:
        await phones.phone_of(payload(mobile("13800138000")))
        for wrong in (payload(mobile("13800138000x")), payload(mobile("1"), whose="app")):
            with pytest.raises(PlatformRefused) as no:
                await phones.phone_of(wrong)
            assert "13800138000" not in repr(no.value)
    told = repr(logs) + caplog.text
    assert "13800138000" not in told
    assert AES_KEY not in told + repr(phones)


@pytest.mark.parametrize("text", ["", "x", "AAAA", "密", base64.b64encode(bytes(32)).decode()])
def test_a_content_key_is_sixteen_bytes_in_base64(text: str) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        AlipayPhone(plain_credentials(), text)
