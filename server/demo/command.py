"""`demo`: the whole city on one machine."""

import asyncio
import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import httpx
import typer

from integrations.processes import Supervisor, listen, until_answers, until_signalled, url_of
from server.admin.city_files import CITY_FILES
from server.clock import Clock
from server.commands.ground import Outside, console, ground_of
from server.commands.options import Crowd, Port, Workers
from server.commands.serving import child, start_api
from server.demo.city import announce, prepare_demo_city
from server.demo.clock import demo_clock, keep_clock, touch_clock
from server.settings import Settings


def demo(
    context: typer.Context,
    *,
    port: Port = 8000,
    sandbox_port: Annotated[
        int, typer.Option(help="Port of the platform sandbox.", min=1, max=65535)
    ] = 8001,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", help="Where the embedded stores keep data.")
    ] = Path(".yiting"),
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
    rate_limits: Annotated[
        bool, typer.Option(help="Limit how fast one person or address asks.")
    ] = True,
    city: Annotated[
        Path,
        typer.Option(help="A city's files, sown on the first start.", exists=True, file_okay=False),
    ] = CITY_FILES,
) -> None:
    """运行演示城市。 Run the demo city: stores, sandbox, 34 halls and a crowd.

    A busy morning, quickly: demo --clock 2026-11-23T09:30:00+08:00 --speed 60 --crowd 3000
    """
    ground = ground_of(context)
    settings = ground.settings(
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
    )
    people = 0 if no_crowd else crowd
    ground.run(run_demo(settings, ground.outside, city=city, clock_given=clock, crowd=people))


async def run_demo(
    settings: Settings,
    outside: Outside,
    *,
    city: Path,
    clock_given: datetime | None,
    crowd: int,
) -> None:
    """Start everything in order, wait for Ctrl-C, stop everything in reverse order."""
    data_dir = settings.data_dir
    kept = data_dir / "clock.json"
    supervisor = Supervisor(data_dir / "logs")
    assert settings.sandbox_url
    sandbox_url = settings.sandbox_url
    alone = outside.hold_alone(data_dir)
    try:
        # Before the work of starting: a port that is taken is told at once.
        listening = listen(settings.host, settings.port)
        sandbox_listening = listen("127.0.0.1", int(sandbox_url.rpartition(":")[2]))
        # The sandbox needs no stores, so it gets ready while they do.
        fd = sandbox_listening.fileno()
        keys_dir = data_dir / "keys"
        outside.make_keys(keys_dir)
        told = ("--fd", str(fd), "--keys", str(keys_dir))
        await supervisor.start(child("sandbox", "sandbox", *told, settings=settings, pass_fds=[fd]))
        urls = await outside.stores_in(data_dir).start(supervisor)
        settings = settings.at(urls.database, urls.redis)
        city_hall = await prepare_demo_city(settings, city)
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
        accounts = outside.accounts(sandbox_url, url, keys_dir)
        write_environment(data_dir / "demo.env", {**settings.environment(), **accounts})
        await supervisor.start(child("worker", "work", settings=settings, env=accounts))
        await start_api(supervisor, settings, listening, env=accounts)
        await until_answers(f"{url}/readyz")
        await until_answers(f"{sandbox_url}/healthz")
        await tell_time(sandbox_url, clock)
        await tell_where_to_push(sandbox_url, url)
        if crowd:
            simulated = ("simulate", url, sandbox_url, "--crowd", str(crowd))
            await supervisor.start(child("crowd", *simulated, settings=settings))
        announce(url, settings, hall=city_hall.code, crowd=crowd)
        await until_signalled_touching(kept)
        console.print("正在停止… Stopping…")
    finally:
        await supervisor.stop_all()
        alone.close()


def write_environment(file: Path, variables: Mapping[str, str]) -> None:
    """Write down what a shell reads to run other commands on this demo: its stores, clock, keys."""
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items())]
    fresh.write_text("".join(lines))
    fresh.replace(file)


async def tell_time(sandbox_url: str, clock: Clock) -> None:
    """Let the payment channels of the sandbox live by the city's clock: orders expire by it."""
    assert clock.start is not None
    told = {
        "start": clock.start.isoformat(),
        "anchor": clock.anchor,
        "speed": clock.speed,
    }
    async with httpx.AsyncClient(trust_env=False) as http:
        reply = await http.put(f"{sandbox_url}/_sandbox/clock", json=told)
        reply.raise_for_status()


async def tell_where_to_push(sandbox_url: str, api_url: str) -> None:
    """Let the sandbox tell what becomes of messages: by WeChat's pushes, and texts' receipts."""
    told = {"url": f"{api_url}/callbacks/wechat/events"}
    async with httpx.AsyncClient(trust_env=False) as http:
        reply = await http.put(f"{sandbox_url}/_sandbox/wechat/push", json=told)
        reply.raise_for_status()
        receipts = {"gateway": f"{api_url}/callbacks/sms/gateway/receipts"}
        reply = await http.put(f"{sandbox_url}/_sandbox/sms/receipts", json=receipts)
        reply.raise_for_status()


async def until_signalled_touching(kept: Path) -> None:
    """Wait for Ctrl-C, noting now and then that the clock still runs."""
    told = asyncio.create_task(until_signalled())
    while not told.done():
        touch_clock(kept)
        await asyncio.wait({told}, timeout=5)
