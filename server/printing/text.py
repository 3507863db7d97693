"""A slip as UTF-8 text, for programs that print text and for people who look."""

from typing import Final

import segno

from server.printing.slip import Slip, centred, facts, heading, invitation, wrapped

# Two rows of modules in one row of characters, dark on light paper.
_HALVES: Final = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
_QUIET = 1
_FULL_WIDTH: Final = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def as_text(slip: Slip, width: int) -> str:
    """The slip in lines of at most `width` columns, the number in letters of double width."""
    rule = "-" * width
    large = " ".join(slip.number.translate(_FULL_WIDTH))
    lines = [
        *(centred(line, width) for line in heading(slip, width)),
        rule,
        "",
        centred(large, width),
        "",
        rule,
        *facts(slip, width),
        rule,
        *(centred(line, width) for line in invitation(width)),
        *(centred(line, width) for line in qr_lines(slip.page, width)),
        *wrapped(slip.page, width),
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def qr_lines(text: str, width: int) -> list[str]:
    """A QR code of block characters; no lines where the paper is too narrow for it."""
    code = segno.make(text, error="l", micro=False)
    matrix = [list(row) for row in code.matrix_iter(border=_QUIET)]
    if len(matrix) > width:
        return []
    matrix += [[0] * len(matrix)] * (len(matrix) % 2)
    pairs = zip(matrix[::2], matrix[1::2], strict=True)
    return [
        "".join(_HALVES[upper, lower] for upper, lower in zip(above, below, strict=True))
        for above, below in pairs
    ]
