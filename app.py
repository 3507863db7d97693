"""Yiting 一厅通: joins the rooms. Settings, the application, and the commands.

This is the only file that knows which vendor stands behind which port.
"""

import asyncio
import faulthandler
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import (
    Progress,
    SpinnerColumn,
    TextColumn,
)
from sanic import Sanic

from integrations.platforms import PlatformSettings, UnfitPlatforms, open_platforms, require_real
from integrations.processes import (
    Program,
    ProgramFailed,
    Supervisor,
    listen,
    until_answers,
    until_signalled,
    url_of,
)
from integrations.sandbox import SandboxSettings, create_sandbox
from integrations.sandbox.accounts import DEMO_KEYS, make_keys, our_accounts, sandbox_settings
from integrations.sandbox.crowd import (
    CrowdPlan,
    NoAddress,
    NoCity,
    require_city,
    simulate_crowd,
)
from integrations.stores import (
    EmbeddedStores,
    StoreUrls,
    ValkeyUnusable,
    embedded_stores,
    hold_data_dir,
    require_valkey,
    wipe,
)
from models.opening import DatabaseUnusable, migrate_database, open_database
from server.admin.city_files import City, CityFilesError, read_city
from server.admin.seeding import has_demo_staff, seed_city
from server.application import create_app
from server.bench.bench import BenchFailed, Plan
from server.bench.run import measure
from server.collecting import collect_seldom
from server.commands.audit import audit
from server.commands.ground import Ground, console, fail
from server.commands.keys import keys, sso_keys
from server.commands.personal_keys import personal_keys
from server.commands.staff import staff
from server.commands.verify import verify_database
from server.demo.city import CITY_FILES, announce, prepare_demo_city
from server.demo.clock import demo_clock, keep_clock, touch_clock
from server.faults import is_store_fault
from server.health import require_migrated
from server.logs import configure_logs
from server.metrics import forget_process
from server.privacy.chain import NotNoted
from server.privacy.resealing import StillSealed
from server.settings import (
    DEMO_PASSWORD,
    Settings,
    WrongSettings,
    read_as,
    read_settings,
    require_personal_keys,
    require_production,
)
from server.token_keys import (
    WrongKeys,
)
from server.worker import work as do_work

HERE = Path(__file__).resolve().parent

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="一厅通 Yiting: 政务大厅排队预约后台 · smart queuing for a city's government halls.",
)
# Longer than requests under way may take, shorter than the supervisor's patience.
LONGEST_STOP_S = 14.0

DataDir = Annotated[Path, typer.Option("--data-dir", help="Where the embedded stores keep data.")]
Port = Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)]
Crowd = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        max=20_000,
        help="How many simulated citizens come in a business hour, to all halls together.",
    ),
]
Workers = Annotated[int, typer.Option(help="How many API processes.", min=1, max=64)]


# --- commands ------------------------------------------------------------------------------


@cli.command()
def demo(
    *,
    port: Port = 8000,
    sandbox_port: Annotated[
        int, typer.Option(help="Port of the platform sandbox.", min=1, max=65535)
    ] = 8001,
    data_dir: DataDir = Path(".yiting"),
    crowd: Crowd = 1_000,
    no_crowd: Annotated[bool, typer.Option("--no-crowd", help="The city alone.")] = False,
    clock: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z"],
            metavar="TIME",
            help="Where business time starts, as above.",
        ),
    ] = None,
    speed: Annotated[float, typer.Option(help="How fast it runs.", min=0.01, max=3600)] = 1.0,
    workers: Workers = 2,
    rate_limits: Annotated[bool, typer.Option(help="Limit requests per person.")] = True,
) -> None:
    """Run the demo city: stores, sandbox, 34 halls and a crowd.

    A busy morning, quickly: demo --clock 2026-11-23T09:30:00+08:00 --speed 60 --crowd 3000
    """
    GROUND.run(
        run_demo(
            GROUND.settings(
                mode="demo",
                data_dir=data_dir,
                port=port,
                workers=workers,
                rate_limits=rate_limits,
                sandbox_url=f"http://127.0.0.1:{sandbox_port}",
                clock_speed=speed,
                token_keys_file=data_dir / "keys" / "token-keys.json",
                personal_keys_file=data_dir / "keys" / "personal-keys.json",
                sso_keys_file=data_dir / "keys" / "sso-keys.json",
            ),
            clock_given=clock,
            crowd=0 if no_crowd else crowd,
        )
    )


