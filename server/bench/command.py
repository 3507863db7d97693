"""`bench`: a still city of its own, measured."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from integrations.processes import Program, Supervisor
from server.bench.bench import Plan
from server.bench.run import ROOT, measure
from server.commands.ground import console, ground_of
from server.commands.options import Workers


def bench(
    context: typer.Context,
    *,
    seconds: Annotated[float, typer.Option(help="How long each round lasts.", min=1)] = 4.0,
    rounds: Annotated[int, typer.Option(help="How many rounds; medians count.", min=1)] = 3,
    connections: Annotated[int, typer.Option(help="Client connections.", min=1, max=150)] = 64,
    workers: Workers = 2,
    only: Annotated[list[str] | None, typer.Option(help="Only this one; repeatable.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write figures here.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 when a bar is missed.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep data and logs.")] = False,
) -> None:
    """性能测量。 Measure a still demo city against bare Sanic and bare PostgreSQL."""
    ground = ground_of(context)
    plan = Plan(seconds, rounds, connections, workers, tuple(only or ()))
    folder = Path(tempfile.mkdtemp(prefix="yiting-bench-"))
    supervisor = Supervisor(folder / "logs")

    async def start(name: str, command: Sequence[str], fds: Sequence[int]) -> None:
        # Modules are ours, wherever this is started.
        env = {"PYTHONPATH": str(ROOT)}
        await supervisor.start(Program(name, command, env=env, pass_fds=fds))

    async def main() -> None:
        try:
            url = ground.outside.stores_in(folder).urls.database
            met = await measure(plan, folder, url, start=start, json_file=json_file)
        finally:
            await supervisor.stop_all()
            if keep:
                console.print(f"数据和日志 Data and logs: {folder}")
            else:
                ground.outside.wipe(folder)
        if check and not met:
            raise typer.Exit(1)

    ground.run(main())
