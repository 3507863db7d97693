"""Yiting 一厅通: joins the rooms. Settings, the application, and the commands.

This is the only file that knows which vendor stands behind which port.
"""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from integrations.platforms import (
    PlatformSettings,
    UnfitPlatforms,
    open_maps,
    open_platforms,
    require_real,
)
from integrations.ports import Maps, Platforms
from integrations.processes import (
    ProgramFailed,
    Supervisor,
    listen,
    until_signalled,
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
from models.opening import DatabaseUnusable, open_database
from server.admin.city_files import CityFilesError
from server.admin.seeding import has_demo_staff
from server.application import clock_of, create_app
from server.bench.bench import BenchFailed
from server.bench.command import bench
from server.commands.audit import audit
from server.commands.city import migrate, seed
from server.commands.geocode import geocode_halls
from server.commands.ground import Ground, Outside, console, fail
from server.commands.keys import keys, sso_keys
from server.commands.options import Crowd, Port
from server.commands.personal_keys import personal_keys
from server.commands.serving import serve_here, start_api
from server.commands.staff import staff
from server.commands.verify import verify_database
from server.commands.waits import waits
from server.demo.command import demo
from server.demo.screenshots import screenshots
from server.faults import is_store_fault
from server.keys.token_keys import (
    WrongKeys,
)
from server.matching.command import rules
from server.matching.rule_files import WrongRules
from server.privacy.chain import NotNoted
from server.privacy.resealing import StillSealed
from server.reconciling.bank_command import bank_batch
from server.reconciling.command import reconcile
from server.running.collecting import collect_seldom
from server.running.health import require_migrated
from server.running.logs import configure_logs
from server.settings import (
    DEMO_PASSWORD,
    Settings,
    WrongSettings,
    read_as,
    read_settings,
    require_personal_keys,
    require_production,
)
from server.worker import work as do_work

HERE = Path(__file__).resolve().parent

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Fills sentences into the width there is, wherever their lines end in the source.
    rich_markup_mode="markdown",
    help="一厅通 Yiting: 政务大厅排队预约后台 · smart queuing for a city's government halls.",
)
# --- commands ------------------------------------------------------------------------------


cli.command()(demo)


@cli.command()
def serve() -> None:
    """正式运行接口服务。 Serve the API in production, as the YITING_… settings say."""
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
    """后台工作：大厅实时状态与定时任务。 Work in the background: live halls, jobs."""
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
            platforms = city_platforms(settings, urls.redis)
            await do_work(settings.at(urls.database, urls.redis), platforms, stop)

    # Stores of its own are processes, which the faster loop cannot start as other users.
    GROUND.run(main(), faster=settings.database_url is not None)


cli.command()(migrate)
cli.command()(seed)
cli.command("geocode-halls")(geocode_halls)
cli.add_typer(keys, name="keys")
cli.add_typer(personal_keys, name="personal-keys")
cli.add_typer(sso_keys, name="sso-keys")
cli.add_typer(audit, name="audit")
cli.add_typer(waits, name="waits")
cli.add_typer(rules, name="rules")
cli.command()(staff)
cli.command("verify")(verify_database)
cli.command()(reconcile)
cli.command("bank-batch")(bank_batch)


@cli.command()
def sandbox(
    *,
    port: Port = 8001,
    keys_dir: Annotated[
        Path | None, typer.Option("--keys", help="A demo's keys; else it makes its own.")
    ] = None,
    fd: Annotated[int | None, typer.Option(help="A listening socket.", hidden=True)] = None,
) -> None:
    """平台沙箱，仅供演示和测试。 Run the platforms, played locally; never for real people."""
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
    """模拟市民和工作人员，按 Ctrl-C 停止。 Send a simulated crowd to a city through its API."""
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


cli.command()(bench)
cli.command()(screenshots)


@cli.command(hidden=True)
def api(fd: Annotated[int, typer.Option(help="The listening socket.")]) -> None:
    """One API process; `serve` and `demo` start these."""
    settings = read_settings()
    configure_logs(settings.log_level)
    sanic = create_app(
        settings, open_platforms(platforms_or_exit(), settings.redis, clock_of(settings).now)
    )
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
        WrongRules,
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


def demo_accounts(sandbox_url: str, api_url: str, keys_dir: Path) -> dict[str, str]:
    """The environment in which the API finds every platform in the sandbox."""
    return read_as(PlatformSettings, **our_accounts(sandbox_url, api_url, keys_dir)).environment()


def city_maps() -> Maps | None:
    """The map service that the settings name, or one sentence and exit code 2."""
    return open_maps(platforms_or_exit())


def city_platforms(settings: Settings, redis_url: str) -> Platforms:
    """Everybody that the settings say we may ask, or one sentence and exit code 2."""
    return open_platforms(platforms_or_exit(), redis_url, clock_of(settings).now)


def city_now(settings: Settings) -> datetime:
    """The city's time."""
    return clock_of(settings).now()


OUTSIDE = Outside(EmbeddedStores, hold_data_dir, wipe, make_keys, demo_accounts)
GROUND = Ground(plainly, stores, OUTSIDE, city_maps, city_platforms, city_now)


if __name__ == "__main__":
    cli()
