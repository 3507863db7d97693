"""What we ask of a bank's counter: a signed file with what it took for us. Amounts are fen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

BatchFault = Literal[
    "too_big",
    "not_text",
    "not_a_batch",  # another format, version or head
    "not_signed",  # the last line is no signature
    "key_unknown",
    "signature_wrong",
    "count_wrong",  # of lines, against the head
    "total_wrong",
    "lines_wrong",  # see the lines
]
LineFault = Literal[
    "columns_wrong",
    "bill_no_wrong",
    "amount_wrong",
    "paid_at_wrong",
    "serial_wrong",
    "serial_twice",
]


class BatchRefused(Exception):
    """A file that brings nothing in: `fault` says why, `lines` which lines and what is wrong there.

    Lines are counted from 1, as an editor does; the first hundred are told.
    """

    def __init__(self, fault: BatchFault, lines: Sequence[tuple[int, LineFault]] = ()) -> None:
        super().__init__(fault)
        self.fault: BatchFault = fault
        self.lines = tuple(lines)


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One payment at the counter; `line` is its place in the file, `serial` the bank's own id."""

    line: int
    bill_no: str
    fen: int
    paid_at: datetime
    serial: str


@dataclass(frozen=True, slots=True)
class BankBatch:
    """A genuine batch. `bank` and `number` together are once in the world."""

    bank: str
    number: str
    day: date
    fen: int
    lines: tuple[BatchLine, ...]

    def paid_twice(self) -> dict[str, list[int]]:
        """Bills that several lines pay, with those lines: payments, each real, one too many."""
        at: dict[str, list[int]] = {}
        for one in self.lines:
            at.setdefault(one.bill_no, []).append(one.line)
        return {bill: lines for bill, lines in at.items() if len(lines) > 1}


class BatchReader(Protocol):
    """Somebody who holds the banks' keys."""

    def read(self, content: bytes) -> BankBatch:
        """Verify a file and read it whole, or raise BatchRefused: then none of it counts."""
        ...
