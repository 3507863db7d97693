"""Comparing a channel's statement of a day with our orders, refunds and ledger, in the database.

The statement's lines go into a table of this transaction's own; then one statement of SQL joins
them with ours, so a day of a million lines costs neither memory here nor a look for each line.
What is ours is what the ledger has: an order that says it was paid and has no entry differs.

Which day a line belongs to is the channel's to say, and near midnight it may say another than we.
So lines are found by their numbers, whatever our day; those that stand in another day's statement
are remembered; and what is missing in the last hour of a day waits for the next statement.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final
from uuid import UUID

from models.differing import Comparison, Told, comparison
from models.reconciliation import Statement

# Payments of a day, ours and theirs beside each other, but for those that are just the same: one
# join of all with all, and whatever comes after it looks at few.
_PAIRS: Final = """
    CREATE TEMP TABLE pair ON COMMIT DROP AS
    SELECT l.number, l.channel_no, l.fen, l.at, o.id AS order_id, o.order_no, o.amount_fen,
        o.state, o.channel_no AS ours_no, o.paid_at, e.amount_fen AS entered
    FROM (SELECT number, channel_no, fen, at FROM statement_line WHERE NOT is_refund) l
    FULL JOIN (SELECT id, order_no, amount_fen, state, channel_no, paid_at FROM pay_order
               WHERE channel = $1 AND paid_at >= $2 AND paid_at < $3) o ON o.order_no = l.number
    LEFT JOIN ledger_entry e ON e.order_id = o.id AND e.refund_id IS NULL
    WHERE l.number IS NULL OR o.id IS NULL OR l.fen <> o.amount_fen
       OR l.channel_no <> o.channel_no OR e.amount_fen IS DISTINCT FROM l.fen
"""
# Every line that we do not have just so, and every one of ours that has no line. Where `kind` is
# null they agree, but for the day.
_DIFFERENCES: Final = """
    CREATE TEMP TABLE difference ON COMMIT DROP AS
    WITH paired AS (
        -- Lines without a payment of ours on that day may be paid on another, or not at all yet.
        SELECT p.number, p.channel_no, p.fen, p.at, coalesce(p.order_id, o.id) AS order_id,
            coalesce(p.amount_fen, o.amount_fen) AS amount_fen, coalesce(p.state, o.state) AS state,
            coalesce(p.ours_no, o.channel_no) AS ours_no, coalesce(p.paid_at, o.paid_at) AS paid_at,
            coalesce(p.entered, e.amount_fen) AS entered
        FROM pair p
        LEFT JOIN pay_order o ON p.order_id IS NULL AND o.order_no = p.number AND o.channel = $1
        LEFT JOIN ledger_entry e ON e.order_id = o.id AND e.refund_id IS NULL
        WHERE p.number IS NOT NULL
    ), payments AS (
        SELECT number, false AS is_refund, channel_no, order_id, NULL::uuid AS refund_id,
            fen AS theirs_fen, coalesce(entered, amount_fen) AS ours_fen,
            'paid' AS theirs_state, state AS ours_state, at, paid_at AS ours_at,
            CASE WHEN order_id IS NULL THEN 'missing_here'
                 WHEN fen <> amount_fen THEN 'different_amount'
                 WHEN paid_at IS NULL OR channel_no <> ours_no THEN 'missing_here'
                 WHEN entered IS DISTINCT FROM fen THEN 'different_amount' END AS kind
        FROM paired
    ), refunds AS (
        SELECT l.number, l.is_refund, l.channel_no, r.order_id, r.id AS refund_id,
            l.fen AS theirs_fen, r.amount_fen AS ours_fen,
            l.state AS theirs_state, r.state AS ours_state, l.at,
            CASE WHEN r.state = 'done' THEN r.ended_at END AS ours_at,
            CASE WHEN r.id IS NULL THEN 'missing_here'
                 WHEN l.fen <> r.amount_fen THEN 'different_amount'
                 WHEN NOT CASE l.state
                     WHEN 'done' THEN r.state = 'done'
                     WHEN 'failed' THEN r.state = 'failed'
                     WHEN 'stuck' THEN r.state = 'stuck' OR r.ended_at >= $3
                     ELSE r.state IN ('approved', 'pending', 'stuck') OR r.ended_at >= $3 END
                 THEN 'different_state'
                 WHEN r.state = 'done' AND e.amount_fen IS DISTINCT FROM l.fen
                 THEN 'different_amount' END AS kind
        FROM statement_line l
        LEFT JOIN (refund r JOIN pay_order o ON o.id = r.order_id AND o.channel = $1)
            ON r.refund_no = l.number
        LEFT JOIN ledger_entry e ON e.refund_id = r.id AND e.kind = 'returned'
        WHERE l.is_refund
    ), ours AS (
        SELECT p.order_no AS number, false AS is_refund, coalesce(p.ours_no, '') AS channel_no,
            p.order_id, NULL::uuid AS refund_id, p.amount_fen AS ours_fen,
            p.state AS ours_state, p.paid_at AS at
        FROM pair p WHERE p.order_id IS NOT NULL
          -- None, or only lines that the channel numbers otherwise.
          AND (p.number IS NULL OR p.channel_no <> p.ours_no AND NOT EXISTS (
              SELECT 1 FROM statement_line l WHERE l.number = p.order_no
                AND NOT l.is_refund AND l.channel_no = p.ours_no))
        UNION ALL
        SELECT r.refund_no, true, coalesce(r.channel_refund_no, ''), r.order_id, r.id,
            r.amount_fen, r.state, r.ended_at
        FROM refund r JOIN pay_order o ON o.id = r.order_id
        WHERE o.channel = $1 AND r.state = 'done' AND r.ended_at >= $2 AND r.ended_at < $3
          AND NOT EXISTS (SELECT 1 FROM statement_line l WHERE l.number = r.refund_no
              AND l.is_refund)
    )
    SELECT * FROM payments WHERE kind IS NOT NULL OR ours_at < $2 OR ours_at >= $3
    UNION ALL
    SELECT * FROM refunds
    WHERE kind IS NOT NULL OR ours_at IS NULL OR ours_at < $2 OR ours_at >= $3
    UNION ALL
    SELECT number, is_refund, channel_no, order_id, refund_id, NULL, ours_fen, NULL, ours_state, at,
        at, 'missing_there'
    FROM ours WHERE NOT EXISTS (
        SELECT 1 FROM statement_elsewhere x WHERE x.channel = $1 AND x.statement = 'trades'
          AND x.number = ours.number AND x.is_refund = ours.is_refund AND x.day <> $4)
