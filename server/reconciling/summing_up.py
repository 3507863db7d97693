"""What a run found, added up: how many lines agree, and how the others differ."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from models.database import rows
from models.reconciliation import CaseState, DifferenceKind, Statement
from scheduler.calendar import SHANGHAI

_RUNS: Final = """
    SELECT r.*, (SELECT count(*) FROM reconciliation_case c WHERE c.run_id = r.id
                 AND c.theirs_fen IS NOT NULL AND c.state IN ('waiting', 'open', 'closed')) AS apart
    FROM reconciliation_run r
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One statement of a day compared with us. Sums are fen.

    `kinds` counts differences by kind and what became of them; `matched` are lines that agree,
    those that were repaired too.
    """

    id: UUID
    channel: str
    statement: Statement
    day: date
    ran_at: datetime
    lines: int
    paid_fen: int
    back_fen: int
    fees_fen: int
    ours: int
    ours_paid_fen: int
    ours_back_fen: int
    matched: int
    kinds: dict[tuple[DifferenceKind, CaseState], int]

    @property
    def unsettled(self) -> int:
        """How many differences nobody has explained yet, those that wait for a statement too."""
        return self.count(CaseState.OPEN) + self.count(CaseState.WAITING)

    def count(self, state: CaseState, kind: DifferenceKind | None = None) -> int:
        """How many differences stand so, of one kind or of all."""
        return sum(
            many
            for (its_kind, its_state), many in self.kinds.items()
            if its_state is state and kind in (None, its_kind)
        )


async def summaries_of(run_ids: Sequence[UUID]) -> list[Summary]:
    """These runs, as they stand now, in that order; without those there are not."""
    found = {s.id: s for s in await _summaries(_RUNS + " WHERE r.id = ANY($1)", list(run_ids))}
    return [found[each] for each in run_ids if each in found]


async def summaries(
    after: UUID | None, most: int, *, day: date | None, channel: str | None
) -> list[Summary]:
    """Runs, those first made last first, from the one after `after` on."""
    sql = _RUNS + (
        " WHERE ($1::uuid IS NULL OR r.id < $1) AND ($3::date IS NULL OR r.day = $3)"
        " AND ($4::text IS NULL OR r.channel = $4) ORDER BY r.id DESC LIMIT $2"
    )
    return await _summaries(sql, after, most, day, channel)


async def _summaries(sql: str, *args: Any) -> list[Summary]:
    runs = await rows(sql, *args)
    kinds: dict[UUID, dict[tuple[DifferenceKind, CaseState], int]] = defaultdict(dict)
    counted = await rows(
        "SELECT run_id, kind, state, count(*) AS many FROM reconciliation_case"
        " WHERE run_id = ANY($1) GROUP BY run_id, kind, state",
        [run["id"] for run in runs],
    )
    for row in counted:
        kinds[row["run_id"]][DifferenceKind(row["kind"]), CaseState(row["state"])] = row["many"]
    return [
        Summary(
            id=run["id"],
            channel=run["channel"],
            statement=Statement(run["statement"]),
            day=run["day"],
            ran_at=run["ran_at"].astimezone(SHANGHAI),
            lines=run["lines"],
            paid_fen=run["paid_fen"],
            back_fen=run["back_fen"],
            fees_fen=run["fees_fen"],
            ours=run["ours"],
            ours_paid_fen=run["ours_paid_fen"],
            ours_back_fen=run["ours_back_fen"],
            matched=run["lines"] - run["apart"],
            kinds=kinds[run["id"]],
        )
        for run in runs
    ]
