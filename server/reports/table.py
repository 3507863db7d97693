"""A report as a table for spreadsheets."""

import csv
import io
from typing import Any, Final

import msgspec

from server.reports.views import ReportRow, ReportView, Spread, Trueness

# Without it spreadsheets take UTF-8 for something else.
_BYTE_ORDER_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
_PARTS: Final = {"wait": Spread, "service": Spread, "told_issue": Trueness, "told_near": Trueness}


def as_csv(report: ReportView) -> str:
    """The rows of a report; an empty `day` or `line` is all of them together."""
    table = io.StringIO()
    table.write(_BYTE_ORDER_MARK)
    writer = csv.writer(table)
    writer.writerow(_columns())
    writer.writerows(_cells(row) for row in report.data)
    return table.getvalue()


def _columns() -> list[str]:
    columns = []
    for name in ReportRow.__struct_fields__:
        part = _PARTS.get(name)
        columns += [f"{name}_{of}" for of in part.__struct_fields__] if part else [name]
    return columns


def _cells(row: ReportRow) -> list[Any]:
    cells: list[Any] = []
    for name, value in msgspec.structs.asdict(row).items():
        part = _PARTS.get(name)
        if part is None:
            cells.append(value)
        elif value is None:
            cells += [None] * len(part.__struct_fields__)
        else:
            cells += msgspec.structs.astuple(value)
    return cells
