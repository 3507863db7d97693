"""What the counter routes take and answer."""

from typing import Annotated

import msgspec


class CounterView(msgspec.Struct, frozen=True):
    """A counter: `skills` are the lines it may serve, `serving` those it serves now."""

    code: str
    name: str
    state: str
    skills: list[str]
    serving: list[str]
    pause_reason: str | None


class CounterList(msgspec.Struct, frozen=True):
    """All counters of a hall, by their codes."""

    data: list[CounterView]
    next_cursor: None = None


class OpenCounter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which lines to serve; all the counter's skills when not given."""

    lines: (
        Annotated[
            list[Annotated[str, msgspec.Meta(max_length=4)]],
            msgspec.Meta(min_length=1, max_length=26),
        ]
        | None
    ) = None


class PauseCounter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the counter pauses; the board shows it."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=200, examples=["午休"])]


class Resume(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to go on with; without a number the first that this counter parked."""

    number: Annotated[str, msgspec.Meta(min_length=1, max_length=12, examples=["A023"])] | None = (
        None
    )


class TransferTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to send the person: exactly one of a line or a counter of this hall, or a hall."""

    line: Annotated[str, msgspec.Meta(min_length=1, max_length=4, examples=["E"])] | None = None
    counter: Annotated[str, msgspec.Meta(min_length=1, max_length=8)] | None = None
    hall: Annotated[str, msgspec.Meta(min_length=1, max_length=16)] | None = None


class Finish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the visit ended, in the hall's own words."""

    outcome: Annotated[str, msgspec.Meta(max_length=64, examples=["done"])] | None = None
