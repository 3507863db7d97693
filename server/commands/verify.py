"""`verify`: whether what a database tells of tickets, bookings and payments fits together."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from models.database import rows
from models.faults import WORDS, Fault
from models.opening import open_database
from models.verifying import Scope, Verdict, verify
from server.commands.ground import console, counting, fail, ground_of
from server.running.health import require_migrated
from server.settings import WrongSettings


def verify_database(
    context: typer.Context,
    *,
    hall: Annotated[
        str | None, typer.Option(metavar="CODE", help="只查一个大厅。 Only this hall's tickets.")
    ] = None,
    day: Annotated[
        datetime | None,
        typer.Option(
            metavar="DATE", formats=["%Y-%m-%d"], help="只查一天。 Only tickets of this day."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="以 JSON 输出。 Print one JSON object.")
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where the embedded stores keep data.")
    ] = None,
) -> None:
    """核对数据库：号票、预约、账单、账本。 Check that tickets, bookings and payments fit.

    Each ticket is rebuilt from its events; numbers must be dense, counters and persons hold one
    ticket, everybody was called in her turn, and what was answered exists. Slots count places that
    appointments hold, offers are somebody's, and nothing is overdue. Each paid bill is settled by
    one order, orders, refunds and callbacks are in the ledger to the fen. It changes nothing and
    reads one snapshot, so the halls may be at work. Exit code 1, and what is wrong, if anything is.
    """
    ground = ground_of(context)
    settings = ground.settings(**({"data_dir": data_dir} if data_dir else {}))

    async def main() -> None:
        async with ground.stores(settings) as urls, open_database(urls.database):
            await require_migrated()
            scope = await _scope(hall, day)
            with counting("核对 Verifying", quiet=as_json) as tell:
                verdict = await verify(scope, progress=tell)
        if as_json:
            print(json.dumps(_as_json(verdict), ensure_ascii=False))  # noqa: T201
            if not verdict.is_well:
                raise typer.Exit(1)
        elif verdict.is_well:
            console.print(f"一致 All is well: {_seen(verdict)}", highlight=False, soft_wrap=True)
        else:
            raise fail(_in_words(verdict), 1)

    ground.run(main())


async def _scope(hall: str | None, day: datetime | None) -> Scope:
    """What is to be looked at. Raises WrongSettings for a hall there is not."""
    found = await rows("SELECT id FROM hall WHERE code = $1", hall) if hall else []
    if hall and not found:
        raise WrongSettings(f"There is no hall {hall}.")
    return Scope(found[0]["id"] if found else None, day.date() if day else None)


def _seen(verdict: Verdict) -> str:
    return (
        f"{verdict.tickets} 个号票 tickets, {verdict.events} 个事件 events,"
        f" {verdict.appointments} 个预约 appointments, {verdict.bills} 个账单 bills,"
        f" {verdict.answers} 个已存答复 kept answers"
    )


def _in_words(verdict: Verdict) -> str:
    found = verdict.found
    lines = [f"不一致 Not all is well: {_seen(verdict)}"]
    for kind, count in sorted(found.counts.items()):
        kept = found.kept[kind]
        lines.append(f"{count} × {'; '.join(WORDS[kind])} ({kind})")
        lines.extend(f"    {fault}" for fault in kept)
        if count > len(kept):
            lines.append(f"    … 另有 {count - len(kept)} 个 more")
    return "\n".join(lines)


def _as_json(verdict: Verdict) -> dict[str, Any]:
    found = verdict.found
    return {
        "ok": verdict.is_well,
        "tickets": verdict.tickets,
        "events": verdict.events,
        "appointments": verdict.appointments,
        "bills": verdict.bills,
        "answers": verdict.answers,
        "faults": [
            {
                "kind": kind,
                "meaning": dict(zip(("zh", "en"), WORDS[kind], strict=True)),
                "count": count,
                "examples": [_example(fault) for fault in found.kept[kind]],
            }
            for kind, count in sorted(found.counts.items())
        ],
    }


def _example(fault: Fault) -> dict[str, str | None]:
    return {
        "hall": fault.hall,
        "day": fault.day.isoformat() if fault.day else None,
        "what": fault.what,
        "ticket": str(fault.ticket) if fault.ticket else None,
        "detail": fault.detail,
    }
