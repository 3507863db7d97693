"""Cutting text where a reader sees a character end.

Lengths are counted in UTF-16 units, as the platforms' own programs do: an emoji is two. Counting
so is never too generous, whichever way a platform counts.
"""

import unicodedata
from collections.abc import Iterator
from typing import Final

_ZERO_WIDTH_JOINER: Final = "\u200d"
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
_REGIONAL: Final = range(0x1F1E6, 0x1F200)
_TAGS: Final = range(0xE0020, 0xE0080)


def units(text: str) -> int:
    """How long a text is in UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)


def characters(text: str) -> Iterator[str]:
    """The text's characters as readers see them: a letter and its marks, a joined emoji, a flag."""
    cluster, flags = "", 0
    for each in text:
        is_flag = ord(each) in _REGIONAL
        if cluster and (_goes_with(cluster, each) or (is_flag and flags == 1)):
            cluster += each
            flags = 0
            continue
        if cluster:
            yield cluster
        cluster, flags = each, int(is_flag)
    if cluster:
        yield cluster


def cut(text: str, most: int, *, ending: str = "…") -> str:
    """The text, or as much of its beginning as fits into `most` units together with `ending`."""
    if units(text) <= most:
        return text
    room, kept = most - units(ending), ""
    for each in characters(text):
        if units(kept + each) > room:
            break
        kept += each
    return kept + ending


def _goes_with(cluster: str, each: str) -> bool:
    code = ord(each)
    return (
        each == _ZERO_WIDTH_JOINER
        or cluster.endswith(_ZERO_WIDTH_JOINER)
        or unicodedata.category(each) in {"Mn", "Me", "Mc"}
        or code in _SKIN_TONES
        or code in _TAGS
    )
