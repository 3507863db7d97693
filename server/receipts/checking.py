"""Whether a receipt is genuine: asked by anybody who has the paper, on a page or by a program."""

from typing import Any, Final

from models.receipts import CODE_LENGTH
from server.http.limits import VERIFY_ADDRESS
from server.receipts import views
from server.receipts.refusals import ReceiptUnknown
from server.services import Services

# Letters that no code has, for what they were read or typed as; and what people set between groups.
_MEANT: Final = str.maketrans("OIL", "011", " -\t\u3000")
LONGEST: Final = 80


async def check(typed: str, address: str, room: Services) -> Any:
    """The row of the receipt with this code. Codes that are wrong are counted by address.

    Raises ReceiptUnknown or TooManyRequests.
    """
    code = typed.upper().translate(_MEANT)
    if len(code) != CODE_LENGTH or not code.isascii() or not code.isalnum():
        raise ReceiptUnknown
    tries = [(VERIFY_ADDRESS, address)]
    await room.limits.take(tries)
    found = await views.by_code(code)
    if found is None:
        raise ReceiptUnknown
    await room.limits.give_back(tries)
    return found
