"""The bills that the sandbox's WeChat Pay hands out: trade and fund flow, as CSV of its kind."""

from collections.abc import Iterable, Iterator

from integrations.sandbox.payments.book import Booked
from integrations.sandbox.payments.clock import beijing

_TRADE_HEAD = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,"
    "付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,"
    "退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
_TRADE_TOTALS = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
_FUND_HEAD = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
    "资金变更提交申请人,备注,业务凭证号"
)
_FUND_TOTALS = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
_REFUND_STATES = {"done": "SUCCESS", "pending": "PROCESSING", "failed": "FAIL", "stuck": "CHANGE"}
_OPENING_FEN = 100_000_000


def trade_bill(lines: Iterable[Booked], app_id: str, mch_id: str) -> bytes:
    """Write a trade bill (bill_type=ALL)."""
    rows = [_TRADE_HEAD]
    count = paid = refunded = fees = 0
    for line in lines:
        count += 1
        fees += line.fee_fen
        if line.refund_no is None:
            paid += line.fen
        else:
            refunded += line.fen
        rows.append(_row(_trade_cells(line, app_id, mch_id)))
    rows.append(_TRADE_TOTALS)
    totals = [_yuan(paid), _yuan(refunded), "0.00", _yuan(fees), _yuan(paid), _yuan(refunded)]
    rows.append(_row([f"{count}.0", *totals]))
    return _file(rows)


def fund_bill(lines: Iterable[Booked]) -> bytes:
    """Write a fund-flow bill of the basic account, which began the day with a million yuan."""
    rows = [_FUND_HEAD]
    came, came_fen, went, went_fen, balance = 0, 0, 0, 0, _OPENING_FEN
    for number, (line, kind, fen) in enumerate(_movements(lines), 1):
        balance += fen
        if fen > 0:
            came, came_fen = came + 1, came_fen + fen
        else:
            went, went_fen = went + 1, went_fen - fen
        cells = [
            _time(line.at),
            line.channel_refund_no or line.channel_no,
            f"{number:010}",
            kind,
            kind,
            "收入" if fen > 0 else "支出",
            _yuan(abs(fen)),
            _yuan(balance),
            "system",
            "",
            line.refund_no or line.order_no,
        ]
        rows.append(_row(cells))
    rows.append(_FUND_TOTALS)
    counts = [f"{came + went}.0", f"{came}.0", _yuan(came_fen), f"{went}.0", _yuan(went_fen)]
    rows.append(_row(counts))
    return _file(rows)


def _movements(lines: Iterable[Booked]) -> Iterator[tuple[Booked, str, int]]:
    for line in lines:
        if line.refund_no is None:
            yield line, "交易", line.fen
        elif line.refund_state == "done":
            yield line, "退款", -line.fen
        else:
            continue
        if line.fee_fen:
            yield line, "扣除交易手续费" if line.fee_fen > 0 else "退还手续费", -line.fee_fen


def _trade_cells(line: Booked, app_id: str, mch_id: str) -> list[str]:
    is_payment = line.refund_no is None
    paid, back = (line.fen, 0) if is_payment else (0, line.fen)
    return [
        *(_time(line.at), app_id, mch_id, "0", "", line.channel_no, line.order_no, line.payer),
        *("JSAPI", "SUCCESS" if is_payment else "REFUND", "OTHERS", "CNY", _yuan(paid), "0.00"),
        *(line.channel_refund_no or "0", line.refund_no or "0", _yuan(back), "0.00"),
        *("" if is_payment else "ORIGINAL", _REFUND_STATES.get(line.refund_state or "", "")),
        *(line.subject, "", f"{_yuan(line.fee_fen)}000", "0.60%", _yuan(paid), _yuan(back), ""),
    ]


def _row(cells: list[str]) -> str:
    return ",".join(f"`{cell}" for cell in cells)


def _file(rows: list[str]) -> bytes:
    return b"\xef\xbb\xbf" + "".join(f"{row}\r\n" for row in rows).encode()


def _time(moment: float) -> str:
    return f"{beijing(moment):%Y-%m-%d %H:%M:%S}"


def _yuan(fen: int) -> str:
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{rest:02}"
