"""Alipay's signatures: whatever is signed verifies, and nothing else does."""

import base64
import json
from string import ascii_lowercase, digits
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.alipay import AlipayCredentials
from integrations.alipay.certificates import certificate_of, root_cert_sn
from integrations.alipay.signing import (
    NotAnAnswer,
    notice_is_genuine,
    sign,
    signed_part,
    text_to_sign,
    verify,
)
from integrations.sandbox.alipay_keys import public_key_of
from tests.integrations.alipay_running import a_key, private_key, running_alipay

names = st.text(ascii_lowercase + digits + "_", min_size=1, max_size=12).filter(
    lambda name: name not in ("sign", "sign_type")
)
values = st.text(st.characters(codec="utf-8"), max_size=40)
questions = st.dictionaries(names, values, max_size=8)
few = settings(max_examples=60, deadline=None)


@few
@given(params=questions)
def test_what_is_signed_verifies(params: dict[str, str]) -> None:
    key = private_key("app")
    text = text_to_sign(params)
    assert verify(text.encode(), sign(text, key), key.public_key())
    assert not verify(text.encode(), sign(text, key), private_key("other").public_key())


@few
@given(params=questions.filter(lambda params: any(params.values())), data=st.data())
def test_any_change_to_a_parameter_breaks_the_signature(
    params: dict[str, str], data: st.DataObject
) -> None:
    key = private_key("app")
    notice = params | {"sign_type": "RSA2"}
    notice["sign"] = sign(text_to_sign(notice), key)
    assert notice_is_genuine(notice, key.public_key())

    field = data.draw(st.sampled_from(sorted(k for k, v in params.items() if v)))
    other = data.draw(values.filter(lambda value: value != params[field]))
    added = data.draw(names.filter(lambda name: not params.get(name)))
    dropped = {k: v for k, v in notice.items() if k != field}
    for tampered in (notice | {field: other}, notice | {added: "x"}, dropped):
        assert not notice_is_genuine(tampered, key.public_key())


@few
@given(where=st.integers(0, 255), flip=st.integers(1, 255))
def test_any_change_to_the_signature_breaks_it(where: int, flip: int) -> None:
    key = private_key("app")
    signature = bytearray(base64.b64decode(sign("a=1", key)))
    signature[where] ^= flip
    assert not verify(b"a=1", base64.b64encode(signature).decode(), key.public_key())


@few
@given(content=st.dictionaries(values, values | st.integers() | st.lists(values), max_size=5))
def test_the_signed_part_is_byte_for_byte_what_came(content: dict[str, Any]) -> None:
    for written in (
        json.dumps(content, ensure_ascii=False, indent=1),
        json.dumps(content).replace("/", "\\/"),
    ):
        raw = '{ "sign" :"s", "x_response" :\t' + written + '\n, "alipay_cert_sn":"c"}'
        part = signed_part(raw.encode(), "x_response", "error_response")
        assert part.content == written.encode()
        assert (part.name, part.signature, part.cert_sn) == ("x_response", "s", "c")


def test_encrypted_content_keeps_its_quotes() -> None:
    part = signed_part(b'{"x_response":"aGVs\\/bG8=","sign":"s"}', "x_response")
    assert part.content == b'"aGVs\\/bG8="'


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"sign":"s"}',
        b'{"other_response":{}}',
        b'{"x_response":{},"sign":7}',
        b'{"x_response":{},"sign":null}',
        b'{"x_response":{},"alipay_cert_sn":[]}',
        b'{"x_response":{},}',
        b'{"x_response":{}} {}',
        b'{"x_response":"\xff"',
        b'{"x_response":' + b"[" * 100_000,
    ],
)
def test_what_is_no_answer_is_named_so(raw: bytes) -> None:
    with pytest.raises(NotAnAnswer):
        signed_part(raw, "x_response", "error_response")


@pytest.mark.parametrize("signature", ["", "=", "AAAA", "not base64", "签名", "A" * 344])
def test_what_is_no_signature_verifies_nothing(signature: str) -> None:
    assert not verify(b"a=1", signature, private_key("app").public_key())


