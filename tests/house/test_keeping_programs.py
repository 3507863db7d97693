"""The supervisor keeps programs running whatever happens, and stops every one of them."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from integrations import processes
from integrations.processes import Program, ProgramFailed, Supervisor, hold_alone, listen, url_of
from tests.conftest import until


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "FIRST_RESTART_DELAY_S", 0.05)
    monkeypatch.setattr(processes, "LAST_RESTART_DELAY_S", 0.1)


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    kept = Supervisor(tmp_path / "logs")
    yield kept
    await kept.stop_all()


def a_script(folder: Path, name: str = "program") -> tuple[Path, Path]:
    """A program that runs until stopped, and the file where each of its processes adds its id."""
    script, pids = folder / name, folder / f"{name}.pids"
    # Written beside and moved there: a file still open for writing cannot be executed.
    beside = folder / f"{name}.new"
    beside.write_text(f"#!/bin/sh\necho $$ >> {pids}\nexec sleep 60\n")
    beside.chmod(0o755)
    beside.rename(script)
    return script, pids


def started(pids: Path) -> list[int]:
    return [int(line) for line in pids.read_text().splitlines()] if pids.exists() else []


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def has_started(pids: Path, times: int) -> Callable[[], bool]:
    return lambda: len(started(pids)) >= times


async def test_a_program_that_does_not_exist_is_told_in_one_sentence(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    with pytest.raises(ProgramFailed, match="clerk cannot be run"):
        await supervisor.start(Program("clerk", [str(tmp_path / "nowhere")]))


async def test_a_killed_program_is_started_again_and_its_death_is_told(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    script, pids = a_script(tmp_path)
    died: list[int] = []
    await supervisor.start(Program("clerk", [str(script)], died=died.append))
    await until(has_started(pids, 1))
    os.kill(started(pids)[0], signal.SIGKILL)
    await until(has_started(pids, 2))
    assert died == started(pids)[:1]


async def test_a_death_that_cannot_be_noted_does_not_keep_a_program_dead(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    def cannot(_: int) -> None:
        raise OSError("no such folder")

    script, pids = a_script(tmp_path)
    await supervisor.start(Program("clerk", [str(script)], died=cannot))
    await until(has_started(pids, 1))
    os.kill(started(pids)[0], signal.SIGKILL)
    await until(has_started(pids, 2))


async def test_a_program_that_cannot_be_restarted_is_tried_until_it_can(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    script, pids = a_script(tmp_path)
    await supervisor.start(Program("clerk", [str(script)]))
    await until(has_started(pids, 1))
    script.unlink()
    os.kill(started(pids)[0], signal.SIGKILL)
    await asyncio.sleep(0.5)
    assert len(started(pids)) == 1
    a_script(tmp_path)
    await until(has_started(pids, 2))


async def test_everything_is_stopped_while_one_cannot_be_restarted(tmp_path: Path) -> None:
    supervisor = Supervisor()
    (steady, steady_pids), (gone, gone_pids) = a_script(tmp_path, "a"), a_script(tmp_path, "b")
    await supervisor.start(Program("steady", [str(steady)]))
    await supervisor.start(Program("gone", [str(gone)]))
    await until(lambda: has_started(steady_pids, 1)() and has_started(gone_pids, 1)())
    gone.unlink()
    os.kill(started(gone_pids)[0], signal.SIGKILL)
    await asyncio.sleep(0.3)
    began = time.monotonic()
    await supervisor.stop_all()
    assert time.monotonic() - began < 5
    assert not is_alive(started(steady_pids)[0])


async def test_one_that_cannot_be_stopped_does_not_keep_the_others_running(tmp_path: Path) -> None:
    supervisor = Supervisor()
    (first, first_pids), (last, last_pids) = a_script(tmp_path, "a"), a_script(tmp_path, "b")
    await supervisor.start(Program("first", [str(first)]))
    no_signal: signal.Signals = 9999  # type: ignore[assignment] # the system refuses to send it
    await supervisor.start(Program("last", [str(last)], stop_signal=no_signal))
    await until(lambda: has_started(first_pids, 1)() and has_started(last_pids, 1)())
    await supervisor.stop_all()
    assert not is_alive(started(first_pids)[0])
    os.kill(started(last_pids)[0], signal.SIGKILL)


def test_a_folder_is_held_by_one_and_the_other_is_told_which(tmp_path: Path) -> None:
    first = hold_alone(tmp_path / "city" / "lock")
    with pytest.raises(ProgramFailed, match=str(tmp_path / "city")):
        hold_alone(tmp_path / "city" / "lock")
    first.close()
    hold_alone(tmp_path / "city" / "lock").close()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:"),
        ("0.0.0.0", "http://127.0.0.1:"),
        ("::1", "http://[::1]:"),
    ],
)
async def test_an_address_of_either_kind_is_listened_on(host: str, url: str) -> None:
    try:
        listening = listen(host, 0)
    except ProgramFailed as why:
        pytest.skip(str(why))
    with listening:
        assert url_of(listening) == f"{url}{listening.getsockname()[1]}"
        _, writer = await asyncio.open_connection(*listening.getsockname()[:2])
        writer.close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_that_is_not_ours_is_told_in_one_sentence(host: str) -> None:
    with pytest.raises(ProgramFailed, match=f"Cannot listen on {host}:0: "):
        listen(host, 0)