@cli.command()
def serve() -> None:
    """Serve the API in production, as the YITING_… settings say."""
    settings = GROUND.settings()

    async def main() -> None:
        require_production(settings)
        require_real(platforms_or_exit(), demo_keys=DEMO_KEYS)
        await require_stores_for_serving(settings)
        supervisor = Supervisor()
        try:
            listening = listen(settings.host, settings.port)
            await start_api(supervisor, settings, listening)
            console.print(f"Serving on {settings.host}:{listening.getsockname()[1]}")
            await until_signalled()
        finally:
            await supervisor.stop_all()

    GROUND.run(main())


@cli.command()
def work() -> None:
    """Work in the background: live state of the halls, jobs."""
    settings = GROUND.settings()
    configure_logs(settings.log_level)

    async def main() -> None:
        require_personal_keys(settings.personal_keys)
        collect_seldom()
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
        async with stores(settings) as urls:
            await require_valkey(urls.redis)
            await do_work(settings.at(urls.database, urls.redis), stop)

    # Stores of its own are processes, which the faster loop cannot start as other users.
    GROUND.run(main(), faster=settings.database_url is not None)


@cli.command()
def migrate() -> None:
    """Bring the database to this version's schema."""

    async def main() -> None:
        async with stores(GROUND.settings()) as urls:
            await migrate_database(urls.database)
        console.print("数据库已是最新版本。 The database is up to date.")

    GROUND.run(main())


@cli.command()
def seed(
    folder: Annotated[Path, typer.Argument(help="A folder of city files.")] = CITY_FILES,
    *,
    check_only: Annotated[bool, typer.Option("--check", help="Only check the files.")] = False,
) -> None:
    """Write a city's files into the database."""
    with plainly():
        city = read_city_folder(folder)
    console.print(f"{folder}: {len(city.halls)} 个大厅 halls, {len(city.items)} 个事项 items")
    if check_only:
        return

    async def main() -> None:
        async with stores(GROUND.settings()) as urls:
            await migrate_database(urls.database)
            async with open_database(urls.database):
                with Progress(SpinnerColumn(), TextColumn("{task.description}")) as bar:
                    task = bar.add_task("")
                    await seed_city(city, progress=lambda text: bar.update(task, description=text))
        console.print("已写入。 Done.")

    GROUND.run(main())


cli.add_typer(keys, name="keys")
cli.add_typer(personal_keys, name="personal-keys")
cli.add_typer(sso_keys, name="sso-keys")
cli.add_typer(audit, name="audit")
cli.command()(staff)
cli.command("verify")(verify_database)


@cli.command()
def sandbox(
    *,
    port: Port = 8001,
    keys_dir: Annotated[
        Path | None, typer.Option("--keys", help="A demo's keys; else it makes its own.")
    ] = None,
    fd: Annotated[int | None, typer.Option(help="A listening socket.", hidden=True)] = None,
) -> None:
    """Run the platforms, played locally; never for real people."""
    configure_logs("info")
    with plainly():
        sock = listen("127.0.0.1", port) if fd is None else socket.socket(fileno=fd)
        settings = sandbox_settings(keys_dir) if keys_dir else SandboxSettings()
    serve_here(create_sandbox(settings, name="sandbox"), sock)


