"""Rows out of PostgreSQL by the ten thousand, as they are on the wire: COPY in its binary form.

Each column has a fixed length and none is null, so a row is a record, and what came is read where
it lies (numpy) without an object for any value.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.database import Transaction

# How PostgreSQL sends what is asked for here. `date` is days since 2000, and -infinity the least.
UUID_BYTES: Final = "S16"
INT: Final = ">i4"
DATE: Final = ">i4"
NO_DATE: Final = -(2**31)
EPOCH: Final = np.datetime64("2000-01-01", "D")
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
_HEADER_BYTES: Final = len(_SIGNATURE) + 8
_TRAILER_BYTES: Final = 2


async def copied(
    tx: Transaction, query: str, *args: Any, columns: Mapping[str, str], timeout_s: float
) -> NDArray[np.void]:
    """The rows of a query, by the names of its columns; `columns` says how each is sent."""
    came = bytearray()

    async def take(data: bytes) -> None:
        came.extend(data)

    await tx.connection.copy_from_query(
        query, *args, output=take, format="binary", timeout=timeout_s
    )
    assert came.startswith(_SIGNATURE), "this is no binary COPY"
    row = _row(columns)
    many, rest = divmod(len(came) - _HEADER_BYTES - _TRAILER_BYTES, row.itemsize)
    assert not rest, "a column was null, or is of another type"
    return np.frombuffer(came, dtype=row, count=many, offset=_HEADER_BYTES)


def _row(columns: Mapping[str, str]) -> np.dtype[np.void]:
    """A row as it is sent: how many columns, then each with its length before it."""
    fields: list[tuple[str, str]] = [("columns_of_row", ">i2")]
    for name, kind in columns.items():
        fields += [(f"length_of_{name}", ">i4"), (name, kind)]
    return np.dtype(fields)
