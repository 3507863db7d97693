"""A citizen as she sees herself."""

from uuid import UUID

import msgspec

from models.database import rows
from models.identifiers import mask_id, mask_name, mask_phone
from models.joined import HER_ID
from models.knowing import KNOWN_COLUMNS, read_known
from models.proving import counts_for
from models.sealing import Sealer
from server.auth import Principal
from server.errors import NotSignedIn


class CitizenView(msgspec.Struct, frozen=True):
    """Me. Name, id number and phone are masked; null until they are known.

    `residence` is the code of the hall of the town or village where I said that I live.
    `assurance_level` is what counts for this sign-in: what its own channel has proven.
    """

    id: UUID
    name: str | None
    id_number: str | None
    phone: str | None
    assurance_level: int
    channels: list[str]
    residence: str | None = None


async def citizen_view(who: Principal, sealer: Sealer) -> CitizenView:
    """A citizen as she may see herself, also by an id that was joined into hers.

    The level is that which counts for this sign-in.
    """
    found = await rows(
        f"""
        SELECT {KNOWN_COLUMNS}, array(
            SELECT DISTINCT platform FROM channel_link WHERE citizen_id = citizen.id ORDER BY 1
        ) AS channels, {counts_for("$2")} AS counts
        FROM citizen WHERE id = {HER_ID}
        """,  # noqa: S608 the columns are constants
        who.id,
        who.sign_in_id,
    )
    if not found:
        raise NotSignedIn  # she is gone, and her token is not yet
    row = found[0]
    her = read_known(sealer, row)
    return CitizenView(
        id=row["id"],
        name=mask_name(her.name) if her.name else None,
        id_number=mask_id(her.id_number) if her.id_number else None,
        phone=mask_phone(her.phone) if her.phone else None,
        assurance_level=row["counts"],
        channels=list(row["channels"]),
        residence=her.residence,
    )
