"""Which page of a list is asked for."""

from typing import Annotated
from uuid import UUID

import msgspec


class PageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which page."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    cursor: UUID | None = None
