"""What holds between receipts and money: statements that find what does not.

Each takes and answers what those of `models.agreeing` do. Numbers belong to no hall and no day:
with either named, they are not looked at.
"""

from collections.abc import Sequence
from typing import Final

from models.faults import Kind

_DAY: Final = "(r.issued_at AT TIME ZONE 'Asia/Shanghai')::date"
_OF: Final = f"b.hall_id, {_DAY} AS day, 'receipt ' || r.number AS what, b.ticket_id AS ticket"
_IN_SCOPE: Final = f"($1::uuid IS NULL OR b.hall_id = $1) AND ($2::date IS NULL OR {_DAY} = $2)"
_ENDED: Final = "({at} AT TIME ZONE 'Asia/Shanghai')::date"
BROKEN_RECEIPTS: Final[Sequence[tuple[Kind, str]]] = (
    (
        "receipt_gap",
        """
        SELECT NULL::uuid AS hall_id, NULL::date AS day, 'series ' || series AS what,
               NULL::uuid AS ticket,
               format('%s receipts, from %s to %s; counted %s', coalesce(there.many, 0),
                      there.first, there.last, counter.last_nth) AS detail
        FROM receipt_counter counter FULL JOIN (
            SELECT series, count(*) AS many, min(nth) AS first, max(nth) AS last
            FROM receipt GROUP BY series
        ) there USING (series)
        WHERE $1::uuid IS NULL AND $2::date IS NULL
          AND (there.first, there.many, there.last)
              IS DISTINCT FROM (1::bigint, counter.last_nth, counter.last_nth)
        """,
    ),
    (
        "receipt_missing",
        f"""
        SELECT b.hall_id, {_ENDED.format(at="b.ended_at")} AS day, 'bill ' || b.bill_no AS what,
               b.ticket_id AS ticket, 'it is paid' AS detail
        FROM bill b
        WHERE b.settled_by IS NOT NULL AND ($1::uuid IS NULL OR b.hall_id = $1)
          AND ($2::date IS NULL OR {_ENDED.format(at="b.ended_at")} = $2)
          AND NOT EXISTS (SELECT 1 FROM receipt r
                          WHERE r.order_id = b.settled_by AND r.kind = 'paid')
        UNION ALL
        SELECT b.hall_id, {_ENDED.format(at="f.ended_at")}, 'refund ' || f.refund_no, b.ticket_id,
               'it has gone back'
        FROM refund f JOIN bill b ON b.settled_by = f.order_id
        WHERE f.state = 'done' AND ($1::uuid IS NULL OR b.hall_id = $1)
          AND ($2::date IS NULL OR {_ENDED.format(at="f.ended_at")} = $2)
          AND NOT EXISTS (SELECT 1 FROM receipt r WHERE r.refund_id = f.id)
        """,
    ),
    (
        "receipt_over",
        f"""
        SELECT {_OF}, format('over %s; paid %s, this refund is %s and %s', r.amount_fen,
                             o.amount_fen, f.state, f.amount_fen) AS detail
        FROM receipt r JOIN bill b ON b.id = r.bill_id JOIN pay_order o ON o.id = r.order_id
        LEFT JOIN refund f ON f.id = r.refund_id LEFT JOIN receipt p ON p.id = r.original_id
        WHERE {_IN_SCOPE} AND CASE r.kind
            WHEN 'paid' THEN r.amount_fen <> o.amount_fen OR b.settled_by IS DISTINCT FROM o.id
            ELSE (f.state, f.order_id, f.amount_fen, p.order_id, p.kind)
                 IS DISTINCT FROM ('done', r.order_id, r.amount_fen, r.order_id, 'paid') END
        """,
    ),
)
