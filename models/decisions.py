"""Deciding in a hall: the facts, and the statements that write what was decided.

A decision is: read the facts, decide, write what was decided if the facts still stand. The write
takes the hall's row lock, which puts the decisions of one hall (and nothing wider) in order, and
checks under it, in the same statement: round trips are what a decision costs. When the facts have
moved meanwhile nothing is written, and `decide` begins again.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from models.by_phone import taken_by_phone
from models.database import Transaction, rows, transaction
from models.departures import WAY
from models.halls import ISSUING_STOPPED, CounterState, LineState
from models.joined import HER_ID
from models.proving import counts_for
from models.proxies import TAKEN_FOR
from models.spoken_for import Missed, missed, planned, read_missed
from models.tickets import DAY_ENDED, NEXT_TICKET, OF_APPOINTMENT, TicketState
from scheduler.calendar import business_day


@dataclass(frozen=True, slots=True)
class LineFacts:
    """What must be known of a line before somebody joins it.

    `reason` is why it is not open, in Chinese and English; `stopped`: its manager lets it give out
    no more numbers today.
    """

    state: LineState
    reason: tuple[str | None, str | None]
    stopped: bool
    waiting_limit: int | None
    waiting: int
    has_open_ticket: bool
    # That ticket, where whoever takes the number may see it: it is for her, or she took it.
    open_ticket_id: UUID | None
    level: int
    # How many numbers whom it is for took by phone on that day.
    taken_in_line: int
    taken_in_hall: int
    # Of hers, that stands against a new one; and whether her visit will give her the number.
    missed: Missed | None = None
    is_planned: bool = False


@dataclass(frozen=True, slots=True)
class Own:
    """A ticket as one of her own knows it; `on_behalf_of` when she took it for somebody else."""

    hall_id: UUID
    state: TicketState
    on_behalf_of: UUID | None
    visit_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The first waiting ticket of a line; see `scheduler.discipline.First`."""

    id: UUID
    line: str
    rank_time: datetime
    own: bool = True
    help_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class CounterFacts:
    """A counter as it stands: who is at it, and who is first in each line that it serves."""

    id: UUID
    state: CounterState
    ticket_id: UUID | None
    ticket_state: TicketState | None
    # The visit that this ticket is a stop of.
    visit_id: UUID | None
    staffed_by: UUID | None
    staff_name: str | None
    heads: tuple[Head, ...]


# Whether a counter may call a waiting `ticket` of a `line`: not while it is held for another one
# that is open and serves the line. So nobody waits for a counter that does not come back.
MAY_CALL = """(ticket.counter_id IS NULL OR ticket.counter_id = {counter} OR NOT EXISTS (
                      SELECT 1 FROM counter other WHERE other.id = ticket.counter_id
                      AND other.state = 'open' AND line.code = ANY(other.serving) OFFSET 0))"""

# Whether a `line` is one that a counter serves at a moment: its overflow is not asked for skills.
SERVES = """(line.code = ANY({counter}.serving)
                   OR {counter}.code = ANY(line.overflow) AND {at} < line.overflow_until)"""
# Whether a `ticket` of a `line` that a counter serves counts as of a line of its own.
IS_OWN = """(line.code <> ALL({counter}.helps)
                   OR ticket.counter_id IS NOT DISTINCT FROM {counter}.id
                   OR {counter}.code = ANY(line.overflow) AND {at} < line.overflow_until)"""

_HERS = {"citizen": "$2::uuid", "person": "$4::uuid"}
_WHICH = "t.item_id = $3::uuid OR t.line_id = line.id"
_MISSED = missed(**_HERS, which=_WHICH, day="$8::date", now="$7::timestamptz")
_PLANNED = planned(**_HERS, item="$3::uuid", but="$9::uuid")
_TAKEN = taken_by_phone(
    citizen="$2::uuid", person="$4::uuid", day="$8::date", hall="line.hall_id", line="line.id"
)
Row = TypeVar("Row")
TRIES_BEFORE_LOCKING = 3


async def decide(hall_id: UUID, work: Callable[[Transaction | None], Awaitable[Row | None]]) -> Row:
    """Do `work` (read facts, decide, write) until its write finds the facts as it read them.

    `work` answers None when they had moved. After a few tries without a transaction it is done
    under the hall's lock, where they cannot move.
    """
    for _ in range(TRIES_BEFORE_LOCKING):
        if (row := await work(None)) is not None:
            return row
    async with deciding_in(hall_id) as tx:
        row = await work(tx)
    assert row is not None, "nothing moves under the hall's lock"
    return row


