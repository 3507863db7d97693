"""Every message the platforms accepted."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from itertools import islice


@dataclass(frozen=True, slots=True)
class Message:
    """One message as the recipient would have seen it."""

    platform: str
    kind: str
    to: str
    template: str
    fields: dict[str, str]
    at: datetime


class Sent:
    """The messages, oldest first; past `most`, the oldest are forgotten."""

    def __init__(self, most: int) -> None:
        self._messages: deque[Message] = deque(maxlen=most)

    def accept(self, message: Message) -> None:
        """Keep a message that a platform accepted."""
        self._messages.append(message)

    def to(self, recipient: str | None, limit: int | None) -> list[Message]:
        """Return the latest `limit` messages, oldest first, to one recipient or to all."""
        wanted = (m for m in reversed(self._messages) if recipient is None or m.to == recipient)
        return list(islice(wanted, limit))[::-1]
