"""WeChat Pay's bills, line by line, their totals compared.

A bill is text with a byte order mark: a head, a line for each thing, a head of totals, the totals.
Every cell of a line begins with a backtick; amounts are yuan, fees with five decimals. A day may
have a million lines, so a line costs a few microseconds and no more.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from integrations.ports_bill import BillDamaged, BillLine, DayBill, FundLine, RefundState

_ZONE: Final = "+08:00"
_YUAN: Final = re.compile(r"(-?)([0-9]{1,13})(?:\.([0-9]{1,2})0*)?", re.ASCII)
_COUNT: Final = re.compile(r"([0-9]{1,9})(?:\.0+)?", re.ASCII)
_REFUND_STATES: Final[dict[str, RefundState]] = {
    "SUCCESS": "done",
    "PROCESSING": "pending",
    "FAIL": "failed",
    "CHANGE": "stuck",
}
_TRADE_COLUMNS: Final = (
    *("交易时间", "微信订单号", "商户订单号", "交易状态", "货币种类", "微信退款单号"),
    *("商户退款单号", "退款状态", "手续费", "订单金额", "申请退款金额"),
)
_FUND_COLUMNS: Final = (
    *("记账时间", "微信支付业务单号", "业务名称", "收支类型", "收支金额(元)", "账户结余(元)"),
)


def read_trades(bill: DayBill) -> Iterator[BillLine]:
    """Yield a trade bill's lines; raises BillDamaged, at the end also where totals differ."""
    count = paid = refunded = fees = 0
    with bill.file.open(encoding="utf-8-sig", newline="") as file:
        at = _columns(file, _TRADE_COLUMNS)
        when, order, number, state, money, refund, refund_no, refund_state, fee, total, back = at
        width = max(at) + 1
        for cells in _cells(file, width):
            try:
                is_payment = cells[state] == "SUCCESS"
                amount = _fen(cells[total if is_payment else back])
                fee_fen = _fen(cells[fee])
                line = BillLine(
                    cells[number],
                    None if is_payment else cells[refund_no],
                    cells[order],
                    None if is_payment else cells[refund],
                    amount,
                    fee_fen,
                    None if is_payment else _REFUND_STATES[cells[refund_state]],
                    datetime.fromisoformat(cells[when] + _ZONE),
                )
            except (ValueError, KeyError):
                raise BillDamaged("no_sense", count + 2) from None
            if cells[money] != "CNY":
                raise BillDamaged("foreign_currency", count + 2)
            count += 1
            fees += fee_fen
            if is_payment:
                paid += amount
            else:
                refunded += amount
            yield line
    _compare(
        bill.file,
        {
            "总交易单数": count,
            "订单总金额": paid,
            "申请退款总金额": refunded,
            "手续费总金额": fees,
        },
    )


def read_funds(bill: DayBill) -> Iterator[FundLine]:
    """Yield a fund-flow bill's lines; raises BillDamaged, at the end also where totals differ."""
    came, came_fen, went, went_fen = 0, 0, 0, 0
    with bill.file.open(encoding="utf-8-sig", newline="") as file:
        at = _columns(file, _FUND_COLUMNS)
        when, reference, kind, way, amount, balance = at
        for cells in _cells(file, max(at) + 1):
            number = came + went + 2
            try:
                fen = _fen(cells[amount])
                comes = {"收入": True, "支出": False}[cells[way]]
                line = FundLine(
                    datetime.fromisoformat(cells[when] + _ZONE),
                    cells[reference],
                    cells[kind],
                    fen if comes else -fen,
                    _fen(cells[balance]),
                )
            except (ValueError, KeyError):
                raise BillDamaged("no_sense", number) from None
            if comes:
                came, came_fen = came + 1, came_fen + fen
            else:
                went, went_fen = went + 1, went_fen + fen
            yield line
    _compare(
        bill.file,
        {
            "资金流水总笔数": came + went,
            "收入笔数": came,
            "收入金额": came_fen,
            "支出笔数": went,
            "支出金额": went_fen,
        },
    )


def _columns(file: TextIO, names: tuple[str, ...]) -> list[int]:
    """Return where these columns are, from the head: WeChat has added columns before."""
    head = _next(file).rstrip("\r\n").split(",")
    try:
        return [head.index(name) for name in names]
    except ValueError:
        raise BillDamaged("columns_missing", 1) from None


def _cells(file: TextIO, width: int) -> Iterator[list[str]]:
    """Yield the cells of each line up to the totals."""
    number = 1
    try:
        for line in file:
            number += 1
            if line[0] != "`":
                return
            cells = line[1:].rstrip("\r\n").split(",`")
            if len(cells) < width:
                raise BillDamaged("cells_missing", number)
            yield cells
    except UnicodeDecodeError:
        raise BillDamaged("not_text", number + 1) from None
    raise BillDamaged("totals_missing", number + 1)


def _compare(file: Path, ours: dict[str, int]) -> None:
    """Raise BillDamaged unless the bill's own totals are those of its lines."""
    head, totals = _last_lines(file)
    theirs = dict(zip(head.split(","), totals.removeprefix("`").split(",`"), strict=False))
    for name, value in ours.items():
        told = theirs.get(name, "")
        try:
            same = (_fen(told) if "金额" in name or "费" in name else _number(told)) == value
        except ValueError:
            raise BillDamaged("totals_missing") from None
        if not same:
            raise BillDamaged("totals_differ")


def _last_lines(file: Path) -> tuple[str, str]:
    with file.open("rb") as content:
        content.seek(max(0, file.stat().st_size - 4096))
        lines = content.read().decode(errors="replace").splitlines()
    if len(lines) < 2:
        raise BillDamaged("totals_missing")
    return lines[-2], lines[-1]


def _next(file: TextIO) -> str:
    try:
        return next(file, "")
    except UnicodeDecodeError:
        raise BillDamaged("not_text", 1) from None


def _fen(yuan: str) -> int:
    """Read yuan as fen; ValueError for anything that is no whole fen."""
    if yuan[-3:-2] == ".":
        # Nearly every amount there is; a sign is no decimal and takes the other way.
        digits = yuan[:-3] + yuan[-2:]
        if digits.isdecimal() and digits.isascii():
            return int(digits)
    found = _YUAN.fullmatch(yuan)
    if found is None:
        raise ValueError("not an amount of yuan")
    sign, whole, part = found.groups()
    fen = int(whole) * 100 + int((part or "").ljust(2, "0"))
    return -fen if sign else fen


def _number(text: str) -> int:
    found = _COUNT.fullmatch(text)
    if found is None:
        raise ValueError("not a count")
    return int(found[1])
