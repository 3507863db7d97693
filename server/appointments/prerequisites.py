"""What is still to be done before she comes: said when she books, not at the counter.

Each look answers for one kind of it, and asks the database only where an item asks for that kind.
Nothing of it stops a booking: it may be done by then, or elsewhere, where nobody told us.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

import msgspec

from models import prerequisites
from models.booking import Whose
from models.database import Transaction
from server.halls.directory import Directory, ItemEntry


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done first, for these items of the appointment.

    `item`: another item, of which no office of this city knows that it was done. `bill`: what she
    still owes for an item, by its bill's number.
    """

    kind: Literal["item", "bill"]
    code: str
    name: str
    name_en: str
    needed_for: list[str]


Look = Callable[
    [Transaction | None, Whose, Sequence[ItemEntry], Directory], Awaitable[list[Unfinished]]
]


async def items_before(
    tx: Transaction | None, her: Whose, items: Sequence[ItemEntry], directory: Directory
) -> list[Unfinished]:
    """Items to be done before that she has not been served for; those booked together are not."""
    together = {item.code for item in items}
    needed = {code for item in items for code in item.requires} - together
    if not needed:
        return []
    done = await prerequisites.done_by(tx, her, needed)
    found = [directory.item(code) for code in sorted(needed - done) if code in directory.items]
    return [
        Unfinished(
            kind="item",
            code=first.code,
            name=first.name,
            name_en=first.name_en,
            needed_for=[item.code for item in items if first.code in item.requires],
        )
        for first in found
    ]


async def bills_before(
    tx: Transaction | None, her: Whose, items: Sequence[ItemEntry], directory: Directory
) -> list[Unfinished]:
    """What she still owes for these items: she may pay it on her phone before she comes."""
    costly = {item.id: item for item in items if item.fee_fen > 0}
    if not costly:
        return []
    found = await prerequisites.owed_by(tx, her, costly)
    return [
        Unfinished(
            kind="bill",
            code=row["bill_no"],
            name=row["title"],
            name_en=costly[row["item_id"]].name_en,
            needed_for=[costly[row["item_id"]].code],
        )
        for row in found
    ]


LOOKS: Final[tuple[Look, ...]] = (items_before, bills_before)


async def unfinished(
    tx: Transaction | None, her: Whose, items: Sequence[ItemEntry], directory: Directory
) -> list[Unfinished]:
    """All that she has to do before she comes."""
    return [one for look in LOOKS for one in await look(tx, her, items, directory)]


def in_order(items: Sequence[ItemEntry]) -> tuple[ItemEntry, ...]:
    """These items as asked for, but each behind those that must be done before it."""
    left, ordered = list(items), []
    while left:
        codes = {item.code for item in left}
        # Where they wait for each other, which no city's files may say, the first goes first.
        able = next((item for item in left if codes.isdisjoint(item.requires)), left[0])
        left.remove(able)
        ordered.append(able)
    return tuple(ordered)
