"""`reconcile`: a day's statements of all channels against our ledger."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from msgspec import to_builtins
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from integrations.yuan import yuan_of
from models.opening import open_database
from models.reconciliation import CaseState, DifferenceKind
from scheduler.calendar import SHANGHAI
from server.commands.ground import console, fail, ground_of
from server.payments.looking import Channels
from server.reconciling.day import Outcome, Reconciled, Tell, reconcile_day, reconcile_file
from server.reconciling.due import days_due
from server.reconciling.summing_up import Summary, summaries_of
from server.reconciling.views import run_view
from server.running.health import require_migrated
from server.running.logs import configure_logs
from server.settings import WrongSettings

# Somebody waits for money to be explained; other than for something that is away just now.
DIFFER: Final = 3
_WORDS: Final = {
    Outcome.NOT_MADE: "渠道尚未出账 the channel has not made this day's statement yet; try later",
    Outcome.AWAY: "未能取得对账单 the statement did not come; try again",
    Outcome.DAMAGED: "对账单内容有误 the statement makes no sense",
}
_KINDS: Final = {
    DifferenceKind.MISSING_HERE: "我方缺 missing here",
    DifferenceKind.MISSING_THERE: "渠道缺 missing there",
    DifferenceKind.DIFFERENT_AMOUNT: "金额不符 different amount",
    DifferenceKind.DIFFERENT_STATE: "状态不符 different state",
}


def reconcile(
    context: typer.Context,
    day: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATE]",
            help="哪一天，如 2026-11-22。 Which day; without: those due.",
        ),
    ] = None,
    *,
    channel: Annotated[
        list[str] | None,
        typer.Option(
            "--channel", help="只对这一渠道，可重复。 Only this channel; may be repeated."
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option(help="可安全修复的，向渠道复查后修复。 Repair what is safe.")
    ] = True,
    file: Annotated[
        Path | None,
        typer.Option(
            help="手工下载的对账单文件。 A statement downloaded by hand; needs DATE and --channel.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="以 JSON 输出。 Print one JSON object.")
    ] = False,
) -> None:
    """对账：逐笔核对各渠道对账单与本地账本。 Reconcile the channels' statements with our ledger.

    Each channel's statement of the day is downloaded, its hash verified, and compared line by line.
    What we hold for unpaid and the channel says is paid is asked of the channel again, and settled
    as always; other differences become cases for a person. Again for the same day changes nothing
    that is the same. Exit code 0 when all agrees, 3 when differences are open, 1 when a statement
    could not be had yet, 2 when something given is wrong. Without DATE the days of the last week
    are reconciled that were not yet.
    """
    ground = ground_of(context)
    settings = ground.settings()
    # What happened to a statement is told in words.
    configure_logs("error")
    with ground.plainly():
        today = ground.now(settings).astimezone(SHANGHAI).date()
        # The sandbox makes statements of any day: a demo need not wait for tomorrow.
        demo = settings.mode == "demo"
        asked = None if day is None else read_day(day, today, today_too=demo)
        if file is not None and (asked is None or len(channel or []) != 1):
            raise WrongSettings(
                "--file 需指明日期和一个渠道。 --file needs DATE and one --channel."
            )

    async def main() -> None:
        async with ground.stores(settings) as urls, open_database(urls.database):
            await require_migrated()
            platforms = ground.platforms(settings, urls.redis)
            channels = require_channels(platforms.payments, channel or [])
            now = ground.now(settings)
            days = [asked] if asked else await days_due(now, channels)
            done: list[Reconciled] = []
            with _telling(quiet=as_json) as tell:
                if file is not None and asked is not None:
                    (by_hand,) = channels.values()
                    done.append(await reconcile_file(by_hand, asked, file, now=now, tell=tell))
                    days = []
                for one in days:
                    done += await reconcile_day(channels, one, now=now, repairs=repair, tell=tell)
            found = await summaries_of([one.run_id for one in done if one.run_id])
        if as_json:
            print(json.dumps(_as_json(found, done), ensure_ascii=False))  # noqa: T201
        else:
            _show(found)
        _leave(found, done, quiet=as_json)

    ground.run(main())


def read_day(text: str, today: date, *, today_too: bool) -> date:
    """A day that is over, or with `today_too` this one. Raises WrongSettings, one sentence."""
    try:
        if len(text) != len("2026-11-22"):
            raise ValueError(text)
        day = date.fromisoformat(text)
    except ValueError:
        raise WrongSettings(
            f"日期应如 2026-11-22。 {text!r} is no date such as 2026-11-22."
        ) from None
    if day > today:
        raise WrongSettings(f"{day} 还没有到。 {day} is in the future; today is {today}.")
    if day == today and not today_too:
        raise WrongSettings(
            f"{day} 还没有结束。 {day} is not over: channels have no statement of it."
        )
    return day


def require_channels(channels: Channels, named: Sequence[str]) -> Channels:
    """Those named, or all. Raises WrongSettings where there is none."""
    if not channels:
        raise WrongSettings("没有配置支付渠道。 No payment channel is set up.")
    if unknown := sorted(set(named) - set(channels)):
        there = ", ".join(channels)
        raise WrongSettings(f"No channel {', '.join(unknown)}; there are {there}.")
    return {name: channel for name, channel in channels.items() if not named or name in named}


@contextmanager
def _telling(*, quiet: bool) -> Iterator[Tell]:
    """A line that says what is being done, and how far."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=quiet, transient=True) as bar:
        task = bar.add_task("对账 reconciling", total=None)
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total or None
        )


