"""Notices written for a purpose that people consented to: once an occasion, not too many, or not.

Whoever consents is held in the statement that writes (`models.consents`), with just what she lets
be used as it was when she was matched: who withdrew meanwhile, or lets less be used, is not told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from models.consents import Purpose
from models.database import Transaction, rows
from models.notice_kinds import RULES, NoticeKind

# What nobody asked for herself is told at most so often, of all rules and campaigns together.
# Reminders of certificates that she entered come besides.
CAPPED: Final = (Purpose.SERVICES, Purpose.POLICIES)
MOST_A_DAY: Final = 1
MOST_A_WEEK: Final = 3
_DAY: Final = timedelta(hours=20)  # of nights, some come a little earlier than the one before
_WEEK: Final = timedelta(days=7)

_FRESH: Final = """
    SELECT nth::int FROM unnest($2::uuid[], $3::text[])
        WITH ORDINALITY AS g (citizen_id, occasion, nth)
    WHERE NOT EXISTS (SELECT 1 FROM matched m WHERE m.citizen_id = g.citizen_id
                      AND m.rule = $1 AND m.occasion = g.occasion)
    ORDER BY nth
"""
_WRITE: Final = """
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::smallint[])
            AS g (citizen_id, occasion, facts, groups)
    ), lets AS MATERIALIZED (
        SELECT k.citizen_id FROM consent k JOIN given g ON g.citizen_id = k.citizen_id
        WHERE k.purpose = $5 AND k.groups = g.groups
        ORDER BY k.citizen_id FOR SHARE OF k
    ), room AS MATERIALIZED (
        SELECT citizen_id FROM lets WHERE $5 <> ALL($6::text[]) OR (
            SELECT count(*) FILTER (WHERE n.happened_at > $7::timestamptz - $8::interval) < $9
               AND count(*) < $10
            FROM notice n WHERE n.citizen_id = lets.citizen_id AND n.purpose = ANY($6)
              AND n.state <> 'expired'
              AND n.happened_at > $7 - $11::interval)
    ), new AS (
        INSERT INTO matched (citizen_id, rule, occasion, at)
        SELECT g.citizen_id, $12, g.occasion, $7 FROM given g JOIN room USING (citizen_id)
        ON CONFLICT (citizen_id, rule, occasion) DO NOTHING
        RETURNING citizen_id, occasion
    )
    INSERT INTO notice (id, event_key, citizen_id, kind, subject_id, facts, urgency, purpose,
                        happened_at, useful_until, state, try_after)
    SELECT uuidv7(), 'rule:' || $12 || ':' || new.occasion, new.citizen_id, $13,
           coalesce($17::uuid, (SELECT c.id FROM certificate c
            WHERE c.citizen_id = new.citizen_id AND c.kind = $14::text)),
           g.facts, $15, $5, $7, $7 + $16::interval, 'waiting', now()
    FROM new JOIN given g USING (citizen_id, occasion)
    ON CONFLICT (event_key, citizen_id, kind) DO NOTHING RETURNING 1
"""


@dataclass(frozen=True, slots=True)
class Concern:
    """That a rule concerns somebody on an occasion; `facts` is a JSON object of what she is told.

    `groups` is what she let be used when she was matched.
    """

    citizen_id: UUID
    occasion: str
    facts: str
    groups: int


@dataclass(frozen=True, slots=True)
class Told:
    """What a rule's notices are: for what, of which kind, about which kind of certificate or what
    else."""

    rule: str
    purpose: Purpose
    kind: NoticeKind
    certificate: str | None = None
    subject_id: UUID | None = None


async def fresh(rule: str, people: Sequence[UUID], occasions: Sequence[str]) -> list[int]:
    """Which of these, counted from 0, were not told of this rule on that occasion yet."""
    found = await rows(_FRESH, rule, list(people), list(occasions))
    return [row["nth"] - 1 for row in found]


async def write(tx: Transaction, told: Told, concerns: Sequence[Concern], *, now: datetime) -> int:
    """Tell these people, each once an occasion whoever tells them; how many were told now.

    Not told is who consents no more, or to less than when she was matched; and, for another day,
    whoever has been told enough. `now` is business time.
    """
    treated = RULES[told.kind]
    found = await tx.rows(
        _WRITE,
        [each.citizen_id for each in concerns],
        [each.occasion for each in concerns],
        [each.facts for each in concerns],
        [each.groups for each in concerns],
        told.purpose.value,
        [purpose.value for purpose in CAPPED],
        now,
        _DAY,
        MOST_A_DAY,
        MOST_A_WEEK,
        _WEEK,
        told.rule,
        told.kind.value,
        told.certificate,
        treated.urgency,
        treated.useful,
        told.subject_id,
    )
    return len(found)


async def move_to(tx: Transaction, me: UUID, into: UUID) -> None:
    """What one account was told the person was told."""
    await tx.run(
        "UPDATE matched m SET citizen_id = $2 WHERE citizen_id = $1 AND NOT EXISTS ("
        " SELECT 1 FROM matched o WHERE o.citizen_id = $2 AND o.rule = m.rule"
        " AND o.occasion = m.occasion)",
        me,
        into,
    )
    await tx.run("DELETE FROM matched WHERE citizen_id = $1", me)


async def forget(tx: Transaction, citizen_id: UUID) -> None:
    """Forget what somebody was told."""
    await tx.run("DELETE FROM matched WHERE citizen_id = $1", citizen_id)
