"""Reads a hall's report: what became of its tickets, and how true was what people were told."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

from models.database import rows
from models.promises import HOW_TRUE_OF_THESE, Told, how_true
from server.halls.bookable import share_of_hall
from server.halls.directory import Directory, HallEntry, LineEntry
from server.reports.views import ReportRow, ReportView, Spread, Trueness

_Key = tuple[date | None, UUID | None]
_COUNTS: Final = ("issued", "served", "missed", "cancelled", "lapsed", "open", "waits", "services")
_NOTHING: Final[Mapping[str, Any]] = dict.fromkeys(_COUNTS, 0)


async def read_report(hall: HallEntry, start: date, to: date, directory: Directory) -> ReportView:
    """The figures of a hall from one day to another, both included."""
    tickets = {_key(row): row for row in await rows(_TICKETS, hall.id, start, to)}
    told = {(row["told"], _key(row)): row for row in await rows(_TOLD, hall.id, start, to)}
    lines = {line.id: line for line in hall.lines.values()}
    keys = {*tickets, *(key for _, key in told)}
    data = [
        _row(key, lines, tickets.get(key, _NOTHING), told)
        for key in sorted(keys, key=lambda key: _order(key, lines))
        if key[1] is None or key[1] in lines
    ]
    return ReportView(hall.code, start, to, share_of_hall(hall, directory), data)


def _key(row: Any) -> _Key:
    return row["day"], row["line_id"]


def _order(key: _Key, lines: Mapping[UUID, LineEntry]) -> tuple[date, str]:
    day, line_id = key
    return day or date.min, lines[line_id].code if line_id and line_id in lines else ""


def _row(
    key: _Key,
    lines: Mapping[UUID, LineEntry],
    found: Mapping[str, Any],
    told: Mapping[tuple[str, _Key], Any],
) -> ReportRow:
    day, line_id = key
    line = lines[line_id] if line_id else None
    return ReportRow(
        day=day,
        line=line.code if line else None,
        name=line.name if line else None,
        name_en=line.name_en if line else None,
        issued=found["issued"],
        served=found["served"],
        missed=found["missed"],
        cancelled=found["cancelled"],
        lapsed=found["lapsed"],
        open=found["open"],
        wait=_spread(found, "wait"),
        service=_spread(found, "service"),
        told_issue=_trueness(told.get((Told.ISSUE, key))),
        told_near=_trueness(told.get((Told.NEAR, key))),
    )


def _spread(found: Mapping[str, Any], what: str) -> Spread | None:
    count = found[f"{what}s"]
    if not count:
        return None
    p50, p90 = found[f"{what}_shares"]
    return Spread(count=count, mean_s=found[f"{what}_mean"], p50_s=round(p50), p90_s=round(p90))


def _trueness(row: Any) -> Trueness | None:
    if row is None:
        return None
    return Trueness(count=row["count"], **how_true(row))


_TICKETS: Final = """
    SELECT day, line_id, count(*)::int AS issued,
           (count(*) FILTER (WHERE state = 'finished'))::int AS served,
           (count(*) FILTER (WHERE state = 'missed'))::int AS missed,
           (count(*) FILTER (WHERE state = 'cancelled'))::int AS cancelled,
           (count(*) FILTER (WHERE lapsed AND state <> 'finished'))::int AS lapsed,
           (count(*) FILTER (WHERE is_open))::int AS open,
           count(wait_s)::int AS waits, round(avg(wait_s))::int AS wait_mean,
           percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY wait_s) AS wait_shares,
           count(service_s)::int AS services, round(avg(service_s))::int AS service_mean,
           percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY service_s) AS service_shares
    FROM (
        SELECT t.day, t.line_id, t.state, t.lapsed, t.ended_at IS NULL AS is_open,
               CASE WHEN t.called_at IS NOT NULL AND t.returned_at IS NULL AND t.sent_from IS NULL
                    THEN greatest(0, extract(epoch FROM t.called_at - t.issued_at))::float8
               END AS wait_s,
               CASE WHEN t.state = 'finished' AND t.started_at IS NOT NULL AND NOT t.lapsed
                    AND NOT EXISTS (
                    SELECT 1 FROM ticket_event e
                    WHERE e.ticket_id = t.id AND e.move = 'park' OFFSET 0)
                    THEN greatest(0, extract(epoch FROM t.ended_at - t.started_at))::float8
               END AS service_s
        FROM line JOIN ticket t ON t.line_id = line.id AND t.day BETWEEN $2 AND $3
        WHERE line.hall_id = $1
    ) of_days
    GROUP BY GROUPING SETS ((), (line_id), (day), (day, line_id))
    HAVING count(*) > 0
"""
_TOLD: Final = f"""
    SELECT told, day, line_id, count(*)::int AS count,{HOW_TRUE_OF_THESE}
    FROM promise
    WHERE hall_id = $1 AND day BETWEEN $2 AND $3 AND wait_s IS NOT NULL
    GROUP BY GROUPING SETS ((told), (told, line_id), (told, day), (told, day, line_id))
"""  # noqa: S608 a text of ours
