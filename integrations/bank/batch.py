"""A bank counter's batch file: read, its signature verified, every line checked.

The format is ours; docs/bank-batch.md explains it to a bank. UTF-8, with or without a byte order
mark; lines end in LF or CR LF; the last line signs every byte before it:

    yiting-bank-batch,1,ICBC-DG,20261123-01,2026-11-23,2,150.50
    bill_no,amount,paid_at,serial
    B2026112300017,100.00,2026-11-23T09:12:45+08:00,442011230001
    B2026112300018,50.50,2026-11-23T10:02:11+08:00,442011230002
    signature,HMAC-SHA256,2026a,PQ…=

Head: format, version, the bank, the batch's number (one a bank for ever), the day, how many lines,
their sum. Amounts are yuan. A serial is the bank's own for one payment and never comes twice.
"""

import base64
import csv
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Final

from integrations.bank.keys import BankKeys, HmacKey
from integrations.canonical import unbase64
from integrations.ports_bank import BankBatch, BatchLine, BatchRefused, LineFault
from integrations.yuan import fen_of, yuan_of

MOST_BYTES: Final = 20_000_000
MOST_LINES: Final = 100_000
_MOST_FAULTS: Final = 100
_FORMAT: Final = "yiting-bank-batch"
_COLUMNS: Final = ["bill_no", "amount", "paid_at", "serial"]
_NAME: Final = re.compile(r"[0-9A-Za-z_\-]{1,32}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9A-Za-z_\-]{1,64}", re.ASCII)
_COUNT: Final = re.compile(r"[0-9]{1,6}", re.ASCII)
_BOM: Final = b"\xef\xbb\xbf"


class BankCounters:
    """Reads the files of every bank whose keys we hold."""

    def __init__(self, keys: BankKeys) -> None:
        self._keys = keys

    def read(self, content: bytes) -> BankBatch:
        """Verify a file and read it whole, or raise BatchRefused: then none of it counts."""
        return read_batch(content, self._keys)


def read_batch(content: bytes, keys: BankKeys) -> BankBatch:
    """Verify a file and read it whole, or raise BatchRefused; lines are read when it verified."""
    if len(content) > MOST_BYTES:
        raise BatchRefused("too_big")
    signed, signature = _split(content)
    text = _decoded(signed.removeprefix(_BOM))
    bank, number, day, count, fen = _head(text[: text.find("\n")].rstrip("\r").split(","))
    _verify(signed, signature, bank, keys)
    rows = list(enumerate(_rows(text), 1))
    if len(rows) < 2 or rows[1][1] != _COLUMNS:
        raise BatchRefused("not_a_batch")
    lines = _lines(rows[2:])
    if len(lines) != count:
        raise BatchRefused("count_wrong")
    if sum(one.fen for one in lines) != fen:
        raise BatchRefused("total_wrong")
    return BankBatch(bank, number, day, fen, lines)


def signed_batch(batch: BankBatch, key_id: str, key: HmacKey) -> bytes:
    """Write a batch as a bank does that shares a secret with us; for the sandbox and for banks."""
    head = [_FORMAT, "1", batch.bank, batch.number, batch.day.isoformat()]
    rows = [
        [*head, str(len(batch.lines)), yuan_of(batch.fen)],
        _COLUMNS,
        *([b.bill_no, yuan_of(b.fen), b.paid_at.isoformat(), b.serial] for b in batch.lines),
    ]
    signed = "".join(",".join(row) + "\n" for row in rows).encode()
    signature = base64.b64encode(key.sign(signed)).decode()
    return signed + f"signature,{key.algorithm},{key_id},{signature}\n".encode()


def _split(content: bytes) -> tuple[bytes, list[str]]:
    """Return what is signed, byte for byte, and the cells of the signature line."""
    end = content.rstrip(b"\r\n")
    start = end.rfind(b"\n") + 1
    cells = end[start:].decode(errors="replace").split(",")
    if len(cells) != 4 or cells[0] != "signature":
        raise BatchRefused("not_signed")
    return content[:start], cells[1:]


def _decoded(content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise BatchRefused("not_text") from None
    if "\0" in text:
        raise BatchRefused("not_text")
    return text


def _rows(text: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(text.splitlines(), strict=True)
    except csv.Error:
        raise BatchRefused("not_text") from None


def _head(cells: list[str]) -> tuple[str, str, date, int, int]:
    if len(cells) != 7 or cells[:2] != [_FORMAT, "1"]:
        raise BatchRefused("not_a_batch")
    bank, number, day, count, total = cells[2:]
    if not (_NAME.fullmatch(bank) and _NUMBER.fullmatch(number) and _COUNT.fullmatch(count)):
        raise BatchRefused("not_a_batch")
    try:
        return bank, number, date.fromisoformat(day), int(count), fen_of(total)
    except ValueError:
        raise BatchRefused("not_a_batch") from None


def _verify(signed: bytes, cells: list[str], bank: str, keys: BankKeys) -> None:
    algorithm, key_id, signature = cells
    key = keys.get((bank, key_id))
    # The way of signing is the key's, not the file's: a public key is never taken for a secret.
    if key is None or key.algorithm != algorithm:
        raise BatchRefused("key_unknown")
    try:
        genuine = key.verifies(signed, unbase64(signature))
    except ValueError:
        genuine = False
    if not genuine:
        raise BatchRefused("signature_wrong")


def _lines(rows: Sequence[tuple[int, list[str]]]) -> tuple[BatchLine, ...]:
    if len(rows) > MOST_LINES:
        raise BatchRefused("too_big")
    lines: list[BatchLine] = []
    faults: list[tuple[int, LineFault]] = []
    serials: set[str] = set()
    for at, cells in rows:
        read = _line(at, cells)
        if isinstance(read, BatchLine) and read.serial in serials:
            read = "serial_twice"
        if isinstance(read, BatchLine):
            serials.add(read.serial)
            lines.append(read)
        elif len(faults) < _MOST_FAULTS:
            faults.append((at, read))
    if faults:
        raise BatchRefused("lines_wrong", faults)
    return tuple(lines)


def _line(at: int, cells: list[str]) -> BatchLine | LineFault:
    if len(cells) != len(_COLUMNS):
        return "columns_wrong"
    bill_no, amount, paid_at, serial = cells
    fen, when = _fen(amount), _moment(paid_at)
    if not _NUMBER.fullmatch(bill_no):
        return "bill_no_wrong"
    if fen <= 0:
        return "amount_wrong"
    if when is None:
        return "paid_at_wrong"
    return (
        BatchLine(at, bill_no, fen, when, serial) if _NUMBER.fullmatch(serial) else "serial_wrong"
    )


def _fen(amount: str) -> int:
    try:
        return fen_of(amount)
    except ValueError:
        return 0


def _moment(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo else None
