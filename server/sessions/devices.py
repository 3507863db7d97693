"""Where a person is signed in, and ending that from elsewhere. All in real time."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec

from models.database import Transaction, rows, transaction
from models.joined import HER_ID, held
from models.sessions import PersonKind
from server.auth import Principal
from server.errors import NotFound
from server.identity.sure import held_surely
from server.live.feed import Feed
from server.live.reading import shown
from server.sessions import tokens as token_pairs

# Only sign-ins that can still be refreshed: the others are over, though nobody ended them.
# A browser has no token of ours: it lasts two hours, and while a department's system may refresh.
_ALIVE = f"""
    SELECT s.id, s.device, s.channel, s.started_at, max(r.issued_at) AS last_seen_at
    FROM sign_in s JOIN LATERAL (
        SELECT issued_at, expires_at FROM refresh_token WHERE sign_in_id = s.id
        UNION ALL
        SELECT s.started_at, s.started_at + interval '2 hours' WHERE s.channel = 'browser'
        UNION ALL
        SELECT t.issued_at, t.expires_at FROM sso_grant g JOIN sso_token t ON t.grant_id = g.id
        WHERE s.channel = 'browser' AND g.sign_in_id = s.id AND g.ended_at IS NULL
          AND t.kind = 'refresh' AND t.used_at IS NULL
    ) r ON true
    WHERE s.person_id = {HER_ID} AND s.person_kind = $2 AND s.ended_at IS NULL
    GROUP BY s.id HAVING max(r.expires_at) > $3
    ORDER BY last_seen_at DESC
"""  # noqa: S608 it is a constant


class Device(msgspec.Struct, frozen=True):
    """A sign-in on one device.

    `device` is what the device says it is. `last_seen_at` is when its tokens were last renewed,
    which a program in use does each quarter of an hour. `current` is the one that asks.
    """

    id: UUID
    device: str
    channel: str
    started_at: datetime
    last_seen_at: datetime
    current: bool


async def devices_of(who: Principal) -> list[Device]:
    """Where this person is signed in, the one used last first."""
    found = await rows(_ALIVE, who.id, who.kind.value, datetime.now(UTC))
    return [
        Device(
            row["id"],
            row["device"],
            row["channel"],
            shown(row["started_at"]),
            shown(row["last_seen_at"]),
            row["id"] == who.sign_in_id,
        )
        for row in found
    ]


async def end_device(who: Principal, sign_in_id: UUID, feed: Feed) -> None:
    """End one of this person's sign-ins, on every worker.

    Raises NotFound when it is none, LevelTooLow for another than the one that asks.
    """
    async with transaction() as tx:
        her_id = await _her_id(tx, who, surely=sign_in_id != who.sign_in_id)
        ended = await tx.row(
            """
            UPDATE sign_in SET ended_at = $4, end_reason = 'ended_elsewhere'
            WHERE id = $1 AND person_id = $2 AND person_kind = $3 AND ended_at IS NULL RETURNING id
            """,
            sign_in_id,
            her_id,
            who.kind.value,
            datetime.now(UTC),
        )
    if ended is None:
        raise NotFound
    await feed.sign_ins_ended(sign_in_id)


async def end_others(who: Principal, feed: Feed) -> int:
    """End all sign-ins of this person but the one that asks; answers how many.

    Raises LevelTooLow.
    """
    async with transaction() as tx:
        her_id = await _her_id(tx, who, surely=True)
        ended = await token_pairs.end_all(tx, her_id, reason="ended_elsewhere", but=who.sign_in_id)
    await feed.sign_ins_ended(*ended)
    return len(ended)


async def _her_id(tx: Transaction, who: Principal, *, surely: bool) -> UUID:
    """A citizen's may have changed since her token was given, by a join; staff are never joined."""
    if who.kind is not PersonKind.CITIZEN:
        return who.id
    return await (held_surely(tx, who) if surely else held(tx, who.id))
