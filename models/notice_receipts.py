"""Receipts of notices: what a platform tells later of a message that it took."""

from models.database import Transaction


async def take(
    tx: Transaction,
    channel: str,
    message_no: str,
    *,
    subject: str | None,
    template_id: str | None,
    code: str | None,
) -> None:
    """Keep a receipt, once. What did not arrive (`code`) is to be told by another channel.

    The answer to our question may still be on its way then: a notice that is not settled yet finds
    the receipt when it is looked at again.
    """
    await tx.run(
        """
        WITH told AS (
            INSERT INTO notice_receipt
                (channel, message_no, subject, template_id, code, received_at)
            VALUES ($1, $2, $3, $4, $5, now())
            ON CONFLICT (channel, message_no) DO NOTHING RETURNING 1
        ), failed AS (
            UPDATE notice_attempt SET result = 'refused', code = left('not_arrived:' || $5, 64)
            WHERE channel = $1 AND message_no = $2 AND $5 IS NOT NULL
              AND EXISTS (SELECT 1 FROM told)
            RETURNING notice_id
        )
        UPDATE notice SET state = 'waiting', settled_at = NULL, fault = 'not_arrived',
            try_after = now()
        FROM failed WHERE notice.id = failed.notice_id AND notice.state = 'sent'
        """,
        channel,
        message_no,
        subject,
        template_id,
        code,
    )