def _show(found: Sequence[Summary]) -> None:
    for one in found:
        console.print(f"{one.day} {one.channel} {one.statement}", style="bold", highlight=False)
        said = [f"{one.lines} 行 lines", f"{one.matched} 一致 matched"]
        said += [f"{_differing(one, kind)} {word}" for kind, word in _KINDS.items()]
        if mended := one.count(CaseState.REPAIRED):
            said.append(f"{mended} 已修复 repaired")
        console.print(f"  {' · '.join(said)}", highlight=False)
        there = yuan_of(one.paid_fen - one.back_fen)
        here = yuan_of(one.ours_paid_fen - one.ours_back_fen)
        fees = yuan_of(one.fees_fen)
        console.print(
            f"  渠道净额 net there {there} · 我方净额 net here {here} · 手续费 fees {fees} 元 yuan",
            highlight=False,
        )


def _differing(one: Summary, kind: DifferenceKind) -> str:
    """How many nobody has settled, and in brackets how many a person closed."""
    left = one.count(CaseState.OPEN, kind) + one.count(CaseState.WAITING, kind)
    closed = one.count(CaseState.CLOSED, kind)
    return f"{left} (+{closed})" if closed else str(left)


def _leave(found: Sequence[Summary], done: Sequence[Reconciled], *, quiet: bool) -> None:
    """Say how it went, and leave with what it comes to."""
    missing = [one for one in done if one.outcome is not Outcome.COMPARED]
    for one in missing:
        why = f" ({one.why})" if one.why else ""
        print(f"{one.channel}: {_WORDS[one.outcome]}{why}", file=sys.stderr)  # noqa: T201
    differ = sum(one.count(CaseState.OPEN) for one in found)
    waiting = sum(one.count(CaseState.WAITING) for one in found)
    if waiting and not quiet:
        console.print(
            f"{waiting} 笔待次日对账单 wait for the next day's statement", highlight=False
        )
    if differ:
        raise fail(f"{differ} 笔差异待处理 differences are open: GET /reconciliation-cases", DIFFER)
    if missing:
        raise typer.Exit(1)
    if not quiet:
        said = "一致 All agrees." if found else "没有待对账的日期 Nothing is due."
        console.print(said, highlight=False)


def _as_json(found: Sequence[Summary], done: Sequence[Reconciled]) -> dict[str, Any]:
    return {
        "ok": all(one.outcome is Outcome.COMPARED for one in done)
        and not any(one.count(CaseState.OPEN) for one in found),
        "runs": [to_builtins(run_view(one)) for one in found],
        "missing": [
            {"channel": one.channel, "statement": one.statement, "outcome": one.outcome}
            for one in done
            if one.outcome is not Outcome.COMPARED
        ],
    }
