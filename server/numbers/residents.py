"""Items that a hall does only for those who live in its town."""

from uuid import UUID

from models.database import Transaction
from models.joined import NoSuchCitizen
from models.knowing import known
from models.sealing import Sealer
from scheduler.residence import ANYWHERE
from server.halls.directory import Directory, HallEntry, ItemEntry
from server.numbers.refusals import NotResident, ResidenceNeeded

MOST_NAMED = 3


async def check_residence(
    tx: Transaction | None,
    sealer: Sealer,
    citizen_id: UUID | None,
    *,
    hall: HallEntry,
    item: ItemEntry,
    directory: Directory,
) -> None:
    """Raise ResidenceNeeded or NotResident unless the hall takes her for the item.

    Of whoever has no account nobody knows where she lives: the counter sees her papers.
    """
    if item.residents_of == ANYWHERE or citizen_id is None:
        return
    try:
        home = (await known(tx, sealer, citizen_id)).residence
    except NoSuchCitizen:
        return  # issuing says what became of her
    if home is None or home not in directory.halls:
        raise ResidenceNeeded
    if not directory.takes(hall, item, home):
        raise _not_resident(item, home, directory)


def _not_resident(item: ItemEntry, home: str, directory: Directory) -> NotResident:
    able = [
        hall
        for hall in directory.halls.values()
        if item.code in hall.offers and directory.takes(hall, item, home)
    ][:MOST_NAMED]
    if not able:
        return NotResident()
    names, names_en = "、".join(hall.name for hall in able), ", ".join(h.name_en for h in able)
    return NotResident(
        (
            f"该事项只受理本地居民，您可以到{names}办理。",
            f"This hall takes only its residents for this item. You can go to: {names_en}.",
        )
    )
