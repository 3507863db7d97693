"""UnionPay's settlement file of a day: columns of fixed width in a ZIP."""

import base64
import io
import zipfile
import zlib
from collections.abc import Iterable
from datetime import date
from typing import Final

from integrations.sandbox.payments.book import Booked
from integrations.sandbox.payments.clock import beijing

# Number, name and width in bytes of each column, in the order of the file interface's part 3.
_COLUMNS: Final = (
    *(("code", 3), ("agent", 11), ("sender", 11), ("trace", 6), ("time", 10), ("account", 19)),
    *(("amount", 12), ("category", 4), ("terminal_kind", 2), ("query_id", 21), ("old_way", 2)),
    *(("order_id", 32), ("card_kind", 2), ("first_trace", 6), ("first_time", 10), ("fee", 13)),
    *(("settled", 13), ("way", 4), ("group", 15), ("kind", 2), ("sub_kind", 2), ("business", 6)),
    *(("account_kind", 2), ("bill_kind", 4), ("bill_no", 32), ("mode", 1), ("first_query", 21)),
    *(("merchant", 15), ("split", 1), ("second", 15), ("second_name", 32), ("second_sum", 13)),
    *(("net", 13), ("terminal", 8), ("own", 32), ("discount", 13), ("invoice", 13)),
    *(("extra_fee", 12), ("parts", 2), ("medium", 1), ("first_order", 32), ("kept", 98)),
)


def file_content(merchant: str, day: date, lines: Iterable[Booked]) -> tuple[str, str]:
    """Return the ZIP's name, and its content as an answer carries it.

    It has the refunds that went through, as UnionPay's has.
    """
    name = f"{merchant}_{day:%Y%m%d}.zip"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(f"INN{day:%y%m%d}88ZM_{merchant}", "w") as table:
            for line in lines:
                if line.refund_state in (None, "done"):
                    table.write(_row(merchant, line))
        archive.writestr(f"INN{day:%y%m%d}88ZME_{merchant}", b"")
    return name, base64.b64encode(zlib.compress(packed.getvalue())).decode()


def _row(merchant: str, line: Booked) -> bytes:
    is_refund = line.refund_no is not None
    fee = line.fee_fen
    cells = {
        "code": "S30" if is_refund else "S22",
        "time": f"{beijing(line.at):%m%d%H%M%S}",
        "account": "621700****0001",
        "amount": f"{line.fen:012}",
        "query_id": (line.channel_refund_no or "") if is_refund else line.channel_no,
        "order_id": line.refund_no or line.order_no,
        "fee": f"{'C' if fee < 0 else 'D'}{abs(fee):012}",
        "settled": f"{'D' if is_refund else 'C'}{line.fen:012}",
        "kind": "04" if is_refund else "01",
        "sub_kind": "00" if is_refund else "01",
        "business": "000201",
        "merchant": merchant,
        "first_query": line.channel_no if is_refund else "",
        "first_order": line.order_no if is_refund else "",
    }
    filled = ((cells.get(name, "").encode("gb18030"), width) for name, width in _COLUMNS)
    return b" ".join(cell.ljust(width)[:width] for cell, width in filled) + b"\r\n"
