"""What citizens let departments' systems know of them, and taking it back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from models.audit import Entry, record
from models.database import Transaction, rows, transaction
from models.joined import HER_ID, held
from models.sso import Fact
from models.tickets import Actor
from server.errors import NotFound


async def consented(citizen_id: UUID, client_id: UUID) -> frozenset[Fact]:
    """The facts that this citizen lets this client know."""
    found = await rows(
        "SELECT facts FROM sso_consent WHERE citizen_id = $1 AND client_id = $2",
        citizen_id,
        client_id,
    )
    return frozenset(Fact(fact) for fact in found[0]["facts"]) if found else frozenset()


async def consent(citizen_id: UUID, client_id: UUID, facts: Sequence[Fact]) -> None:
    """Remember that she agreed, in addition to what she agreed to before."""
    async with transaction() as tx:
        me = await held(tx, citizen_id)
        await tx.run(
            """
            INSERT INTO sso_consent (id, citizen_id, client_id, facts, given_at)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (citizen_id, client_id) DO UPDATE SET
                facts = ARRAY(
                    SELECT DISTINCT fact FROM unnest(sso_consent.facts || excluded.facts) AS fact
                ),
                given_at = excluded.given_at
            """,
            uuid7(),
            me,
            client_id,
            [fact.value for fact in facts],
            datetime.now(UTC),
        )
        await _record(tx, me, "consent.given", client_id, facts)


async def consents_of(citizen_id: UUID) -> list[asyncpg.Record]:
    """Her consents with the clients' codes and names, newest first."""
    return await rows(
        f"""
        SELECT c.code, c.name, c.name_en, o.facts, o.given_at
        FROM sso_consent o JOIN sso_client c ON c.id = o.client_id
        WHERE o.citizen_id = {HER_ID} ORDER BY o.given_at DESC, c.code
        """,  # noqa: S608
        citizen_id,
    )


async def take_back(citizen_id: UUID, client: str) -> None:
    """Forget a consent and end every token that came of it. Raises NotFound."""
    if "\0" in client:
        raise NotFound
    async with transaction() as tx:
        me = await held(tx, citizen_id)
        found = await tx.row(
            """
            DELETE FROM sso_consent o USING sso_client c
            WHERE o.citizen_id = $1 AND c.code = $2 AND c.id = o.client_id
            RETURNING o.client_id
            """,
            me,
            client,
        )
        if found is None:
            raise NotFound
        await tx.run(
            """
            UPDATE sso_grant g SET ended_at = $3, end_reason = 'consent_revoked'
            FROM sign_in s
            WHERE s.id = g.sign_in_id AND g.client_id = $2 AND g.ended_at IS NULL
              AND s.person_id IN (
                SELECT $1::uuid UNION ALL SELECT id FROM citizen_alias WHERE citizen_id = $1
              )
            """,
            me,
            found["client_id"],
            datetime.now(UTC),
        )
        await _record(tx, me, "consent.taken_back", found["client_id"])


async def _record(
    tx: Transaction, citizen_id: UUID, action: str, client_id: UUID, facts: Sequence[Fact] = ()
) -> None:
    detail: dict[str, str | list[str]] = {"client": str(client_id)}
    if facts:
        detail["facts"] = [fact.value for fact in facts]
    actor = Actor("citizen", citizen_id)
    await record(tx, Entry(actor, action, "citizen", citizen_id, detail=detail))
