"""A ranked hall's figures as JSON.

Of all that making a list costs, writing whole numbers into text would be the most. So the numbers
stand written already, all equally wide, and are laid into a form of all halls at once. The blanks
before a number mean nothing in JSON, and are a thirtieth of a list.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.arrivals import Bools, Floats

_FIGURES: Final = 8  # of the wait, of the total, the distance, the way
_WIDTH: Final = 5
_MOST: Final = 10**_WIDTH
_BLANK: Final = b"_" * _WIDTH
_RANGE: Final = b'{"p10_s":%b,"p50_s":%b,"p90_s":%b}'
_WAY: Final = b',"distance_m":%b,"travel_s":%b,"travel_basis":"%b","appointment":%b}'
_FORETOLD: Final = b',"wait_on_arrival":' + _RANGE + b',"total":' + _RANGE + _WAY
_NOT_FORETOLD: Final = b',"wait_on_arrival":null,"total":null' + _WAY
NO_WAY: Final = (
    b',"wait_on_arrival":null,"total":null,"distance_m":null,"travel_s":null,'
    b'"travel_basis":null,"appointment":null}'
)
NULL: Final = b"null"
_ESTIMATE: Final = b"estimate"


class _Form:
    """One text for each of `most` halls, with blanks of one width for its figures."""

    def __init__(self, row: bytes, most: int) -> None:
        starts, begin = [], 0
        while (start := row.find(_BLANK, begin)) >= 0:
            starts.append(start)
            begin = start + _WIDTH
        form = bytearray(row * most)
        self._form = np.frombuffer(form, dtype=f"S{len(row)}")
        # Where each figure goes, in all rows.
        self._blanks: list[NDArray[np.bytes_]] = [
            np.ndarray(most, f"S{_WIDTH}", form, start, (len(row),)) for start in starts
        ]

    def filled(self, texts: NDArray[np.bytes_]) -> list[bytes]:
        """The texts with these figures in their blanks, a row of `texts` for each blank."""
        many = texts.shape[1]
        for blank, written in zip(self._blanks, texts, strict=True):
            blank[:many] = written
        filled: list[bytes] = self._form[:many].tolist()
        return filled


class Figures:
    """Writes the figures of up to `most` halls."""

    def __init__(self, most: int) -> None:
        blanks = [_BLANK] * _FIGURES
        self._foretold = _Form(_FORETOLD % (*blanks, _ESTIMATE, NULL), most)
        self._not_foretold = _Form(_NOT_FORETOLD % (*blanks[-2:], _ESTIMATE, NULL), most)

    def parts(
        self,
        fronts: Sequence[bytes],
        figures: Floats,
        foretold: Bools,
        others: Mapping[int, bytes],
    ) -> list[bytes]:
        """The halls' JSON, to be joined: each one's front and its column of figures.

        Where a wait is not foretold its figures are NaN. Of the halls in `others` that text takes
        their place.
        """
        are_all_foretold = bool(foretold.all())
        whole = np.rint(figures if are_all_foretold else np.nan_to_num(figures)).astype(np.intp)
        texts = _written().take(whole, mode="clip")
        backs = self._foretold.filled(texts)
        if not are_all_foretold:
            without = self._not_foretold.filled(texts[-2:])
            for nth in np.flatnonzero(~foretold).tolist():
                backs[nth] = without[nth]
        if whole.max(initial=0) >= _MOST:  # days, or hundreds of kilometres
            for nth in np.flatnonzero((whole >= _MOST).any(axis=0)).tolist():
                row = whole[:, nth].tolist()
                backs[nth] = written_out(row, is_foretold=bool(foretold[nth]))
        for nth, other in others.items():
            backs[nth] = other
        parts = [b""] * (2 * len(fronts))
        parts[::2], parts[1::2] = fronts, backs
        return parts


@cache
def _written() -> NDArray[np.bytes_]:
    """All numbers that are as wide."""
    return np.array([b"%*d" % (_WIDTH, number) for number in range(_MOST)])


def written_out(
    figures: Iterable[int],
    *,
    is_foretold: bool = True,
    travel_basis: bytes = _ESTIMATE,
    appointment: bytes = NULL,
) -> bytes:
    """One hall's figures, where something about them is not as usual."""
    values = [b"%d" % figure for figure in figures]
    if is_foretold:
        return _FORETOLD % (*values, travel_basis, appointment)
    return _NOT_FORETOLD % (*values[-2:], travel_basis, appointment)
