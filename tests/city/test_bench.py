"""The bench runs as a person runs it; what it measures is for quiet machines, not for tests."""

import json
import subprocess
import sys
from pathlib import Path

import app as yiting


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
    figures = {figure["what"]: figure for figure in json.loads(file.read_text())["figures"]}
    assert set(figures) == {"board", "board: PostgreSQL asked", "call_next"}
    for name, limit in (("board", "empty handler"), ("call_next", "bare INSERT")):
        figure = figures[name]
        assert figure["limit"] == limit
        assert figure["value"] == figure["rate"] / figure["limit_rate"] > 0
        assert name in done.stdout
