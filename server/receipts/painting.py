"""Receipts painted: as PDF with text that can be searched, and as PNG for phones.

Both libraries are imported when the first is painted: they take half a second that most processes
never need. Painting holds the processor for some hundredths of a second: not for the event loop.
"""

import importlib
import io
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import segno

from server.receipts.paper import WIDTH, Code, Mark, Paper, Rule, Text, sheet

FONT: Final = Path(__file__).resolve().parent / "font" / "NotoSansSC-Receipts.ttf"
_NAME: Final = "receipts"
_MM: Final = 72 / 25.4
# Dots of a picture for each millimetre: about what a phone shows and a printer prints.
_DOTS: Final = 8
_INKS: Final = {"black": (0.1, 0.1, 0.1), "grey": (0.42, 0.42, 0.42), "red": (0.8, 0.07, 0.07)}
_QUIET: Final = 4


def as_pdf(paper: Paper) -> bytes:
    """The receipt as PDF, A5 across, its font inside."""
    made, laid = io.BytesIO(), sheet(paper)
    size = (WIDTH * _MM, laid.height * _MM)
    # From above, as everything is laid out.
    canvas = _pdf().Canvas(made, pagesize=size, invariant=1)
    canvas.translate(0, size[1])
    canvas.setTitle(f"票据 {paper.number}")
    canvas.setAuthor(paper.issuer)
    canvas.setLineWidth(0.7)
    for mark in laid.marks:
        _draw(canvas, mark)
    canvas.showPage()
    canvas.save()
    return made.getvalue()


def as_png(paper: Paper) -> bytes:
    """The receipt as a picture 1680 dots wide."""
    laid = sheet(paper)
    image = importlib.import_module("PIL.Image")
    picture = image.new("RGB", (int(WIDTH * _DOTS), int(laid.height * _DOTS)), "white")
    pen = importlib.import_module("PIL.ImageDraw").Draw(picture)
    for mark in laid.marks:
        _paint(pen, mark)
    made = io.BytesIO()
    # Few inks, by the fastest way to find them: so it is a third of the size.
    picture.quantize(32, image.Quantize.FASTOCTREE, dither=image.Dither.NONE).save(made, "PNG")
    return made.getvalue()


def _draw(canvas: Any, mark: Mark) -> None:
    match mark:
        case Text():
            canvas.setFillColorRGB(*_INKS[mark.ink])
            canvas.setFont(_NAME, mark.size * _MM)
            at = {"left": "String", "middle": "CentredString", "right": "RightString"}[mark.at]
            getattr(canvas, f"draw{at}")(mark.x * _MM, -mark.y * _MM, mark.text)
        case Rule():
            canvas.line(mark.x1 * _MM, -mark.y1 * _MM, mark.x2 * _MM, -mark.y2 * _MM)
        case Code():
            canvas.setFillColorRGB(0, 0, 0)
            size = mark.side / len(_modules(mark.text))
            for x, y, wide in _bars(mark.text):
                canvas.rect(
                    (mark.x + x * size) * _MM,
                    -(mark.y + (y + 1) * size) * _MM,
                    wide * size * _MM,
                    # A hair more than the next one's edge: no light between two rows.
                    size * _MM * 1.02,
                    stroke=0,
                    fill=1,
                )


def _paint(pen: Any, mark: Mark) -> None:
    match mark:
        case Text():
            ink = tuple(round(255 * part) for part in _INKS[mark.ink])
            anchor = {"left": "ls", "middle": "ms", "right": "rs"}[mark.at]
            where = (mark.x * _DOTS, mark.y * _DOTS)
            pen.text(where, mark.text, font=_letters(mark.size), fill=ink, anchor=anchor)
        case Rule():
            ends = [each * _DOTS for each in (mark.x1, mark.y1, mark.x2, mark.y2)]
            pen.line(ends, fill=(26, 26, 26), width=2)
        case Code():
            # Whole dots for each module, or it is hard to read.
            size = int(mark.side * _DOTS) // len(_modules(mark.text))
            left, top = int(mark.x * _DOTS), int(mark.y * _DOTS)
            for x, y, wide in _bars(mark.text):
                corner = (left + x * size, top + y * size)
                end = (corner[0] + wide * size - 1, corner[1] + size - 1)
                pen.rectangle([corner, end], fill="black")


@lru_cache(maxsize=4)
def _modules(text: str) -> tuple[tuple[int, ...], ...]:
    code = segno.make(text, error="m", micro=False)
    return tuple(tuple(row) for row in code.matrix_iter(border=_QUIET))


def _bars(text: str) -> list[tuple[int, int, int]]:
    """The dark modules that lie side by side, as one bar each: where it begins, and its width."""
    bars: list[tuple[int, int, int]] = []
    for y, row in enumerate(_modules(text)):
        x = 0
        while x < len(row):
            wide = 0
            while x + wide < len(row) and row[x + wide]:
                wide += 1
            if wide:
                bars.append((x, y, wide))
            x += wide or 1
    return bars


@lru_cache(maxsize=1)
def _pdf() -> Any:
    """The PDF library, with our font known to it."""
    metrics = importlib.import_module("reportlab.pdfbase.pdfmetrics")
    fonts = importlib.import_module("reportlab.pdfbase.ttfonts")
    metrics.registerFont(fonts.TTFont(_NAME, str(FONT)))
    return importlib.import_module("reportlab.pdfgen.canvas")


@lru_cache(maxsize=16)
def _letters(size: float) -> Any:
    return importlib.import_module("PIL.ImageFont").truetype(str(FONT), round(size * _DOTS))
