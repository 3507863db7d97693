"""`waits replay`: a trace in, predictions out, and a plain sentence for what is no trace."""

import csv
import gzip
from itertools import islice
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scheduler.wait.events import COLUMNS, Event
from server.commands.waits import waits
from tests.scheduler.wait.halls_made import some_days

TRACES = Path(__file__).resolve().parents[4] / "shared" / "data" / "traces"


def write_trace(path: Path, events: list[Event]) -> Path:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for e in events:
            writer.writerow([e.day, e.t, e.hall, e.line, e.kind, e.ticket, e.counter, e.detail])
    return path


def replay(trace: Path, out: Path, *more: str) -> tuple[int, str, list[dict[str, str]]]:
    result = CliRunner().invoke(waits, ["replay", str(trace), "--out", str(out), *more])
    rows = list(csv.DictReader(out.open(encoding="utf-8"))) if out.exists() else []
    return result.exit_code, result.output, rows


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz"])
def test_a_trace_becomes_one_range_for_each_ticket(tmp_path: Path, name: str) -> None:
    events = list(some_days(1))
    code, output, rows = replay(write_trace(tmp_path / name, events), tmp_path / "out.csv")
    assert code == 0
    tickets = [(row["day"], row["line"], row["ticket"]) for row in rows]
    assert len(tickets) == len(set(tickets))
    issued = sum(event.kind == "issue" for event in events)
    assert issued - 30 < len(rows) <= issued
    assert f"{len(rows)} 个预测" in output
    assert all(float(row["p10"]) <= float(row["p50"]) <= float(row["p90"]) for row in rows)


def test_rows_that_tell_nothing_are_counted_and_passed_over(tmp_path: Path) -> None:
    events = list(some_days(1))
    wrong = [Event(0, float("nan"), "H", "L0", "issue", "x"), Event(0, 500.0, "H", "L0", "dance")]
    trace = write_trace(tmp_path / "trace.csv", [*events[:500], *wrong, *events[500:]])
    code, output, rows = replay(trace, tmp_path / "out.csv")
    assert code == 0
    assert rows
    assert "2 行未采用" in output


def test_a_trace_saved_by_a_spreadsheet_and_one_bad_day_change_nothing(tmp_path: Path) -> None:
    events = list(some_days(1))
    plain = write_trace(tmp_path / "plain.csv", events)
    far = Event(10**30, 500.0, "G", "L0", "issue", "x")
    other = write_trace(tmp_path / "other.csv", [*events[:500], far, *events[500:]])
    other.write_text("\ufeff" + other.read_text(encoding="utf-8"), encoding="utf-8")
    expected = replay(plain, tmp_path / "a.csv")[2]
    code, output, rows = replay(other, tmp_path / "b.csv")
    assert code == 0, output
    assert [row for row in rows if row["hall"] == "H"] == expected


def test_priority_credit_and_pools_change_who_is_ahead(tmp_path: Path) -> None:
    trace = write_trace(tmp_path / "trace.csv", list(some_days(0, 1)))
    plain = replay(trace, tmp_path / "a.csv")[2]
    pooled = replay(trace, tmp_path / "b.csv", "--pool", "L0+L1", "--credit", "20")[2]
    assert [row["ticket"] for row in plain] != [] != [row["ticket"] for row in pooled]
    assert plain != pooled


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\x00\x01"])
def test_what_is_no_trace_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(waits, ["replay", str(path), "--out", str(tmp_path / "out.csv")])
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    # Half a file could be taken for a result.
    assert [each.name for each in tmp_path.iterdir()] == ["trace.csv"]


def test_where_nothing_can_be_written_is_said_of_the_place(tmp_path: Path) -> None:
    trace = write_trace(tmp_path / "trace.csv", list(some_days(1)))
    code, said, _ = replay(trace, tmp_path / "nowhere" / "out.csv")
    assert (code, "nowhere" in said, "trace.csv" in said) == (2, True, False)


def test_a_trace_that_is_not_there_and_a_broken_archive_are_refused(tmp_path: Path) -> None:
    assert replay(tmp_path / "none.csv", tmp_path / "out.csv")[0] == 2
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(b"\x1f\x8b\x08\x00 this is none")
    assert replay(broken, tmp_path / "out.csv")[0] == 2


@pytest.mark.skipif(not TRACES.exists(), reason="the traces of ../shared are not here")
@pytest.mark.parametrize("name", ["warsaw", "bank", "simulated"])
def test_recorded_days_cut_off_are_predicted_alike_up_to_the_cut(tmp_path: Path, name: str) -> None:
    def head(count: int) -> Path:
        path = tmp_path / f"{count}.csv"
        with gzip.open(TRACES / f"{name}.csv.gz", "rt", encoding="utf-8") as trace:
            path.write_text("".join(islice(trace, count)), encoding="utf-8")
        return path

    whole, cut = (replay(head(count), tmp_path / "out.csv")[2] for count in (6000, 3500))
    assert len(cut) > 400
    assert whole[: len(cut)] == cut
