"""What to bring, and what of it she says she has: ticked off at home, seen at the counter."""

from collections.abc import Collection, Iterable, Sequence
from typing import Annotated

import msgspec

from server.halls.directory import ItemEntry
from server.visits.bundles import Needed, needed_for


class Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the materials of an appointment, by its `name` and `kind` there."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200, examples=["居民身份证"])]
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=16, examples=["original"])]

    @property
    def key(self) -> str:
        """As an appointment keeps it."""
        return f"{self.kind}:{self.name}"


class Material(Needed, frozen=True, kw_only=True):
    """A paper or file to bring; `have`: she says that she has it."""

    have: bool


def materials_of(items: Iterable[ItemEntry], ticked: Collection[str]) -> list[Material]:
    """All to bring for these items, told once; `ticked` are the keys of what she has."""
    return [
        Material(**msgspec.structs.asdict(each), have=Paper(each.name, each.kind).key in ticked)
        for each in needed_for(items)
    ]


def unknown_among(papers: Sequence[Paper], items: Iterable[ItemEntry]) -> list[int]:
    """Which of these, by number, are none of what is to be brought."""
    known = {Paper(each.name, each.kind).key for each in needed_for(items)}
    return [nth for nth, paper in enumerate(papers) if paper.key not in known]
