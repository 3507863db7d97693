"""`rules`: what the city's rules say is checked, tried out, and carried out."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from models.audiences import ReadsTooMuch
from models.consents import Purpose
from models.opening import open_database
from models.sealing import Sealer
from models.tickets import SYSTEM
from scheduler.calendar import business_day
from scheduler.matching.language import WrongExpression
from scheduler.matching.rules import rule
from server.commands.ground import console, fail, ground_of
from server.halls.reading import read_directory
from server.matching.nightly import match_everybody
from server.matching.offering import names_of
from server.matching.rule_files import (
    RuleBook,
    WrongRules,
    rules_in,
    strange_names,
    unknown_names,
)
from server.matching.trying import Tried, try_audience
from server.privacy.key_file import FollowedKeys
from server.running.health import require_migrated
from server.running.logs import configure_logs
from server.settings import Settings

rules = typer.Typer(
    no_args_is_help=True,
    help="个性化服务规则：检查、试算、执行。 Rules of personalised service: check, try, carry out.",
)
FILE_IS_WRONG: Final = 2
_File = Annotated[
    Path | None,
    typer.Argument(
        help="规则文件；不给则为设置所指，或随程序提供的。 A file; without: as the settings say.",
        exists=True,
        dir_okay=False,
    ),
]


@rules.command()
def check(context: typer.Context, file: _File = None) -> None:
    """检查规则文件。 Check a file of rules: its expressions, and its names against the catalogue.

    Everything that is wrong is said, each with its rule and place. Exit code 2 where anything is.
    """
    ground = ground_of(context)
    settings = ground.settings()
    configure_logs("error")
    book = read_or_fail(file or settings.rules_file)

    async def main() -> None:
        async with ground.stores(settings) as urls, open_database(urls.database):
            await require_migrated()
            faults = strange_names(book, await read_directory())
        for fault in faults:
            console.print(str(fault), highlight=False, markup=False)
        if faults:
            raise typer.Exit(FILE_IS_WRONG)
        console.print(
            f"{len(book.services)} 条规则、{len(book.kinds)} 种证件，没有问题。"
            f" {len(book.services)} rules, {len(book.kinds)} certificates: nothing is wrong."
        )

    ground.run(main())


@rules.command("try")
def try_out(
    context: typer.Context,
    code: Annotated[str | None, typer.Argument(help="规则代码。 A rule's code.")] = None,
    *,
    when: Annotated[str | None, typer.Option(help="条件。 An expression instead.")] = None,
    reads: Annotated[str, typer.Option(help="读取的属性组，逗号分隔。 What it reads.")] = "",
    purpose: Annotated[Purpose, typer.Option(help="用途。 For what.")] = Purpose.SERVICES,
) -> None:
    """试算：会涉及多少人、举几个例子（打码）。 How many it would concern now, and a few, masked.

    Nobody is told anything. Of fewer than ten people nothing is said.
    """
    ground = ground_of(context)
    settings = ground.settings()
    configure_logs("error")
    book = read_or_fail(settings.rules_file)
    tried = _tried(book, code, when, reads, purpose)

    async def main() -> None:
        async with ground.stores(settings) as urls, open_database(urls.database):
            await require_migrated()
            try:
                directory = await read_directory()
                if unknown := unknown_names(tried.rule, book, directory):
                    raise fail("\n".join(" ".join(why) for why in unknown), FILE_IS_WRONG)
                found = await try_audience(
                    tried,
                    names_of(book, directory),
                    Sealer(FollowedKeys(settings.personal_keys)),
                    SYSTEM,
                    today=business_day(ground.now(settings)),
                )
            except ReadsTooMuch as beyond:
                raise fail(f"This purpose never uses {beyond}.", FILE_IS_WRONG) from None
        many = f"< {found.least}" if found.concerned is None else f"≈ {found.concerned:,}"
        whole = "" if found.complete else " (no time for all)"
        console.print(f"{many} / {found.looked_at:,}{whole}", highlight=False)
        for one in found.sample:
            console.print(f"  {one.name or '?'}  {one.because.zh}", highlight=False, markup=False)

    ground.run(main())


@rules.command()
def match(context: typer.Context) -> None:
    """立即执行每夜的匹配。 Do the night's work now: learn anew, and tell whom something concerns.

    Again it tells nobody again.
    """
    ground = ground_of(context)
    settings = ground.settings()
    configure_logs("error")
    book = read_or_fail(settings.rules_file)

    async def main() -> None:
        now = ground.now(settings)
        async with ground.stores(settings) as urls, open_database(urls.database):
            await require_migrated()
            night = await match_everybody(
                book, directory=await read_directory(), sealer=_sealer(settings), now=now
            )
        _tell(night.looked_at, night.told, now)

    ground.run(main())


def _tell(looked_at: int, told: dict[str, int], now: datetime) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("规则 rule")
    table.add_column("通知 told", justify="right")
    for code, many in told.items():
        table.add_row(code, f"{many:,}")
    console.print(table)
    console.print(f"{now:%Y-%m-%d %H:%M}: {looked_at:,} 人次 looked at", highlight=False)


def _sealer(settings: Settings) -> Sealer:
    return Sealer(FollowedKeys(settings.personal_keys))


def read_or_fail(file: Path | None) -> RuleBook:
    """The rules, or every fault of the file and exit code 2."""
    try:
        return rules_in(file)
    except WrongRules as wrong:
        raise fail(wrong, FILE_IS_WRONG) from None
    except (OSError, UnicodeDecodeError):
        raise fail(f"{file} cannot be read.", FILE_IS_WRONG) from None


def _tried(
    book: RuleBook, code: str | None, when: str | None, reads: str, purpose: Purpose
) -> Tried:
    if (code is None) == (when is None):
        raise fail("Give a rule's code, or --when.", FILE_IS_WRONG)
    if code is not None:
        service = book.find(code)
        if service is None:
            raise fail(f"There is no rule {code}.", FILE_IS_WRONG)
        return Tried(service.rule, service.purpose, service)
    groups = [each.strip() for each in reads.split(",") if each.strip()]
    try:
        return Tried(rule("tried", when or "", groups), purpose)
    except WrongExpression as wrong:
        raise fail(f"{wrong.at + 1}: {wrong.zh} {wrong.en}", FILE_IS_WRONG) from None
