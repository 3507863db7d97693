"""Who is ahead of her, and why."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from models.database import rows
from models.joined import HER_ID
from models.tickets import Move, TicketState, WrongState
from scheduler.discipline import Came, Place, Reason, Rules, lies_with_me, why_ahead
from server.auth import Principal
from server.errors import NotFound
from server.halls.directory import Directory
from server.live.reading import shown

MOST_SHOWN = 50
# By which move she came into the line, where not with a number of its own.
_CAME: Mapping[str | None, Came] = {
    Move.MOVE: "moved",
    Move.TRANSFER: "transferred",
    Move.REROUTE: "transferred",
}

_HAVE_A_PLACE: Final = frozenset({TicketState.WAITING, TicketState.CALLED, TicketState.SERVING})
# Her ticket first, then those ahead of her in her line: of these a few, and how many there are.
_ORDER = """
    WITH mine AS (
        SELECT ticket.* FROM ticket, (SELECT {her} AS id) her
        WHERE ticket.id = $2 AND her.id IN (citizen_id, acting_id)
    ), ahead AS (
        SELECT o.* FROM mine
        CROSS JOIN LATERAL (
            SELECT * FROM ticket
            WHERE ticket.line_id = mine.line_id AND ticket.state = 'waiting'
              AND (ticket.rank_time, ticket.id) < (mine.rank_time, mine.id)
            ORDER BY rank_time, id LIMIT $3
        ) o
        WHERE mine.state = 'waiting'
    )
    SELECT true AS is_hers, hall.code AS hall, mine.id, number, rank_time, issued_at, priority_at,
           returned_at, NULL AS came, (
               SELECT e.rank_time FROM ticket_event e
               WHERE e.ticket_id = mine.id AND e.rank_time IS NOT NULL AND e.id < (
                   SELECT min(id) FROM ticket_event
                   WHERE ticket_id = mine.id AND move = 'let_pass')
               ORDER BY e.id DESC LIMIT 1) AS stood_at,
           away AND mine.state = 'waiting' AS away,
           CASE WHEN mine.state = 'waiting' THEN (
               SELECT count(*) FROM ticket o WHERE o.line_id = mine.line_id
               AND o.state = 'waiting' AND (o.rank_time, o.id) < (mine.rank_time, mine.id))
           ELSE 0 END AS total,
           CASE WHEN mine.state = 'waiting' THEN (
               SELECT count(*) FROM ticket o WHERE o.line_id = mine.line_id
               AND o.state = 'waiting' AND o.away
               AND (o.rank_time, o.id) < (mine.rank_time, mine.id))
           ELSE 0 END AS total_away,
           line.help_after_min, mine.state, {booked_mine} AS booked
    FROM mine JOIN hall ON hall.id = mine.hall_id JOIN line ON line.id = mine.line_id
    UNION ALL
    SELECT false, NULL, id, number, rank_time, issued_at, priority_at, returned_at, (
               SELECT e.move FROM ticket_event e
               WHERE e.ticket_id = ahead.id AND e.line_id = ahead.line_id AND e.move <> 'undo'
               ORDER BY e.id DESC LIMIT 1),
           NULL, away, NULL, NULL, NULL, NULL, {booked_ahead}
    FROM ahead
    ORDER BY is_hers DESC, rank_time, id
