"""Several vendors of text messages: the next one where the one before surely sent nothing."""

from collections.abc import Mapping, Sequence
from typing import Final

from integrations.ports import NotDone, PlatformRefused, RefusalReason, SmsSender

# A vendor's own limits and approvals; another has others.
_ITS_OWN: Final[frozenset[RefusalReason]] = frozenset({"too_often", "message_invalid"})


class SmsInTurn:
    """Asks vendors in their order. What may have been sent is never sent by another."""

    def __init__(self, senders: Sequence[SmsSender]) -> None:
        assert senders, "somebody sends"
        self._senders = senders

    async def send(
        self, phone: str, template: str, params: Mapping[str, str], *, reference: str | None = None
    ) -> str:
        """Send one message by the first that takes it; see `ports.SmsSender`."""
        for sender in self._senders[:-1]:
            try:
                return await sender.send(phone, template, params, reference=reference)
            except NotDone:
                continue
            except PlatformRefused as refused:
                if refused.reason not in _ITS_OWN:
                    raise
        return await self._senders[-1].send(phone, template, params, reference=reference)
