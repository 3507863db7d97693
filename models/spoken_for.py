"""Items that are spoken for: somebody gets no new number for them, though none of hers is open.

Either a number of hers was missed a moment ago. While it may come back (`grace_min` of its hall)
she gets no other for that item anywhere, nor any in that line: what a return costs would cost
nobody anything. So a return, or a miss that is taken back, never meets a number taken since. It
holds as long where the number may not come back, because she left that stop of her visit out; and
whoever returns and gives the number up gets no other before its rank time, a penalty after that.
Or her open visit will give her the number, when its turn has come.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from models.database import Transaction
from scheduler.calendar import business_day
from scheduler.discipline import Rules

_GRACE: Final = f"coalesce((hall.rules->>'grace_min')::int, {Rules().grace_min})"
_UNTIL: Final = f"""CASE t.state WHEN 'missed'
                    THEN t.ended_at + make_interval(mins => {_GRACE}) ELSE t.rank_time END"""
_COLUMNS: Final = {"citizen_id": "{citizen}", "person_key": "{person}"}


@dataclass(frozen=True, slots=True)
class Missed:
    """A number that was missed, and until when she gets no other; names of its hall in zh, en."""

    ticket_id: UUID
    number: str
    hall_id: UUID
    hall: tuple[str, str]
    until: datetime
    # Whether it may come back; else she gave it up, or left that stop of her visit out.
    may_return: bool
    # For whom it is and who took it, that only they are told of it.
    citizen_id: UUID | None
    acting_id: UUID | None


def missed(**of: str) -> str:
    """SQL: the numbers of hers that were missed and stand against a new one, the latest first.

    All parameters are SQL: `citizen` and `person` (who she is), `day`, `now`, and `which` of the
    tickets `t` are for the item or in the line.
    """
    each = " UNION ALL ".join(
        f"""
        (SELECT t.id AS ticket_id, t.number, t.hall_id, hall.name, hall.name_en,
                {_UNTIL} AS until, t.citizen_id, t.acting_id,
                t.state = 'missed' AND NOT EXISTS (
                    SELECT 1 FROM visit_stop s JOIN visit v ON v.id = s.visit_id
                    WHERE s.visit_id = t.visit_id AND s.ticket_id = t.id
                    AND (s.left_out IS NOT NULL OR v.ended_at IS NOT NULL)) AS may_return
         FROM ticket t JOIN hall ON hall.id = t.hall_id
         WHERE t.{column} = {who} AND t.day = {{day}} AND ({{which}})
           AND (t.state = 'missed' OR t.state = 'cancelled' AND t.returned_at IS NOT NULL)
           AND {{now}} <= {_UNTIL}
         ORDER BY until DESC LIMIT 1)"""
        for column, who in _COLUMNS.items()
    )
    return f"{each} ORDER BY until DESC LIMIT 1".format(**of)


def planned(**of: str) -> str:
    """SQL: the open visits of hers, `but` one, that will give her a number for an item.

    All parameters are SQL: `citizen` and `person` (who she is), `item` and `but`.
    """
    return " UNION ALL ".join(
        f"""
        (SELECT v.id FROM visit v JOIN visit_stop s ON s.visit_id = v.id
         WHERE v.{column} = {who} AND v.ended_at IS NULL AND s.item_id = {{item}}
           AND s.ticket_id IS NULL AND s.left_out IS NULL
           AND v.id IS DISTINCT FROM {{but}} LIMIT 1)"""
        for column, who in _COLUMNS.items()
    ).format(**of)


_WISHED: Final = {"citizen": "w.citizen_id", "person": "w.person_key"}
_WISHED_FOR: Final = "t.item_id = w.item_id OR t.line_id = w.line_id"
# Whether nothing of this stands against a wish `w`. A stop of a visit was looked at by the visit.
NOT_SPOKEN_FOR: Final = f"""(w.visit_id IS NOT NULL OR NOT EXISTS (
              {missed(**_WISHED, which=_WISHED_FOR, day="w.day", now="w.asked_at")} OFFSET 0)
          AND NOT EXISTS ({planned(**_WISHED, item="w.item_id", but="w.visit_id")} OFFSET 0))"""


def read_missed(row: Any) -> Missed | None:
    """A row that begins with the columns of `missed`; None where there is none."""
    if row["ticket_id"] is None:
        return None
    return Missed(
        row["ticket_id"],
        row["number"],
        row["hall_id"],
        (row["name"], row["name_en"]),
        row["until"],
        row["may_return"],
        row["citizen_id"],
        row["acting_id"],
    )


async def missed_of(
    tx: Transaction,
    citizen_id: UUID | None,
    person_key: UUID | None,
    *,
    item_ids: Sequence[UUID],
    line_ids: Sequence[UUID],
    now: datetime,
) -> Missed | None:
    """The number of hers that stands against one for these items or in these lines, if one does."""
    row = await tx.row(
        _MISSED_OF,
        citizen_id,
        person_key,
        item_ids,
        line_ids,
        business_day(now),
        now,
    )
    return read_missed(row) if row else None


_MISSED_OF: Final = missed(
    citizen="$1::uuid",
    person="$2::uuid",
    which="t.item_id = ANY($3::uuid[]) OR t.line_id = ANY($4::uuid[])",
    day="$5::date",
    now="$6::timestamptz",
)
