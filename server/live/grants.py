"""Who may see a ticket that is not hers: looked up once, remembered, and forgotten when it ends.

Phones ask again and again for what they follow, and PostgreSQL should hear of it once. What is
remembered is known to have ended as ended sign-ins are: word of it comes through the feed, and is
found in PostgreSQL where none came.
"""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Final
from uuid import UUID

from models import following
from models.digests import digest_of
from models.following import Grant
from server.auth import ACCESS_TOKEN_S, Tokens
from server.errors import Refusal
from server.http.limits import FOLLOW_ADDRESS, Limits

_CODE: Final = re.compile(r"[A-Za-z0-9_-]{16}")
_MOST_REMEMBERED: Final = 50_000
_Key = str | tuple[UUID, UUID]


class FollowCodeUnknown(Refusal):
    """There is no such code, or not any more."""

    status, code = 404, "follow_code_unknown"
    sentence = ("没有这个关注码，请核对或重新扫码。", "There is no such code; scan it again.")


class FollowOver(Refusal):
    """The code was good until its day ended, or its holder or the hall ended the following."""

    status, code = 410, "follow_over"
    sentence = ("该号票的关注已结束。", "Following this number is over.")


@asynccontextmanager
async def guessing(limits: Limits, address: str) -> AsyncIterator[None]:
    """Count a try, unless the code turns out to be one. Raises TooManyRequests."""
    tries = [(FOLLOW_ADDRESS, address)]
    await limits.take(tries)
    try:
        yield
    except FollowCodeUnknown:
        raise
    except BaseException:
        await limits.give_back(tries)
        raise
    await limits.give_back(tries)


class Grants:
    """What one process has looked up."""

    def __init__(self, tokens: Tokens, limits: Limits) -> None:
        self._tokens = tokens
        self._limits = limits
        # Each with the monotonic second until which it is remembered.
        self._remembered: dict[_Key, tuple[Grant, float]] = {}

    async def by_code(self, code: str, *, today: date, address: str) -> Grant:
        """What a code lets whoever has it see. Nobody tries many.

        Raises FollowCodeUnknown, FollowOver or TooManyRequests.
        """
        if not _CODE.fullmatch(code):
            raise FollowCodeUnknown
        digest = digest_of(code)
        grant = self._known(digest)
        if grant is None:
            began = time.monotonic()
            async with guessing(self._limits, address):
                found = await following.by_code(digest)
                if found is None:
                    raise FollowCodeUnknown
            grant, is_over = found
            if is_over:
                raise FollowOver
            self._remember(digest, grant, began)
        if grant.day != today or self.has_ended(grant):
            raise FollowOver
        return grant

    async def by_citizen(self, citizen_id: UUID, ticket_id: UUID, *, today: date) -> Grant | None:
        """What a citizen keeps of a ticket, if she follows it."""
        key = (citizen_id, ticket_id)
        grant = self._known(key)
        if grant is None:
            began = time.monotonic()
            grant = await following.by_citizen(citizen_id, ticket_id)
            if grant is None:
                return None
            self._remember(key, grant, began)
        return grant if grant.day == today and not self.has_ended(grant) else None

    def has_ended(self, grant: Grant) -> bool:
        """Whether word came that it is over."""
        return grant.id in self._tokens.ended

    def _known(self, key: _Key) -> Grant | None:
        grant, until = self._remembered.get(key, (None, 0.0))
        if grant is None or (until > time.monotonic() and not self.has_ended(grant)):
            return grant
        del self._remembered[key]
        return None

    def _remember(self, key: _Key, grant: Grant, began: float) -> None:
        if len(self._remembered) >= _MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        # From before it was read: so long it is known which have ended since.
        self._remembered[key] = grant, began + ACCESS_TOKEN_S
