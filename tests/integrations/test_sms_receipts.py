"""Receipts as Aliyun and Tencent Cloud write them: the key, the words, and rubbish."""

import msgspec
import pytest

from integrations.ports_message import Receipt
from integrations.ports_payment import NotGenuine
from integrations.sandbox.sms_receipts import _as_aliyun, _as_tencent
from integrations.sms import AliyunReceipts, TencentReceipts
from integrations.texting import SmsSettings, open_receipts

KEY = "a-key-of-a-city-0123"
PATH = "/callbacks/sms/x/receipts"


def test_what_arrived_and_what_did_not_is_told_by_both() -> None:
    for reader, written, why, ours in (
        (AliyunReceipts(KEY), _as_aliyun, "MK:0001", "r-1"),
        (TencentReceipts(KEY), _as_tencent, "UNDELIV", None),
    ):
        for arrived, code in ((True, None), (False, why)):
            body = msgspec.json.encode(written("n1", "13912345678", arrived, "r-1"))
            assert reader.read(PATH, {}, {"key": KEY}, body) == [Receipt("n1", code, ours)]


@pytest.mark.parametrize("query", [{}, {"key": ""}, {"key": KEY[:-1]}, {"key": "é" * 16}])
def test_without_the_key_nothing_is_read(query: dict[str, str]) -> None:
    body = msgspec.json.encode(_as_tencent("n1", "13912345678", False, ""))
    for reader in (AliyunReceipts(KEY), TencentReceipts(KEY)):
        with pytest.raises(NotGenuine, match="wrong_signature"):
            reader.read(PATH, {}, query, body)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1]", b"[" * 60_000, b'[{"sid": 1}]', b"\xff", b" " * 70_000]
)
def test_rubbish_is_refused(body: bytes) -> None:
    for reader in (AliyunReceipts(KEY), TencentReceipts(KEY)):
        with pytest.raises(NotGenuine):
            reader.read(PATH, {}, {"key": KEY}, body)


def test_a_vendors_sentence_is_not_kept_for_it_might_name_somebody() -> None:
    said = [{"biz_id": "n1", "success": False, "err_code": "用户13912345678停机"}]
    [receipt] = AliyunReceipts(KEY).read(PATH, {}, {"key": KEY}, msgspec.json.encode(said))
    assert receipt == Receipt("n1", "unknown")


def test_only_vendors_that_we_have_accounts_with_are_heard() -> None:
    ours = {"aliyun_sms_key": "k", "aliyun_sms_secret": "s", "aliyun_sms_sign_name": "n"}
    assert open_receipts(SmsSettings(**ours)) == {}  # type: ignore[arg-type]
    with_key = SmsSettings(**ours, sms_receipts_key=KEY)  # type: ignore[arg-type]
    assert set(open_receipts(with_key)) == {"aliyun"}
