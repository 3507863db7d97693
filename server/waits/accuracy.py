"""How true the waits were that people were told: what they were told against what came true."""

import asyncio
import time
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from models.database import rows
from models.promises import HOW_TRUE_OF_THESE, Told, how_true
from server.halls.directory import HallEntry
from server.waits.views import AccuracyRow, AccuracyView

# Figures of whole days: a minute makes no difference to them, and phones may repeat the question.
KEPT_FOR_S: Final = 60.0
MOST_KEPT: Final = 500

_Question = tuple[str, date, date]


@dataclass(frozen=True, slots=True)
class _Answer:
    until: float  # monotonic seconds
    view: "asyncio.Task[AccuracyView]"


class Accuracies:
    """Answers by hall and days, each read from PostgreSQL once a minute at most."""

    def __init__(self) -> None:
        self._kept: dict[_Question, _Answer] = {}

    async def of(self, hall: HallEntry, start: date, to: date) -> AccuracyView:
        """The figures of a hall from one day to another, both included."""
        question = (hall.code, start, to)
        kept = self._kept.get(question)
        if kept is None or kept.until < time.monotonic() or _failed(kept.view):
            self._make_room()
            reading = asyncio.ensure_future(read_accuracy(hall, start, to))
            kept = self._kept[question] = _Answer(time.monotonic() + KEPT_FOR_S, reading)
        # Whoever asks first may hang up; the others go on waiting for the same.
        return await asyncio.shield(kept.view)

    def forget(self) -> None:
        """Read everything anew the next time."""
        self._kept.clear()

    def _make_room(self) -> None:
        if len(self._kept) >= MOST_KEPT:
            now = time.monotonic()
            self._kept = {asked: one for asked, one in self._kept.items() if one.until >= now}
        if len(self._kept) >= MOST_KEPT:
            self.forget()


def _failed(reading: "asyncio.Task[AccuracyView]") -> bool:
    return reading.done() and (reading.cancelled() or reading.exception() is not None)


async def read_accuracy(hall: HallEntry, start: date, to: date) -> AccuracyView:
    """The same, read now."""
    found = await rows(_BY_LINE, hall.id, start, to)
    lines = {line.id: line for line in hall.lines.values()}
    data = []
    for row in found:
        line = lines.get(row["line_id"])
        if line is not None or row["line_id"] is None:
            data.append(_row(row, line))
    return AccuracyView(hall.code, start, to, data)


def _row(row: Any, line: Any) -> AccuracyRow:
    return AccuracyRow(
        line=line.code if line else None,
        name=line.name if line else None,
        name_en=line.name_en if line else None,
        told=Told(row["told"]),
        tickets=row["tickets"],
        **how_true(row),
    )


_BY_LINE: Final = f"""
    SELECT line_id, told, count(*)::int AS tickets,{HOW_TRUE_OF_THESE}
    FROM promise
    LEFT JOIN line ON line.id = promise.line_id
    WHERE promise.hall_id = $1 AND day BETWEEN $2 AND $3 AND wait_s IS NOT NULL
    GROUP BY GROUPING SETS ((told), (told, line_id, line.code))
    ORDER BY line_id IS NOT NULL, line.code, told
"""  # noqa: S608 a text of ours
