"""Check-in codes: what a phone shows as a QR code, and what may be typed at a kiosk."""

import secrets
from typing import Final

# Crockford's: nothing that is read as something else.
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH: Final = 12
PREFIX: Final = "YT"


def new_code() -> str:
    """A code that nobody guesses: sixty bits."""
    return PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def read_code(said: str) -> str:
    """A code as it is kept, however it was typed: spaces, hyphens, small letters do not count."""
    return said.replace(" ", "").replace("-", "").upper()
