"""Lessons and trees as bytes and back: what rows of the database keep of predicting waits."""

import io
from collections.abc import Iterable, Sequence
from typing import Any
from zipfile import BadZipFile

import msgspec
import numpy as np

from scheduler.wait.city import City, Row
from scheduler.wait.halls import Hall
from scheduler.wait.snapshot import (
    city_as_data,
    city_from_data,
    hall_as_data,
    hall_from_data,
)
from scheduler.wait.trees import Trees, trees_from

# What reading bytes raises that we did not write, or that another version did.
UNREADABLE = (ValueError, KeyError, OSError, EOFError, BadZipFile, msgspec.DecodeError)


def pack_hall(hall: Hall) -> bytes:
    """What is known of a hall."""
    return msgspec.json.encode(hall_as_data(hall))


def unpack_hall(packed: bytes) -> Hall:
    """The hall again. Raises one of UNREADABLE."""
    return hall_from_data(msgspec.json.decode(packed))


def pack_city(city: City) -> bytes:
    """What halls share, without its trees."""
    return msgspec.json.encode(city_as_data(city))


def unpack_city(packed: bytes, city: City) -> None:
    """Give a city back what it knew. Raises one of UNREADABLE."""
    city_from_data(msgspec.json.decode(packed), city)


def pack_lessons(lessons: Sequence[Row]) -> bytes:
    """Waits that came true, in order."""
    arrays: dict[str, Any] = {"kinds": np.array([row.kind for row in lessons])}
    for kind in {row.kind for row in lessons}:
        of_kind = [row for row in lessons if row.kind == kind]
        arrays[f"x.{kind}"] = np.stack([row.x for row in of_kind])
        arrays[f"y.{kind}"] = np.array([(row.y, row.ref) for row in of_kind])
    return _packed(arrays)


def unpack_lessons(packed: bytes) -> list[Row]:
    """The lessons again, in order. Raises one of UNREADABLE."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as kept:
        arrays = dict(kept)
    nth = dict.fromkeys(arrays["kinds"].tolist(), 0)
    lessons = []
    for kind in arrays["kinds"].tolist():
        at = nth[kind]
        nth[kind] += 1
        y, ref = arrays[f"y.{kind}"][at].tolist()
        lessons.append(Row(kind, arrays[f"x.{kind}"][at], y, ref))
    return lessons


def pack_trees(trees: Trees) -> bytes:
    """Grown trees."""
    return _packed(trees.as_arrays())


def unpack_trees(packed: bytes) -> Trees:
    """The trees again. Raises one of UNREADABLE."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as kept:
        return trees_from(dict(kept))


def all_lessons(packed: Iterable[bytes]) -> list[Row]:
    """The lessons of many, those left out that cannot be read."""
    lessons: list[Row] = []
    for each in packed:
        try:
            lessons += unpack_lessons(each)
        except UNREADABLE:
            continue
    return lessons


def _packed(arrays: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()
