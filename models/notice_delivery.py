"""Delivering notices: claiming what is due, beginning an attempt, and writing how it went.

Before a platform is asked, an attempt is written and what her permission allows is spent; so a
courier that dies leaves behind that it may have been sent, and nothing is sent unallowed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from models import notice_receipts
from models.database import rows, transaction
from models.notices import AttemptResult, NoticeState

# A courier that has not said for so long (seconds) how it went is taken for dead.
LEASE_S: Final = 12.0
# Messages to one person by one template are told apart by when they were sent, in seconds.
APART_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Begin:
    """An attempt about to be made. `subject` is null for phone numbers, which are not kept."""

    notice_id: UUID
    channel: str
    subject: str | None
    template_id: str
    is_counted: bool
    # Whether it needs a permission of its own.
    spends: bool


class Credit(StrEnum):
    """What becomes of the permission that an attempt spent."""

    SPENT = "spent"
    BACK = "back"  # nothing was sent
    VOID = "void"  # there was none, the platform says


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it went with a notice that was claimed for the `tries`th time.

    Where it goes on waiting, for `wait_s` seconds at least. Without an `attempt_id` no platform was
    asked.
    """

    notice_id: UUID
    tries: int
    state: NoticeState
    wait_s: float = 0.0
    channel: str | None = None
    fault: str | None = None
    attempt_id: int | None = None
    result: AttemptResult | None = None
    code: str | None = None
    message_no: str | None = None
    credit: Credit = Credit.SPENT


_CLAIM: Final = """
    WITH due AS (
        SELECT id FROM notice
        WHERE state = 'waiting' AND urgency BETWEEN $1 AND $2 AND try_after <= now()
        ORDER BY urgency, try_after LIMIT $3 FOR UPDATE SKIP LOCKED
    ), held AS (
        UPDATE notice n SET try_after = now() + make_interval(secs => $4), tries = n.tries + 1
        FROM due WHERE n.id = due.id RETURNING n.*
    )
    SELECT n.id, n.citizen_id, n.kind, n.ticket_id, n.subject_id, n.hall_id, n.facts, n.urgency,
           n.happened_at, n.useful_until, n.tries,
           n.while_state IS NULL OR EXISTS (
               SELECT 1 FROM ticket t WHERE t.id = n.ticket_id AND t.state = n.while_state
               OFFSET 0) AS holds,
           c.phone, p.english, p.channels, p.muted, p.quiet_from, p.quiet_to,
           (SELECT json_agg(json_build_object('platform', l.platform, 'app_id', l.app_id,
                'subject', l.subject) ORDER BY l.created_at DESC)
            FROM channel_link l WHERE l.citizen_id = n.citizen_id) AS links,
           (SELECT json_agg(json_build_object('platform', s.platform, 'subject', s.subject,
                'template_id', s.template_id))
            FROM channel_link l JOIN subscription s USING (platform, subject)
            WHERE l.citizen_id = n.citizen_id AND (s.lasting OR s.credits > 0)) AS allowed,
           (SELECT json_agg(json_build_object('id', a.id, 'channel', a.channel,
                'result', a.result, 'code', a.code,
                'age_s', extract(epoch FROM clock_timestamp() - a.begun_at)) ORDER BY a.id)
            FROM notice_attempt a WHERE a.notice_id = n.id) AS attempts
    FROM held n
    LEFT JOIN citizen c ON c.id = n.citizen_id
    LEFT JOIN notice_preference p ON p.citizen_id = n.citizen_id
    ORDER BY n.urgency, n.id
"""
# Who begins holds what is allowed, so that what others began meanwhile is seen by the next
# statement.
_HOLD: Final = """
    SELECT 1 FROM subscription s JOIN unnest($1::text[], $2::text[], $3::text[])
        AS p (channel, subject, template_id)
        ON s.platform = p.channel AND s.subject = p.subject AND s.template_id = p.template_id
    ORDER BY s.id FOR UPDATE OF s
"""
# A platform tells of a message that arrived whose and by which template it was: so nothing else is
# sent to her by that template until it is known what became of the one before; and while the two
# could be taken for one another, where nobody waits for that any more.
_BEGIN: Final = """
    WITH plan AS MATERIALIZED (
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::bool[])
            AS p (notice_id, channel, subject, template_id, counted, spends)
        WHERE EXISTS (
            SELECT 1 FROM notice n WHERE n.id = p.notice_id AND n.state = 'waiting' OFFSET 0)
          AND (NOT p.counted OR NOT EXISTS (
            SELECT 1 FROM notice_attempt a JOIN notice n ON n.id = a.notice_id
            WHERE a.channel = p.channel AND a.subject = p.subject AND a.template_id = p.template_id
              AND (a.result IS NULL OR a.result = 'unsure') AND a.notice_id <> p.notice_id
              AND (n.state = 'waiting' OR n.state = 'expired'
                AND a.begun_at > now() - make_interval(secs => $7))))
    ), spent AS (
        UPDATE subscription s
        SET credits = s.credits - CASE WHEN s.lasting THEN 0 ELSE 1 END, changed_at = now()
        FROM plan WHERE plan.spends AND s.platform = plan.channel AND s.subject = plan.subject
            AND s.template_id = plan.template_id AND (s.lasting OR s.credits > 0)
        RETURNING plan.notice_id
    )
    INSERT INTO notice_attempt (notice_id, channel, subject, template_id, begun_at)
    SELECT notice_id, channel, subject, template_id, clock_timestamp() FROM plan
    WHERE NOT spends OR notice_id IN (SELECT notice_id FROM spent)
    RETURNING id, notice_id
"""
_FINISH: Final = """
    WITH o AS MATERIALIZED (
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::float8[], $5::text[],
                             $6::text[], $7::bigint[], $8::text[], $9::text[], $10::text[],
                             $11::text[])
            AS o (notice_id, tries, state, wait_s, channel, fault, attempt_id, result, code,
                  message_no, credit)
    ), ended AS (
        UPDATE notice_attempt a SET ended_at = now(), result = o.result, code = o.code,
            message_no = o.message_no
        FROM o WHERE a.id = o.attempt_id
          AND (a.result IS DISTINCT FROM 'accepted' OR o.result = 'accepted')
        RETURNING a.channel, a.subject, a.template_id, o.credit
    ), owed AS MATERIALIZED (
        SELECT s.id, bool_or(e.credit = 'void') AS void, count(*) AS many
        FROM ended e JOIN subscription s ON s.platform = e.channel AND s.subject = e.subject
            AND s.template_id = e.template_id
        WHERE e.credit <> 'spent' GROUP BY s.id
    ), locked AS MATERIALIZED (
        SELECT s.id FROM subscription s WHERE s.id IN (SELECT id FROM owed)
        ORDER BY s.id FOR UPDATE
    ), credited AS (
        UPDATE subscription s SET changed_at = now(), lasting = s.lasting AND NOT owed.void,
            credits = CASE WHEN owed.void THEN 0 WHEN s.lasting THEN s.credits
                      ELSE s.credits + owed.many END,
            by_app = CASE WHEN owed.void THEN 0 ELSE s.by_app END,
            by_push = CASE WHEN owed.void THEN 0 ELSE s.by_push END
        FROM owed JOIN locked USING (id) WHERE s.id = owed.id
    ), theirs AS MATERIALIZED (
        SELECT n.id FROM notice n WHERE n.id IN (SELECT notice_id FROM o) ORDER BY n.id FOR UPDATE
    )
    UPDATE notice n SET
        state = o.state, channel = coalesce(o.channel, n.channel), fault = o.fault,
        settled_at = CASE WHEN o.state <> 'waiting' THEN now() END,
        try_after = now() + make_interval(secs => o.wait_s)
    FROM o JOIN theirs ON theirs.id = o.notice_id
    WHERE n.id = o.notice_id AND n.state = 'waiting' AND (n.tries = o.tries OR o.state = 'sent')
"""


