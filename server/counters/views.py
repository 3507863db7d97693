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


class Finish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the visit ended, in the hall's own words."""

    outcome: Annotated[str, msgspec.Meta(max_length=64, examples=["done"])] | None = None
