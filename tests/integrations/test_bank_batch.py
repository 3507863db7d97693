"""A bank's batch file counts whole, or not at all."""

import base64
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from integrations.bank import BankCounters, HmacKey, RsaKey, read_batch, read_keys, signed_batch
from integrations.bank.batch import MOST_BYTES
from integrations.ports_bank import BankBatch, BatchLine, BatchRefused
from integrations.sandbox import SandboxSettings
from integrations.sandbox.alipay_keys import public_key_of
from integrations.sandbox.payments.bank_counter import KEYS_FILE, make_bank_keys
from tests.integrations.alipay_running import a_key, private_key
from tests.integrations.sandbox_running import running

BEIJING = timezone(timedelta(hours=8))
KEY = HmacKey(b"k" * 32)
KEYS = {("ICBC-DG", "2026a"): KEY}
AT = datetime(2026, 11, 23, 9, 12, 45, tzinfo=BEIJING)


def a_batch(*fen: int) -> BankBatch:
    lines = [BatchLine(n, f"B{n:08}", f, AT, f"S{n}") for n, f in enumerate(fen, 3)]
    return BankBatch("ICBC-DG", "20261123-01", date(2026, 11, 23), sum(fen), tuple(lines))


def written(*rows: str, head: str | None = None, columns: str | None = None) -> bytes:
    """A file signed rightly, whatever stands in it."""
    total = "1.00" if len(rows) == 1 else f"{len(rows)}.00"
    first = head or f"yiting-bank-batch,1,ICBC-DG,20261123-01,2026-11-23,{len(rows)},{total}"
    text = "\n".join([first, columns or "bill_no,amount,paid_at,serial", *rows]) + "\n"
    return signed(text.encode())


def signed(content: bytes, *, algorithm: str = "HMAC-SHA256", key_id: str = "2026a") -> bytes:
    signature = base64.b64encode(KEY.sign(content)).decode()
    return content + f"signature,{algorithm},{key_id},{signature}".encode()


def fault_of(content: bytes) -> BatchRefused:
    with pytest.raises(BatchRefused) as told:
        read_batch(content, KEYS)
    return told.value


@pytest.mark.parametrize("amounts", [(), (1,), (10000, 5050, 1)])
def test_what_a_bank_writes_is_read(amounts: tuple[int, ...]) -> None:
    batch = a_batch(*amounts)
    assert BankCounters(KEYS).read(signed_batch(batch, "2026a", KEY)) == batch


def test_windows_line_ends_and_a_byte_order_mark_are_welcome() -> None:
    plain = signed_batch(a_batch(100), "2026a", KEY)
    text = b"\xef\xbb\xbf" + plain[: plain.rindex(b"signature")].replace(b"\n", b"\r\n")
    assert read_batch(signed(text) + b"\r\n", KEYS) == a_batch(100)


def test_any_changed_byte_refuses_the_whole_file() -> None:
    good = signed_batch(a_batch(100, 200), "2026a", KEY)
    for at in range(len(good)):
        spoiled = bytearray(good)
        spoiled[at] ^= 1
        with pytest.raises(BatchRefused):
            # The last line end is no part of what counts.
            read_batch(bytes(spoiled) if at < len(good) - 1 else b"", KEYS)


def test_a_bank_may_sign_with_a_key_of_its_own() -> None:
    keys = {("ICBC-DG", "2026a"): RsaKey.from_pem(public_key_of(a_key("bank")))}
    good = signed_batch(a_batch(100), "2026a", KEY)
    content = good[: good.rindex(b"signature")]
    signature = private_key("bank").sign(content, PKCS1v15(), SHA256())
    line = b"signature,RSA-SHA256,2026a," + base64.b64encode(signature)
    assert read_batch(content + line, keys) == a_batch(100)
    with pytest.raises(BatchRefused, match="signature_wrong"):
        read_batch(content + b"signature,RSA-SHA256,2026a,AAAA", keys)
    # Its public key is no secret: what is signed with it as if it were, is not.
    with pytest.raises(BatchRefused, match="key_unknown"):
        read_batch(good, keys)


