"""Alipay's bill of a day as its console hands it out: two GBK tables in a ZIP."""

import io
import zipfile
from collections.abc import Iterable
from datetime import date
from typing import IO, Final

from integrations.sandbox.payments.book import Booked
from integrations.sandbox.payments.clock import beijing
from integrations.yuan import yuan_of

_COLUMNS: Final = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,"
    "对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,"
    "券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,"
    "分润（元）,备注"
)
_RULE: Final = "-" * 40


def written(to: IO[bytes], seller: str, day: date, lines: Iterable[Booked]) -> None:
    """Write a bill; of refunds it has those that went through, as Alipay's has."""
    name = f"{seller}0156_{day:%Y%m%d}_业务明细"
    totals = {False: [0, 0], True: [0, 0]}
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(_member(f"{name}.csv"), "w") as raw:
            text = io.TextIOWrapper(raw, "gb18030", newline="", write_through=True)
            text.write(_head(seller, day))
            for line in lines:
                if line.refund_state in (None, "done"):
                    total = totals[line.refund_no is not None]
                    total[0] += 1
                    total[1] += line.fen
                    text.write(_row(line))
            text.write(_foot(totals))
            text.detach()
        archive.writestr(_member(f"{name}(汇总).csv"), "#支付宝业务汇总查询\r\n".encode("gb18030"))


def _member(name: str) -> zipfile.ZipInfo:
    # Names are GBK without the flag for UTF-8, which readers then take for an old code page.
    member = _GbkName(name)
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


class _GbkName(zipfile.ZipInfo):
    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 Python's own name
        return self.filename.encode("gb18030"), self.flag_bits & ~0x800


def _head(seller: str, day: date) -> str:
    return (
        f"#支付宝业务明细查询\r\n#账号：[{seller}0156]\r\n"
        f"#起始日期：[{day:%Y年%m月%d日} 00:00:00]   终止日期：[{day:%Y年%m月%d日} 24:00:00]\r\n"
        f"#{_RULE}业务明细列表{_RULE}\r\n{_COLUMNS}\r\n"
    )


def _row(line: Booked) -> str:
    is_refund = line.refund_no is not None
    amount = yuan_of(-line.fen if is_refund else line.fen)
    at = f"{beijing(line.at):%Y-%m-%d %H:%M:%S}"
    cells = [
        f"{line.channel_no}\t",
        f"{line.order_no}\t",
        "退款" if is_refund else "交易",
        line.subject,
        *(at, at, "", "", "", "", "138****0000", amount, amount),
        *("0.00", "0.00", "0.00", "0.00", "0.00", "", "0.00", "0.00"),
        f"{line.refund_no or ''}\t",
        yuan_of(-line.fee_fen),
        *("0.00", ""),
    ]
    return ",".join(cells) + "\r\n"


def _foot(totals: dict[bool, list[int]]) -> str:
    paid, back = totals[False], totals[True]
    return (
        f"#{_RULE}业务明细列表结束{_RULE}\r\n"
        f"#交易合计：{paid[0]}笔，商家实收共{yuan_of(paid[1])}元，商家优惠共0.00元\r\n"
        f"#退款合计：{back[0]}笔，商家实收退款共{yuan_of(-back[1])}元，商家优惠退款共0.00元\r\n"
    )
