"""What becomes of a statement that is compared: its run, its cases, and which wait or agree.

Whoever compares takes the statement's lines into a table of the transaction's own, makes one of
the differences from it, and concludes; so every kind of statement keeps its cases the same way.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from models.database import Transaction, transaction
from models.reconciliation import Statement
from scheduler.calendar import SHANGHAI

# A day of a million lines takes seconds; one that takes this long has found another obstacle.
PATIENCE_S: Final = 900.0
NEAR_THE_END: Final = timedelta(hours=1)


class Line(NamedTuple):
    """A line of a statement. `state` is None for a payment; amounts are fen and positive."""

    number: str
    is_refund: bool
    channel_no: str
    fen: int
    state: str | None
    at: datetime


@dataclass(slots=True)
class Told:
    """What the lines say together, counted as they are read."""

    lines: int = 0
    paid_fen: int = 0
    back_fen: int = 0
    fees_fen: int = 0
    payments: int = 0


# Big joins need memory of their own, and plans for these very tables.
_PREPARE: Final = """
    SET LOCAL work_mem = '96MB'; SET LOCAL plan_cache_mode = 'force_custom_plan';
    CREATE TEMP TABLE statement_line (number text, is_refund boolean, channel_no text,
        fen bigint, state text, at timestamptz) ON COMMIT DROP
"""
# Waits for whoever compares the same statement just now.
_RUN: Final = """
    INSERT INTO reconciliation_run (id, channel, statement, day, ran_at, lines, paid_fen, back_fen,
        fees_fen, ours, ours_paid_fen, ours_back_fen)
    VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0, 0, 0, 0)
    ON CONFLICT (channel, statement, day) DO UPDATE SET ran_at = EXCLUDED.ran_at RETURNING id
"""
_OURS: Final = """
    WITH paid AS (
        SELECT count(*) AS many, coalesce(sum(amount_fen), 0) AS fen FROM pay_order
        WHERE channel = $1 AND paid_at >= $2 AND paid_at < $3
    ), back AS (
        SELECT count(*) AS many, coalesce(sum(r.amount_fen), 0) AS fen
        FROM refund r JOIN pay_order o ON o.id = r.order_id
        WHERE o.channel = $1 AND r.state = 'done' AND r.ended_at >= $2 AND r.ended_at < $3
    )
    UPDATE reconciliation_run SET lines = $5, paid_fen = $6, back_fen = $7, fees_fen = $8,
        ours = paid.many + back.many, ours_paid_fen = paid.fen, ours_back_fen = back.fen
    FROM paid, back WHERE id = $4
"""
_REMEMBER: Final = """
    INSERT INTO statement_elsewhere (channel, statement, is_refund, number, day)
    SELECT DISTINCT $1, $3, is_refund, number, $2::date FROM difference WHERE kind IS NULL
    ON CONFLICT (channel, statement, is_refund, number) DO NOTHING
"""
_EXPLAIN: Final = """
    UPDATE reconciliation_case c SET state = 'agreed', ended_at = $2
    FROM difference d, reconciliation_run r
    WHERE d.kind IS NULL AND c.number = d.number AND c.is_refund = d.is_refund
      AND c.kind = 'missing_there' AND c.state IN ('waiting', 'open')
      AND r.id = c.run_id AND r.channel = $1 AND r.statement = $3