GOOD = "B00000003,1.00,2026-11-23T09:12:45+08:00,S3"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "not_signed"),
        (b"a,b\n1,2\n", "not_signed"),
        (b"x" * (MOST_BYTES + 1), "too_big"),
        (signed(b"\xff\xfe\n"), "not_text"),
        (signed(b"a\0b\n"), "not_text"),
        (written('"a'), "not_text"),
        (signed(b"other,1,ICBC-DG,1,2026-11-23,0,0\n"), "not_a_batch"),
        (signed(b""), "not_a_batch"),
        (written(GOOD, head="yiting-bank-batch,2,ICBC-DG,1,2026-11-23,1,1.00"), "not_a_batch"),
        (written(GOOD, head="yiting-bank-batch,1,ICBC-DG,1,2026-11-31,1,1.00"), "not_a_batch"),
        (written(GOOD, head="yiting-bank-batch,1,ICBC-DG,1,2026-11-23,1,1.005"), "not_a_batch"),
        (written(GOOD, head="yiting-bank-batch,1,OTHER,1,2026-11-23,1,1.00"), "key_unknown"),
        (written(GOOD, columns="bill_no,amount,serial,paid_at"), "not_a_batch"),
        (written(GOOD, head="yiting-bank-batch,1,ICBC-DG,1,2026-11-23,2,1.00"), "count_wrong"),
        (written(GOOD, head="yiting-bank-batch,1,ICBC-DG,1,2026-11-23,1,1.01"), "total_wrong"),
        (signed(b"yiting-bank-batch,1,ICBC-DG,1,2026-11-23,0,0\n", key_id="old"), "key_unknown"),
        (
            signed(b"yiting-bank-batch,1,ICBC-DG,1,2026-11-23,0,0\n", algorithm="NONE"),
            "key_unknown",
        ),
    ],
)
def test_a_file_that_cannot_count_is_told_why(content: bytes, fault: str) -> None:
    assert fault_of(content).fault == fault


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("B1,1.00,2026-11-23T09:12:45+08:00", "columns_wrong"),
        ("B 1,1.00,2026-11-23T09:12:45+08:00,S1", "bill_no_wrong"),
        (",1.00,2026-11-23T09:12:45+08:00,S1", "bill_no_wrong"),
        ("B1,0.00,2026-11-23T09:12:45+08:00,S1", "amount_wrong"),
        ("B1,-1.00,2026-11-23T09:12:45+08:00,S1", "amount_wrong"),
        ("B1,1.001,2026-11-23T09:12:45+08:00,S1", "amount_wrong"),
        ("B1,1.00,2026-11-23T09:12:45,S1", "paid_at_wrong"),
        ("B1,1.00,yesterday,S1", "paid_at_wrong"),
        ("B1,1.00,2026-11-23T09:12:45+08:00,", "serial_wrong"),
        ("B1,1.00,2026-11-23T09:12:45+08:00,S3", "serial_twice"),
    ],
)
def test_a_line_that_cannot_be_is_told_with_its_number(row: str, fault: str) -> None:
    told = fault_of(written(GOOD, row))
    assert (told.fault, told.lines) == ("lines_wrong", ((4, fault),))


def test_a_bill_paid_twice_in_one_file_is_told() -> None:
    one, two, three = a_batch(100, 100, 300).lines
    batch = replace(a_batch(), lines=(one, replace(two, bill_no=one.bill_no), three))
    assert batch.paid_twice() == {one.bill_no: [3, 4]}


def key_file(*entries: dict[str, Any]) -> str:
    return msgspec.json.encode(entries).decode()


SECRET = base64.b64encode(b"k" * 32).decode()


def test_keys_are_read_from_a_file() -> None:
    public = public_key_of(a_key("bank"))
    keys = read_keys(
        key_file(
            {"bank": "A", "key_id": "1", "secret": SECRET},
            {"bank": "A", "key_id": "2", "public_key": public},
        )
    )
    assert keys[("A", "1")] == KEY
    assert keys[("A", "2")].algorithm == "RSA-SHA256"
    assert SECRET not in repr(keys)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        key_file({"bank": "A", "key_id": "1"}),
        key_file({"bank": "A", "key_id": "1", "secret": "AAAA"}),
        key_file({"bank": "A", "key_id": "1", "secret": "="}),
        key_file({"bank": "A", "key_id": "1", "public_key": "x"}),
        key_file({"bank": "A", "key_id": "1", "secret": SECRET, "public_key": "x"}),
        key_file(*[{"bank": "A", "key_id": "1", "secret": SECRET}] * 2),
    ],
)
def test_a_file_of_keys_that_cannot_serve_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="bank") as told:
        read_keys(text)
    assert SECRET not in str(told.value)


async def test_the_sandboxs_counter_writes_files_that_count_and_files_that_do_not(
    tmp_path: Path,
) -> None:
    make_bank_keys(tmp_path)
    keys = read_keys((tmp_path / KEYS_FILE).read_text())
    async with running(SandboxSettings(bank_keys=tmp_path)) as sandbox:

        async def file(**how: str) -> bytes:
            asked = {"payments": [{"bill_no": "B1", "fen": 29}], "number": "N1"} | how
            reply = await sandbox.http.post("/_sandbox/bank/batch", json=asked)
            assert reply.status_code == 200, reply.text
            return reply.content

        batch = read_batch(await file(), keys)
        assert (batch.number, batch.fen, batch.lines[0].bill_no) == ("N1", 29, "B1")
        for tamper, fault in (
            ("signature", "signature_wrong"),
            ("body", "signature_wrong"),
            ("key", "signature_wrong"),
            ("total", "total_wrong"),
        ):
            with pytest.raises(BatchRefused, match=fault):
                read_batch(await file(tamper=tamper), keys)
