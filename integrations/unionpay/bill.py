"""UnionPay's settlement file of a day: a ZIP of tables with columns of fixed width.

It comes within a signed answer, in Base64 of a zlib stream. A line is GBK, its columns a space
apart. A day is UnionPay's settlement day, which its rules may begin an hour before midnight.
"""

import asyncio
import base64
import binascii
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import IO, Final

import structlog

from integrations.asking import LATER_S
from integrations.ports import PlatformUnavailable
from integrations.ports_bill import BillDamaged, BillLine, DayBill
from integrations.ports_payment import BillNotMade, ChannelUnavailable
from integrations.unionpay.client import (
    BEIJING,
    SUCCESS,
    UnionPayGateway,
    beijing,
    from_beijing,
    harmless,
)
from integrations.unionpay.wire import CONSUME, REFUND, VOID, fen_in

log = structlog.get_logger()

_NO_FILE: Final = "98"
_MADE_BY: Final = timedelta(days=1, hours=10)
_MOST_BYTES: Final = 1 << 30
_CHUNK: Final = 1 << 20

# The columns of a ZM file, in bytes.
WIDTHS: Final = (
    *(3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2),
    *(6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98),
)
_STARTS: Final = (0, *accumulate(width + 1 for width in WIDTHS))
_TIME, _AMOUNT, _QUERY_ID, _ORDER_ID, _FEE, _KIND, _FIRST_QUERY_ID, _FIRST_ORDER_ID = (
    slice(_STARTS[column], _STARTS[column] + WIDTHS[column])
    for column in (4, 6, 9, 11, 15, 19, 26, 40)
)


class UnionPayBills:
    """Fetches settlement files; `now` is the city's time."""

    def __init__(self, gateway: UnionPayGateway, now: Callable[[], datetime]) -> None:
        self._gateway = gateway
        self._now = now

    async def fetch(self, day: date, folder: Path) -> DayBill | None:
        """Download a day's file; None when it had no business. Raises ChannelUnavailable."""
        content = await self._content(day)
        if content is None:
            return None
        file = folder / f"unionpay-{day}.zip"
        part = file.with_suffix(".part")
        try:
            size = await asyncio.to_thread(_unpack, content, part)
        except (ValueError, zlib.error, zipfile.BadZipFile, BillDamaged, OSError):
            await asyncio.to_thread(part.unlink, missing_ok=True)
            log.warning("unionpay_bill_not_fetched", why="damaged", day=str(day))
            raise ChannelUnavailable(LATER_S) from None
        await asyncio.to_thread(part.replace, file)
        return DayBill("unionpay", day, file, size)

    async def _content(self, day: date) -> str | None:
        fields = {
            "txnType": "76",
            "txnSubType": "01",
            "bizType": "000000",
            "fileType": "00",
            "settleDate": f"{day:%m%d}",
            "txnTime": beijing(self._now()),
        }
        try:
            answer = await self._gateway.ask_for_a_file(fields)
        except PlatformUnavailable as fault:
            raise ChannelUnavailable(fault.retry_after_s) from None
        code = answer.get("respCode", "")
        if code == SUCCESS and answer.get("fileContent"):
            return answer["fileContent"]
        midnight = from_beijing(f"{day:%Y%m%d}000000")
        if code == _NO_FILE:
            if self._now() >= midnight + _MADE_BY:
                return None
            raise BillNotMade(LATER_S)
        log.warning("unionpay_bill_not_told", code=harmless(code), day=str(day))
        raise ChannelUnavailable(LATER_S)


def read_bill(bill: DayBill) -> Iterator[BillLine]:
    """Yield a file's lines; raises BillDamaged where one has no sense."""
    try:
        with zipfile.ZipFile(bill.file) as archive:
            for name in _details(archive):
                with archive.open(name) as table:
                    yield from _lines(table, bill.day)
    except (zipfile.BadZipFile, zlib.error, OSError):
        raise BillDamaged("no whole archive") from None


def _unpack(content: str, to: Path) -> int:
    """Write the ZIP onto the disk, piece by piece, and look whether it is whole."""
    inflating, size = zlib.decompressobj(), 0
    with to.open("wb") as file:
        for start in range(0, len(content), _CHUNK):
            packed = base64.b64decode(content[start : start + _CHUNK], validate=True)
            while packed:
                piece = inflating.decompress(packed, _CHUNK)
                packed = inflating.unconsumed_tail
                size += file.write(piece)
                if size > _MOST_BYTES:
                    raise binascii.Error("too big")
        size += file.write(inflating.flush())
    if not inflating.eof:
        raise binascii.Error("not whole")
    with zipfile.ZipFile(to) as archive:
        if archive.testzip() is not None or not _details(archive):
            raise BillDamaged("no whole archive")
    return size


def _details(archive: zipfile.ZipFile) -> list[str]:
    """Return the tables of transactions; beside them lie those of errors (ZME) and sums."""
    return [name for name in archive.namelist() if "ZM_" in name.rpartition("/")[2]]


def _lines(table: IO[bytes], day: date) -> Iterator[BillLine]:
    for at, line in enumerate(table, 1):
        bare = line.rstrip(b"\r\n")
        if bare:
            yield _line(bare, day, at)


def _line(content: bytes, day: date, at: int) -> BillLine:
    # Columns are counted in bytes, and all that we read of them is ASCII.
    line = content.decode("latin-1")
    kind, fee = line[_KIND].strip(), line[_FEE].strip()
    try:
        fee_fen = fen_in(fee[1:]) if fee[1:] else 0
        amount_fen = fen_in(line[_AMOUNT].strip())
        moment = _moment(line[_TIME].strip(), day)
    except ValueError:
        raise BillDamaged("a line without sense", at) from None
    if kind not in (CONSUME, REFUND, VOID) or len(line) < _FIRST_QUERY_ID.stop:
        raise BillDamaged("a line without sense", at)
    number, query_id = line[_ORDER_ID].strip(), line[_QUERY_ID].strip()
    # C: credited to us, as where a refund gives its fee back.
    signed_fee = -fee_fen if fee.startswith("C") else fee_fen
    if kind == CONSUME:
        return BillLine(number, None, query_id, None, amount_fen, signed_fee, None, moment)
    first_order, first_query = line[_FIRST_ORDER_ID].strip(), line[_FIRST_QUERY_ID].strip()
    return BillLine(
        first_order, number, first_query, query_id, amount_fen, signed_fee, "done", moment
    )


def _moment(text: str, day: date) -> datetime:
    """Read `MMddHHmmss`; a file of New Year's Day may begin in the old year."""
    if not (len(text) == 10 and text.isascii() and text.isdecimal()):
        raise ValueError("not a moment of UnionPay's")
    month, its_day, hour, minute, second = (int(text[at : at + 2]) for at in range(0, 10, 2))
    year = day.year - 1 if month == 12 and day.month == 1 else day.year
    return datetime(year, month, its_day, hour, minute, second, tzinfo=BEIJING)
