"""Forgetting notices: what was told long ago, how it was brought, and what platforms said of it."""

from datetime import datetime, timedelta
from typing import Final

from models.database import Transaction

# So long a notice stands in her inbox after it was settled.
NOTICES_KEPT: Final = timedelta(days=180)
# Attempts name her as the platform knows her: as long as somebody may ask why she was not told.
ATTEMPTS_KEPT: Final = timedelta(days=30)
# Those settled before were made nameless on other nights.
NAMELESS_SINCE: Final = timedelta(days=60)
# Platforms repeat what they push for minutes, not for days.
PUSHES_KEPT: Final = timedelta(days=7)
AT_ONCE: Final = 5_000


async def forget_old(tx: Transaction, now: datetime) -> int:
    """Forget up to AT_ONCE of each that is too old, in real time; how many rows that were."""
    found = await tx.rows(
        """
        WITH over AS MATERIALIZED (
            SELECT id FROM notice WHERE settled_at < $1 ORDER BY settled_at LIMIT $4
            FOR UPDATE SKIP LOCKED
        ), tried AS (
            DELETE FROM notice_attempt WHERE notice_id IN (SELECT id FROM over) RETURNING 1
        ), gone AS (
            DELETE FROM notice WHERE id IN (SELECT id FROM over) RETURNING 1
        ), receipts AS (
            DELETE FROM notice_receipt WHERE id IN (
                SELECT id FROM notice_receipt WHERE received_at < $2
                ORDER BY received_at LIMIT $4) RETURNING 1
        ), pushed AS (
            DELETE FROM platform_event WHERE id IN (
                SELECT id FROM platform_event WHERE received_at < $3
                ORDER BY received_at LIMIT $4) RETURNING 1
        ), nameless AS (
            UPDATE notice_attempt SET subject = NULL WHERE id IN (
                SELECT a.id FROM notice n JOIN notice_attempt a ON a.notice_id = n.id
                WHERE n.settled_at < $2 AND n.settled_at >= $5 AND a.subject IS NOT NULL
                LIMIT $4) RETURNING 1
        )
        SELECT count(*) AS many FROM (
            SELECT 1 FROM gone UNION ALL SELECT 1 FROM receipts UNION ALL SELECT 1 FROM pushed
            UNION ALL SELECT 1 FROM nameless) all_of_them
        """,
        now - NOTICES_KEPT,
        now - ATTEMPTS_KEPT,
        now - PUSHES_KEPT,
        AT_ONCE,
        now - NAMELESS_SINCE,
    )
    many: int = found[0]["many"]
    return many
