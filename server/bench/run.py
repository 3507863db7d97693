"""Starts the city and the empty handler, measures, reports."""

import asyncio
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from server.bench import (
    bookings,
    budgets,
    callbacks,
    campaign,
    decisions,
    long_lines,
    many_halls,
    matching,
    predictions,
    races,
    rankings,
    reads,
    reconciling,
    sockets,
    writes,
)
from server.bench.bench import MEASUREMENTS, Address, Bench, BenchFailed, Measured, Plan
from server.bench.city import city_for_measuring, until_ready
from server.bench.report import print_table, write_json

# They are measured in this order: reads first, while the halls are as full as they usually are.
MODULES = (
    reads,
    rankings,
    budgets,
    sockets,
    writes,
    decisions,
    long_lines,
    many_halls,
    predictions,
    bookings,
    races,
    callbacks,
    reconciling,
    matching,
    campaign,
)
HOST = "127.0.0.1"
_WIDTH_IN_A_FILE = 120
CLOCK = "2026-11-23T09:30:00+08:00"
ROOT = Path(__file__).resolve().parents[2]

# How a program is started: its name, its command, the sockets it inherits.
Start = Callable[[str, Sequence[str], Sequence[int]], Awaitable[None]]


async def measure(
    plan: Plan, folder: Path, database_url: str, *, start: Start, json_file: Path | None
) -> bool:
    """Measure everything in the plan and print it; answers whether every bar is met.

    `folder` becomes the city's data directory, with its database at `database_url`. Raises
    BenchFailed when something cannot be measured, once the rest is measured and printed.
    """
    unknown = sorted(set(plan.only) - set(MEASUREMENTS))
    if unknown:
        raise BenchFailed(f"No measurement {', '.join(unknown)}; there are {', '.join(_names())}.")
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH_IN_A_FILE)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
    ) as progress:
        task = progress.add_task("the city starts")
        bench = await _start(plan, folder, database_url, start)
        bench.say = lambda text: progress.update(task, description=text)
        # On a thread with the fast event loop; programs are looked after on this one.
        measured = await asyncio.to_thread(_measure_all, bench)
        progress.update(task, description="done")
    print_table(console, measured.figures, bench)
    if json_file is not None:
        write_json(json_file, measured, bench)
    if measured.failed:
        reasons = "; ".join(f"{name}: {why}" for name, why in measured.failed.items())
        raise BenchFailed(f"Not measured: {reasons}")
    return all(figure.met for figure in measured.figures)


async def _start(plan: Plan, folder: Path, database_url: str, start: Start) -> Bench:
    api, sandbox = free_port(), free_port()
    await start(
        "city",
        [
            *(sys.executable, str(ROOT / "app.py"), "demo"),
            *("--no-crowd", "--no-rate-limits", "--clock", CLOCK),
            *("--port", str(api), "--sandbox-port", str(sandbox)),
            *("--data-dir", str(folder), "--workers", str(plan.workers)),
            *("--city", str(city_for_measuring(folder / "city-files"))),
        ],
        (),
    )
    empty = await _start_several(
        plan, "empty", [sys.executable, "-P", str(ROOT / "server" / "bench" / "empty.py")], start
    )
    await until_ready((HOST, api), "/readyz")
    await until_ready((HOST, sandbox), "/healthz")
    await until_ready(empty, "/")
    # It believes the city's tokens, so the city's keys must be there.
    keys = str(folder / "keys" / "token-keys.json")
    guarded = await _start_several(
        plan, "guarded", [sys.executable, "-m", "server.bench.guarded"], start, keys
    )
    await until_ready(guarded, "/")
    nation = None
    if not plan.only or any(name.startswith("nation") for name in plan.only):
        nation = await _start_several(
            plan, "nation", [sys.executable, "-m", "server.bench.nation"], start
        )
        await until_ready(nation, "/api/v1/halls?limit=1")
    return Bench(
        plan=plan,
        api=(HOST, api),
        sandbox=(HOST, sandbox),
        empty=empty,
        guarded=guarded,
        nation=nation,
        database_url=database_url,
        folder=folder,
        wrk=shutil.which("wrk"),
        say=lambda _: None,
    )


async def _start_several(
    plan: Plan, name: str, command: Sequence[str], start: Start, *arguments: str
) -> Address:
    """As many processes as the city has for its API, on one socket; answers where they listen."""
    with socket.create_server((HOST, 0), backlog=1024) as listening:
        listening.set_inheritable(True)
        fd = listening.fileno()
        for number in range(1, plan.workers + 1):
            await start(f"{name}-{number}", [*command, str(fd), *arguments], (fd,))
        address: Address = (HOST, listening.getsockname()[1])
        return address


def _measure_all(bench: Bench) -> Measured:
    chosen = [name for name in _names() if not bench.plan.only or name in bench.plan.only]
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        return runner.run(measure_each(bench, chosen))


async def measure_each(bench: Bench, names: Sequence[str]) -> Measured:
    """Make these measurements in turn; one that fails takes none of the others along."""
    say, measured = bench.say, Measured()
    for name in names:
        bench.say = partial(_say_of, say, name)
        bench.say("begins")
        try:
            measured.figures += await MEASUREMENTS[name](bench)
        except Exception as fault:
            measured.failed[name] = str(fault) or type(fault).__name__
    return measured


def _say_of(say: Callable[[str], None], name: str, text: str) -> None:
    say(f"{name}: {text}")


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 there is none on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _names() -> list[str]:
    order = [module.__name__ for module in MODULES]
    return sorted(MEASUREMENTS, key=lambda name: order.index(MEASUREMENTS[name].__module__))
