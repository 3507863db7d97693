"""Appointments looked up at a hall: by what a phone shows, and by whose they are."""

from datetime import date, datetime
from uuid import UUID

from models.booking import Whose
from models.database import Transaction, rows
from models.joined import HER_ID


async def find_by_code(tx: Transaction, code: str) -> tuple[UUID, UUID] | None:
    """An appointment by what its QR code says, and the hall that it is at."""
    row = await tx.row("SELECT id, hall_id FROM appointment WHERE check_in_code = $1", code)
    return (row["id"], row["hall_id"]) if row else None


async def all_of_person(tx: Transaction, hall_id: UUID, whose: Whose, first: date) -> list[UUID]:
    """What somebody has booked at a hall from a day on, the next first."""
    found = await tx.rows(
        """
        SELECT id FROM appointment
        WHERE hall_id = $1 AND day >= $2 AND (citizen_id = $3 OR person_key = $4)
          AND state IN ('held', 'offered', 'booked') ORDER BY slot_start LIMIT 50
        """,
        hall_id,
        first,
        whose.citizen_id,
        whose.person_key,
    )
    return [row["id"] for row in found]


async def days_booked(citizen_id: UUID, first: date, last: date) -> dict[date, int]:
    """How many of a citizen's own count on each of these days, as booking counts them."""
    found = await rows(
        f"""
        SELECT day, count(*) AS many FROM appointment
        WHERE citizen_id = {HER_ID} AND day BETWEEN $2 AND $3
          AND state IN ('held', 'offered', 'booked', 'checked_in', 'missed') GROUP BY day
        """,
        citizen_id,
        first,
        last,
    )
    return {row["day"]: row["many"] for row in found}


async def find_by_person(
    tx: Transaction, hall_id: UUID, whose: Whose, day: date, now: datetime
) -> UUID | None:
    """The next appointment of somebody at a hall on a day: booked, or else the one last changed."""
    row = await tx.row(
        """
        SELECT id FROM appointment
        WHERE hall_id = $1 AND day = $2 AND (citizen_id = $3 OR person_key = $4)
        ORDER BY state <> 'booked', abs(extract(epoch FROM slot_start - $5)) LIMIT 1
        """,
        hall_id,
        day,
        whose.citizen_id,
        whose.person_key,
        now,
    )
    return row["id"] if row else None


async def starts_of(
    tx: Transaction, appointment_id: UUID
) -> dict[tuple[UUID | None, UUID | None], datetime]:
    """When its places begin, by their line, and the item where that has slots of its own."""
    found = await tx.rows(
        """
        SELECT s.line_id, s.item_id, min(s.starts_at) AS first
        FROM appointment_place p JOIN slot s ON s.id = p.slot_id
        WHERE p.appointment_id = $1 GROUP BY 1, 2
        """,
        appointment_id,
    )
    return {(row["line_id"], row["item_id"]): row["first"] for row in found}
