"""What we ask of the outside world, in our own words; each vendor's folder answers."""

from dataclasses import dataclass
from typing import Literal, Protocol

RefusalReason = Literal["code_invalid", "code_used", "user_blocked", "too_often"]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who stands at the door, as one platform knows them.

    `subject` is theirs within one mini-program; `union_subject` is the same for all programs of
    one owner, where the platform tells it.
    """

    platform: str
    app_id: str
    subject: str
    union_subject: str | None = None


class SignIn(Protocol):
    """A platform that can tell who sent a one-time code."""

    async def who_is(self, code: str) -> Visitor:
        """Spend the code and name its owner, or raise PlatformRefused or PlatformUnavailable."""
        ...


class PlatformRefused(Exception):
    """The platform looked and said no; the caller has to come with something else.

    `reason` is ours and stable; `platform_code` is the platform's own, for the log.
    """

    def __init__(self, reason: RefusalReason, platform_code: str | None = None) -> None:
        super().__init__(reason, platform_code)
        self.reason = reason
        self.platform_code = platform_code


class PlatformUnavailable(Exception):
    """No usable answer came, through no fault of the caller; worth asking again later."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s