async def lock(tx: Transaction, hall_id: UUID) -> None:
    """Wait until nobody else decides anything in this hall; then nobody does until `tx` ends."""
    await tx.run("SELECT 1 FROM hall WHERE id = $1 FOR UPDATE", hall_id)


def deciding_in(*hall_ids: UUID) -> AbstractAsyncContextManager[Transaction]:
    """A transaction in which nobody else decides anything in these halls.

    They are locked in the order of their ids, as everywhere, so that no two wait for each other.
    """
    named = ", ".join(f"'{hall_id}'" for hall_id in hall_ids)
    return transaction(f"SELECT 1 FROM hall WHERE id IN ({named}) ORDER BY id FOR UPDATE")


async def line_facts(
    tx: Transaction,
    *,
    line_id: UUID,
    item_id: UUID,
    taker_id: UUID | None,
    citizen_id: UUID | None,
    person_key: UUID | None = None,
    sign_in_id: UUID | None = None,
    visit_id: UUID | None = None,
    now: datetime,
) -> LineFacts:
    """What decides whether somebody may join, in one statement.

    The level is that of the sign-in by which the number is taken, the open ticket that of whom it
    is for. What the visit itself has planned, of which it is a stop, counts for nothing.
    """
    row = await tx.row(
        f"""
        SELECT line.state, waiting_limit, reason, reason_en,
            {ISSUING_STOPPED.format(now="$7")} AS stopped,
            (SELECT count(*) FROM ticket t WHERE t.line_id = line.id AND t.state = 'waiting')
                AS waiting,
            EXISTS (SELECT 1 FROM ticket t WHERE (t.citizen_id = $2 OR t.person_key = $4)
                AND t.item_id = $3 AND t.ended_at IS NULL) AS has_open_ticket,
            (SELECT id FROM ticket t WHERE (t.citizen_id = $2 OR t.person_key = $4)
                AND t.item_id = $3 AND t.ended_at IS NULL
                AND $5 IN (t.citizen_id, t.acting_id) LIMIT 1) AS open_ticket_id,
            coalesce((SELECT {counts_for("$6")} FROM citizen WHERE id = $5), 0) AS level,
            taken.in_line, taken.in_hall, EXISTS ({_PLANNED}) AS is_planned, kept.*
        FROM line CROSS JOIN LATERAL ({_TAKEN}) taken
        LEFT JOIN LATERAL ({_MISSED}) kept ON true
        WHERE line.id = $1
        """,
        line_id,
        citizen_id,
        item_id,
        person_key,
        taker_id,
        sign_in_id,
        now,
        business_day(now),
        visit_id,
    )
    assert row is not None, "lines are never deleted"
    return LineFacts(
        state=LineState(row["state"]),
        reason=(row["reason"], row["reason_en"]),
        stopped=row["stopped"],
        waiting_limit=row["waiting_limit"],
        waiting=row["waiting"],
        has_open_ticket=row["has_open_ticket"],
        open_ticket_id=row["open_ticket_id"],
        level=row["level"],
        taken_in_line=row["in_line"],
        taken_in_hall=row["in_hall"],
        missed=read_missed(row),
        is_planned=row["is_planned"],
    )


async def open_ticket_of(citizen_id: UUID, item_id: UUID) -> UUID | None:
    """The ticket that a citizen has open for an item."""
    found = await rows(
        "SELECT id FROM ticket WHERE citizen_id = $1 AND item_id = $2 AND ended_at IS NULL",
        citizen_id,
        item_id,
    )
    return found[0]["id"] if found else None


