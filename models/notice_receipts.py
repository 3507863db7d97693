"""Receipts of notices: what a platform tells later of a message that it took.

One that tells of a message whose answer was lost, or is still on its way, settles the attempt: of
the person, template and moment that it tells of, or of our own reference. An attempt that was begun
after that moment is another message, and so is one whose number is known already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from models.database import Transaction, rows

# Between our clock and a platform's, and the part of a second that it does not tell.
_CLOCKS_S: Final = 3.0
# A platform takes a message within so long of being asked.
_TAKEN_WITHIN_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a message: it arrived, or (`code`) why it did not.

    `at`: Unix seconds of when it happened, as the platform says; None: now. `reference`: the notice
    that we named, where the platform repeats it.
    """

    message_no: str
    code: str | None = None
    subject: str | None = None
    template_id: str | None = None
    at: float | None = None
    reference: UUID | None = None


_TAKE: Final = """
    INSERT INTO notice_receipt
        (channel, message_no, subject, template_id, code, told_at, received_at)
    SELECT DISTINCT ON (message_no) $1, message_no, subject, template_id, code, to_timestamp(at),
        now()
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::float8[])
        AS p (message_no, code, subject, template_id, at)
    ORDER BY message_no, code IS NULL
    ON CONFLICT (channel, message_no) DO NOTHING
"""
_THEN: Final = f"""
    (told.code IS NULL OR a.result = 'unsure')
    AND a.begun_at BETWEEN told.told_at - interval '{_TAKEN_WITHIN_S} s'
        AND told.told_at + interval '{_CLOCKS_S} s'
"""
# A courier writes notices before attempts, so this locks them first too; what it has written
# meanwhile stands. That a message did not arrive settles only what nobody else will settle.
# A notice has few attempts: `|| ''` and `coalesce` keep those of a reference from being looked for
# in the indexes of a whole channel and of all that are open, which are short when plans are made.
_SETTLE: Final = f"""
    WITH told AS MATERIALIZED (
        SELECT *, coalesce(to_timestamp(at), clock_timestamp()) AS told_at
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::uuid[])
            AS p (message_no, code, subject, template_id, at, reference)
        WHERE NOT EXISTS (SELECT 1 FROM notice_attempt o
            WHERE o.channel = $1 AND o.message_no = p.message_no OFFSET 0)
    ), mine AS MATERIALIZED (
        SELECT DISTINCT ON (found.id) found.id, found.notice_id, told.message_no, told.code
        FROM told CROSS JOIN LATERAL (
            SELECT a.id, a.notice_id, a.begun_at FROM notice_attempt a
            WHERE a.channel = $1 AND a.subject = told.subject
                AND a.template_id = told.template_id
                AND (a.result IS NULL OR a.result = 'unsure') AND {_THEN}
            UNION ALL
            SELECT a.id, a.notice_id, a.begun_at FROM notice_attempt a
            WHERE a.notice_id = told.reference AND a.channel || '' = $1
                AND coalesce(a.result, 'unsure') = 'unsure' AND {_THEN}
            ORDER BY begun_at DESC LIMIT 1) found
        ORDER BY found.id, told.message_no
    ), theirs AS MATERIALIZED (
        SELECT n.id FROM notice n WHERE n.id IN (SELECT notice_id FROM mine)
        ORDER BY n.id FOR UPDATE
    ), settled AS (
        UPDATE notice_attempt a SET message_no = mine.message_no, ended_at = now(),
            result = CASE WHEN mine.code IS NULL THEN 'accepted' ELSE 'refused' END,
            code = left('not_arrived:' || mine.code, 64)
        FROM mine JOIN theirs ON theirs.id = mine.notice_id
        WHERE a.id = mine.id AND (a.result IS NULL OR a.result = 'unsure')
        RETURNING a.notice_id, a.channel, a.result
    )
    UPDATE notice n SET
        state = CASE WHEN s.result = 'accepted' THEN 'sent' ELSE n.state END,
        channel = CASE WHEN s.result = 'accepted' THEN s.channel ELSE n.channel END,
        fault = CASE WHEN s.result = 'accepted' THEN NULL ELSE 'not_arrived' END,
        settled_at = CASE WHEN s.result = 'accepted' THEN coalesce(n.settled_at, now())
                     ELSE n.settled_at END,
        try_after = CASE WHEN s.result = 'accepted' THEN n.try_after ELSE now() END
    FROM settled s
    WHERE n.id = s.notice_id AND (n.state = 'waiting' OR s.result = 'accepted')
"""
# What did not arrive, of messages that were taken as it was told before: their notices go on by
# another channel. Nothing of it changes when it is done again.
_GO_ON: Final = """
    WITH lost AS MATERIALIZED (
        SELECT a.id, r.code
        FROM unnest($1::text[], $2::text[]) AS p (channel, message_no)
        CROSS JOIN LATERAL (SELECT r.code FROM notice_receipt r
            WHERE r.channel = p.channel AND r.message_no = p.message_no AND r.code IS NOT NULL
            OFFSET 0) r
        CROSS JOIN LATERAL (SELECT a.id FROM notice_attempt a
            WHERE a.channel = p.channel AND a.message_no = p.message_no OFFSET 0) a
    ), failed AS (
        UPDATE notice_attempt a SET result = 'refused', code = left('not_arrived:' || lost.code, 64)
        FROM lost WHERE a.id = lost.id AND a.result = 'accepted'
        RETURNING a.notice_id
    )
    UPDATE notice SET state = 'waiting', settled_at = NULL, fault = 'not_arrived',
        try_after = now()
    FROM failed WHERE notice.id = failed.notice_id AND notice.state = 'sent'
"""


async def take(tx: Transaction, channel: str, told: Sequence[Told]) -> None:
    """Keep what a platform tells, each once, and settle the attempts whose answers did not come.

    Whoever tells names all messages by person and template, or all by our reference.
    """
    if not told:
        return
    said = (
        channel,
        [each.message_no for each in told],
        [each.code for each in told],
        [each.subject for each in told],
        [each.template_id for each in told],
        [each.at for each in told],
    )
    await tx.run(_TAKE, *said)
    await tx.run(_SETTLE, *said, [each.reference for each in told])


async def lateness() -> dict[str, float]:
    """How late (seconds) the latest word of each channel came, of the last two minutes.

    While a platform, or we, are behind with it, what it has not told yet says nothing.
    """
    found = await rows(
        "SELECT channel, extract(epoch FROM max(received_at - told_at))::float8 AS late"
        " FROM notice_receipt WHERE received_at > now() - interval '2 minutes'"
        " AND told_at IS NOT NULL GROUP BY channel"
    )
    return {row["channel"]: max(0.0, row["late"]) for row in found}


async def go_on(messages: Sequence[tuple[str, str]]) -> None:
    """Tell by another channel what did not arrive, of these messages: (channel, number) each.

    To be done after a receipt was committed, and after a message's number was: whichever was the
    later then sees the other, so that a receipt that overtakes its answer is not lost.
    """
    if messages:
        await rows(_GO_ON, [channel for channel, _ in messages], [number for _, number in messages])
