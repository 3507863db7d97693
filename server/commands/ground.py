"""What commands stand on: how one is run and where its stores are. app.py hands it in."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

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


@dataclass(frozen=True, slots=True)
class Ground:
    """`plainly` turns what is wrong with the surroundings into a sentence and an exit code."""

    plainly: Callable[[], AbstractContextManager[None]]
    stores: Callable[[Settings], AbstractAsyncContextManager[Stores]]

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
