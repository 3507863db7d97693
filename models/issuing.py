"""Issuing numbers: new tickets, each with its first event."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

import asyncpg
import structlog
from uuid_utils.compat import uuid7

from models.by_phone import TAKEN_TODAY, WITHIN_CAPS, ByPhone
from models.database import Transaction, rows
from models.halls import ISSUING_STOPPED
from models.identifiers import IdType
from models.proving import counts_for
from models.spoken_for import NOT_SPOKEN_FOR
from models.tickets import Actor
from models.together import BUSY, LOCKED, Busy, Patience, Together

log = structlog.get_logger()


class TakenBy(Protocol):
    """Who takes a ticket for somebody else, and for whom: what the ticket keeps of it."""

    @property
    def citizen_id(self) -> UUID | None:
        """Who takes it, if she is a citizen."""

    @property
    def proxy_id(self) -> UUID | None:
        """Through which proxy."""

    @property
    def on_behalf_of(self) -> UUID | None:
        """Whom events name as the one it is for."""


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket about to be issued.

    `asked_at` is business time. Its rank time will be `credit` before the moment of issue. Whoever
    takes it must be known as surely as `level_required` says, also by the channel of her sign-in;
    `acting` is for whom she does, and `citizen_id` then that person, if she is a citizen.
    `here`: she is at the hall (True), or must check in there before she is called (False).
    `told` is the wait that she is told with her number (`models.promises.as_told`), if any.
    """

    hall_id: UUID
    line_id: UUID
    item_id: UUID
    citizen_id: UUID | None
    day: date
    asked_at: datetime
    credit: timedelta
    version: int
    level_required: int
    actor: Actor
    sign_in_id: UUID | None = None
    # Somebody has seen, under the hall's lock, that a limited line has room.
    within_limit: bool = False
    acting: TakenBy | None = None
    # What tells apart whom it is for, where she is no citizen (`models.proxies`).
    person_key: UUID | None = None
    # The visit that it is a stop of; its rank time is then that of the visit, once there is one.
    visit_id: UUID | None = None
    rank_time: datetime | None = None
    here: bool | None = None
    by_phone: ByPhone | None = None
    told: str | None = None
    # She has booked: a line that gives out no more numbers today gives her hers.
    booked: bool = False


@dataclass(frozen=True, slots=True)
class Papers:
    """The verified number of the citizen whom a ticket is for, sealed (`models.knowing`)."""

    citizen_id: UUID
    id_type: IdType
    id_number: bytes


@dataclass(frozen=True, slots=True)
class Issued:
    """What a new ticket got: its number, when, and how many wait before it (None: not known).

    `papers` of a ticket taken by phone, where her number is verified.
    """

    id: UUID
    number: str
    issued_at: datetime
    ahead: int | None
    version: int
    papers: Papers | None = None


