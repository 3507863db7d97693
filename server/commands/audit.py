"""`audit`: the log of who looked at what is personal."""

from typing import Annotated
from uuid import UUID

import typer

from models.opening import open_database
from models.sealing import Sealer
from server.commands.ground import console, counting, fail, ground_of
from server.privacy.chain import read_noted, verify
from server.privacy.key_file import FollowedKeys
from server.privacy.showing import entries_about, line_of
from server.running.health import require_migrated
from server.settings import require_personal_keys

audit = typer.Typer(
    no_args_is_help=True, help="审计日志。 The log of who looked at what is personal."
)


@audit.command("verify")
def verify_audit_log(
    context: typer.Context,
    *,
    noted: Annotated[
        list[str] | None,
        typer.Option(help="SEQ:HASH as printed or logged earlier; repeatable.", metavar="SEQ:HASH"),
    ] = None,
) -> None:
    """核验日志链。 Walk the chain; exit code 3 and the first broken entry when it does not hold."""
    ground = ground_of(context)
    settings = ground.settings()

    async def main() -> None:
        require_personal_keys(settings.personal_keys)
        earlier = read_noted(noted or [])
        sealer = Sealer(FollowedKeys(settings.personal_keys))
        async with ground.stores(settings) as urls, open_database(urls.database):
            await require_migrated()
            with counting("检查审计日志 Verifying") as tell:
                verdict = await verify(sealer, noted=earlier, progress=tell)
        if verdict.broken is not None:
            raise fail(verdict.broken, 3)
        count = f"{verdict.seq} 条 entries, {verdict.witnessed} 条有签名 witnessed"
        console.print(f"完整 The chain holds: {count}", highlight=False)
        console.print(f"{verdict.seq}:{verdict.hash}", highlight=False, soft_wrap=True)

    ground.run(main())


@audit.command("show")
def show_audit_log(
    context: typer.Context,
    *,
    subject: Annotated[UUID | None, typer.Option(help="About, or on behalf of, this id.")] = None,
    actor: Annotated[UUID | None, typer.Option(help="By, or on behalf of, this person.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 100,
) -> None:
    """查询谁看过或改过某人的资料。 Show who looked at or changed somebody's data."""
    ground = ground_of(context)
    settings = ground.settings()

    async def main() -> None:
        async with ground.stores(settings) as urls, open_database(urls.database):
            await require_migrated()
            for entry in await entries_about(subject=subject, actor=actor, limit=limit):
                console.print(line_of(entry), highlight=False, markup=False, soft_wrap=True)

    ground.run(main())
