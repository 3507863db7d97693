"""`waits`: how well waits are predicted, tried on a trace."""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer

from scheduler.regret import RULES, regrets
from scheduler.wait.city import KINDS, City
from scheduler.wait.events import COLUMNS, Event, NotAnEvent, event_of
from scheduler.wait.predictor import Waits
from scheduler.wait.prior import SHIPPED, provenance_of, shipped_trees, write_trees
from scheduler.wait.replaying import replayed
from scheduler.wait.training.growing import grown_on_simulated
from server.commands.ground import console, counting, fail

waits = typer.Typer(no_args_is_help=True, help="等候时间预测。 Predicting waits.")

_EVERY = 2000  # rows between two looks at the bar


@waits.command("replay")
def replay(
    trace: Annotated[Path, typer.Argument(help="A trace of events, .csv or .csv.gz.")],
    *,
    out: Annotated[Path, typer.Option(metavar="PREDICTIONS", help="The .csv to write.")],
    pool: Annotated[
        list[str] | None,
        typer.Option(metavar="A+B", help="Lines of a hall that share counters; repeatable."),
    ] = None,
    credit: Annotated[
        float,
        typer.Option(metavar="M", min=0, max=1440, help="Minutes a priority ranks earlier."),
    ] = 0.0,
) -> None:
    """重放事件，预测每张号票的等候。 Replay a trace and predict each ticket's wait at its issue.

    It goes through the code that runs live, in time order, and sees nothing of the future. Every
    wait that comes true is learned from; trees are refitted between days.
    """
    pools = [tuple(each for each in given.split("+") if each) for given in pool or ()]
    predictor = Waits(City(shipped_trees()), pools, credit)
    rows = _Rows(trace)
    promised = 0
    try:
        with counting("预测 Predicting") as tell, _whole(out) as file:
            writer = csv.writer(file)
            writer.writerow(["day", "hall", "line", "ticket", "p10", "p50", "p90"])
            for event, shown in replayed(rows.events(tell), predictor):
                if shown is not None:
                    promised += 1
                    minutes = (f"{p:.4f}" for p in (shown.p10, shown.p50, shown.p90))
                    writer.writerow([event.day, event.hall, event.line, event.ticket, *minutes])
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error, NotAnEvent) as wrong:
        raise fail(f"{trace}: {wrong}", 2) from None
    console.print(f"{promised} 个预测 predictions → {out}", highlight=False, soft_wrap=True)
    refused = rows.unread + sum(hall.refused for hall in predictor.halls.values())
    if refused:
        console.print(
            f"{refused} 行未采用：无法识别、重复、迟到或无此号票。"
            " rows told nothing: unreadable, repeated, late, or of a ticket not in line.",
            highlight=False,
        )


@waits.command("regret")
def regret(
    trace: Annotated[Path, typer.Argument(help="A trace of events, .csv or .csv.gz.")],
    *,
    from_day: Annotated[int, typer.Option(min=0, help="Visitors come from this day on.")] = 0,
    visits: Annotated[int, typer.Option(min=1, max=10_000, help="Visitors a day.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same visitors.")] = 1,
) -> None:
    """跟着大厅排序走，比事后最优多花几分钟。 Minutes lost by following the ranking of halls.

    Visitors stand at random places at random times and want one line of each hall, which lie at
    random places too. Every rule knows what was known then, and nothing of the future.
    """
    rows = _Rows(trace)
    try:
        events = list(rows.events(lambda _done, _total: None))
        with counting("重放 Replaying") as tell:
            found = regrets(
                events,
                Waits(City(shipped_trees())),
                from_day=from_day,
                visits_a_day=visits,
                seed=seed,
                progress=lambda done, total: tell(done, total) if done % _EVERY == 0 else None,
            )
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error, NotAnEvent) as wrong:
        raise fail(f"{trace}: {wrong}", 2) from None
    console.print(f"{found.visits} 次到访 visits; 平均多花分钟 mean minutes lost:")
    for rule in RULES:
        console.print(f"  {found.mean(rule):6.2f}  {rule}", highlight=False)


@waits.command("train")
def train(
    *,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The file of trees to write.")
    ] = SHIPPED,
    halls: Annotated[int, typer.Option(min=1, max=5000, help="How many halls to simulate.")] = 120,
    days: Annotated[int, typer.Option(min=2, max=365, help="For how many days each.")] = 9,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same trees.")] = 1,
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="Of these kinds only; the others stay. Repeatable."),
    ] = None,
) -> None:
    """用模拟大厅训练随软件发布的模型。 Grow the trees that ship, on simulated halls alone.

    It takes some minutes and reads no trace: nothing of a real hall is in what ships.
    """
    kinds = [each for each in KINDS if not kind or each in kind]
    if unknown := sorted(set(kind or ()) - set(KINDS)):
        raise fail(f"No kind {', '.join(unknown)}; there are {', '.join(KINDS)}.", 2)
    others = {} if len(kinds) == len(KINDS) else dict(shipped_trees())
    with counting("训练 Training") as tell:
        trees = grown_on_simulated(
            halls=halls, days=days, seed=seed, kinds=kinds, others=others, progress=tell
        )
    only = "".join(f" --kind {each}" for each in kinds) if others else ""
    provenance = (
        "Grown on simulated halls alone (scheduler/wait/training) by"
        f" `python app.py waits train --halls {halls} --days {days} --seed {seed}{only}`;"
        " Apache-2.0, like the program."
    )
    if others:
        provenance += f" The other kinds: {provenance_of(SHIPPED)}"
    try:
        write_trees(out, trees, provenance)
    except OSError as wrong:
        raise fail(f"{out}: {wrong}", 2) from None
    size = out.stat().st_size // 1024
    console.print(f"{', '.join(sorted(trees))}: {size} kB → {out}", highlight=False, soft_wrap=True)


@contextmanager
def _whole(out: Path) -> Iterator[IO[str]]:
    """A file that is there only once it is whole: half of it could be taken for a result."""
    part = out.with_name(f"{out.name}.part")
    try:
        file = part.open("w", newline="", encoding="utf-8")
    except OSError as wrong:
        raise fail(f"{out}: {wrong.strerror}", 2) from None
    try:
        with file:
            yield file
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


class _Rows:
    """A trace's rows; `unread` counts those that tell nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unread = 0

    def events(self, tell: Callable[[int, int], None]) -> Iterator[Event]:
        """The events in the order of the file.

        Raises NotAnEvent where it has not a trace's columns, OSError where it cannot be read.
        """
        with self._open() as file:
            total = sum(1 for _ in file) - 1
        with self._open() as file:
            reader = csv.DictReader(file)
            absent = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if absent:
                raise NotAnEvent(f"no trace: it lacks {', '.join(absent)}")
            for at, row in enumerate(reader):
                if at % _EVERY == 0:
                    tell(at, total)
                try:
                    event = event_of(row)
                except NotAnEvent:
                    self.unread += 1
                    continue
                yield event
            tell(total, total)

    def _open(self) -> IO[str]:
        # Spreadsheets begin a file with a mark of its encoding.
        if self.path.suffix == ".gz":
            return gzip.open(self.path, "rt", newline="", encoding="utf-8-sig")
        return self.path.open(newline="", encoding="utf-8-sig")
