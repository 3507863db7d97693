"""What is known of a citizen: kept sealed, found by blind index, opened for whoever may look.

These are plain statements inside the caller's transaction. They decide nothing: who may look is the
route's guard, whether two citizens become one is decided where accounts are joined, and the caller
records what was looked at or changed in the audit log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from models.database import Transaction, rows
from models.identifiers import IdType
from models.joined import HER_ID, NoSuchCitizen
from models.sealing import Sealer

NAME: Final = "citizen.name"
ID_NUMBER: Final = "citizen.id_number"
PHONE: Final = "citizen.phone"
RESIDENCE: Final = "citizen.residence"
KNOWN_COLUMNS: Final = "citizen.id, citizen.level, name, id_type, id_number, phone, residence"


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed texts. Its field is `table.column`; `owner` is the column they bind to."""

    table: str
    column: str
    owner: str = "id"

    @property
    def field(self) -> str:
        """What the texts of this column are sealed for."""
        return f"{self.table}.{self.column}"


# Every sealed column there is: what is not listed here is not sealed anew when keys rotate.
SEALED_COLUMNS: Final = (
    SealedColumn("citizen", "name"),
    SealedColumn("citizen", "id_number"),
    SealedColumn("citizen", "phone"),
    SealedColumn("citizen", "residence"),
    SealedColumn("proxy", "name"),
    SealedColumn("proxy", "id_number"),
    SealedColumn("visit", "form"),
    SealedColumn("staff", "totp_secret"),
    SealedColumn("appointment", "name"),
    SealedColumn("appointment", "phone"),
    SealedColumn("ticket_holder", "name"),
    SealedColumn("ticket_holder", "phone"),
    SealedColumn("departure", "place"),
    SealedColumn("booking_block", "appeal"),
    SealedColumn("rating", "comment"),
    SealedColumn("case_step", "note"),
)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a citizen, in clear; no repr shows it. What is not known is None."""

    name: str | None = field(repr=False)
    id_type: IdType | None
    id_number: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    level: int
    # The code of a town's or village's hall, as she said it.
    residence: str | None = field(default=None, repr=False)


async def known(tx: Transaction | None, sealer: Sealer, citizen_id: UUID) -> Known:
    """What is known of a citizen, also by an id that was joined into hers.

    Raises NoSuchCitizen, NotOpened.
    """
    found = await rows(
        f"SELECT {KNOWN_COLUMNS} FROM citizen WHERE id = {HER_ID}",
        citizen_id,
        tx=tx,
    )
    if not found:
        raise NoSuchCitizen
    return read_known(sealer, found[0])


def read_known(sealer: Sealer, row: Mapping[str, Any]) -> Known:
    """What a row with KNOWN_COLUMNS knows. Raises NotOpened."""
    owner: UUID = row["id"]

    def opened(column: str, field: str) -> str | None:
        sealed = row[column]
        return None if sealed is None else sealer.open(sealed, field=field, owner=owner)

    return Known(
        name=opened("name", NAME),
        id_type=row["id_type"],
        id_number=opened("id_number", ID_NUMBER),
        phone=opened("phone", PHONE),
        level=row["level"],
        residence=opened("residence", RESIDENCE),
    )


async def remember_name_and_id(
    tx: Transaction,
    sealer: Sealer,
    citizen_id: UUID,
    *,
    name: str,
    id_type: IdType,
    id_number: str,
    level: int,
    at: datetime,
) -> None:
    """Write down who a citizen really is; `level` (2 or 3) never lowers hers.

    Name and number are as `read_name` and `read_id` give them. The database raises a
    UniqueViolationError, which ends the transaction, when another citizen has this number: ask
    `citizen_with_id` under a lock before. Raises NoSuchCitizen.
    """
    done = await tx.row(
        """
        UPDATE citizen SET name = $2, id_type = $3, id_number = $4, id_index = $5,
            real_name_at = $6, level = GREATEST(level, $7)
        WHERE id = $1 RETURNING id
        """,
        citizen_id,
        sealer.seal(name, field=NAME, owner=citizen_id),
        id_type,
        sealer.seal(id_number, field=ID_NUMBER, owner=citizen_id),
        sealer.blind_index(id_type, id_number),
        at,
        level,
    )
    if done is None:
        raise NoSuchCitizen


async def remember_phone(
    tx: Transaction, sealer: Sealer, citizen_id: UUID, *, phone: str, at: datetime
) -> None:
    """Write down a citizen's verified phone, as `read_mobile` gives it; she has level 1 at least.

    Others may have the same one: numbers change hands. Raises NoSuchCitizen.
    """
    done = await tx.row(
        """
        UPDATE citizen SET phone = $2, phone_index = $3, phone_verified_at = $4,
            level = GREATEST(level, 1)
        WHERE id = $1 RETURNING id
        """,
        citizen_id,
        sealer.seal(phone, field=PHONE, owner=citizen_id),
        sealer.blind_index("phone", phone),
        at,
    )
    if done is None:
        raise NoSuchCitizen


async def remember_residence(
    tx: Transaction, sealer: Sealer, citizen_id: UUID, *, town: str | None, at: datetime
) -> None:
    """Write down where a citizen says that she lives, by the code of its hall; None forgets it.

    Raises NoSuchCitizen.
    """
    done = await tx.row(
        "UPDATE citizen SET residence = $2, residence_at = $3 WHERE id = $1 RETURNING id",
        citizen_id,
        sealer.seal(town, field=RESIDENCE, owner=citizen_id) if town is not None else None,
        at if town is not None else None,
    )
    if done is None:
        raise NoSuchCitizen


async def citizen_with_id(
    tx: Transaction | None, sealer: Sealer, id_type: IdType, id_number: str
) -> UUID | None:
    """The citizen of whom this document is known; numbers as `read_id` gives them."""
    index = sealer.blind_index(id_type, id_number)
    found = await rows("SELECT id FROM citizen WHERE id_index = $1", index, tx=tx)
    return found[0]["id"] if found else None


async def held_with_index(tx: Transaction, id_index: str) -> UUID | None:
    """The citizen who has this number; she does not erase herself before the transaction ends."""
    row = await tx.row("SELECT id FROM citizen WHERE id_index = $1 FOR KEY SHARE", id_index)
    return row["id"] if row else None