def test_a_notice_must_say_that_it_is_signed_with_rsa2() -> None:
    key = private_key("alipay")
    notice = {"a": "1", "sign_type": "RSA"}
    assert not notice_is_genuine(notice | {"sign": sign("a=1", key)}, key.public_key())
    assert not notice_is_genuine({"a": "1", "sign_type": "RSA2"}, key.public_key())


def bare(pem: str) -> str:
    """Keys as Alipay's key tool writes them."""
    return "".join(line for line in pem.splitlines() if "-----" not in line)


def test_keys_may_come_as_pem_or_bare() -> None:
    ours, theirs = a_key("app"), public_key_of(a_key("alipay"))
    pem = AlipayCredentials.with_public_key("2021", ours, theirs)
    plain = AlipayCredentials.with_public_key("2021", bare(ours), bare(theirs) + "\n")
    assert plain.private_key.private_numbers() == pem.private_key.private_numbers()
    assert plain.key_for(None) == pem.key_for(None) == private_key("alipay").public_key()


@pytest.mark.parametrize("wrong", ["", "x", "AAAA", "-----BEGIN PRIVATE KEY-----\nAAAA\n", "密"])
def test_a_wrong_key_is_told_without_telling_it(wrong: str) -> None:
    with pytest.raises(ValueError, match="private key") as ours:
        AlipayCredentials.with_public_key("2021", wrong, public_key_of(a_key("alipay")))
    with pytest.raises(ValueError, match="public key"):
        AlipayCredentials.with_public_key("2021", a_key("app"), wrong)
    assert ours.value.__suppress_context__


def test_a_public_key_is_no_private_key_and_the_other_way_round() -> None:
    ours, theirs = a_key("app"), public_key_of(a_key("alipay"))
    with pytest.raises(ValueError, match="private key"):
        AlipayCredentials.with_public_key("2021", theirs, theirs)
    with pytest.raises(ValueError, match="public key"):
        AlipayCredentials.with_public_key("2021", ours, ours)


def test_credentials_do_not_show_keys() -> None:
    credentials = AlipayCredentials.with_public_key(
        "2021", a_key("app"), public_key_of(a_key("alipay"))
    )
    assert "app_id='2021'" in repr(credentials)
    assert "key" not in repr(credentials).lower()


async def test_certificates_must_fit_our_key_and_be_complete() -> None:
    async with running_alipay("certificate") as alipay:
        keys = alipay.keys
        good = {
            "app_cert": [keys["app_cert"]],
            "alipay_certs": [keys["alipay_cert"]],
            "alipay_root_cert": [keys["alipay_root_cert"]],
        }
        wrong: list[dict[str, list[str]]] = [
            {"app_cert": [keys["alipay_cert"]]},
            {"app_cert": ["no certificate"]},
            {"alipay_certs": []},
            {"alipay_certs": [""]},
            {"alipay_root_cert": [""]},
        ]
        for one in wrong:
            texts = good | one
            with pytest.raises(ValueError, match="certificate"):
                AlipayCredentials.with_certificates(
                    "2021",
                    a_key("app"),
                    app_cert=texts["app_cert"][0],
                    alipay_certs=texts["alipay_certs"],
                    alipay_root_cert=texts["alipay_root_cert"][0],
                )


async def test_the_root_sn_counts_only_certificates_signed_with_rsa() -> None:
    async with running_alipay("certificate") as alipay:
        bundle = alipay.keys["alipay_root_cert"]
        assert bundle.count("BEGIN CERTIFICATE") == 2
        assert len(root_cert_sn(bundle)) == 32
        rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        assert root_cert_sn(rubbish + bundle) == root_cert_sn(bundle)
        first = bundle[: bundle.index("-----END")] + "-----END CERTIFICATE-----\n"
        assert certificate_of(first)
        with pytest.raises(ValueError, match="RSA"):
            root_cert_sn(first)
