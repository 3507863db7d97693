"""Receipts of notices: what a platform tells later of a message that it took."""

from collections.abc import Sequence
from typing import Final

from models.database import Transaction, rows

# What did not arrive, of messages that were taken as it was told before: their notices go on by
# another channel. Nothing of it changes when it is done again.
_GO_ON: Final = """
    WITH failed AS (
        UPDATE notice_attempt a SET result = 'refused', code = left('not_arrived:' || r.code, 64)
        FROM unnest($1::text[], $2::text[]) AS p (channel, message_no)
        JOIN notice_receipt r USING (channel, message_no)
        WHERE r.code IS NOT NULL AND a.channel = r.channel AND a.message_no = r.message_no
          AND a.result = 'accepted'
        RETURNING a.notice_id
    )
    UPDATE notice SET state = 'waiting', settled_at = NULL, fault = 'not_arrived',
        try_after = now()
    FROM failed WHERE notice.id = failed.notice_id AND notice.state = 'sent'
"""


async def take(
    tx: Transaction,
    channel: str,
    message_no: str,
    *,
    subject: str | None,
    template_id: str | None,
    code: str | None,
) -> None:
    """Keep a receipt, once; `code` is why it did not arrive.

    The answer to our question may still be on its way then: a notice that is not settled yet finds
    the receipt when it is looked at again.
    """
    await take_all(tx, channel, [(message_no, code)], subject=subject, template_id=template_id)


async def take_all(
    tx: Transaction,
    channel: str,
    receipts: Sequence[tuple[str, str | None]],
    *,
    subject: str | None = None,
    template_id: str | None = None,
) -> None:
    """Keep receipts, each once: numbers of messages, and why each did not arrive, or None."""
    await tx.run(
        """
        INSERT INTO notice_receipt (channel, message_no, subject, template_id, code, received_at)
        SELECT DISTINCT ON (message_no) $1, message_no, $4::text, $5::text, code, now()
        FROM unnest($2::text[], $3::text[]) AS p (message_no, code)
        ORDER BY message_no, code IS NULL
        ON CONFLICT (channel, message_no) DO NOTHING
        """,
        channel,
        [number for number, _ in receipts],
        [code for _, code in receipts],
        subject,
        template_id,
    )


async def go_on(messages: Sequence[tuple[str, str]]) -> None:
    """Tell by another channel what did not arrive, of these messages: (channel, number) each.

    To be done after a receipt was committed, and after a message's number was: whichever was the
    later then sees the other, so that a receipt that overtakes its answer is not lost.
    """
    if messages:
        await rows(_GO_ON, [channel for channel, _ in messages], [number for _, number in messages])