# `OFFSET 0` keeps a look-up a look-up, row by row: open tickets are few at night, and a plan made
# from that moment's statistics would read all of them for each row in the morning.
#
# The line counts its numbers itself, under its row's lock: dense, and never twice. It also keeps
# the moment of its last one, so that a later number never has an earlier rank time, whichever
# process issued it and however its clock goes.
_ISSUE = {
    patience: """
    WITH wish AS MATERIALIZED (
        SELECT * FROM unnest(
            $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::date[],
            $7::timestamptz[], $8::interval[], $9::bigint[], $10::int[], $11::text[], $12::uuid[],
            $13::bool[], $14::uuid[], $15::uuid[], $16::uuid[], $17::uuid[],
            $18::uuid[], $19::timestamptz[], $20::uuid[], $21::bool[],
            $22::bool[], $23::int[], $24::int[], $25::text[],
            $26::bool[]
        ) WITH ORDINALITY AS w (
            id, hall_id, line_id, item_id, citizen_id, day,
            asked_at, credit, version, level_required, actor_kind, actor_id,
            within_limit, proxy_id, person_key, on_behalf_of, sign_in_id,
            visit_id, rank_time, acting_id, here,
            by_phone, most_in_line, most_in_hall, told, booked, nth
        )
    ), locked AS MATERIALIZED ({locked}
    ), able AS MATERIALIZED (
        SELECT w.*, today.taken,
               count(*) OVER line AS many, max(w.asked_at) OVER line AS asked_last,
               max(w.day) OVER line AS line_day, bool_and(w.within_limit) OVER line AS line_within,
               bool_and(w.booked) OVER line AS line_booked,
               row_number() OVER (PARTITION BY w.line_id ORDER BY w.nth) AS place
        FROM wish w JOIN locked ON locked.id = w.hall_id
        CROSS JOIN LATERAL (
            SELECT CASE WHEN w.by_phone THEN {taken_today} END AS taken OFFSET 0) today
        WHERE (w.level_required = 0 OR EXISTS (
              SELECT 1 FROM citizen WHERE id = w.actor_id AND {counts} >= w.level_required))
          AND NOT EXISTS (
              SELECT 1 FROM ticket t WHERE t.citizen_id = w.citizen_id AND t.item_id = w.item_id
              AND t.ended_at IS NULL OFFSET 0)
          AND (w.person_key IS NULL OR NOT EXISTS (
              SELECT 1 FROM ticket t WHERE t.person_key = w.person_key AND t.item_id = w.item_id
              AND t.ended_at IS NULL OFFSET 0))
          AND {not_spoken_for}
          AND {within_caps}
        WINDOW line AS (PARTITION BY w.line_id)
    ), counted AS (
        UPDATE line SET
            numbered_on = able.line_day,
            last_sequence = able.many + CASE
                WHEN numbered_on = able.line_day THEN last_sequence
                ELSE coalesce((SELECT max(sequence) FROM ticket
                               WHERE line_id = line.id AND day = able.line_day), 0) END,
            last_issued_at = CASE
                WHEN numbered_on = able.line_day
                THEN greatest(able.asked_last, last_issued_at + able.many * interval '1 us')
                ELSE able.asked_last END
        FROM able
        WHERE able.place = 1 AND line.id = able.line_id AND line.hall_id = able.hall_id
          AND line.state = 'open' AND (line.waiting_limit IS NULL OR able.line_within)
          AND (able.line_booked OR NOT {stopped})
        RETURNING line.id, line.code, line.last_sequence, line.last_issued_at
    ), numbered AS MATERIALIZED (
        SELECT able.*, last_sequence - many + place AS sequence,
               code || lpad((last_sequence - many + place)::text, greatest(
                   3, length((last_sequence - many + place)::text)), '0') AS number,
               last_issued_at - (many - place) * interval '1 us' AS issued_at
        FROM able JOIN counted ON counted.id = able.line_id
    ), issued AS (
        INSERT INTO ticket (id, hall_id, line_id, item_id, citizen_id, day, sequence, number,
                            state, issued_at, rank_time, version, acting_id, proxy_id, person_key,
                            visit_id, checked_in_at, away, nth_of_day)
        SELECT id, hall_id, line_id, item_id, citizen_id, line_day, sequence, number,
               'waiting', issued_at, coalesce(rank_time, issued_at - credit), version,
               acting_id, proxy_id, person_key, visit_id,
               CASE WHEN here THEN issued_at END, here IS NOT DISTINCT FROM false, taken + 1
        FROM numbered
        ORDER BY citizen_id, person_key
    ), event AS (
        INSERT INTO ticket_event
            (ticket_id, hall_id, at, move, state, actor_kind, actor_id, on_behalf_of,
             line_id, number, rank_time, visit_id, here, detail)
        SELECT id, hall_id, issued_at, 'issue', 'waiting', actor_kind, actor_id, on_behalf_of,
               line_id, number, coalesce(rank_time, issued_at - credit), visit_id, here, told
        FROM numbered
    )
    SELECT wish.nth, locked.id IS NULL AS busy, number, issued_at, her.*
    FROM wish
    LEFT JOIN locked ON locked.id = wish.hall_id
    LEFT JOIN numbered USING (nth)
    LEFT JOIN LATERAL (
        SELECT citizen.id AS her_id, id_type, id_number FROM citizen
        WHERE citizen.id = numbered.citizen_id AND numbered.by_phone AND id_number IS NOT NULL
        OFFSET 0) her ON true
""".replace("{locked}", locked)
    .replace("{counts}", counts_for("w.sign_in_id"))
    .replace("{stopped}", ISSUING_STOPPED.format(now="able.asked_last"))
    .replace("{not_spoken_for}", NOT_SPOKEN_FOR)
    .replace("{within_caps}", WITHIN_CAPS)
    .replace("{taken_today}", TAKEN_TODAY)
    for patience, locked in LOCKED.items()
}
# Asked once the numbers are given: a look from before the hall's lock would miss who came between.
_AHEAD = """
    SELECT ticket.id, (
        SELECT count(*) FROM ticket o WHERE o.line_id = ticket.line_id AND o.state = 'waiting'
        AND NOT o.away AND (o.rank_time, o.id) < (ticket.rank_time, ticket.id)
    ) AS ahead
    FROM unnest($1::uuid[]) AS given (id) CROSS JOIN LATERAL (
        SELECT * FROM ticket WHERE ticket.id = given.id OFFSET 0) ticket
"""


