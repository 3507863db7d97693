"""Halls that decide differently for a test, and phones that stand somewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.conftest import Api

# A degree of latitude is about so many metres.
DEGREE_M = 110_750


@contextmanager
def ruled(api: Api, *halls: str, **rules: int) -> Iterator[None]:
    """These halls have these rules meanwhile."""
    room = api.services
    before = room.directory
    changed = {
        code: replace(before.hall(code), rules=replace(before.hall(code).rules, **rules))
        for code in halls
    }
    room.directory = replace(before, halls={**before.halls, **changed})
    try:
        yield
    finally:
        room.directory = before


def standing(api: Api, hall: str, metres: float, **more: Any) -> dict[str, Any]:
    """What a phone says that stands so many metres north of a hall."""
    place = api.services.directory.hall(hall).place
    assert place is not None
    return {"lat": place.lat + metres / DEGREE_M, "lng": place.lng, "datum": "wgs84", **more}
