"""A database of a measurement's own, beside the city's, with this version's schema."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from server.bench.bench import Bench
from server.commands.serving import APP

GIB: Final = 1 << 30


async def own_database(bench: Bench, name: str, *, city: Path | None = None) -> dict[str, str]:
    """Make it, with a `city`'s files where one is given; the variables that name it and the city's
    channels.
    """
    env = await city_environment(bench)
    env["YITING_DATABASE_URL"] = urlsplit(bench.database_url)._replace(path=f"/{name}").geturl()
    connection = await asyncpg.connect(bench.database_url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    for command in (["migrate"], *([["seed", str(city)]] if city else [])):
        await asyncio.to_thread(
            subprocess.run,
            [sys.executable, str(APP), *command],
            env=env,
            check=True,
            capture_output=True,
        )
    return env


async def city_environment(bench: Bench) -> dict[str, str]:
    """The measured city's settings, as the variables that its programs are started with."""
    script = f". {bench.folder / 'demo.env'} && env -0"
    shown = await asyncio.to_thread(
        subprocess.run, ["sh", "-c", script], capture_output=True, check=True
    )
    pairs = (line.partition("=") for line in shown.stdout.decode().split("\0") if line)
    return {key: value for key, _, value in pairs}
