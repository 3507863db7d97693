"""How true the told waits were, and what they would be, as the API says it."""

from datetime import date, datetime
from typing import Annotated

import msgspec

from models.promises import Told
from server.live.state import Wait


class AccuracyQuery(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from"}
):
    """Which days; at most 92. The default is the last 30 days, today included."""

    start: date | None = None
    to: date | None = None


class AccuracyRow(msgspec.Struct, frozen=True, kw_only=True):
    """Of those who were told a wait in a line (`line` null: in the whole hall) and were called.

    `told` is when: with the number (`issue`), or when it came to ten minutes (`near`). `error_s` is
    by how many seconds the middle of the range was off on average, `bias_s` the same with its sign:
    above zero, people were called sooner than told. Of 1, `within` were called inside their range,
    `sooner` before it, `later` after it; 0.8, 0.1 and 0.1 are what a range promises. `live` rested
    on what happened in the line that day, the others on what is usual.
    """

    line: str | None
    name: str | None
    name_en: str | None
    told: Told
    tickets: int
    error_s: int
    bias_s: int
    within: float
    sooner: float
    later: float
    live: float


class AccuracyView(msgspec.Struct, frozen=True, rename={"start": "from"}):
    """A hall's days, the whole hall first, then line by line. No row: nobody was told anything."""

    hall: str
    start: date
    to: date
    data: list[AccuracyRow]
    next_cursor: None = None


class WhatIfQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many counters more (`1`, `+1`) or less (`-1`) serve a line; five at most."""

    line: Annotated[str, msgspec.Meta(min_length=1, max_length=8)]
    open: Annotated[str, msgspec.Meta(pattern=r"^[ +-]?[1-5]$", examples=["+1"])] = "+1"


class WhatIfMoment(msgspec.Struct, frozen=True):
    """The wait of somebody who joins the line `at`: as things are, and as they would be."""

    at: datetime
    as_is: Wait | None
    then: Wait | None


class WhatIfLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line over the rest of the day. Null: not known."""

    line: str
    name: str
    name_en: str
    data: list[WhatIfMoment]


class WhatIfView(msgspec.Struct, frozen=True, kw_only=True):
    """What would come of so many counters more or less in `line`, for every line of the hall.

    `counters` is how many serve that line now.
    """

    hall: str
    line: str
    open: int
    counters: int
    as_of: datetime
    data: list[WhatIfLine]
    next_cursor: None = None