async def claim(least: int, most: int, limit: int) -> list[Any]:
    """Hold up to `limit` notices that are due, of an urgency from `least` to `most`, with all that
    is to be known for delivering them. One statement; others leave them alone for LEASE_S.
    """
    return await rows(_CLAIM, least, most, limit, LEASE_S)


async def begin(attempts: Sequence[Begin]) -> dict[UUID, int]:
    """Write that these are about to be made and spend what they are allowed by: the id of each.

    Those whose permission somebody else has spent are left out, those before which another of the
    same subject and template is not settled, and those that were taken back since they were
    claimed. At most one of these at a time.
    """
    async with transaction() as tx:
        if counted := [each for each in attempts if each.is_counted]:
            await tx.run(
                _HOLD,
                [each.channel for each in counted],
                [each.subject for each in counted],
                [each.template_id for each in counted],
            )
        found = await tx.rows(
            _BEGIN,
            [each.notice_id for each in attempts],
            [each.channel for each in attempts],
            [each.subject for each in attempts],
            [each.template_id for each in attempts],
            [each.is_counted for each in attempts],
            [each.spends for each in attempts],
            APART_S,
        )
    return {row["notice_id"]: row["id"] for row in found}


async def finish(outcomes: Sequence[Outcome]) -> None:
    """Write how it went. What somebody else has claimed meanwhile stays as that one leaves it,
    unless the platform took it from us. What a receipt told already to have arrived has, and what
    it told not to have goes on.
    """
    await rows(
        _FINISH,
        [each.notice_id for each in outcomes],
        [each.tries for each in outcomes],
        [each.state.value for each in outcomes],
        [each.wait_s for each in outcomes],
        [each.channel for each in outcomes],
        [each.fault for each in outcomes],
        [each.attempt_id for each in outcomes],
        [each.result and each.result.value for each in outcomes],
        [each.code for each in outcomes],
        [each.message_no for each in outcomes],
        [each.credit.value for each in outcomes],
    )
    await notice_receipts.go_on(
        [
            (each.channel, each.message_no)
            for each in outcomes
            if each.channel is not None and each.message_no is not None
        ]
    )
