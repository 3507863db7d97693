"""What commands stand on: how one is run and where its stores are. app.py hands it in."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from integrations.ports import Maps, Platforms
from integrations.processes import Supervisor
from server.settings import Settings, read_settings

console = Console()


class Stores(Protocol):
    """Where the stores answer, as URLs."""

    @property
    def database(self) -> str:
        """PostgreSQL's."""

    @property
    def redis(self) -> str:
        """Valkey's."""


class StoresIn(Protocol):
    """Stores of our own, with their data in one directory."""

    @property
    def urls(self) -> Stores:
        """Where they answer, once they run."""

    async def start(self, supervisor: Supervisor) -> Stores:
        """Start them, to be stopped with all that the supervisor runs."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The world outside as the demo and the bench have it: all of it on this machine.

    `hold_alone` is the right to run stores in a data directory, until the file is closed, and
    `wipe` removes one. `make_keys` makes in a folder what our accounts with the platforms need;
    `accounts` is the environment that names them, given the sandbox's address, ours, and the keys.
    """

    stores_in: Callable[[Path], StoresIn]
    hold_alone: Callable[[Path], IO[str]]
    wipe: Callable[[Path], None]
    make_keys: Callable[[Path], None]
    accounts: Callable[[str, str, Path], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Ground:
    """`plainly` turns what is wrong with the surroundings into a sentence and an exit code.

    `maps` is the city's map service, where it has one; `platforms` everybody that it may ask, given
    the address of Valkey; `now` the city's time.
    """

    plainly: Callable[[], AbstractContextManager[None]]
    stores: Callable[[Settings], AbstractAsyncContextManager[Stores]]
    outside: Outside
    maps: Callable[[], Maps | None]
    platforms: Callable[[Settings, str], Platforms]
    now: Callable[[Settings], datetime]

    def run(self, main: Coroutine[Any, Any, None], *, faster: bool = False) -> None:
        """Run a command's own loop, plainly; the `faster` one starts no process as another user."""
        factory = uvloop.new_event_loop if faster else None
        with self.plainly(), asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main)

    def settings(self, **given: object) -> Settings:
        """Settings, or one sentence and exit code 2."""
        with self.plainly():
            return read_settings(**given)


def ground_of(context: typer.Context) -> Ground:
    """What this run of a command stands on."""
    assert isinstance(context.obj, Ground), "app.py sets it before any command"
    return context.obj


def fail(wrong: object, exit_code: int) -> typer.Exit:
    """Say what is wrong, and leave with that exit code."""
    print(wrong, file=sys.stderr)  # noqa: T201
    return typer.Exit(exit_code)


@contextmanager
def counting(what: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar of how many are done of how many, unless `quiet`; gives what it is told by."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=quiet) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
