"""The bench tells what foretelling costs; whether it meets its bars is for quiet machines."""

from pathlib import Path

from rich.console import Console

from server.bench.bench import Bench, Plan
from server.bench.predictions import HALL_BAR_S, PREDICTION_BAR_S, WAITING, predictions
from server.bench.report import print_table

NOWHERE = ("127.0.0.1", 1)


async def test_the_bench_tells_what_foretelling_costs(tmp_path: Path) -> None:
    plan = Plan(rounds=1)
    bench = Bench(
        plan, NOWHERE, NOWHERE, NOWHERE, NOWHERE, None, "", tmp_path, None, say=lambda _: None
    )
    one, hall = await predictions(bench)
    assert (one.bar, hall.bar) == (PREDICTION_BAR_S, HALL_BAR_S)
    assert str(WAITING) in hall.what
    for figure in (one, hall):
        assert figure.p50_s is not None
        assert figure.p99_s is not None
        assert 0 < figure.p50_s <= figure.value <= figure.p99_s < 10
    console = Console(width=160, record=True)
    print_table(console, [one, hall], bench)
    shown = console.export_text()
    assert "200 µs" in shown
    assert "15.0 ms" in shown
