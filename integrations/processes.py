"""Keeps programs running: starts them in order, restarts what dies, stops them in reverse order."""

import asyncio
import ctypes
import fcntl
import os
import pwd
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx
import structlog

log = structlog.get_logger()

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
FIRST_RESTART_DELAY_S = 0.2
LAST_RESTART_DELAY_S = 3.0
STEADY_AFTER_S = 10.0
_PR_SET_PDEATHSIG = 1
# No memory or process left to fork, no such executable, no room for the log.
_CANNOT_RUN = (OSError, subprocess.SubprocessError)


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep running.

    `ready` is asked until it answers true; `stop_signal` asks the program to stop gracefully;
    `user` is the system user to run as (only root may name one); it inherits `pass_fds`.
    `died` is told the process id whenever the program has died by itself.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    ready: Callable[[], Awaitable[bool]] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    pass_fds: Sequence[int] = ()
    died: Callable[[int], None] = lambda _: None


class ProgramFailed(RuntimeError):
    """A program did not become ready; the message names it and says where to look."""


class Supervisor:
    """Runs programs until told to stop. A program that dies by itself is started again."""

    def __init__(self, log_dir: Path | None = None) -> None:
        self._log_dir = log_dir
        self._running: list[_Kept] = []

    async def start(self, program: Program) -> None:
        """Start a program and wait until it is ready.

        Raises ProgramFailed when it cannot be run, exits, or is not ready within START_TIMEOUT_S
        seconds.
        """
        kept = _Kept(program, self._log_dir)
        self._running.append(kept)
        await kept.start()

    async def stop_all(self) -> None:
        """Stop every program, the last started first; whoever does not obey is killed."""
        while self._running:
            kept = self._running.pop()
            try:
                await kept.stop()
            except Exception as fault:
                # One that cannot be stopped must not keep the others running.
                log.error("program_not_stopped", program=kept.program.name, fault=repr(fault))


class _Kept:
    """One program with its present process and the task that watches over it."""

    def __init__(self, program: Program, log_dir: Path | None) -> None:
        self.program = program
        self._log_dir = log_dir
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        try:
            self._process = await self._spawn()
        except _CANNOT_RUN as fault:
            raise ProgramFailed(self._failure(f"cannot be run: {fault}")) from None
        try:
            await asyncio.wait_for(self._until_ready(self._process), START_TIMEOUT_S)
        except TimeoutError:
            raise ProgramFailed(self._failure("was not ready in time")) from None
        self._watch = asyncio.create_task(self._keep_alive(self._process))

    async def stop(self) -> None:
        if self._watch:
            self._watch.cancel()
            # Waits without raising: however the watch ended, the program is stopped all the same.
            await asyncio.wait({self._watch})
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(self.program.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            log.warning("program_killed", program=self.program.name)
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _keep_alive(self, process: asyncio.subprocess.Process) -> None:
        delay = FIRST_RESTART_DELAY_S
        clock = asyncio.get_running_loop()
        while True:
            began = clock.time()
            code = await process.wait()
            log.warning("program_died", program=self.program.name, exit_code=code)
            self._tell_of_death(process.pid)
            if clock.time() - began > STEADY_AFTER_S:
                delay = FIRST_RESTART_DELAY_S
            await asyncio.sleep(delay)
            delay = min(delay * 2, LAST_RESTART_DELAY_S)
            process = self._process = await self._spawn_at_last()

    def _tell_of_death(self, pid: int) -> None:
        try:
            self.program.died(pid)
        except Exception as fault:
            # Starting it again matters more than what is noted about its death.
            log.error("death_not_noted", program=self.program.name, fault=repr(fault))

    async def _spawn_at_last(self) -> asyncio.subprocess.Process:
        """Start the program, again and again while the machine has no room for it."""
        while True:
            try:
                return await self._spawn()
            except _CANNOT_RUN as fault:
                log.error("program_not_restarted", program=self.program.name, fault=str(fault))
                await asyncio.sleep(LAST_RESTART_DELAY_S)

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        ready = self.program.ready
        while ready is not None and not await ready():
            if process.returncode is not None:
                raise ProgramFailed(self._failure(f"stopped with exit code {process.returncode}"))
            await asyncio.sleep(0.03)

    async def _spawn(self) -> asyncio.subprocess.Process:
        output = self._open_log()
        try:
            return await asyncio.create_subprocess_exec(
                *self.program.command,
                env={**os.environ, **self.program.env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=self.program.pass_fds,
                # A session of its own: Ctrl-C reaches only us, and we stop the others in order.
                start_new_session=True,
                preexec_fn=_as_child(self.program.user),
            )
        finally:
            if output is not None:
                output.close()

    def _log_path(self) -> Path | None:
        return self._log_dir / f"{self.program.name}.log" if self._log_dir else None

    def _open_log(self) -> IO[bytes] | None:
        path = self._log_path()
        if path is None:
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")

    def _failure(self, what: str) -> str:
        path = self._log_path()
        tail = f"; its log is {path}" if path else ""
        return f"{self.program.name} {what}{tail}"


def _as_child(user: str | None) -> Callable[[], None]:
    """What a child does first: be that user, and die with its parent (on Linux), even by SIGKILL.

    It runs between fork and exec: all it needs is looked up before, so nothing is left to dead-lock
    on. uvloop knows no other way to start a program as somebody else.
    """
    known = pwd.getpwnam(user) if user is not None else None

    def first() -> None:
        if known is not None:
            # All of that user's rights and none of ours: root's group would still apply.
            os.setgroups([])
            os.setgid(known.pw_gid)
            os.setuid(known.pw_uid)
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return first


_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that children may inherit. Raises ProgramFailed when the port is taken."""
    sock: socket.socket | None = None
    try:
        # Whichever kind of address it is, IPv4 or IPv6.
        (family, *_, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        sock = socket.socket(family)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(1024)
    except OSError as fault:
        if sock is not None:
            sock.close()
        raise ProgramFailed(f"Cannot listen on {host}:{port}: {fault.strerror}.") from None
    sock.set_inheritable(True)
    return sock


def url_of(listening: socket.socket) -> str:
    """Where this very machine reaches a listening socket."""
    address, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 is asked for
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def hold_alone(path: Path) -> IO[str]:
    """A lock that lasts until the file is closed. Raises ProgramFailed when another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ProgramFailed(f"Another command already runs in {path.parent}.") from None
    return file


async def until_answers(url: str) -> None:
    """Return when the address answers 200. Raises ProgramFailed after START_TIMEOUT_S seconds."""
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
    is_over = False
    async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
        # Asked once more at the end: a machine that stood still meanwhile is ready all the same.
        while not is_over:
            is_over = asyncio.get_running_loop().time() >= deadline
            with suppress(httpx.HTTPError):
                if (await http.get(url)).status_code == 200:
                    return
            await asyncio.sleep(0.05)
    raise ProgramFailed(f"{url} did not become ready; see the logs.")


async def until_signalled() -> None:
    """Return when this process gets SIGINT (Ctrl-C) or SIGTERM."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    await told.wait()
