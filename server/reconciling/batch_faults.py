"""Why a bank counter's file is not taken, in words."""

from typing import Final

from integrations.ports_bank import BatchFault, LineFault

FAULTS: Final[dict[BatchFault, tuple[str, str]]] = {
    "too_big": ("文件过大。", "The file is too big."),
    "not_text": ("不是文本文件。", "It is no text."),
    "not_a_batch": ("不是银行批次文件。", "It is no bank batch of version 1."),
    "not_signed": ("没有签名行。", "Its last line is no signature."),
    "key_unknown": ("没有该银行的密钥。", "We have no such key of this bank."),
    "signature_wrong": ("签名不符。", "Its signature is wrong."),
    "count_wrong": ("笔数不符。", "It has other than so many payments as it says."),
    "total_wrong": ("总额不符。", "Its payments do not add up to what it says."),
    "lines_wrong": ("明细有误。", "Lines of it are wrong."),
}
LINE_FAULTS: Final[dict[LineFault, tuple[str, str]]] = {
    "columns_wrong": ("列数有误。", "has other columns"),
    "bill_no_wrong": ("缴费单号有误。", "names no bill's number"),
    "amount_wrong": ("金额有误。", "has no amount of yuan"),
    "paid_at_wrong": ("缴费时间有误。", "has no moment with its zone"),
    "serial_wrong": ("流水号有误。", "has no serial"),
    "serial_twice": ("流水号重复。", "has a serial that stands there twice"),
}
