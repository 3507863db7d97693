"""Signing a citizen in, by whichever door she comes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from integrations.ports import PlatformRefused, Platforms, ProvinceVisitor, Visitor
from models.audit import Entry, record
from models.database import Transaction
from models.knowing import remember_phone
from models.sealing import Sealer
from models.sessions import PersonKind
from models.tickets import Actor
from scheduler.calendar import business_day
from server.again import TRIES, until_done
from server.auth import Principal, Tokens
from server.errors import NotAvailable, Unavailable
from server.identity.joining import Identified, identify
from server.identity.refusals import IdentityFixed
from server.sessions import province
from server.sessions import tokens as token_pairs
from server.sessions.refusals import refusal_of


@dataclass(frozen=True, slots=True)
class _Door:
    """The channel link somebody comes in by, and the citizen it is of."""

    id: UUID
    citizen_id: UUID


async def sign_in(
    platforms: Platforms, platform: str, code: str, tokens: Tokens, *, device: str
) -> token_pairs.Pair:
    """Ask the platform who sent the code, and start a sign-in for that citizen.

    Raises NotAvailable, SignInRefused, UserBlocked, TooManyRequests or PlatformUnavailable; then
    nothing is kept.
    """
    door = platforms.doors.get(platform)
    if door is None:
        raise NotAvailable
    try:
        visitor = await door.who_is(code)
    except PlatformRefused as refusal:
        raise refusal_of(refusal) from None

    async def start(tx: Transaction) -> token_pairs.Pair:
        door = await _door(tx, visitor)
        return await _start(tx, door, door.citizen_id, tokens, channel=platform, device=device)

    return await until_done(start)


async def sign_in_from_province(
    visitor: ProvinceVisitor, tokens: Tokens, sealer: Sealer, *, device: str, now: datetime
) -> tuple[token_pairs.Pair, Identified | None]:
    """Start a sign-in for whom the province named, with the name and phone it vouches for.

    So somebody known through another channel comes in as herself at once. `now` is business time.
    """
    proven = province.proven_by(visitor, today=business_day(now))
    phone = province.phone_of(visitor)

    async def start(tx: Transaction) -> tuple[token_pairs.Pair, Identified | None]:
        door = await _door(tx, visitor)
        citizen_id, identified = door.citizen_id, None
        if proven is not None:
            try:
                identified = await identify(tx, sealer, citizen_id, proven, door=door.id, now=now)
            except IdentityFixed:
                # The account is the province's to link; whose name it bears is not changed here.
                identified = None
            else:
                citizen_id = identified.citizen_id
        if phone is not None:
            await remember_phone(tx, sealer, citizen_id, phone=phone, at=datetime.now(UTC))
            actor, changed = Actor("citizen", citizen_id), {"fields": ["phone"]}
            await record(tx, Entry(actor, "citizen.changed", "citizen", citizen_id, detail=changed))
        pair = await _start(tx, door, citizen_id, tokens, channel=visitor.platform, device=device)
        return pair, identified

    return await until_done(start)


async def _start(
    tx: Transaction, door: _Door, citizen_id: UUID, tokens: Tokens, *, channel: str, device: str
) -> token_pairs.Pair:
    who = Principal(PersonKind.CITIZEN, citizen_id, token_pairs.new_sign_in_id())
    return await token_pairs.start(tx, who, tokens, channel=channel, device=device, link_id=door.id)


async def _door(tx: Transaction, visitor: Visitor) -> _Door:
    """The link of this visitor, maybe with a new citizen. Raises Unavailable."""
    for _ in range(TRIES):
        found = await _known(tx, visitor) or await _welcome(tx, visitor)
        if found is not None:
            return found
    raise Unavailable(1)


async def _known(tx: Transaction, visitor: Visitor) -> _Door | None:
    # Locked, so that she is not joined into another account while her sign-in is written.
    row = await tx.row(
        """
        SELECT id, citizen_id, subject FROM channel_link
        WHERE platform = $1 AND app_id = $2 AND subject = ANY($3)
        ORDER BY subject = $4 DESC LIMIT 1 FOR UPDATE
        """,
        visitor.platform,
        visitor.app_id,
        [each for each in (visitor.subject, visitor.legacy_subject) if each],
        visitor.subject,
    )
    if row is None:
        return None
    if row["subject"] != visitor.subject:
        # The platform gave her a new id, and told the old one by which we knew her.
        await tx.run(
            "UPDATE channel_link SET subject = $2, legacy_subject = $3 WHERE id = $1",
            row["id"],
            visitor.subject,
            visitor.legacy_subject,
        )
    return _Door(row["id"], row["citizen_id"])


async def _welcome(tx: Transaction, visitor: Visitor) -> _Door | None:
    """A new citizen with this channel; None when the channel was taken at this very moment.

    It is no error then: PostgreSQL would write into its log which platform's user it was.
    """
    link_id: UUID = uuid7()
    row = await tx.row(
        """
        WITH linked AS (
            INSERT INTO channel_link (id, citizen_id, platform, app_id, subject, union_subject,
                                      legacy_subject, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING citizen_id
        )
        INSERT INTO citizen (id, level, created_at) SELECT citizen_id, 0, $8 FROM linked
        RETURNING id
        """,
        link_id,
        uuid7(),
        visitor.platform,
        visitor.app_id,
        visitor.subject,
        visitor.union_subject,
        visitor.legacy_subject,
        datetime.now(UTC),
    )
    return _Door(link_id, row["id"]) if row else None
