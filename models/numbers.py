"""A line's numbers, for those who come from another line; `models.issuing` gives new ones."""

from datetime import date, datetime
from uuid import UUID

from models.database import Transaction, rows
from models.halls import ISSUING_OPEN


async def is_let_open(line_id: UUID, now: datetime, *, tx: Transaction | None = None) -> bool:
    """Whether its manager lets a line give out numbers now, whatever time is left today."""
    is_open = ISSUING_OPEN.format(now="$2")
    return bool(await rows(f"SELECT 1 FROM line WHERE id = $1 AND {is_open}", line_id, now, tx=tx))


async def next_number(tx: Transaction, line_id: UUID, day: date, now: datetime) -> str | None:
    """The line's next number of that day; None when the line gives out none now."""
    numbers = await next_numbers(tx, line_id, 1, day, now)
    return numbers[0] if numbers else None


async def next_numbers(
    tx: Transaction, line_id: UUID, many: int, day: date, now: datetime
) -> list[str] | None:
    """The line's next so many numbers; None when it is not open."""
    row = await tx.row(
        """
        UPDATE line SET
            numbered_on = $2,
            last_sequence = $4 + CASE WHEN numbered_on = $2 THEN last_sequence
                ELSE coalesce((SELECT max(sequence) FROM ticket
                               WHERE line_id = line.id AND day = $2), 0) END,
            last_issued_at = CASE WHEN numbered_on = $2 THEN last_issued_at ELSE $3 END
        WHERE id = $1 AND state = 'open'
        RETURNING code, last_sequence
        """,
        line_id,
        day,
        now,
        many,
    )
    if row is None:
        return None
    last = row["last_sequence"]
    return [f"{row['code']}{nth:03d}" for nth in range(last - many + 1, last + 1)]
