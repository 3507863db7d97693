"""What the counter routes take and answer."""

from datetime import datetime
from typing import Annotated

import msgspec


class CounterView(msgspec.Struct, frozen=True, kw_only=True):
    """A counter: `skills` are the lines it may serve, `serving` those of them it serves now.

    Of its skills some are its `own`, the others it `helps`: it calls from these when nobody waits
    in its own, or somebody has for longer than that line's limit. `overflow` are lines that it
    serves besides, for a while, like its own. `number` is who is at it, also where it was closed
    before she was done. One that pauses means to go on at `paused_until`, where that was said.
    `staffed_by` names who works at it. `version` rises with its skills.
    """

    code: str
    name: str
    state: str
    skills: list[str]
    serving: list[str]
    pause_reason: str | None
    paused_until: datetime | None
    own: list[str]
    helps: list[str]
    overflow: list[str]
    number: str | None
    staffed_by: str | None
    staffed_since: datetime | None
    version: int


class CounterList(msgspec.Struct, frozen=True):
    """All counters of a hall, by their codes."""

    data: list[CounterView]
    next_cursor: None = None


LineCodes = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=1, max_length=4)]], msgspec.Meta(max_length=26)
]


class OpenCounter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which lines to serve; all the counter's skills when not given.

    `take_over`: also where somebody else staffs it; whoever is at the counter stays there.
    """

    lines: (
        Annotated[
            list[Annotated[str, msgspec.Meta(max_length=4)]],
            msgspec.Meta(min_length=1, max_length=26),
        ]
        | None
    ) = None
    take_over: bool = False


class HandOver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To whom, by her user name; to whoever opens it next when not given."""

    to: (
        Annotated[str, msgspec.Meta(min_length=1, max_length=64, examples=["clerk.dg-24.02"])]
        | None
    ) = None


class ReassignSkills(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The lines that are a counter's own, and those that it helps, each in order of preference.

    `version` is that of the counter as you saw it: when it has changed since, nothing is done.
    """

    own: LineCodes
    helps: LineCodes = []
    version: Annotated[int, msgspec.Meta(ge=0, examples=[3])] | None = None


class PauseCounter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the counter pauses, and perhaps for how many minutes or until when; the board shows it.

    It goes on when it is opened, not by itself. `until` is a moment later today.
    """

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=200, examples=["午休"])]
    minutes: Annotated[int, msgspec.Meta(ge=1, le=240, examples=[10])] | None = None
    until: datetime | None = None


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
    """How it ended, in the hall's own words, and another item of this hall to be done next."""

    outcome: Annotated[str, msgspec.Meta(max_length=64, examples=["done"])] | None = None
    next_item: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