"""
# The first number of what was booked, and those that follow it in its visit.
_BOOKED: Final = """(EXISTS (SELECT 1 FROM appointment b WHERE b.ticket_id = {ticket}.id OFFSET 0)
               OR EXISTS (SELECT 1 FROM visit_stop s WHERE s.ticket_id = {ticket}.id
                          AND s.slot_start IS NOT NULL OFFSET 0))"""
_ORDER = (
    _ORDER.replace("{her}", HER_ID)
    .replace("{booked_mine}", _BOOKED.format(ticket="mine"))
    .replace("{booked_ahead}", _BOOKED.format(ticket="ahead"))
)


class Ahead(msgspec.Struct, frozen=True):
    """Somebody who is called before me; `since` is the moment from which she counts as waiting.

    `reason` says why: her number was issued `earlier`, or was and she `moved` here herself from
    another hall, or staff `transferred` her; she has a confirmed `priority`; she has an
    `appointment` whose slot began before I came, or mine begins later; she was missed and
    `returned`, or I was and did; I let her pass (`let_pass`); or she waits for one of several items
    of a `visit` that began before I came. Nothing tells who she is, nor what her priority is for.
    `away`: she has not checked in where that is required, and is passed over until she does.
    `mine`: the reason lies with me: it was I who returned, let her pass, or booked a later slot.
    """

    number: str
    reason: Reason
    since: datetime
    away: bool
    mine: bool


class Order(msgspec.Struct, frozen=True):
    """The first of those ahead of me in my line, in order; `total` is how many they are in all.

    `total_away` of these are passed over as things stand. `since` is the moment from which I count
    as waiting. `check_in_required`: I am passed over myself until I have checked in.
    """

    ahead: list[Ahead]
    total: int
    total_away: int
    since: datetime
    check_in_required: bool
    rule: str


async def order_of(
    ticket_id: UUID, who: Principal, *, directory: Directory, english: bool
) -> Order:
    """Who is ahead of a ticket that is for her or that she took; nobody once she is called.

    Raises NotFound, or WrongState for one that has no place in a line: parked, missed, over.
    """
    found = await rows(_ORDER, who.id, ticket_id, MOST_SHOWN)
    if not found:
        raise NotFound
    mine, *ahead = found
    if (state := TicketState(mine["state"])) not in _HAVE_A_PLACE:
        raise WrongState("it has no place in a line", state)
    me = _place(mine)
    return Order(
        [_ahead(row, me) for row in ahead],
        mine["total"],
        mine["total_away"],
        shown(me.rank_time),
        mine["away"],
        rule_in_words(directory.hall(mine["hall"]).rules, mine["help_after_min"], english=english),
    )


def _ahead(row: Any, me: Place) -> Ahead:
    her = _place(row)
    reason = why_ahead(her, me)
    since = shown(row["rank_time"])
    return Ahead(row["number"], reason, since, row["away"], lies_with_me(reason, her))


def rule_in_words(rules: Rules, help_after_min: int | None, *, english: bool) -> str:
    """A hall's rule as it is told to people; `help_after_min` is her line's limit, if it has one.

    After it counters that only help her line call from it as from their own.
    """
    words = _order_in_words(rules, help_after_min, english=english)
    if not rules.check_in_required:
        return words
    if english:
        return words + (
            " Whoever took her number away from the hall keeps this place, but is called only once"
            " she has checked in here; until then those after her are called first."
        )
    return words + "远程取号的，次序保留，到厅签到后才会叫号；签到前先叫后面的人。"


def _order_in_words(rules: Rules, help_after_min: int | None, *, english: bool) -> str:
    most = int(rules.most_credit.total_seconds()) // 60
    over = help_after_min is not None
    if english:
        return (
            "In each line everybody is called in the order of one moment: when she took her number,"
            " for several items at once the first."
            " An appointment counts from the start of its slot, when she came late from then."
            f" A confirmed priority counts as up to {most} minutes earlier. Whoever was missed and"
            f" comes back within {rules.grace_min} minutes counts from then and"
            f" {rules.penalty_min} minutes later; no new number for that item, or of that line, is"
            " given meanwhile. Nobody of your line who took her number more than"
            f" {most} minutes after you is called before you. A counter calls from its own lines,"
            " and from others that it helps when nobody waits in its own"
            + (f" or somebody of your line has waited longer than {help_after_min} minutes" * over)
            + "."
        )
    return (
        "同一队列按一个时刻先后叫号：取号的时刻，联办的为首次取号的时刻。"
        "预约的为时段开始的时刻，迟到的为签到的时刻。"
        f"经确认的优先，视同最多早到 {most} 分钟；"
        f"过号后 {rules.grace_min} 分钟内回来的，从回来时再加 {rules.penalty_min} 分钟算起，"
        "其间该事项、该队列不另给新号。"
        f"同一队列中比您晚取号超过 {most} 分钟的人，不会排到您前面。"
        "窗口先叫主办队列的人；主办队列没人等候时"
        + (f"，或您的队列被帮办且有人等候超过 {help_after_min} 分钟时" * over)
        + "，也叫帮办队列的人。"
    )


def _place(row: Any) -> Place:
    return Place(
        row["id"],
        row["rank_time"],
        row["issued_at"],
        row["priority_at"],
        row["returned_at"],
        _CAME.get(row["came"]),
        row["stood_at"],
        booked=row["booked"],
    )
