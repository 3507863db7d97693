"""A city's files at hand to be broken, for tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from server.admin.city_files import City, CityFilesError, HallFile, Problem, read_city

Edit = Callable[[str], str]


def edit(folder: Path, file: str, change: Edit) -> None:
    """Change a file of a city; it must differ after that."""
    path = folder / file
    before = path.read_text(encoding="utf-8")
    after = change(before)
    assert after != before, "the edit must break something"
    path.write_bytes(after.encode())


def replace(old: str, new: str) -> Edit:
    """An edit of the first such text."""
    return lambda text: text.replace(old, new, 1)


def add(row: str) -> Edit:
    """An edit that adds a row."""
    return lambda text: text + row + "\n"


def row_of(folder: Path, file: str, start: str) -> int:
    """The row of a file that begins so, counted from 1."""
    lines = (folder / file).read_text(encoding="utf-8").split("\n")
    return next(number for number, line in enumerate(lines, 1) if line.startswith(start))


def problems_of(folder: Path) -> tuple[Problem, ...]:
    """What is wrong with a city's files."""
    with pytest.raises(CityFilesError) as caught:
        read_city(folder)
    return caught.value.problems


def hall_of(city: City, code: str) -> HallFile:
    """A city's hall."""
    return next(hall for hall in city.halls if hall.code == code)
