"""What holds between bills, orders, refunds, ledger and inbox: statements that find what does not.

Each takes and answers what those of `models.agreeing` do: the hall and day are a bill's. Sums of a
channel and entries of nobody belong to no hall, and are looked at where none is named. What should
have been settled long ago is told by the inbox itself: by the last that happened in it.
"""

from collections.abc import Sequence
from typing import Final

from models.faults import Kind

_DAY: Final = "(b.made_at AT TIME ZONE 'Asia/Shanghai')::date"
_OF: Final = f"b.hall_id, {_DAY} AS day"
_IN_SCOPE: Final = f"($1::uuid IS NULL OR b.hall_id = $1) AND ($2::date IS NULL OR {_DAY} = $2)"
_BILL: Final = f"{_OF}, 'bill ' || b.bill_no AS what, b.ticket_id AS ticket"
_ORDER: Final = f"{_OF}, 'order ' || o.order_no AS what, b.ticket_id AS ticket"
_REFUND: Final = f"{_OF}, 'refund ' || r.refund_no AS what, b.ticket_id AS ticket"
_NEWS: Final = f"{_OF}, 'callback ' || i.id AS what, b.ticket_id AS ticket"
_EVERYWHERE: Final = "$1::uuid IS NULL AND $2::date IS NULL"
# An order's payment as it is to be entered, and a refund's steps by where it stands.
_PAYMENT: Final = """
    (SELECT CASE WHEN o.settles THEN 'paid' ELSE 'surplus' END AS kind, 'at_' || o.channel AS debit,
            CASE WHEN o.settles THEN 'collected' ELSE 'owed_back' END AS credit)"""
_STEPS: Final = """CASE
    WHEN r.state IN ('asked', 'rejected') THEN '{}'
    WHEN r.state = 'done' THEN
        CASE WHEN o.settles THEN '{promised,returned}' ELSE '{returned}' END
    WHEN NOT o.settles THEN '{}'
    WHEN r.state = 'failed' THEN '{kept,promised}'
    ELSE '{promised}' END::text[]"""
# Of the inbox: about an order of its own, or the order of the refund it is about.
_ABOUT: Final = """callback_inbox i LEFT JOIN refund r ON r.id = i.refund_id
        JOIN pay_order o ON o.id = coalesce(i.order_id, r.order_id)
        JOIN bill b ON b.id = o.bill_id"""
_LAST: Final = "(SELECT max(greatest(received_at, settled_at)) FROM callback_inbox)"

