"""What rules ask, as it is asked of PostgreSQL; and what comes back, as columns of attributes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from models.consents import BITS
from models.copying import EPOCH, NO_DATE
from scheduler.matching.columns import Column, Columns, Numbers, Texts
from scheduler.matching.language import Asked
from scheduler.matching.rules import Rule

Rows = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Asking:
    """The attributes that are asked for, and the names that they are asked for by."""

    asked: tuple[Asked, ...]
    # Every place that is a residence of somebody's may be compared with: found by its number.
    places: tuple[str, ...]

    def names(self, group: str) -> tuple[str, ...]:
        """The items, certificates or topics that are asked for, each once."""
        return tuple(
            dict.fromkeys(
                each.of
                for each in self.asked
                if each.attribute.group == group and each.of is not None
            )
        )

    def columns(self, people: Rows, hers: Mapping[str, Rows], today: date) -> Columns:
        """The columns that were asked for, of people and of what each has of a group."""
        placed = {group: _placed(found) for group, found in hers.items()}
        return {each: self._column(each, people, placed, today) for each in self.asked}

    def _column(
        self, asked: Asked, people: Rows, placed: Mapping[str, "_Placed"], today: date
    ) -> Column:
        match asked.attribute.name:
            case "age":
                return _years_since(people["born"], today)
            case "residence":
                words = {place: nth for nth, place in enumerate(self.places, start=1)}
                return Texts(people["residence"].astype(np.int32), words)
            case "household":
                return _known(people["household"])
            case "youngest_child_months":
                return _months_since(people["youngest_born"], today)
            case "has_company":
                return _known(people["has_company"])
        group = asked.attribute.group
        return self._of_hers(asked, placed[group], people["groups"] & BITS[group] != 0, today)

    def _of_hers(
        self, asked: Asked, placed: "_Placed", lets: NDArray[np.bool_], today: date
    ) -> Numbers:
        assert asked.of is not None, "it takes a name"
        which = self.names(asked.attribute.group).index(asked.of) + 1
        at, days = placed.of(which)
        if asked.attribute.kind == "truth":
            found = np.where(lets, 0.0, np.nan)
            found[at] = 1.0
            return found
        found = np.full(len(lets), np.nan)
        sign = 1 if asked.attribute.name == "days_until" else -1
        since_epoch = int((np.datetime64(today, "D") - EPOCH).astype(int))
        known = days != NO_DATE
        found[at[known]] = sign * (days[known] - since_epoch).astype(np.float64)
        return found


@dataclass(frozen=True, slots=True)
class _Placed:
    """Rows of what people have, sorted by which it is."""

    at: NDArray[np.int32]
    which: NDArray[np.int32]
    days: NDArray[np.int64]

    def of(self, which: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Who has that one, and its days."""
        start, end = np.searchsorted(self.which, (which, which + 1))
        return self.at[start:end], self.days[start:end]


def asking_of(rules: Sequence[Rule]) -> Asking:
    """All that these rules ask, each once."""
    asked = frozenset[Asked]().union(*(each.asked for each in rules))
    places = frozenset[str]().union(*(each.places for each in rules))
    order = sorted(asked, key=lambda each: (each.attribute.name, each.of or ""))
    return Asking(tuple(order), tuple(sorted(places)))


def _placed(found: Rows) -> _Placed:
    order = np.argsort(found["which"], kind="stable")
    return _Placed(
        found["at"][order].astype(np.int32),
        found["which"][order].astype(np.int32),
        found["day"][order].astype(np.int64),
    )


def _known(numbers: NDArray[np.int32]) -> Numbers:
    """Numbers of which -1 is none."""
    found = numbers.astype(np.float64)
    found[numbers == -1] = np.nan
    return found


def _months(days: NDArray[np.int32], today: date) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Whole months since these days, and where there is no day."""
    none = days == NO_DATE
    born = EPOCH + np.where(none, 0, days).astype("timedelta64[D]")
    months = born.astype("datetime64[M]")
    day_of_month = (born - months.astype("datetime64[D]")).astype(int) + 1
    whole = (np.datetime64(today, "M") - months).astype(int) - (day_of_month > today.day)
    return whole, none


def _months_since(days: NDArray[np.int32], today: date) -> Numbers:
    whole, none = _months(days, today)
    return np.where(none, np.nan, whole.astype(np.float64))


def _years_since(days: NDArray[np.int32], today: date) -> Numbers:
    whole, none = _months(days, today)
    return np.where(none, np.nan, (whole // 12).astype(np.float64))
