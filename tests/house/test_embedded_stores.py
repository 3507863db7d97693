"""The embedded stores: whole or not there, whenever they are interrupted."""

import subprocess
import time
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from integrations.processes import ProgramFailed
from integrations.stores import embedded_stores, wipe


def killed_half_way(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run it until it has written its first file, which is the one we look at."""
    del options["check"], options["capture_output"]
    folder = Path(command[command.index("-D") + 1])
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, **options) as process:
        while not (folder / "PG_VERSION").exists():
            assert process.poll() is None
            time.sleep(0.001)
        process.kill()
    return subprocess.CompletedProcess(command, process.returncode, "", "killed")


def made_in(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("postgres*")]


async def test_a_database_folder_killed_in_the_making_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", killed_half_way)
        with pytest.raises(ProgramFailed, match="initdb failed"):
            async with embedded_stores(tmp_path, durable=False):
                pass
    async with embedded_stores(tmp_path, durable=False) as urls:
        connection = await asyncpg.connect(urls.database)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
    assert made_in(tmp_path) == ["postgres"]
    wipe(tmp_path)
