"""How large the heavy tests are: as `make test` has the minutes for, or as the bars have it.

`YITING_TESTS=full make test` takes about twice as long.
"""

import os
from typing import Final

FULL: Final = os.environ.get("YITING_TESTS") == "full"


def size(usual: int, full: int) -> int:
    """The larger one when all was asked for."""
    return full if FULL else usual