async def counter_facts(
    hall_id: UUID, code: str, *, now: datetime, tx: Transaction | None = None
) -> CounterFacts | None:
    """What decides what a counter may do now; None when the hall has no such counter.

    It costs the same however long the lines are: only the head of each is read.
    """
    found = await rows(
        """
        SELECT c.id, c.state, busy.id AS ticket_id, busy.state AS ticket_state,
               busy.visit_id, c.staffed_by, staff.name AS staff_name,
               head.id AS head_id, head.line, head.rank_time, head.own, head.help_after
        FROM counter c
        LEFT JOIN staff ON staff.id = c.staffed_by
        LEFT JOIN ticket busy ON busy.counter_id = c.id AND busy.state IN ('called', 'serving')
        LEFT JOIN LATERAL (
            SELECT ticket.id, line.code AS line, ticket.rank_time,
                   make_interval(mins => line.help_after_min) AS help_after, """
        + IS_OWN.format(counter="c", at="$3")
        + """ AS own
            FROM line
            CROSS JOIN LATERAL (
                SELECT id, rank_time, counter_id FROM ticket
                WHERE ticket.line_id = line.id AND ticket.state = 'waiting' AND NOT ticket.away
                  AND """
        + MAY_CALL.format(counter="c.id")
        + """
                ORDER BY rank_time, id LIMIT 1
            ) ticket
            WHERE line.hall_id = c.hall_id AND """
        + SERVES.format(counter="c", at="$3")
        + """
        ) head ON true
        WHERE c.hall_id = $1 AND c.code = $2
        """,
        hall_id,
        code,
        now,
        tx=tx,
    )
    if not found:
        return None
    row = found[0]
    return CounterFacts(
        id=row["id"],
        state=CounterState(row["state"]),
        ticket_id=row["ticket_id"],
        ticket_state=TicketState(row["ticket_state"]) if row["ticket_state"] else None,
        visit_id=row["visit_id"],
        staffed_by=row["staffed_by"],
        staff_name=row["staff_name"],
        heads=tuple(
            Head(each["head_id"], each["line"], each["rank_time"], each["own"], each["help_after"])
            for each in found
            if each["head_id"]
        ),
    )


async def own(ticket_id: UUID, citizen_id: UUID, *, tx: Transaction | None = None) -> Own | None:
    """A citizen's ticket, for her or taken by her; None when there is none, or it is another's.

    Her id may be one that was joined into another a moment ago.
    """
    found = await rows(
        f"""
        SELECT hall_id, state, visit_id,
               CASE WHEN acting_id = her.id THEN coalesce(citizen_id, proxy_id) END AS whose
        FROM ticket, (SELECT {HER_ID} AS id) her
        WHERE ticket.id = $2 AND her.id IN (citizen_id, acting_id)
        """,
        citizen_id,
        ticket_id,
        tx=tx,
    )
    if not found:
        return None
    row = found[0]
    return Own(row["hall_id"], TicketState(row["state"]), row["whose"], row["visit_id"])


_VIEW = """
    SELECT {day_ended}, {next_ticket}, t.visit_id,
           t.id, t.number, t.state, h.code AS hall, l.code AS line, i.code AS item, t.issued_at,
           t.called_at, c.code AS counter, t.version, t.citizen_id,
           t.acting_id, t.recalls, t.priority, t.priority_at, t.shown_as, t.checked_in_at, t.away,
           t.sent_from, CASE WHEN l.state = 'stopped' THEN
               json_build_array(l.reason, l.reason_en) END AS line_stopped,
           {taken_for}, {way}, {of_appointment},
           CASE WHEN t.state = 'waiting' THEN
               (SELECT count(*) FROM ticket o WHERE o.line_id = t.line_id AND o.state = 'waiting'
                AND NOT o.away AND (o.rank_time, o.id) < (t.rank_time, t.id))
           END AS ahead
    FROM {tickets} t
    JOIN hall h ON h.id = t.hall_id
    JOIN line l ON l.id = t.line_id
    JOIN item i ON i.id = t.item_id
    LEFT JOIN counter c ON c.id = t.counter_id
"""
# Those for her and those she took for others, each from an index of its own: a plan for both at
# once would be made from statistics. A person's own are few and sorted; who acts for others may
# have many.
_OF_CITIZEN = """(
        (SELECT * FROM (SELECT * FROM ticket WHERE citizen_id = $1 OFFSET 0) hers
         WHERE $2::uuid IS NULL OR id < $2 ORDER BY id DESC LIMIT $3)
        UNION ALL
        (SELECT * FROM ticket WHERE acting_id = $1 AND citizen_id IS DISTINCT FROM $1
         AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3)
    )"""
_MORE = {
    "taken_for": TAKEN_FOR,
    "way": WAY,
    "day_ended": DAY_ENDED,
    "next_ticket": NEXT_TICKET,
    "of_appointment": OF_APPOINTMENT,
}
VIEW_ONE = _VIEW.format(tickets="ticket", **_MORE) + " WHERE t.id = $1"
VIEW_OF_CITIZEN = _VIEW.format(tickets=_OF_CITIZEN, **_MORE) + " ORDER BY t.id DESC LIMIT $3"
