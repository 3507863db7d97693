"""Check-in codes: what a phone shows as a QR code, and what may be typed at a kiosk."""

import re
import secrets
from typing import Final

# Crockford's: nothing that is read as something else.
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH: Final = 12
PREFIX: Final = "YT"


def new_code() -> str:
    """A code that nobody guesses: sixty bits."""
    return PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


# How people read, and type, what is not among the letters.
_MEANT: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
_CODE: Final = re.compile(rf"{PREFIX}[{_LETTERS}]{{{_LENGTH}}}")


def read_code(said: str) -> str | None:
    """A code as it is kept, however it was typed: spaces, hyphens, small letters do not count.

    None for what is no code at all.
    """
    code = said.replace(" ", "").replace("-", "").upper().translate(_MEANT)
    return code if _CODE.fullmatch(code) else None
