"""Dead letters: notices that nobody could be told, and what was tried. No person is named."""

from typing import Any, Final
from uuid import UUID

from models.database import Transaction, rows

_LISTED: Final = """
    SELECT n.id, n.kind, n.hall_id, n.ticket_id, n.happened_at, n.useful_until, n.state, n.fault,
           n.tries, (
               SELECT json_agg(json_build_object('channel', a.channel, 'template_id', a.template_id,
                   'begun_at', a.begun_at, 'result', a.result, 'code', a.code) ORDER BY a.id)
               FROM notice_attempt a WHERE a.notice_id = n.id) AS attempts
    FROM notice n
    WHERE n.state = $1 AND ($2::uuid IS NULL OR n.id < $2)
    ORDER BY n.id DESC LIMIT $3
"""


async def listed(state: str, *, before: UUID | None, limit: int) -> list[Any]:
    """Notices in a state, the newest first, each with its attempts."""
    return await rows(_LISTED, state, before, limit)


async def revive(tx: Transaction, notice_id: UUID) -> bool | None:
    """Try a dead notice again from the start; False: it is not dead; None: there is none such.

    What was refused because of our template may be taken now: earlier attempts do not count any
    more.
    """
    row = await tx.row("SELECT state FROM notice WHERE id = $1 FOR UPDATE", notice_id)
    if row is None:
        return None
    if row["state"] != "dead":
        return False
    await tx.run("DELETE FROM notice_attempt WHERE notice_id = $1", notice_id)
    await tx.run(
        "UPDATE notice SET state = 'waiting', settled_at = NULL, tries = 0, try_after = now(),"
        " fault = NULL WHERE id = $1",
        notice_id,
    )
    return True
