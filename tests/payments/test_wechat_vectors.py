"""Signing, verifying and opening against messages that WeChat Pay and its SDKs published."""

import base64
import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from integrations.ports_bill import BillDamaged, DayBill
from integrations.ports_payment import NotGenuine
from integrations.wechat.pay.bills import read_trades
from integrations.wechat.pay.sealing import CannotOpen, Sealed, opened, opened_field
from integrations.wechat.pay.signing import (
    authorization,
    read_seal,
    request_text,
    sealed_text,
    sign,
    verify,
)
from integrations.wechat.pay.trust import certified, read_certificates
from tests.payments.wechat_vectors import (
    VECTORS,
    certified_key,
    lower,
    private_key,
    public_key,
    reader,
    vector,
)

CALLBACKS = ["v3_callback_go", "v3_callback_yansongda"]
USED = {
    *CALLBACKS,
    "trade_bill_all",
    "v3_aesgcm_go",
    "v3_aesgcm_java",
    "v3_authorization_message_go",
    "v3_authorization_message_java",
    "v3_authorization_yansongda",
    "v3_certificates_go",
    "v3_certificates_java",
    "v3_oaep_decrypt_go",
    "v3_oaep_decrypt_java",
    "v3_oaep_decrypt_yansongda",
    "v3_response_verify_yansongda",
    "v3_sign_go",
    "v3_sign_java",
}


@pytest.fixture(scope="module")
def ours() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def test_every_published_vector_is_used_here() -> None:
    if not VECTORS.exists():
        pytest.skip(f"the shared test vectors are not beside this checkout: {VECTORS}")
    assert {f.stem.removeprefix("wechatpay_") for f in VECTORS.glob("wechatpay_*.json")} == USED


@pytest.mark.parametrize("name", ["v3_sign_go", "v3_sign_java"])
def test_a_text_is_signed_as_by_the_official_sdks(name: str) -> None:
    case = vector(name)
    text, told = case["message"].encode(), case["expected"]["signature_base64"]
    assert sign(text, private_key(case["private_key_pem"])) == told
    certificate = certified_key(case["certificate_pem"])
    assert verify(text, told, certificate)
    assert not verify(text + b" ", told, certificate)
    serial, _ = certified(case["certificate_pem"].encode())
    assert serial == case["certificate_serial"]
    if "public_key_pem" in case:
        assert verify(text, told, public_key(case["public_key_pem"]))
        wrong = case["expected"]["wrong_message_fails"].encode()
        assert not verify(wrong, told, certificate)
    if "unrelated_public_key_pem" in case:
        assert not verify(text, told, public_key(case["unrelated_public_key_pem"]))


@pytest.mark.parametrize("name", ["v3_authorization_message_go", "v3_authorization_message_java"])
def test_a_question_is_written_down_as_the_official_sdks_do(name: str) -> None:
    for case in vector(name)["cases"]:
        text = request_text(
            case["method"],
            case["canonical_url"],
            case["timestamp"],
            case["nonce"],
            case["body"].encode(),
        )
        assert text.decode() == case["expected_message"]


def test_a_whole_authorization_is_that_of_another_sdk() -> None:
    case = vector("v3_authorization_yansongda")
    made = authorization(
        case["method"],
        case["canonical_url"],
        case["body"].encode(),
        mch_id=case["mchid"],
        serial_no=case["expected"]["serial_no"],
        key=private_key(case["private_key_pem"]),
        now=int(case["timestamp"]) + 0.9,
        nonce=case["nonce"],
    )
    assert made == case["expected"]["authorization"]
    serial, _ = certified(case["certificate_pem"].encode())
    assert serial == case["expected"]["serial_no"]


def test_an_answer_is_verified_as_it_came() -> None:
    case = vector("v3_response_verify_yansongda")
    seal = read_seal(lower(case["headers"]))
    assert seal is not None
    key, body = certified_key(case["certificate_pem"]), case["body"].encode()
    assert verify(sealed_text(seal, body), seal.signature, key)
    assert not verify(sealed_text(seal, body + b"\n"), seal.signature, key)


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_is_genuine_and_opens(name: str, ours: rsa.RSAPrivateKey) -> None:
    case = vector(name)
    body = case["body"].encode()
    sealed = json.loads(case["body"])["resource"]
    content = opened(
        sealed["ciphertext"],
        sealed["nonce"],
        sealed.get("associated_data", ""),
        case["apiv3_key"].encode(),
    ).decode()
    expected = case["expected"]
    assert content == expected.get("plaintext", content)
    assert expected.get("plaintext_contains", "") in content
    if "id" in expected:
        news = reader(case, ours).read(lower(case["headers"]), body)
        assert (news.event_id, news.order, news.refund) == (expected["id"], None, None)
    else:
        # It has no id: genuine, and none of ours.
        with pytest.raises(NotGenuine, match="malformed"):
            reader(case, ours).read(lower(case["headers"]), body)


