"""A report as a table for spreadsheets: as text, and as a workbook."""

import csv
import io
from datetime import date, datetime, time
from typing import Any, Final

import msgspec
import xlsxwriter

from server.halls.bookable import Share
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


def as_xlsx(report: ReportView) -> bytes:
    """The same rows as a workbook, and the bookable share on a second sheet.

    What is text stays text, whatever it begins with.
    """
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True, "strings_to_formulas": False})
    sheet = book.add_worksheet(f"{report.hall}"[:31])
    heading, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
    sheet.freeze_panes(1, 0)
    for column, name in enumerate(_columns()):
        sheet.write_string(0, column, name, heading)
        sheet.set_column(column, column, max(10, len(name)))
    for at, row in enumerate(report.data, start=1):
        for column, value in enumerate(_cells(row)):
            if isinstance(value, date):
                sheet.write_datetime(at, column, datetime.combine(value, time()), day)
            elif isinstance(value, str):
                sheet.write_string(at, column, value)
            elif value is not None:
                sheet.write_number(at, column, value)
    _bookable_in(book, report.bookable, heading)
    book.close()
    return made.getvalue()


def _bookable_in(book: xlsxwriter.Workbook, share: Share, heading: Any) -> None:
    """A sheet of which part of the items may be booked: all of them, then by department."""
    sheet, percent = book.add_worksheet("bookable"), book.add_format({"num_format": "0%"})
    for column, name in enumerate(("department", "items", "bookable", "share", "goal")):
        sheet.write_string(0, column, name, heading)
        sheet.set_column(column, column, 12)
    told = [("", share.items, share.bookable, share.share)]
    told += [(of.department_name, of.items, of.bookable, of.share) for of in share.departments]
    for at, (department, items, bookable, part) in enumerate(told, start=1):
        sheet.write_string(at, 0, department)
        sheet.write_number(at, 1, items)
        sheet.write_number(at, 2, bookable)
        if part is not None:
            sheet.write_number(at, 3, part, percent)
        sheet.write_number(at, 4, share.goal, percent)


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