"""
# A case that was ended by itself, and is back, is open again; one that a person closed is not.
_CASES: Final = """
    INSERT INTO reconciliation_case AS c (id, run_id, kind, is_refund, number, channel_no, order_id,
        refund_id, theirs_fen, ours_fen, theirs_state, ours_state, happened_at, state, opened_at)
    SELECT DISTINCT ON (d.kind, d.is_refund, d.number, d.channel_no)
        uuidv7(), $1, d.kind, d.is_refund, left(d.number, 128), left(d.channel_no, 128), d.order_id,
        d.refund_id, d.theirs_fen, CASE WHEN d.kind <> 'missing_here' THEN d.ours_fen END,
        left(d.theirs_state, 16), d.ours_state, d.at,
        CASE WHEN d.kind = 'missing_there' AND d.at >= $3 THEN 'waiting' ELSE 'open' END, $2
    FROM difference d WHERE d.kind IS NOT NULL
    ON CONFLICT (run_id, kind, is_refund, number, channel_no) DO UPDATE SET
        order_id = EXCLUDED.order_id, refund_id = EXCLUDED.refund_id,
        theirs_fen = EXCLUDED.theirs_fen, ours_fen = EXCLUDED.ours_fen,
        theirs_state = EXCLUDED.theirs_state, ours_state = EXCLUDED.ours_state,
        state = CASE WHEN c.state IN ('agreed', 'repaired') THEN EXCLUDED.state ELSE c.state END,
        ended_at = CASE WHEN c.state IN ('agreed', 'repaired') THEN NULL ELSE c.ended_at END
"""
_GONE: Final = """
    UPDATE reconciliation_case c SET state = 'agreed', ended_at = $2
    WHERE c.run_id = $1 AND c.state IN ('waiting', 'open') AND NOT EXISTS (
        SELECT 1 FROM difference d WHERE d.kind = c.kind AND d.is_refund = c.is_refund
          AND left(d.number, 128) = c.number AND left(d.channel_no, 128) = c.channel_no)
"""
# The statement that they waited for has come.
_WAITED: Final = """
    UPDATE reconciliation_case c SET state = 'open'
    FROM reconciliation_run r JOIN reconciliation_run next
      ON next.channel = r.channel AND next.statement = r.statement AND next.day = r.day + 1
    WHERE c.run_id = r.id AND c.state = 'waiting' AND r.channel = $1 AND r.statement = $2
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A statement of a day that is being compared, in a transaction of its own."""

    tx: Transaction
    channel: str
    statement: Statement
    day: date
    run_id: UUID
    now: datetime

    @property
    def began(self) -> datetime:
        """When its day began in Beijing."""
        return datetime.combine(self.day, time(), SHANGHAI)

    @property
    def ended(self) -> datetime:
        """When its day ended."""
        return self.began + timedelta(days=1)

    async def take(self, lines: Iterable[tuple[object, ...]]) -> None:
        """Put the lines, as `Line` has them, into `statement_line`; what they raise is raised."""
        await self.tx.connection.execute(_PREPARE)
        await self.tx.connection.copy_records_to_table(
            "statement_line", records=lines, timeout=PATIENCE_S
        )
        await self.run("ANALYZE statement_line")

    async def run(self, sql: str, *args: object) -> None:
        """Run a statement that may take longer than those that phones wait for."""
        await self.tx.connection.execute(sql, *args, timeout=PATIENCE_S)

    async def conclude(self, told: Told) -> None:
        """Keep what `difference` has: as cases, as agreed, or as standing in another day."""
        await self.run("ANALYZE difference")
        channel, statement = self.channel, self.statement.value
        sums = (told.lines, told.paid_fen, told.back_fen, told.fees_fen)
        await self.run(_OURS, channel, self.began, self.ended, self.run_id, *sums)
        await self.run(_REMEMBER, channel, self.day, statement)
        await self.run(_EXPLAIN, channel, self.now, statement)
        await self.run(_CASES, self.run_id, self.now, self.ended - NEAR_THE_END)
        await self.run(_GONE, self.run_id, self.now)
        await self.run(_WAITED, channel, statement)


@asynccontextmanager
async def comparison(
    channel: str, statement: Statement, day: date, *, now: datetime
) -> AsyncIterator[Comparison]:
    """Compare a statement in one transaction; what is raised leaves everything as it was.

    Waits for whoever compares the same statement just now.
    """
    async with transaction() as tx:
        row = await tx.row(_RUN, uuid7(), channel, statement.value, day, now)
        assert row is not None
        yield Comparison(tx, channel, statement, day, row["id"], now)
