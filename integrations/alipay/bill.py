"""Alipay's trade bill of a day: a ZIP of GBK tables, fetched to the disk and read line by line."""

import asyncio
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import structlog
from msgspec import Struct

from integrations.alipay.client import BEIJING, SUCCESS, AlipayGateway, harmless
from integrations.asking import LATER_S
from integrations.downloading import NotFetched, download
from integrations.ports import PlatformUnavailable
from integrations.ports_bill import BillDamaged, BillLine, DayBill
from integrations.ports_payment import BillNotMade, ChannelUnavailable
from integrations.yuan import fen_of

log = structlog.get_logger()

_METHOD: Final = "alipay.data.dataservice.bill.downloadurl.query"
_NO_BILL: Final = frozenset({"isp.bill_not_exist", "BILL_NOT_EXIST"})
# Bills are made in the morning after; until then one that is missing may only be late.
_MADE_BY: Final = timedelta(days=1, hours=10)
_MOST_BYTES: Final = 1 << 30
_BUDGET_S: Final = 600.0

_COLUMNS: Final = (
    "支付宝交易号",
    "商户订单号",
    "业务类型",
    "完成时间",
    "订单金额（元）",
    "退款批次号/请求号",
    "服务费（元）",
)
_END: Final = "业务明细列表结束"
_TOTAL: Final = re.compile(r"#(交易|退款)合计：([0-9]+)笔")
_KINDS: Final = {"交易": False, "退款": True}


class _Address(Struct):
    bill_download_url: str


class AlipayBills:
    """Fetches bills; `now` is the city's time."""

    def __init__(
        self, http: httpx.AsyncClient, gateway: AlipayGateway, now: Callable[[], datetime]
    ) -> None:
        self._http = http
        self._gateway = gateway
        self._now = now

    async def fetch(self, day: date, folder: Path) -> DayBill | None:
        """Download a day's bill; None when it had no business. Raises ChannelUnavailable."""
        address = await self._address(day)
        if address is None:
            return None
        file = folder / f"alipay-{day}.zip"
        part = file.with_suffix(".part")
        try:
            size = await download(
                self._http, address, part, most_bytes=_MOST_BYTES, budget_s=_BUDGET_S
            )
            await asyncio.to_thread(_require_whole, part)
        except NotFetched as fault:
            log.warning("alipay_bill_not_fetched", why=fault.why, day=str(day))
            raise ChannelUnavailable(LATER_S) from None
        await asyncio.to_thread(part.replace, file)
        return DayBill("alipay", day, file, size)

    async def _address(self, day: date) -> str | None:
        biz = {"bill_type": "trade", "bill_date": day.isoformat()}
        try:
            answer = await self._gateway.exchange(_METHOD, biz_content=biz)
        except PlatformUnavailable as fault:
            raise ChannelUnavailable(fault.retry_after_s) from None
        found = answer.read(_Address) if answer.code == SUCCESS else None
        if found is not None:
            # Valid for half a minute.
            return found.bill_download_url
        midnight = datetime(day.year, day.month, day.day, tzinfo=BEIJING)
        if answer.sub_code in _NO_BILL:
            if self._now() >= midnight + _MADE_BY:
                return None
            raise BillNotMade(LATER_S)
        code = harmless(answer.sub_code or answer.code)
        log.warning("alipay_bill_not_told", code=code, day=str(day))
        raise ChannelUnavailable(LATER_S)


def read_bill(bill: DayBill) -> Iterator[BillLine]:
    """Yield a bill's lines; raises BillDamaged where one has no sense, or some are missing."""
    try:
        with zipfile.ZipFile(bill.file) as archive:
            for name in _details(archive):
                with archive.open(name) as raw:
                    text = io.TextIOWrapper(raw, "gb18030", errors="replace", newline="")
                    yield from _lines(text)
    except (zipfile.BadZipFile, zlib.error, OSError):
        raise BillDamaged("no whole archive") from None


def _require_whole(file: Path) -> None:
    """Verify every member's checksum: Alipay tells no hash of a bill, the ZIP has its own."""
    try:
        with zipfile.ZipFile(file) as archive:
            whole = archive.testzip() is None and bool(_details(archive))
    except (zipfile.BadZipFile, zlib.error, OSError, BillDamaged):
        whole = False
    if not whole:
        file.unlink(missing_ok=True)
        raise NotFetched("damaged")


def _details(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the members with single payments; beside them lie summaries of the same."""
    found = [one for one in archive.infolist() if "明细" in _name(one) and "汇总" not in _name(one)]
    if not found:
        raise BillDamaged("no table of details in it")
    return found


def _name(member: zipfile.ZipInfo) -> str:
    if member.flag_bits & 0x800:
        return member.filename
    # Without the flag for UTF-8, Python takes names for IBM's old code page; they are GBK.
    return member.filename.encode("cp437", errors="replace").decode("gb18030", errors="replace")


def _lines(text: io.TextIOWrapper) -> Iterator[BillLine]:
    rows = csv.reader(text)
    places: list[int] | None = None
    counted = {False: 0, True: 0}
    ended = False
    for at, row in enumerate(rows, 1):
        if not row or row[0].startswith("#"):
            line = ",".join(row)
            ended = ended or _END in line
            _check_total(line, counted, at)
        elif places is None:
            places = _places([cell.strip() for cell in row], at)
        else:
            read = _line(row, places, at)
            counted[read.refund_no is not None] += 1
            yield read
    if not ended:
        raise BillDamaged("ends too early")


def _places(header: list[str], at: int) -> list[int]:
    try:
        return [header.index(name) for name in _COLUMNS]
    except ValueError:
        raise BillDamaged("columns are missing", at) from None


def _line(row: list[str], places: list[int], at: int) -> BillLine:
    try:
        trade_no, order_no, kind, when, amount, refund_no, fee = (
            row[place].strip() for place in places
        )
        is_refund = _KINDS[kind]
        fen = fen_of(amount)
        moment = datetime.fromisoformat(when).replace(tzinfo=BEIJING)
        fee_fen = -fen_of(fee)
    except (IndexError, KeyError, ValueError):
        raise BillDamaged("a line without sense", at) from None
    if (fen < 0) != is_refund and fen != 0:
        raise BillDamaged("an amount of the wrong sign", at)
    return BillLine(
        order_no,
        refund_no or trade_no if is_refund else None,
        trade_no,
        None,
        abs(fen),
        fee_fen,
        "done" if is_refund else None,
        moment,
    )


def _check_total(line: str, counted: dict[bool, int], at: int) -> None:
    total = _TOTAL.match(line)
    if total and int(total[2]) != counted[_KINDS[total[1]]]:
        raise BillDamaged("other lines than it counts", at)
