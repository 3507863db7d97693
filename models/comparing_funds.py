"""Comparing how our account with a channel moved in a day with what the ledger says moved it.

A fund-flow statement 资金账单 names a movement by the channel's own number of the payment or the
refund. Each must be one of ours, over what the ledger has for it; and what the ledger has of that
day must have moved the account. Fees are the channel's and only added up. Whatever else moved, as
a withdrawal, is a case for a person: nobody's order explains it.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final
from uuid import UUID

from models.differing import Told, comparison
from models.reconciliation import Statement

# `state` of a line is null for a payment, `done` for a refund, else what the channel calls it.
# Lines of one number are added up: one that stands there twice is too much.
_DIFFERENCES: Final = """
    CREATE TEMP TABLE difference ON COMMIT DROP AS
    WITH theirs AS (
        SELECT number, is_refund, state, sum(fen)::bigint AS fen, max(at) AS at
        FROM statement_line GROUP BY number, is_refund, state
    ), payments AS (
        SELECT coalesce(o.order_no, t.number) AS number, false AS is_refund, t.number AS channel_no,
            o.id AS order_id, NULL::uuid AS refund_id, t.fen AS theirs_fen,
            e.amount_fen AS ours_fen, coalesce(t.state, 'paid') AS theirs_state,
            o.state AS ours_state, t.at, o.paid_at AS ours_at,
            CASE WHEN o.id IS NULL THEN 'missing_here'
                 WHEN e.amount_fen IS DISTINCT FROM t.fen THEN 'different_amount' END AS kind
        FROM theirs t
        LEFT JOIN pay_order o ON t.state IS NULL AND o.channel = $1 AND o.channel_no = t.number
            AND o.paid_at IS NOT NULL
        LEFT JOIN ledger_entry e ON e.order_id = o.id AND e.refund_id IS NULL
        WHERE NOT t.is_refund
    ), refunds AS (
        SELECT coalesce(r.refund_no, t.number) AS number, true AS is_refund, t.number AS channel_no,
            r.order_id, r.id AS refund_id, t.fen AS theirs_fen, r.amount_fen AS ours_fen,
            t.state AS theirs_state, r.state AS ours_state, t.at,
            CASE WHEN r.state = 'done' THEN r.ended_at END AS ours_at,
            CASE WHEN r.id IS NULL THEN 'missing_here'
                 WHEN t.fen <> r.amount_fen THEN 'different_amount'
                 WHEN r.state <> 'done' THEN 'different_state'
                 WHEN e.amount_fen IS DISTINCT FROM t.fen THEN 'different_amount' END AS kind
        FROM theirs t
        LEFT JOIN (refund r JOIN pay_order o ON o.id = r.order_id AND o.channel = $1)
            ON r.channel_refund_no = t.number
        LEFT JOIN ledger_entry e ON e.refund_id = r.id AND e.kind = 'returned'
        WHERE t.is_refund
    ), ours AS (
        SELECT o.order_no AS number, false AS is_refund, coalesce(o.channel_no, '') AS channel_no,
            o.id AS order_id, NULL::uuid AS refund_id, o.amount_fen AS ours_fen,
            o.state AS ours_state, o.paid_at AS at
        FROM pay_order o
        WHERE o.channel = $1 AND o.paid_at >= $2 AND o.paid_at < $3 AND NOT EXISTS (
            SELECT 1 FROM theirs t
            WHERE NOT t.is_refund AND t.state IS NULL AND t.number = o.channel_no)
        UNION ALL
        SELECT r.refund_no, true, coalesce(r.channel_refund_no, ''), r.order_id, r.id,
            r.amount_fen, r.state, r.ended_at
        FROM refund r JOIN pay_order o ON o.id = r.order_id
        WHERE o.channel = $1 AND r.state = 'done' AND r.ended_at >= $2 AND r.ended_at < $3
          AND NOT EXISTS (
              SELECT 1 FROM theirs t WHERE t.is_refund AND t.number = r.channel_refund_no)
    )
    SELECT * FROM payments WHERE kind IS NOT NULL OR ours_at < $2 OR ours_at >= $3
    UNION ALL
    SELECT * FROM refunds WHERE kind IS NOT NULL OR ours_at < $2 OR ours_at >= $3
    UNION ALL
    SELECT number, is_refund, channel_no, order_id, refund_id, NULL, ours_fen, NULL, ours_state, at,
        at, 'missing_there'
    FROM ours WHERE NOT EXISTS (
        SELECT 1 FROM statement_elsewhere x WHERE x.channel = $1 AND x.statement = 'funds'
          AND x.number = ours.number AND x.is_refund = ours.is_refund AND x.day <> $4)
"""


async def compare_funds(
    channel: str, day: date, lines: Iterable[tuple[object, ...]], told: Told, *, now: datetime
) -> UUID:
    """Compare a day's movements with the ledger, in one transaction; the run.

    `lines` are as `Line` has them but for `number`, which is the channel's, and `state`: None for
    a payment, `done` for a refund, and of anything else what the channel calls it. They are read
    once; by then `told` has what they say together. What they raise leaves everything as it was.
    """
    async with comparison(channel, Statement.FUNDS, day, now=now) as it:
        await it.take(lines)
        await it.run(_DIFFERENCES, channel, it.began, it.ended, day)
        await it.conclude(told)
    return it.run_id
