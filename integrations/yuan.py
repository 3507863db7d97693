"""Yuan as the channels write them, fen as we reckon: exactly, and never through a float."""

import re
from typing import Final

# Nothing that a channel writes is longer, and no sum of a city's either.
_YUAN: Final = re.compile(r"(-?)([0-9]{1,13})(?:\.([0-9]{1,2}))?", re.ASCII)


def fen_of(yuan: str) -> int:
    """Return the fen of an amount such as `12`, `12.3` or `-0.05`; ValueError when it is none.

    More than two decimals are refused, zeros too: who writes them means something else.
    """
    parts = _YUAN.fullmatch(yuan)
    if parts is None:
        raise ValueError("not an amount in yuan")
    sign, whole, decimals = parts.groups()
    fen = int(whole) * 100 + int((decimals or "").ljust(2, "0"))
    return -fen if sign else fen


def yuan_of(fen: int) -> str:
    """Return the amount in yuan with two decimals, such as `0.05`."""
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{rest:02}"
