"""What is done where no answer came: the platform's own word is waited for, or it is asked again.

WeChat tells what it sent, so what it may have sent is sent anew only when its word should have come
long ago. Where nothing tells, a turn is worth telling twice rather than not at all; anything else
is told once at most by that channel, and stands in her inbox.
"""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Final

from integrations.ports_message import Messenger
from models import notice_receipts
from models.notice_kinds import Urgency
from server.notices.choosing import Allowed, Due, Route

# So long (seconds) a platform's word is waited for. WeChat brings it within a second, and where we
# did not take it three times more within twenty.
WORD_S: Final = {Urgency.TURN: 30.0, Urgency.MATTER: 300.0, Urgency.CAMPAIGN: 300.0}
# However late its word comes, as far as we hear.
MOST_LATE_S: Final = 600.0
_LOOK_EVERY_S: Final = 2.0
# A courier looks for what is due more often than that, unless its machine stood still.
_STOOD_STILL_S: Final = 10.0


class Silences:
    """How late the platforms' words come lately, as one courier has seen."""

    def __init__(self, messengers: Mapping[str, Messenger]) -> None:
        self._messengers = messengers
        self._late: Mapping[str, float] = {}
        self._looked = -_LOOK_EVERY_S
        self._here = time.monotonic()
        self._back = -math.inf

    async def follow(self, found: Sequence[Due]) -> None:
        """See how late they come, where it matters to one of these.

        While our machine stood still nobody took their words: they are waited for anew.
        """
        now = time.monotonic()
        if now - self._here > _STOOD_STILL_S:
            self._back = now
        self._here = now
        matters = any(due.tried and due.tried[-1].is_unsure for due in found)
        if matters and now - self._looked >= _LOOK_EVERY_S:
            self._late = await notice_receipts.lateness()
            self._looked = now

    def word_in_s(self, due: Due) -> float:
        """Seconds for which word of the last attempt may still come; 0: none is waited for."""
        last = due.tried[-1] if due.tried else None
        if last is None or not last.is_unsure or self._after(last.channel) != "word":
            return 0.0
        late = min(self._late.get(last.channel, 0.0), MOST_LATE_S)
        heard_s = min(last.age_s, time.monotonic() - self._back)
        return max(0.0, WORD_S[due.urgency] + late - heard_s)

    def is_enough(self, due: Due, way: Route) -> bool:
        """Whether she may have been told by this way, and is not to be told twice.

        Where she had allowed no more than that one message the platform refuses another: so asking
        again tells what became of it.
        """
        last = due.tried[-1] if due.tried else None
        if last is None or not last.is_unsure or last.channel != way.channel:
            return False
        if due.urgency == Urgency.TURN or self._after(way.channel) != "nothing":
            return False
        if not self._messengers[way.channel].is_counted:
            return True
        return Allowed(way.channel, way.subject or "", way.template.template_id) in due.allowed

    def _after(self, channel: str) -> str:
        messenger = self._messengers.get(channel)
        return messenger.after_silence if messenger else "nothing"
