"""Figures laid into their form say what is written out hall by hall."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from server.halls.figures import Figures, written_out

NUMBERS = st.floats(0, 99_999.4) | st.floats(0, 5e6)


@given(st.lists(st.lists(NUMBERS, min_size=8, max_size=8), min_size=1, max_size=6), st.data())
def test_a_list_has_each_halls_figures_in_order(
    halls: list[list[float]], data: st.DataObject
) -> None:
    known = Figures(6)
    odd = data.draw(st.sets(st.integers(0, len(halls) - 1)))
    others = {nth: written_out([1] * 8, is_foretold=False) for nth in odd}
    foretold = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(halls), max_size=len(halls)))
    )
    figures_of = np.array(halls).T
    figures_of[:6, ~foretold] = np.nan
    fronts = [b'%b{"code":%d' % (b"," if nth else b"", nth) for nth in range(len(halls))]
    for _ in range(2):  # what one list leaves in the form does not show in the next
        joined = b"".join(known.parts(fronts, figures_of, foretold, others))
        told = msgspec.json.decode(b"[" + joined + b"]")
        for nth, figures in enumerate(halls):
            whole = [round(figure) for figure in figures]
            alone = others.get(nth) or written_out(whole, is_foretold=bool(foretold[nth]))
            expected = msgspec.json.decode(b'{"code":%d%b' % (nth, alone))
            assert told[nth] == expected
