"""The bench runs as a person runs it; what it measures is for quiet machines, not for tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import app as yiting
from server.bench import run
from server.bench.bench import MEASUREMENTS, Bench, BenchFailed, Figure, Plan

A_FIGURE = Figure(what="board", value=1.0, unit="ratio", bar=0.6)


def test_the_bench_measures_against_a_limit_of_the_same_run(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    options = ("--rounds", "1", "--seconds", "1", "--connections", "8", "--json", str(file))
    wanted = ("--only", "board", "--only", "call_next")
    done = subprocess.run(
        [sys.executable, str(yiting.HERE / "app.py"), "bench", *options, *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(file.read_text())
    assert report["failed"] == {}
    figures = {figure["what"]: figure for figure in report["figures"]}
    assert set(figures) == {"board", "board: PostgreSQL asked", "call_next"}
    for name, limit in (("board", "empty handler"), ("call_next", "bare INSERT")):
        figure = figures[name]
        assert figure["limit"] == limit
        assert figure["value"] == figure["rate"] / figure["limit_rate"] > 0
        assert name in done.stdout


async def a_board(_: Bench) -> list[Figure]:
    return [A_FIGURE]


async def lost(_: Bench) -> list[Figure]:
    raise BenchFailed("wrk lost 42 connections")


async def test_one_measurement_that_fails_takes_no_other_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere, file = ("127.0.0.1", 1), tmp_path / "figures.json"

    async def a_bench(plan: Plan, folder: Path, url: str, _: object) -> Bench:
        return Bench(plan, nowhere, nowhere, nowhere, nowhere, None, url, folder, None, print)

    async def start(*_: object) -> None:
        raise AssertionError("nothing is to be started")

    monkeypatch.setattr(run, "_start", a_bench)
    for name, measure in (("board", a_board), ("call_next", lost), ("line_board", a_board)):
        monkeypatch.setitem(MEASUREMENTS, name, measure)
    monkeypatch.setattr(run, "_names", lambda: ["call_next", "board", "line_board"])
    plan = Plan(only=("call_next", "board", "line_board"))
    with pytest.raises(BenchFailed, match="call_next: wrk lost 42 connections"):
        await run.measure(plan, tmp_path, "", start=start, json_file=file)
    assert capsys.readouterr().out.count("≥ 0.60") == 2
    report = json.loads(file.read_text())
    assert [figure["what"] for figure in report["figures"]] == ["board", "board"]
    assert report["failed"] == {"call_next": "wrk lost 42 connections"}
