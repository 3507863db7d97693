"""The bank counter: a day's payments as a signed file, brought in by a person."""

from integrations.bank.batch import (
    BatchLine,
    BatchRefused,
    BankBatch,
    Fault,
    LineFault,
    read_batch,
    signed_batch,
)
from integrations.bank.keys import BankKeys, HmacKey, RsaKey

__all__ = [
    "BankBatch",
    "BankKeys",
    "BatchLine",
    "BatchRefused",
    "Fault",
    "HmacKey",
    "LineFault",
    "RsaKey",
    "read_batch",
    "signed_batch",
]
