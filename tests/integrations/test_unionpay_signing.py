"""UnionPay's signatures and certificates: against its own messages, and against strangers."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.unionpay.certificates import UNIONPAY, Trust, cert_id
from integrations.unionpay.client import read_answer
from integrations.unionpay.credentials import UnionPayCredentials
from integrations.unionpay.signing import sign, verify
from tests.integrations.unionpay_keys import (
    MERCHANT,
    PASSWORD,
    UNTIL,
    Certified,
    certified,
    credentials,
    middle,
    pfx,
    root,
    said_by,
    unionpay,
)

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"
THEN = datetime(2022, 9, 11, tzinfo=UTC)
MESSAGES = ["unionpay_notice", "unionpay_query_response"]


def vector(name: str) -> dict[str, Any]:
    file = VECTORS / f"{name}.json"
    if not file.exists():
        pytest.skip(f"the shared test vectors are not beside this checkout: {file}")
    return dict(json.loads(file.read_text()))


def opened(case: dict[str, Any]) -> tuple[RSAPrivateKey, x509.Certificate, list[x509.Certificate]]:
    password = case["pfx_password"].encode()
    key, ours, others = load_key_and_certificates(base64.b64decode(case["pfx_base64"]), password)
    assert isinstance(key, RSAPrivateKey)
    assert ours is not None
    return key, ours, others


def test_every_published_vector_is_used_here() -> None:
    if not VECTORS.exists():
        pytest.skip(f"the shared test vectors are not beside this checkout: {VECTORS}")
    found = {file.stem for file in VECTORS.glob("unionpay_*.json")}
    assert found == {"unionpay_request_sign", *MESSAGES}


def test_a_request_is_signed_as_unionpay_expects() -> None:
    case = vector("unionpay_request_sign")
    key, ours, _ = opened(case)
    assert cert_id(ours) == case["expected"]["certId"]
    assert sign(case["params"], key) == case["expected"]["signature"]


def test_the_published_pfx_makes_credentials() -> None:
    case = vector("unionpay_request_sign")
    _, _, others = opened(case)
    pem = "".join(one.public_bytes(Encoding.PEM).decode() for one in others)
    found = UnionPayCredentials.from_files(
        MERCHANT,
        base64.b64decode(case["pfx_base64"]),
        case["pfx_password"],
        root_certs=pem,
        middle_certs=pem,
    )
    assert found.cert_id == case["expected"]["certId"]


@pytest.mark.parametrize("name", MESSAGES)
def test_a_genuine_message_verifies_and_any_change_does_not(name: str) -> None:
    params = vector(name)["params"]
    key = x509.load_pem_x509_certificate(params["signPubKeyCert"].encode()).public_key()
    assert isinstance(key, RSAPublicKey)
    assert verify(params, key)
    for field in params:
        assert not verify(params | {field: params[field] + "0"}, key), field
        assert not verify({k: v for k, v in params.items() if k != field}, key), field
    assert not verify(params | {"added": "x"}, key)
    assert verify(params | {"empty": ""}, key)


@pytest.mark.parametrize("name", MESSAGES)
def test_the_published_certificate_is_trusted_in_its_time_and_by_its_chain_only(name: str) -> None:
    chain = opened(vector("unionpay_request_sign"))[2]
    roots = [one for one in chain if one.issuer == one.subject]
    between = [one for one in chain if one.issuer != one.subject]
    assert roots
    assert between
    pem = vector(name)["params"]["signPubKeyCert"]
    assert Trust(roots, between, now=lambda: THEN).key_in(pem) is not None
    assert Trust(roots, between).key_in(pem) is None
    assert Trust(roots, now=lambda: THEN).key_in(pem) is None
    ours = Trust([root().certificate], [middle().certificate, *between], now=lambda: THEN)
    assert ours.key_in(pem) is None


def trust(**how: Any) -> Trust:
    return Trust([root().certificate], [middle().certificate], **how)


def test_unionpays_own_certificate_is_trusted_again_and_again() -> None:
    judge = trust()
    for _ in range(3):
        assert judge.key_in(unionpay().pem) == unionpay().key.public_key()
    assert judge.key_in(unionpay().pem.replace("\n", "\r\n")) is not None


def test_a_certificate_that_runs_out_is_trusted_no_longer() -> None:
    now = [UNTIL - timedelta(days=1)]
    judge = trust(now=lambda: now[0])
    assert judge.key_in(unionpay().pem) is not None
    now[0] = UNTIL + timedelta(days=1)
    assert judge.key_in(unionpay().pem) is None


NAME = f"041@8310000000083040@{UNIONPAY}@00016495"


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(lambda: certified(NAME, "other"), id="signed by itself"),
        pytest.param(
            lambda: certified(NAME, "other", certified("Tests' Middle", "other", authority=True)),
            id="an authority that has only our authority's name",
        ),
        pytest.param(lambda: certified(NAME, "other", unionpay()), id="issued by no authority"),
        pytest.param(
            lambda: certified("041@1@某商户@1", "other", middle()), id="another customer of theirs"
        ),
        pytest.param(
            lambda: certified(f"{UNIONPAY}@041@1", "other", middle()), id="the name elsewhere"
        ),
        pytest.param(
            lambda: certified(NAME, "other", middle(), authority=True), id="itself an authority"
        ),
        pytest.param(
            lambda: certified(NAME, "other", middle(), until=UNTIL - timedelta(days=36000)),
            id="expired",
        ),
        pytest.param(
            lambda: certified(NAME, "other", middle(), since=UNTIL - timedelta(days=9)),
            id="not valid yet",
        ),
        pytest.param(
            lambda: certified(
                NAME,
                "other",
                certified(
                    "Tests' Old Middle", "unionpay middle", root(), authority=True, until=THEN
                ),
            ),
            id="under an authority that nobody gave us",
        ),
    ],
)
def test_a_stranger_who_signs_rightly_with_an_own_certificate_is_not_unionpay(
    stranger: Any,
) -> None:
    who: Certified = stranger()
    message = said_by(who, orderId="1", txnAmt="1")
    assert verify(message, who.key.public_key())
    assert trust().key_in(who.pem) is None


def test_an_expired_authority_vouches_for_nobody() -> None:
    old = certified("Tests' Old Middle", "unionpay middle", root(), authority=True, until=THEN)
    who = certified(NAME, "other", old)
    judge = Trust([root().certificate], [old.certificate])
    assert judge.key_in(who.pem) is None
    assert Trust([root().certificate], [old.certificate], now=lambda: THEN).key_in(who.pem)


@pytest.mark.parametrize("rubbish", ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n", "证" * 9000])
def test_rubbish_is_nobodys_certificate(rubbish: str) -> None:
    assert trust().key_in(rubbish) is None


def test_without_a_root_nobody_can_be_trusted() -> None:
    with pytest.raises(ValueError, match="root"):
        Trust([])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"pfx": b"no pfx"}, "pfx"),
        ({"password": "wrong"}, "pfx"),
        ({"root_certs": "none"}, "root"),
        ({"middle_certs": "none"}, "middle"),
    ],
)
def test_credentials_that_cannot_work_are_told(wrong: dict[str, Any], told: str) -> None:
    files = {
        "pfx": pfx(),
        "password": PASSWORD,
        "root_certs": root().pem,
        "middle_certs": middle().pem,
    }
    with pytest.raises(ValueError, match=told):
        UnionPayCredentials.from_files(MERCHANT, **(files | wrong))


def test_credentials_do_not_show_keys() -> None:
    assert "key" not in repr(credentials())
    assert credentials().cert_id == "69903319369"


texts = st.text(st.characters(codec="utf-8", exclude_characters="&=[]{}"), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(fields=st.dictionaries(texts, texts, max_size=8))
def test_an_answer_is_read_as_it_was_written(fields: dict[str, str]) -> None:
    written = "&".join(f"{k}={v}" for k, v in fields.items())
    assert read_answer(written.encode()) == fields


def test_an_answer_keeps_pluses_line_ends_and_what_stands_in_brackets() -> None:
    text = "respMsg=成功[a&b=1]&signature=a+b/c==&cert=--\r\n--&empty=&more={x=1&y=2}"
    assert read_answer(text.encode()) == {
        "respMsg": "成功[a&b=1]",
        "signature": "a+b/c==",
        "cert": "--\r\n--",
        "empty": "",
        "more": "{x=1&y=2}",
    }


@pytest.mark.parametrize("text", ["x", "=1", "a=1&a=2", "a=[1", "a=1&&b=2", "<html></html>"])
def test_what_is_no_answer_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="not an answer"):
        read_answer(text.encode())
