"""The report: a table for people, JSON for programs."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from server.bench.bench import Bench, Figure, Measured


def print_table(console: Console, figures: Sequence[Figure], bench: Bench) -> None:
    """Show all figures, and what they were measured with."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("what")
    for column in ("requests/s", "p50", "p99"):
        table.add_column(column, justify="right")
    table.add_column("limit")
    for column in ("limit/s", "ratio", "bar"):
        table.add_column(column, justify="right")
    table.add_column("met?")
    for figure in figures:
        table.add_row(
            figure.what,
            _number(figure.rate),
            _milliseconds(figure.p50_s),
            _milliseconds(figure.p99_s),
            figure.limit or "–",
            _number(figure.limit_rate),
            _value(figure, figure.value),
            ("≥ " if figure.unit == "ratio" else "≤ ") + _value(figure, figure.bar),
            "[green]yes[/green]" if figure.met else "[bold red]NO[/bold red]",
        )
    console.print(table)
    plan = bench.plan
    console.print(
        f"\n{plan.rounds} rounds of {plan.seconds:g} s, medians; {plan.workers} API processes; "
        f"{plan.connections} connections; reads driven by {_driver(bench)}, writes by our own "
        f"client; {platform.python_implementation()} {platform.python_version()}, "
        f"{os.cpu_count()} CPUs shared by everything.",
        highlight=False,
    )
    for figure in figures:
        if figure.note:
            console.print(f"  {figure.what}: {figure.note}", highlight=False, style="dim")


def write_json(file: Path, measured: Measured, bench: Bench) -> None:
    """Write all figures with their surroundings, and what could not be measured."""
    report = {
        "plan": asdict(bench.plan),
        "reads_driven_by": _driver(bench),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "figures": [asdict(figure) | {"met": figure.met} for figure in measured.figures],
        "failed": measured.failed,
    }
    file.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n")


def _driver(bench: Bench) -> str:
    return "wrk" if bench.wrk else "our own client (no wrk on PATH)"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.1f} ms"


def _seconds(value: float) -> str:
    if value < 1e-3:
        return f"{value * 1e6:.0f} µs"
    return f"{value * 1e3:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def _value(figure: Figure, value: float) -> str:
    if figure.unit == "seconds":
        return _seconds(value)
    return f"{value:.2f}" if figure.unit in ("ratio", "times") else f"{value:.3g}"
