"""Bundles of items, and their forms filled in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from integrations.sandbox.crowd.people import Person

# Whoever has proven her name and nothing more is of this level.
NAMED_LEVEL = 2
_LONG_AGO = timedelta(days=20)


@dataclass(frozen=True, slots=True)
class Bundle:
    """Several items with one form, as the API describes it."""

    code: str
    items: tuple[str, ...]
    form: Sequence[Mapping[str, Any]]

    def filled_in(self, person: Person, about: Person, today: date) -> dict[str, str]:
        """The form, filled in by somebody; about whom it asks is somebody else."""
        return {
            field["code"]: _FILLED[field["kind"]](field, person, about, today)
            for field in self.form
            if field["required"]
        }


def read_bundle(told: Mapping[str, Any]) -> Bundle | None:
    """A bundle as `GET /bundles/{bundle}` tells it; None where a name proven is not enough."""
    if told["level_required"] > NAMED_LEVEL:
        return None
    return Bundle(told["code"], tuple(one["item"] for one in told["items"]), told["form"])


_Fill = Callable[[Mapping[str, Any], Person, Person, date], str]
_FILLED: Mapping[str, _Fill] = {
    "text": lambda field, person, about, today: "模拟"[: field["most"]],
    "choice": lambda field, person, about, today: str(field["choices"][0]["value"]),
    "date": lambda field, person, about, today: (today - _LONG_AGO).isoformat(),
    "past_date": lambda field, person, about, today: (today - _LONG_AGO).isoformat(),
    "id_number": lambda field, person, about, today: about.id_number,
    "phone": lambda field, person, about, today: person.phone,
}