@pytest.mark.parametrize("name", CALLBACKS)
def test_no_byte_of_a_callback_may_change(name: str, ours: rsa.RSAPrivateKey) -> None:
    case = vector(name)
    body, headers, read = case["body"].encode(), lower(case["headers"]), reader(case, ours).read
    for at in range(0, len(body), 7):
        spoilt = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        with pytest.raises(NotGenuine, match="wrong_signature"):
            read(headers, spoilt)
    written_anew = json.dumps(json.loads(body), separators=(",", ":"), sort_keys=True).encode()
    with pytest.raises(NotGenuine, match="wrong_signature"):
        read(headers, written_anew)


@pytest.mark.parametrize("name", CALLBACKS)
@pytest.mark.parametrize("late_s", [-300, 300, 86_400])
def test_a_stale_callback_is_not_genuine(name: str, late_s: int, ours: rsa.RSAPrivateKey) -> None:
    case = vector(name)
    late = reader(case | {"now": case["now"] + late_s}, ours)
    with pytest.raises(NotGenuine, match="stale"):
        late.read(lower(case["headers"]), case["body"].encode())


@pytest.mark.parametrize("name", ["v3_aesgcm_go", "v3_aesgcm_java"])
def test_a_resource_opens_with_its_own_key_only(name: str) -> None:
    case = vector(name)
    whole = (case["ciphertext_base64"], case["nonce"], case["associated_data"])
    key, expected = case["apiv3_key"].encode(), case["expected"]
    assert opened(*whole, key).decode() == expected["plaintext"]
    wrong: list[tuple[Any, ...]] = [
        *((*whole, k.encode()) for k in expected.get("must_fail_with_keys", [])),
        *((c, *whole[1:], key) for c in expected.get("must_fail_ciphertexts", [])),
        *((whole[0], whole[1], a, key) for a in expected.get("must_fail_associated_data", [])),
        *((whole[0], n, whole[2], key) for n in expected.get("must_fail_nonces", [])),
        (whole[0], "1", whole[2], key),
    ]
    for one in wrong:
        with pytest.raises(CannotOpen):
            opened(*one)


@pytest.mark.parametrize("name", ["v3_certificates_go", "v3_certificates_java"])
def test_certificates_open_with_our_key(name: str) -> None:
    case = vector(name)
    body, key = json.dumps(case["response"]).encode(), case["apiv3_key"].encode()
    found = read_certificates(body, key)
    assert list(found) == [case["expected"]["serial_no"]]
    if "certificate_pem" in case["expected"]:
        sealed = case["response"]["data"][0]["encrypt_certificate"]
        pem = Sealed(**sealed).opened(key).decode()
        assert pem.strip() == case["expected"]["certificate_pem"].strip()
    with pytest.raises(CannotOpen):
        read_certificates(body, key[::-1])


@pytest.mark.parametrize(
    "name", ["v3_oaep_decrypt_go", "v3_oaep_decrypt_java", "v3_oaep_decrypt_yansongda"]
)
def test_a_sensitive_field_opens(name: str) -> None:
    case = vector(name)
    key = private_key(case["private_key_pem"])
    assert opened_field(case["ciphertext_base64"], key) == case["expected"]["plaintext"]
    for wrong in [*case["expected"].get("must_fail_ciphertexts", []), "*", ""]:
        with pytest.raises(CannotOpen):
            opened_field(wrong, key)


def published_bill(tmp_path: Path, change: tuple[bytes, bytes] = (b"", b"")) -> DayBill:
    content = base64.b64decode(vector("trade_bill_all")["csv_base64"]).replace(*change)
    file = tmp_path / "bill.csv"
    file.write_bytes(content)
    return DayBill("wechat", date(2019, 2, 19), file, len(content))


def test_the_published_bill_reads_and_adds_up(tmp_path: Path) -> None:
    bill, expected = published_bill(tmp_path), vector("trade_bill_all")["expected"]
    assert hashlib.sha1(bill.file.read_bytes()).hexdigest() == expected["sha1"]
    lines = list(read_trades(bill))
    payments = [line for line in lines if line.refund_no is None]
    refunds = [line for line in lines if line.refund_no is not None]
    assert (len(payments), len(refunds)) == (31, 14)
    assert sum(line.amount_fen for line in payments) == 47
    assert sum(line.amount_fen for line in refunds) == 14
    assert sum(line.fee_fen for line in lines) == 8
    assert {line.refund_state for line in lines} == {None, "done"}
    first = lines[0]
    assert first.order_no == "autotest_20190216081946_82335"
    assert first.refund_no == "REF4200000263201902167700963919"
    assert first.at.isoformat() == "2019-02-19T05:01:46+08:00"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ((b"`0.03,", b"`0.04,"), "totals_differ"),
        ((b"`45.0", b"`46.0"), "totals_differ"),
        ((b"`CNY", b"`HKD"), "foreign_currency"),
        ((b"`2019-02-19 05:01:46", b"`yesterday"), "no_sense"),
        ("微信订单号,".encode(), "columns_missing"),
        ("总交易单数".encode(), "totals_missing"),
    ],
)
def test_a_damaged_bill_says_what_is_wrong(
    tmp_path: Path, change: bytes | tuple[bytes, bytes], why: str
) -> None:
    pair = change if isinstance(change, tuple) else (change, b"")
    with pytest.raises(BillDamaged, match=why):
        list(read_trades(published_bill(tmp_path, pair)))
