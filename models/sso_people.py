"""A citizen as departments' systems know her: kept under her, also when accounts are joined."""

from uuid import UUID

from uuid_utils.compat import uuid7

from models.database import Transaction, rows


async def subject_in(sector: str, citizen_id: UUID) -> str | None:
    """As whom the sector knows this citizen; None when it does not yet."""
    found = await rows(
        "SELECT subject FROM sso_subject WHERE citizen_id = $1 AND sector = $2", citizen_id, sector
    )
    return found[0]["subject"] if found else None


async def citizen_by(tx: Transaction, sector: str, subject: str) -> UUID | None:
    """Whom the sector knows as this subject; she stays until the transaction ends."""
    row = await tx.row(
        "SELECT c.id FROM sso_subject s JOIN citizen c ON c.id = s.citizen_id"
        " WHERE s.sector = $1 AND s.subject = $2 FOR KEY SHARE OF c",
        sector,
        subject,
    )
    return row["id"] if row else None


async def name_in(tx: Transaction, sector: str, citizen_id: UUID, subject: str) -> str:
    """Let the sector know her as this subject, unless it has another already; that which it has."""
    await tx.run(
        """
        INSERT INTO sso_subject (id, citizen_id, sector, subject) VALUES ($1, $2, $3, $4)
        ON CONFLICT (citizen_id, sector) DO NOTHING
        """,
        uuid7(),
        citizen_id,
        sector,
        subject,
    )
    row = await tx.row(
        "SELECT subject FROM sso_subject WHERE citizen_id = $1 AND sector = $2", citizen_id, sector
    )
    assert row is not None
    return str(row["subject"])


async def move_to(tx: Transaction, me: UUID, into: UUID) -> None:
    """Give one citizen's consents and subjects to another, whose own come first.

    A department that knew only the one goes on knowing her by the same subject.
    """
    await tx.run(
        """
        UPDATE sso_consent o SET citizen_id = $2 WHERE citizen_id = $1 AND NOT EXISTS (
            SELECT 1 FROM sso_consent b WHERE b.citizen_id = $2 AND b.client_id = o.client_id)
        """,
        me,
        into,
    )
    await tx.run(
        """
        UPDATE sso_subject o SET citizen_id = $2 WHERE citizen_id = $1 AND NOT EXISTS (
            SELECT 1 FROM sso_subject b WHERE b.citizen_id = $2 AND b.sector = o.sector)
        """,
        me,
        into,
    )


async def forget(tx: Transaction, citizen_id: UUID) -> None:
    """Forget what she consented to and as whom departments know her."""
    await tx.run("DELETE FROM sso_consent WHERE citizen_id = $1", citizen_id)
    await tx.run("DELETE FROM sso_subject WHERE citizen_id = $1", citizen_id)
