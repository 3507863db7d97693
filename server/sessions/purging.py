"""What need not be kept: expired tokens, old answers, what people said or filled in at a hall."""

from datetime import UTC, datetime, timedelta

from models.database import transaction
from server.sessions import lockout

ANSWERS_KEPT = timedelta(days=1)
ASKED_KEPT = timedelta(days=1)
TRIES_KEPT = lockout.WITHIN + lockout.LOCKED_FOR
# They are good for one day; word that they ended must be found for a while.
FOLLOWS_KEPT = timedelta(days=2)
# Long enough to reach whoever left something behind.
HOLDERS_KEPT = timedelta(days=7)
# Long enough for a counter to ask again what was filled in for a visit.
FORMS_KEPT = timedelta(days=7)
# Long enough to ask who was signed in when something happened.
SIGN_INS_KEPT = timedelta(days=180)


async def purge() -> None:
    """Delete what has expired, in real time."""
    now = datetime.now(UTC)
    async with transaction() as tx:
        await tx.run("DELETE FROM refresh_token WHERE expires_at < $1", now)
        await tx.run("DELETE FROM page_session WHERE expires_at < $1", now)
        await tx.run("DELETE FROM password_tries WHERE changed_at < $1", now - TRIES_KEPT)
        # Those never ended are over too, once no token of theirs can be spent.
        await tx.run(
            """
            DELETE FROM sign_in s WHERE ended_at < $1 OR (ended_at IS NULL AND started_at < $1
                AND NOT EXISTS (SELECT 1 FROM refresh_token r WHERE r.sign_in_id = s.id))
            """,
            now - SIGN_INS_KEPT,
        )
        # Nobody consented, and nothing was done through them.
        await tx.run(
            """
            DELETE FROM proxy WHERE id IN (
                SELECT id FROM proxy WHERE state = 'asked' AND asked_at < $1
                ORDER BY id FOR UPDATE SKIP LOCKED)
            """,
            now - ASKED_KEPT,
        )
        await tx.run("DELETE FROM follow WHERE made_at < $1", now - FOLLOWS_KEPT)
        await tx.run(
            """
            WITH gone AS (DELETE FROM ticket_holder WHERE kept_at < $1 RETURNING id)
            UPDATE ticket SET shown_as = NULL FROM gone WHERE ticket.id = gone.id
            """,
            now - HOLDERS_KEPT,
        )
        await tx.run(
            """
            UPDATE appointment SET shown_as = NULL, name = NULL, phone = NULL
            WHERE ended_at < $1 AND shown_as IS NOT NULL
            """,
            now - HOLDERS_KEPT,
        )
        # Where anybody was is long forgotten; when she was told to set off goes with the rest.
        await tx.run(
            """
            DELETE FROM departure WHERE kept_at < $1 AND NOT EXISTS (
                SELECT 1 FROM appointment a
                WHERE a.id = departure.id AND a.state IN ('held', 'offered', 'booked'))
            """,
            now - HOLDERS_KEPT,
        )
        await tx.run(
            "UPDATE visit SET form = NULL WHERE ended_at < $1 AND form IS NOT NULL",
            now - FORMS_KEPT,
        )
        await tx.run("DELETE FROM answer WHERE created_at < $1", now - ANSWERS_KEPT)
