"""The bank counter: a day's payments as a signed file, brought in by a person."""

from integrations.bank.batch import BankCounters, read_batch, signed_batch
from integrations.bank.keys import BankKeys, HmacKey, RsaKey, read_keys

__all__ = [
    "BankCounters",
    "BankKeys",
    "HmacKey",
    "RsaKey",
    "read_batch",
    "read_keys",
    "signed_batch",
]
