"""The demo city, read and as a folder to be broken."""

import shutil
from pathlib import Path

import pytest

from server.admin.city_files import CITY_FILES, City, read_city


@pytest.fixture(scope="module")
def dongguan() -> City:
    return read_city(CITY_FILES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(CITY_FILES, tmp_path / "city")