@cli.command()
def simulate(
    api_url: Annotated[str, typer.Argument(help="The API, such as http://127.0.0.1:8000.")],
    sandbox_url: Annotated[str, typer.Argument(help="Its sandbox, such as http://127.0.0.1:8001.")],
    *,
    crowd: Crowd = 1_000,
    speed: Annotated[
        float | None, typer.Option(help="The speed of the city's clock.", min=0.01, max=3600)
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed, the same people and habits.")] = 1,
) -> None:
    """Send simulated citizens, clerks and managers to a demo city through its API, until Ctrl-C."""
    settings = GROUND.settings()
    configure_logs(settings.log_level)
    plan = CrowdPlan(
        api_url=api_url.rstrip("/"),
        sandbox_url=sandbox_url.rstrip("/"),
        password=DEMO_PASSWORD,
        per_hour=crowd,
        speed=speed or settings.clock_speed,
        seed=seed,
    )

    async def main() -> None:
        await require_city(plan)
        console.print(str(await simulate_crowd(plan, until_signalled())), highlight=False)

    GROUND.run(main())


@cli.command()
def bench(
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
    """Measure a still demo city against bare Sanic and bare PostgreSQL."""
    plan = Plan(seconds, rounds, connections, workers, tuple(only or ()))
    folder = Path(tempfile.mkdtemp(prefix="yiting-bench-"))
    supervisor = Supervisor(folder / "logs")

    async def start(name: str, command: Sequence[str], fds: Sequence[int]) -> None:
        # Modules are ours, wherever this is started.
        env = {"PYTHONPATH": str(HERE)}
        await supervisor.start(Program(name, command, env=env, pass_fds=fds))

    async def main() -> None:
        try:
            url = EmbeddedStores(folder).urls.database
            met = await measure(plan, folder, url, start=start, json_file=json_file)
        finally:
            await supervisor.stop_all()
            if keep:
                console.print(f"数据和日志 Data and logs: {folder}")
            else:
                wipe(folder)
        if check and not met:
            raise typer.Exit(1)

    GROUND.run(main())


@cli.command(hidden=True)
def api(fd: Annotated[int, typer.Option(help="The listening socket.")]) -> None:
    """One API process; `serve` and `demo` start these."""
    settings = read_settings()
    configure_logs(settings.log_level)
    sanic = create_app(settings, open_platforms(platforms_or_exit(), settings.redis))
    sanic.after_server_start(lambda _: collect_seldom())
    serve_here(sanic, socket.socket(fileno=fd))


@cli.callback()
def stand_on_ground(context: typer.Context) -> None:
    """Hand every command what it stands on."""
    context.obj = GROUND


# --- how the commands do it ----------------------------------------------------------------


@contextmanager
def plainly() -> Iterator[None]:
    """What is wrong with a command's surroundings is one sentence and an exit code, no traceback.

    2: something given is wrong, and stays wrong. 1: something is away or taken just now.
    """
    try:
        yield
    except (
        WrongSettings,
        UnfitPlatforms,
        NoAddress,
        CityFilesError,
        NotNoted,
        StillSealed,
        WrongKeys,
    ) as wrong:
        raise fail(wrong, 2) from None
    except (ProgramFailed, BenchFailed, NoCity, DatabaseUnusable, ValkeyUnusable) as wrong:
        raise fail(wrong, 1) from None
    except Exception as fault:
        if isinstance(fault, OSError) and fault.filename:
            raise fail(f"{fault.filename}: {fault.strerror}.", 1) from None
        if not is_store_fault(fault):
            raise
        raise fail(f"A store was lost ({type(fault).__name__}); run this again.", 1) from None


def platforms_or_exit() -> PlatformSettings:
    """Our accounts with the platforms, or one sentence and exit code 2."""
    with plainly():
        return read_as(PlatformSettings)


def read_city_folder(folder: Path) -> City:
    """A city's files. Raises CityFilesError with every problem, WrongSettings without a folder."""
    if not folder.is_dir():
        raise WrongSettings(f"{folder} is no folder; name one with a city's files.")
    return read_city(folder)


async def require_stores_for_serving(settings: Settings) -> None:
    """Raise what is wrong with the stores: away, not migrated, or with the demo's accounts."""
    assert settings.database_url
    assert settings.redis_url
    async with open_database(
        settings.database_url.get_secret_value(), timeout_s=settings.database_timeout_s
    ):
        await require_migrated()
        if await has_demo_staff():
            raise WrongSettings("The database has demo accounts; disable them before serving.")
    await require_valkey(settings.redis_url.get_secret_value())


@asynccontextmanager
async def stores(settings: Settings) -> AsyncIterator[StoreUrls]:
    """The stores that the settings name, else the embedded ones."""
    if settings.database_url and settings.redis_url:
        yield StoreUrls(
            settings.database_url.get_secret_value(), settings.redis_url.get_secret_value()
        )
    elif settings.database_url or settings.redis_url:
        raise WrongSettings("Set YITING_DATABASE_URL and YITING_REDIS_URL both, or neither.")
    else:
        async with embedded_stores(settings.data_dir) as urls:
            yield urls


GROUND = Ground(plainly, stores)


def serve_here(app: Sanic[Any, Any], sock: socket.socket) -> None:
    """Serve an application in this very process until SIGTERM.

    A stop that hangs ends all the same and says where it hung: nobody else would start anew.
    """
    app.before_server_stop(lambda _: faulthandler.dump_traceback_later(LONGEST_STOP_S, exit=True))
    app.run(sock=sock, single_process=True, motd=False, access_log=False)


def child(name: str, *arguments: str, settings: Settings, **options: Any) -> Program:
    """Another command of this file as a program to keep running."""
    env = settings.environment() | options.pop("env", {})
    return Program(name, [sys.executable, str(HERE / "app.py"), *arguments], env=env, **options)


async def start_api(
    supervisor: Supervisor,
    settings: Settings,
    sock: socket.socket,
    *,
    env: Mapping[str, str] | None = None,
) -> None:
    """Start the API processes on one listening socket, which the caller keeps open.

    It outlives each of them: who connects while one is down waits a moment instead of failing.
    """
    metrics_dir = settings.data_dir / "metrics"
    metrics_dir.mkdir(parents=True, exist_ok=True)
    for old in metrics_dir.glob("*.db"):
        old.unlink()
    env = {"PROMETHEUS_MULTIPROC_DIR": str(metrics_dir.resolve()), **(env or {})}
    died = partial(forget_process, metrics_dir)
    fd = sock.fileno()
    for number in range(1, settings.workers + 1):
        arguments = (f"api-{number}", "api", "--fd", str(fd))
        await supervisor.start(
            child(*arguments, settings=settings, env=env, pass_fds=[fd], died=died)
        )


async def run_demo(settings: Settings, *, clock_given: datetime | None, crowd: int) -> None:
    """Start everything in order, wait for Ctrl-C, stop everything in reverse order."""
    data_dir = settings.data_dir
    kept = data_dir / "clock.json"
    supervisor = Supervisor(data_dir / "logs")
    assert settings.sandbox_url
    sandbox_url = settings.sandbox_url
    alone = hold_data_dir(data_dir)
    try:
        # Before the work of starting: a port that is taken is told at once.
        listening = listen(settings.host, settings.port)
        sandbox_listening = listen("127.0.0.1", int(sandbox_url.rpartition(":")[2]))
        # The sandbox needs no stores, so it gets ready while they do.
        fd = sandbox_listening.fileno()
        keys_dir = data_dir / "keys"
        make_keys(keys_dir)
        told = ("--fd", str(fd), "--keys", str(keys_dir))
        await supervisor.start(child("sandbox", "sandbox", *told, settings=settings, pass_fds=[fd]))
        urls = await EmbeddedStores(data_dir).start(supervisor)
        settings = settings.at(urls.database, urls.redis)
        city_hall = await prepare_demo_city(settings)
        clock = demo_clock(kept, city_hall.timetable, given=clock_given, speed=settings.clock_speed)
        keep_clock(kept, clock)
        url = url_of(listening)
        settings = settings.model_copy(
            update={
                "clock_start": clock.start,
                "clock_anchor": clock.anchor,
                "public_url": settings.public_url or url,
            }
        )
        await supervisor.start(child("worker", "work", settings=settings))
        accounts = read_as(PlatformSettings, **our_accounts(sandbox_url, url, keys_dir))
        await start_api(supervisor, settings, listening, env=accounts.environment())
        await until_answers(f"{url}/readyz")
        await until_answers(f"{sandbox_url}/healthz")
        if crowd:
            simulated = ("simulate", url, sandbox_url, "--crowd", str(crowd))
            await supervisor.start(child("crowd", *simulated, settings=settings))
        announce(url, settings, crowd=crowd)
        await until_signalled_touching(kept)
        console.print("正在停止… Stopping…")
    finally:
        await supervisor.stop_all()
        alone.close()


async def until_signalled_touching(kept: Path) -> None:
    """Wait for Ctrl-C, noting now and then that the clock still runs."""
    told = asyncio.create_task(until_signalled())
    while not told.done():
        touch_clock(kept)
        await asyncio.wait({told}, timeout=5)


if __name__ == "__main__":
    cli()