async def issue(new: NewTicket, *, tx: Transaction | None = None) -> Issued | None:
    """Give the line's next number: a waiting ticket and its first event.

    Numbers are dense per line and day (`A001`, and `A1000` after `A999`). None when the line is not
    open, whoever takes it not known surely enough, whom it is for already in line for the item or
    over a cap of what is taken by phone, the item spoken for, or (`within_limit` false) the line
    limited: then `line_facts` says what holds. Of two at once for one person and item the slower
    violates one of `OPEN_ONCE`; of two by phone one of `AT_ONCE`.

    Without a transaction it is committed when this returns, together with others of the moment.
    """
    if tx is None:
        return await _together.make(new)
    [made] = await _issue_all([new], Patience.ENDLESS, tx=tx)
    assert not isinstance(made, Busy), "who waits endlessly leaves nothing out"
    [issued] = await _with_ahead([made], tx=tx)
    return issued


async def _issue_all(
    wishes: Sequence[NewTicket], patience: Patience, *, tx: Transaction | None = None
) -> list[Issued | Busy | None]:
    ids: list[UUID] = [uuid7() for _ in wishes]
    found = await rows(
        _ISSUE[patience],
        ids,
        [new.hall_id for new in wishes],
        [new.line_id for new in wishes],
        [new.item_id for new in wishes],
        [new.citizen_id for new in wishes],
        [new.day for new in wishes],
        [new.asked_at for new in wishes],
        [new.credit for new in wishes],
        [new.version for new in wishes],
        [new.level_required for new in wishes],
        [new.actor.kind for new in wishes],
        [new.actor.id for new in wishes],
        [new.within_limit for new in wishes],
        [new.acting and new.acting.proxy_id for new in wishes],
        [new.person_key for new in wishes],
        [new.acting and new.acting.on_behalf_of for new in wishes],
        [new.sign_in_id for new in wishes],
        [new.visit_id for new in wishes],
        [new.rank_time for new in wishes],
        [new.acting and new.acting.citizen_id for new in wishes],
        [new.here for new in wishes],
        [new.by_phone is not None for new in wishes],
        [new.by_phone and new.by_phone.most_in_line for new in wishes],
        [new.by_phone and new.by_phone.most_in_hall for new in wishes],
        [new.told for new in wishes],
        [new.booked for new in wishes],
        tx=tx,
    )
    issued: list[Issued | Busy | None] = [None] * len(wishes)
    for row in found:
        at = row["nth"] - 1
        if row["busy"]:
            issued[at] = BUSY
        elif row["number"]:
            issued[at] = Issued(
                ids[at],
                row["number"],
                row["issued_at"],
                None,
                wishes[at].version,
                _papers(row),
            )
    return issued


def _papers(row: asyncpg.Record) -> Papers | None:
    return Papers(row["her_id"], row["id_type"], row["id_number"]) if row["her_id"] else None


async def _with_ahead(
    made: Sequence[Issued | None], *, tx: Transaction | None = None
) -> Sequence[Issued | None]:
    """The same with how many wait before each; a look that fails outside a transaction tells none.

    The tickets are there, whatever becomes of it.
    """
    ids = [issued.id for issued in made if issued]
    if not ids:
        return made
    try:
        ahead = {row["id"]: row["ahead"] for row in await rows(_AHEAD, ids, tx=tx)}
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
        if tx is not None:
            raise
        log.warning("ahead_unknown", fault=type(fault).__name__)
        return made
    return [issued and replace(issued, ahead=ahead.get(issued.id)) for issued in made]


_together: Together[NewTicket, Issued | None] = Together(
    _issue_all,
    hall=lambda new: new.hall_id,
    apart=lambda new: (new.citizen_id, new.person_key, None if new.by_phone else new.item_id),
    look_after=_with_ahead,
)
