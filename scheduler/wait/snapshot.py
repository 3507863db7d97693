"""Keeping what was learned: halls and the city as plain data (dict, list, text, numbers) and back.

A hall's snapshot is a few kilobytes a line and may be written as JSON. It holds today too, so that
a worker that takes a hall over goes on where the other stopped. Trees are kept apart, as arrays.
"""

from array import array
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from scheduler.wait.calibration import Calibration, Scores
from scheduler.wait.city import City, Promise, Range
from scheduler.wait.halls import Counter, Habit, Hall
from scheduler.wait.lines import Line, Mean, Profile
from scheduler.wait.pools import Pool, Rate, Waiting

VERSION: Final = 2


class NotASnapshot(ValueError):
    """Data of another version, or none of ours."""


_CLASSES: Final[Mapping[str, type]] = {
    each.__name__: each
    for each in (
        *(Calibration, Scores, Promise, Range, Counter, Habit, Pool, Rate, Line, Mean, Profile),
    )
}
# Made anew from the tickets, or told anew by the product.
_LEFT_OUT: Final = {
    Hall: {"tickets", "known", "lines", "pools", "serving"},
    Pool: {"order", "waiting", "gone"},
    Line: {"walk", "booked"},
}


def hall_as_data(hall: Hall) -> dict[str, Any]:
    """A hall as plain data."""
    return {
        "version": VERSION,
        "hall": _fields(hall),
        "lines": {code: _plain(line) for code, line in hall.lines.items()},
        "pools": {code: _plain(pool) for code, pool in hall.pools.items()},
        "tickets": [_ticket(waiting) for waiting in hall.tickets.values()],
        "gone": {
            code: [_ticket(waiting) for waiting in pool.gone] for code, pool in hall.pools.items()
        },
    }


def hall_from_data(data: Mapping[str, Any]) -> Hall:
    """The hall again. Raises NotASnapshot."""
    try:
        if data["version"] != VERSION:
            raise NotASnapshot(f"version {data['version']}")
        hall = Hall(data["hall"]["code"])
        _fill(hall, data["hall"])
        hall.lines = {code: _made(line) for code, line in data["lines"].items()}
        hall.pools = {code: _made(pool) for code, pool in data["pools"].items()}
        for each in data["tickets"]:
            waiting = _waiting(hall, each)
            hall.tickets[waiting.line.code, waiting.ticket] = waiting
            n = waiting.n
            hall.pool(waiting.line.code).insert(waiting)
            waiting.n = n
        for code, gone in data["gone"].items():
            hall.pools[code].gone = [_waiting(hall, each) for each in gone]
    except (KeyError, TypeError, AttributeError, IndexError) as wrong:
        raise NotASnapshot(f"{wrong!r}") from None
    return hall


def _ticket(waiting: Waiting) -> dict[str, Any]:
    return {**_fields(waiting), "line": waiting.line.code}


def _waiting(hall: Hall, data: Mapping[str, Any]) -> Waiting:
    waiting: Waiting = _bare(Waiting)
    _fill(waiting, {name: value for name, value in data.items() if name != "line"})
    waiting.line = hall.lines[data["line"]]
    return waiting


def city_as_data(city: City) -> dict[str, Any]:
    """What halls share, without its trees: they are kept apart, and learned again before this."""
    return {
        "version": VERSION,
        "sums": [city.waits, city.people, city.labels, city.known, city.offset],
        "blends": {
            kind: [blend.expected, blend.share, blend.errors] for kind, blend in city.trees.items()
        },
        "calibration": {kind: _plain(each) for kind, each in city.calibration.items()},
    }


def city_from_data(data: Mapping[str, Any], city: City) -> None:
    """Give a city back what it knew. Raises NotASnapshot."""
    try:
        if data["version"] != VERSION:
            raise NotASnapshot(f"version {data['version']}")
        city.waits, city.people, city.labels, city.known, city.offset = data["sums"]
        for kind, blend in city.trees.items():
            blend.expected, blend.share, blend.errors = data["blends"][kind]
            city.calibration[kind] = _made(data["calibration"][kind])
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise NotASnapshot(f"{wrong!r}") from None


def _names(thing: object) -> list[str]:
    slots = getattr(type(thing), "__slots__", None)
    names = list(slots) if slots else list(vars(thing))
    left_out = _LEFT_OUT.get(type(thing), set())
    return [name for name in names if name not in left_out]


def _fields(thing: object) -> dict[str, Any]:
    return {name: _plain(getattr(thing, name)) for name in _names(thing)}


def _plain(value: Any) -> Any:
    """Plain data; what JSON has no word for is a list that begins with its name."""
    plain: Any = value
    if value is None or isinstance(value, bool | int | str):
        pass
    elif isinstance(value, float):
        plain = value if abs(value) != float("inf") else ["inf", value > 0]
    elif isinstance(value, list):
        plain = ["list", *map(_plain, value)]
    elif isinstance(value, tuple):
        plain = ["tuple", *map(_plain, value)]
    elif isinstance(value, set):
        plain = ["set", *map(_plain, sorted(value))]
    elif isinstance(value, deque):
        plain = ["deque", value.maxlen, *value]
    elif isinstance(value, array):
        plain = ["array", *value]
    elif isinstance(value, np.ndarray):
        plain = ["numbers", list(value.shape), *value.ravel().tolist()]
    elif isinstance(value, dict):
        plain = ["dict", *([_plain(key), _plain(each)] for key, each in value.items())]
    else:
        plain = [type(value).__name__, _fields(value)]
    return plain


def _made(value: Any) -> Any:
    """What `_plain` was told of."""
    if not isinstance(value, list):
        return value
    name, *rest = value
    if name in _CLASSES:
        thing = _bare(_CLASSES[name])
        _fill(thing, rest[0])
        if isinstance(thing, Pool):
            thing.order, thing.waiting, thing.gone = [], {}, []
        if isinstance(thing, Line):
            thing.walk, thing.booked = [], []
        return thing
    return _MAKERS[name](rest)


def _bare(cls: Any) -> Any:
    return cls.__new__(cls)


def _fill(thing: object, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        object.__setattr__(thing, name, _made(value))  # ranges are frozen


_MAKERS: Final[Mapping[str, Any]] = {
    "inf": lambda rest: float("inf") if rest[0] else -float("inf"),
    "list": lambda rest: [_made(each) for each in rest],
    "tuple": lambda rest: tuple(_made(each) for each in rest),
    "set": lambda rest: {_made(each) for each in rest},
    "deque": lambda rest: deque(rest[1:], maxlen=rest[0]),
    "array": lambda rest: array("d", rest),
    "numbers": lambda rest: np.array(rest[1:], np.float32).reshape(rest[0]),
    "dict": lambda rest: {_made(key): _made(each) for key, each in rest},
}