"""
_REPEATED: Final = """
    INSERT INTO difference (number, is_refund, channel_no, theirs_fen, theirs_state, at, kind)
    SELECT number, is_refund, channel_no, (sum(fen) - max(fen))::bigint, 'repeated', max(at),
        'missing_here'
    FROM statement_line
    WHERE $1 OR is_refund OR number IN (SELECT number FROM pair WHERE order_id IS NULL)
    GROUP BY number, is_refund, channel_no HAVING count(*) > 1
"""
_PAIRED: Final = """
    SELECT count(*) FILTER (WHERE order_id IS NULL) AS strangers,
        count(*) FILTER (WHERE number IS NULL) AS missing,
        (SELECT count(*) FROM pay_order
         WHERE channel = $1 AND paid_at >= $2 AND paid_at < $3) AS ours
    FROM pair
"""


async def compare(
    channel: str, day: date, lines: Iterable[tuple[object, ...]], told: Told, *, now: datetime
) -> UUID:
    """Compare a day's statement of payments and refunds with ours, in one transaction; the run.

    `lines` are as `Line` has them, and read once; by then `told` has what they say together. What
    they raise leaves everything as it was. Compared again, nothing changes but what is different
    by then.
    """
    async with comparison(channel, Statement.TRADES, day, now=now) as it:
        await it.take(lines)
        await it.run(_PAIRS, channel, it.began, it.ended)
        await it.run("ANALYZE pair")
        await it.run(_DIFFERENCES, channel, it.began, it.ended, day)
        await _repeated(it, told)
        await it.conclude(told)
    return it.run_id


async def _repeated(it: Comparison, told: Told) -> None:
    """Find lines that stand there twice; among lines of known payments only where they are more.

    To look at each of a million costs a second, and counting them tells whether there is any.
    """
    row = await it.tx.row(_PAIRED, it.channel, it.began, it.ended)
    assert row is not None
    more = told.payments - row["strangers"] != row["ours"] - row["missing"]
    await it.run(_REPEATED, more)
