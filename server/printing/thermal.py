"""A slip as the bytes that a thermal printer obeys (ESC/POS), Chinese in GB18030."""

import importlib
import shutil
from functools import lru_cache
from typing import Any, Final

from server.printing.slip import Slip, facts, heading, invitation

# Chinese printers take GB18030 in this mode (FS &), and switch it off by FS dot.
_CHINESE: Final = b"\x1c&"
# By the paper's columns: how many dots a module of the QR code is wide.
_QR_MODULE: Final = {32: 6, 48: 8}
_LARGEST: Final = 4


def as_escpos(slip: Slip, width: int) -> bytes:
    """The slip for paper of 32 columns (58 mm) or 48 (80 mm): text, QR code, and a cut.

    It blocks for most of a second when it is first used: not for the event loop.
    """
    printer = _printer()
    printer.hw("INIT")
    printer._raw(_CHINESE)
    printer.set(align="center", bold=True)
    _say(printer, heading(slip, width))
    size = max(1, min(_LARGEST, width // max(1, len(slip.number))))
    printer.set(custom_size=True, width=size, height=size)
    _say(printer, ["", slip.number])
    printer.set(custom_size=True, width=1, height=1, bold=False)
    printer.set(align="left")
    _say(printer, ["", *facts(slip, width), ""])
    printer.set(align="center")
    printer.qr(slip.page, size=_QR_MODULE[width], native=True)
    _say(printer, ["", *invitation(width)])
    printer.cut()
    printed: bytes = printer.output
    return printed


def _say(printer: Any, lines: list[str]) -> None:
    # Not by the library's `text`: it knows code pages of single bytes only.
    for line in lines:
        printer._raw(line.encode("gb18030", errors="replace") + b"\n")


def _printer() -> Any:
    return _library().Dummy()


@lru_cache(maxsize=1)
def _library() -> Any:
    """The library, once something is printed: it brings an imaging library along, which most
    processes never need, reads a database of printers, and leaves a folder for a copy of it.
    """
    library = importlib.import_module("escpos.printer")
    capabilities = importlib.import_module("escpos.capabilities")
    shutil.rmtree(capabilities.pickle_dir, ignore_errors=True)
    return library
