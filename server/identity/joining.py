"""One person, one citizen: whoever proves the same id number through another channel is joined.

Locks are taken in the order of docs/decisions.md: the halls where either has numbers, the id number
(an advisory lock, so that a number nobody has yet is held too), then the citizen who came, then the
one who had the number first. Only a citizen without a number is ever joined into one with it, so no
two of these wait for each other.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from models import (
    bill_people,
    booking_people,
    case_people,
    consent_people,
    following,
    her_halls,
    holders,
    notices,
    proxies,
    ratings,
    sso_people,
    visit_people,
)
from models.audit import Detail, Entry, record
from models.database import Transaction
from models.identifiers import IdDocument
from models.joined import held
from models.knowing import known, remember_name_and_id, remember_phone, remember_residence
from models.proving import door_of, raise_level
from models.proxies import person_key
from models.sealing import Sealer
from models.tickets import Actor
from server.again import until_done
from server.auth import Principal
from server.clock import microseconds
from server.identity.refusals import FaceCheckNeeded, IdentityFixed
from server.live.memory import Change


@dataclass(frozen=True, slots=True)
class Proven:
    """Whose name and document were proven, how surely (level 2 or 3), and when (real time).

    `may_join`: sure enough to come to an account that another channel proved.
    """

    name: str
    document: IdDocument
    level: int
    at: datetime
    may_join: bool


@dataclass(frozen=True, slots=True)
class Identified:
    """Who she is from now on. `was` is her id until now where she was joined into another."""

    citizen_id: UUID
    was: UUID | None = None
    changes: Sequence[Change] = ()


async def settle(sealer: Sealer, who: Principal, proven: Proven, *, now: datetime) -> Identified:
    """`identify` whoever is signed in, in a transaction of its own.

    Raises IdentityFixed, FaceCheckNeeded, or Unavailable when others of hers always come between.
    """

    async def work(tx: Transaction) -> Identified:
        door = await door_of(tx, who.sign_in_id)
        return await identify(tx, sealer, who.id, proven, door=door, now=now)

    return await until_done(work)


async def identify(
    tx: Transaction,
    sealer: Sealer,
    citizen_id: UUID,
    proven: Proven,
    *,
    door: UUID | None,
    now: datetime,
) -> Identified:
    """Write down who a citizen is; join her into the citizen who has the number already.

    `door` is the channel link through which it was proven; `now` is business time. Raises
    IdentityFixed when she is known by another number, FaceCheckNeeded when she may not be joined.
    """
    document = proven.document
    index = sealer.blind_index(document.id_type, document.number)
    halls = await her_halls.lock(tx, citizen_id, index)
    await tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", index)
    me, known_by = await _held(tx, citizen_id)
    if known_by not in {None, index}:
        raise IdentityFixed
    first = await _first_with(tx, index)
    if first not in {None, me} and not proven.may_join:
        raise FaceCheckNeeded
    was, me = me, first or me
    changes = await _gather(tx, was, index, into=me, halls=halls, now=now)
    if was != me:
        await _join(tx, sealer, was, into=me, level=proven.level)
    await remember_name_and_id(
        tx,
        sealer,
        me,
        name=proven.name,
        id_type=document.id_type,
        id_number=document.number,
        level=proven.level,
        at=proven.at,
    )
    if door is not None:
        await raise_level(tx, door, proven.level)
    await _record(tx, citizen_id, me, proven)
    return Identified(me, citizen_id if me != citizen_id else None, changes)


async def _first_with(tx: Transaction, index: str) -> UUID | None:
    """Lock who has this number already; nobody, if she was just being erased."""
    row = await tx.row("SELECT id FROM citizen WHERE id_index = $1 FOR UPDATE", index)
    return row["id"] if row else None


async def _record(tx: Transaction, was: UUID, now: UUID, proven: Proven) -> None:
    """Last, as the log wants: who was named, and whose accounts were joined."""
    actor = Actor("citizen", now)
    if was != now:
        joined = {"was": str(was)}
        await record(tx, Entry(actor, "citizen.joined", "citizen", now, detail=joined))
    detail: Detail = {"fields": ["name", "id_number"], "level": proven.level}
    await record(tx, Entry(actor, "citizen.named", "citizen", now, detail=detail))


async def _held(tx: Transaction, citizen_id: UUID) -> tuple[UUID, str | None]:
    """Lock a citizen, who may have been joined into another a moment ago; her id and number."""
    me = await held(tx, citizen_id, wholly=True)
    row = await tx.row("SELECT id_index FROM citizen WHERE id = $1", me)
    assert row is not None, "her row is locked"
    return me, row["id_index"]


async def _gather(
    tx: Transaction, me: UUID, index: str, *, into: UUID, halls: Collection[UUID], now: datetime
) -> list[Change]:
    """Give her all tickets: those of her other account, and those others took for her number.

    Answers what changed in the halls. Raises OtherHalls unless these are where she has numbers.
    """
    await proxies.hold(tx, me, into, id_index=index)
    await her_halls.check(tx, halls, me, index)
    await proxies.adopt(tx, index, into)
    # Without another account her own tickets stay as they are.
    was, key = me if me != into else None, person_key(index)
    given_up = await _give_up_doubles(tx, was, key, into, now)
    # What she said at a hall's desk is known of herself now.
    await holders.forget_of(tx, key)
    # What was taken by phone is numbered on where hers of that day end, for it counts together.
    moved = await tx.rows(
        """
        WITH found AS (
            SELECT id, citizen_id = $1 OR person_key = $3 AS is_hers, day, nth_of_day, issued_at
            FROM ticket WHERE citizen_id = $1 OR acting_id = $1 OR person_key = $3
        ), counted AS (
            SELECT id, row_number() OVER (PARTITION BY day ORDER BY issued_at, id) + coalesce((
                SELECT max(o.nth_of_day) FROM ticket o
                WHERE o.citizen_id = $2 AND o.day = found.day), 0) AS nth
            FROM found WHERE is_hers AND nth_of_day IS NOT NULL
        )
        UPDATE ticket SET version = greatest(version + 1, $4),
            citizen_id = CASE WHEN is_hers THEN $2 ELSE ticket.citizen_id END,
            acting_id = CASE WHEN acting_id = $1 THEN $2 ELSE acting_id END,
            person_key = nullif(person_key, $3),
            shown_as = CASE WHEN person_key = $3 THEN NULL ELSE shown_as END,
            nth_of_day = coalesce(counted.nth, ticket.nth_of_day)
        FROM found LEFT JOIN counted USING (id), hall
        WHERE ticket.id = found.id AND hall.id = ticket.hall_id
        RETURNING hall.code, ticket.id, ticket.version,
                  ticket.ended_at IS NULL OR ticket.ended_at = $5 AS shown
        """,
        was,
        into,
        key,
        microseconds(),
        now,
    )
    await visit_people.move_to(tx, was, into, key)
    await booking_people.move_to(tx, was, into, key, now=now, version=microseconds())
    await bill_people.move_to(tx, was, into, key)
    await case_people.move_to(tx, was, into, key)
    changed = [*given_up, *(row for row in moved if row["shown"])]
    return [Change(row["code"], row["id"], row["version"]) for row in changed]


async def _join(tx: Transaction, sealer: Sealer, me: UUID, *, into: UUID, level: int) -> None:
    """Give everything else of one citizen to another; `level` is what she has proven for it.

    Foreign keys see to it that nothing is left behind: her row goes last.
    """
    await tx.run("UPDATE channel_link SET citizen_id = $2 WHERE citizen_id = $1", me, into)
    await tx.run(
        "UPDATE sign_in SET person_id = $2 WHERE person_kind = 'citizen' AND person_id = $1",
        me,
        into,
    )
    await tx.run(
        """
        UPDATE answer a SET person_id = $2 WHERE person_id = $1 AND NOT EXISTS (
            SELECT 1 FROM answer b WHERE b.person_id = $2 AND b.key = a.key)
        """,
        me,
        into,
    )
    await _move_phone(tx, sealer, me, into, level)
    await _move_residence(tx, sealer, me, into)
    await proxies.move_to(tx, me, into)
    await sso_people.move_to(tx, me, into)
    await following.move_to(tx, me, into)
    await notices.move_to(tx, me, into)
    await ratings.move_to(tx, me, into)
    await consent_people.move_to(tx, me, into)
    await tx.run("UPDATE citizen_alias SET citizen_id = $2 WHERE citizen_id = $1", me, into)
    await tx.run(
        "INSERT INTO citizen_alias (id, citizen_id, joined_at) VALUES ($1, $2, now())", me, into
    )
    await tx.run("DELETE FROM citizen WHERE id = $1", me)


async def _move_phone(tx: Transaction, sealer: Sealer, me: UUID, into: UUID, level: int) -> None:
    """Keep the phone that was verified last; it is sealed anew for whose it is now.

    Who proved less than is known of her changes her phone here as little as anywhere else.
    """
    last = await tx.row(
        """
        SELECT me.phone_verified_at AS at FROM citizen me, citizen first
        WHERE me.id = $1 AND first.id = $2 AND me.phone IS NOT NULL
          AND me.phone_verified_at > coalesce(first.phone_verified_at, '-infinity')
          AND first.level <= $3
        """,
        me,
        into,
        level,
    )
    if last is not None and (phone := (await known(tx, sealer, me)).phone):
        await remember_phone(tx, sealer, into, phone=phone, at=last["at"])


async def _move_residence(tx: Transaction, sealer: Sealer, me: UUID, into: UUID) -> None:
    """Keep where she said last that she lives; it is sealed anew for whose it is now."""
    last = await tx.row(
        """
        SELECT me.residence_at AS at FROM citizen me, citizen first
        WHERE me.id = $1 AND first.id = $2
          AND me.residence_at > coalesce(first.residence_at, '-infinity')
        """,
        me,
        into,
    )
    if last is not None and (town := (await known(tx, sealer, me)).residence):
        await remember_residence(tx, sealer, into, town=town, at=last["at"])


async def _give_up_doubles(
    tx: Transaction, me: UUID | None, key: UUID, into: UUID, now: datetime
) -> list[asyncpg.Record]:
    """One person waits once for one item: of two open tickets the one less far is given up.

    Their halls are locked, so nobody calls them meanwhile.
    """
    return await tx.rows(
        """
        WITH open AS (
            SELECT id, state, row_number() OVER (
                PARTITION BY item_id
                ORDER BY array_position('{serving,called,parked,waiting}', state::text),
                         issued_at, id) AS nth
            FROM ticket
            WHERE (citizen_id = $1 OR citizen_id = $2 OR person_key = $5) AND ended_at IS NULL
        ), ended AS (
            UPDATE ticket SET state = 'cancelled', ended_at = $4,
                version = greatest(version + 1, $3)
            FROM open WHERE ticket.id = open.id AND ticket.state = open.state AND open.nth > 1
            RETURNING ticket.id, ticket.hall_id, ticket.version
        ), event AS (
            INSERT INTO ticket_event (ticket_id, hall_id, at, move, state, actor_kind, detail)
            SELECT id, hall_id, $4, 'merge', 'cancelled', 'system', 'accounts_joined' FROM ended
        )
        SELECT hall.code, ended.id, ended.version FROM ended JOIN hall ON hall.id = ended.hall_id
        """,
        me,
        into,
        microseconds(),
        now,
        key,
    )