BROKEN_PAYMENTS: Final[Sequence[tuple[Kind, str]]] = (
    (
        "bill_settled_wrongly",
        f"""
        SELECT {_BILL}, b.state || ', settled by ' || coalesce(string_agg(o.order_no, ', ')
                   FILTER (WHERE o.settles), 'none') AS detail
        FROM bill b LEFT JOIN pay_order o ON o.bill_id = b.id
        WHERE {_IN_SCOPE} GROUP BY b.id
        HAVING count(*) FILTER (WHERE o.settles AND o.paid_at IS NOT NULL)
                   <> (b.state = 'paid')::int
            OR bool_or(o.settles AND (o.id IS DISTINCT FROM b.settled_by
                                      OR o.amount_fen <> b.amount_fen))
        """,
    ),
    (
        "payment_not_entered",
        f"""
        SELECT {_ORDER}, o.state || ', entered ' || coalesce(string_agg(format('%s %s to %s',
                   e.kind, e.amount_fen, e.debit_id), ', ') FILTER (WHERE e.id IS NOT NULL),
                   'nothing') AS detail
        FROM pay_order o JOIN bill b ON b.id = o.bill_id CROSS JOIN LATERAL {_PAYMENT} due
        LEFT JOIN ledger_entry e ON e.order_id = o.id AND e.refund_id IS NULL
        WHERE {_IN_SCOPE} GROUP BY b.id, o.id
        HAVING count(e.id) <> (o.paid_at IS NOT NULL)::int
            OR bool_or((e.kind, e.debit_id, e.credit_id, e.amount_fen)
                       IS DISTINCT FROM (due.kind, due.debit, due.credit, o.amount_fen)
                       AND e.id IS NOT NULL)
        """,
    ),
    (
        "refund_not_entered",
        f"""
        SELECT {_REFUND}, r.state || ', entered ' || coalesce(string_agg(format('%s %s',
                   e.kind, e.amount_fen), ', ' ORDER BY e.id) FILTER (WHERE e.id IS NOT NULL),
                   'nothing') AS detail
        FROM refund r JOIN pay_order o ON o.id = r.order_id JOIN bill b ON b.id = o.bill_id
        LEFT JOIN ledger_entry e ON e.refund_id = r.id
        WHERE {_IN_SCOPE} GROUP BY b.id, o.id, r.id
        HAVING coalesce(array_agg(e.kind::text ORDER BY e.kind) FILTER (WHERE e.id IS NOT NULL),
                        '{{}}') <> {_STEPS}
            OR bool_or(e.amount_fen <> r.amount_fen OR e.order_id <> r.order_id)
        """,
    ),
    (
        "refunds_of_order",
        f"""
        SELECT {_ORDER}, format('says %s under way and %s back, its refunds %s and %s',
                   o.refunding_fen, o.refunded_fen, r.going, r.gone) AS detail
        FROM pay_order o JOIN bill b ON b.id = o.bill_id CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount_fen) FILTER (WHERE state = 'done'), 0) AS gone,
                   coalesce(sum(amount_fen) FILTER (
                       WHERE state IN ('asked', 'approved', 'pending', 'stuck')), 0) AS going
            FROM refund WHERE order_id = o.id
        ) r
        WHERE {_IN_SCOPE} AND (o.refunding_fen, o.refunded_fen) <> (r.going, r.gone)
        """,
    ),
    (
        "surplus_kept",
        f"""
        SELECT {_ORDER}, o.amount_fen || ' is owed back, and nothing asks for it' AS detail
        FROM pay_order o JOIN bill b ON b.id = o.bill_id
        WHERE o.paid_at IS NOT NULL AND NOT o.settles AND {_IN_SCOPE}
          AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.order_id = o.id)
        """,
    ),
    (
        "entry_of_nobody",
        f"""
        SELECT NULL::uuid AS hall_id, NULL::date AS day, 'entry ' || e.id AS what,
               NULL::uuid AS ticket, format('%s %s', e.kind, e.amount_fen) AS detail
        FROM ledger_entry e LEFT JOIN pay_order o ON o.id = e.order_id
        LEFT JOIN refund r ON r.id = e.refund_id
        WHERE (o.id IS NULL OR e.refund_id IS NOT NULL AND r.order_id IS DISTINCT FROM o.id)
          AND {_EVERYWHERE}
        """,
    ),
    (
        "channel_sum",
        f"""
        SELECT NULL::uuid AS hall_id, NULL::date AS day, a.code AS what, NULL::uuid AS ticket,
               format('the ledger has %s, orders %s', entered.fen, paid.fen) AS detail
        FROM ledger_account a CROSS JOIN LATERAL (
            SELECT coalesce(sum(CASE WHEN debit_id = a.code THEN amount_fen
                                     ELSE -amount_fen END), 0) AS fen
            FROM ledger_entry WHERE a.code IN (debit_id, credit_id)
        ) entered CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount_fen - refunded_fen), 0) AS fen
            FROM pay_order WHERE 'at_' || channel = a.code AND paid_at IS NOT NULL
        ) paid
        WHERE a.kind = 'asset' AND entered.fen <> paid.fen AND {_EVERYWHERE}
        """,
    ),
    (
        # Acknowledged, and lost: what the channel was thanked for is not how things stand.
        "callback_lost",
        f"""
        SELECT {_NEWS}, format('%s says %s, its %s is %s', i.channel, i.said,
                   CASE WHEN r.id IS NULL THEN 'order' ELSE 'refund' END,
                   coalesce(r.state, o.state)) AS detail
        FROM {_ABOUT}
        WHERE i.state = 'settled' AND {_IN_SCOPE}
          AND (i.order_id IS NOT NULL AND i.said = 'paid' AND o.paid_at IS NULL
               OR i.refund_id IS NOT NULL AND i.said = 'done' AND r.state <> 'done')
        """,
    ),
    (
        "callback_unsettled",
        f"""
        SELECT {_NEWS}, i.state || ' since ' || i.received_at AS detail
        FROM {_ABOUT}
        WHERE {_IN_SCOPE} AND i.received_at < {_LAST} - CASE i.state
            WHEN 'stored' THEN interval '10 min' WHEN 'ask' THEN interval '1 day' END
        """,
    ),
    (
        "callback_of_nobody",
        f"""
        SELECT NULL::uuid AS hall_id, NULL::date AS day, 'callback ' || i.id AS what,
               NULL::uuid AS ticket, i.channel || ' says ' || i.said AS detail
        FROM callback_inbox i LEFT JOIN refund r ON r.id = i.refund_id
        LEFT JOIN pay_order o ON o.id = coalesce(i.order_id, r.order_id)
        WHERE (o.id IS NULL OR o.channel <> i.channel) AND {_EVERYWHERE}
        """,
    ),
)
