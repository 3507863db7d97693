"""How we ask those who bring messages, in our own words; each channel's folder answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

# How it can be known what became of a message whose answer was lost. `reference`: asked again by
# the same one, the channel sends nothing twice. `word`: it tells of its own accord what arrived.
AfterSilence = Literal["reference", "word", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one person.

    `to` is how the channel knows her: its user's id, or a phone number. `fields` are those of the
    template, in words; what is too long for one is cut to fit. `page` is where it leads. The same
    `reference` (1 to 64 of `A-Z a-z 0-9 -_`) again within a day is the same message, for channels
    that keep count of that.
    """

    to: str = field(repr=False)
    template_id: str
    fields: Mapping[str, str] = field(repr=False)
    page: str = ""
    english: bool = False
    reference: str = ""


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What a channel has against a field of a template, in Chinese and in English."""

    name: str
    why: tuple[str, str]


class Messenger(Protocol):
    """A channel that brings messages."""

    # Whether it counts what people allow: each time they say so it may send once.
    is_counted: bool

    @property
    def after_silence(self) -> AfterSilence:
        """How it can be known whether a message was sent where no answer came."""
        ...

    @property
    def app_id(self) -> str:
        """Whose users it reaches, as their channel links name the app; "" for phone numbers."""
        ...

    async def send(self, message: Message) -> str:
        """Send it; the channel's number of it, "" where it tells none.

        Raises PlatformRefused (`not_wanted`, `recipient_unknown`, `phone_invalid`, `user_blocked`,
        `too_often`, `message_invalid`), NotDone when it surely was not sent and may be later, or
        another PlatformUnavailable when nobody knows.
        """
        ...

    def faults_of(self, fields: Mapping[str, str], text: str) -> Sequence[FieldFault]:
        """What is wrong with a template: its fields with their patterns, and its whole text."""
        ...

    def fitted(self, fields: Mapping[str, str]) -> dict[str, str]:
        """The fields as they are sent: nothing longer or other than the channel takes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PushEvent:
    """What a platform tells of its own accord; the same `key` again is the same event.

    `allowed`: she lets us send one more message of the template. `refused`: none any more.
    `arrived` and `not_arrived`: what became of the message with that number, and why. `at` is
    when it happened, in Unix seconds, as the platform's clock has it; None where it does not say.
    """

    key: str
    subject: str = field(repr=False)
    said: Literal["allowed", "refused", "arrived", "not_arrived"]
    template_id: str
    message_no: str | None = None
    code: str | None = None
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of the message with that number: it arrived, or (`code`) why it did not.

    `reference` is ours, where the vendor repeats it.
    """

    message_no: str
    code: str | None
    reference: str | None = None


class ReceiptReader(Protocol):
    """Reads the delivery receipts that a vendor of text messages pushes to us."""

    @property
    def thanks(self) -> bytes:
        """The JSON that the vendor wants to hear; without it the vendor comes again."""
        ...

    def read(
        self, path: str, headers: Mapping[str, str], query: Mapping[str, str], body: bytes
    ) -> list[Receipt]:
        """What a push says; `headers` by lower-case names. Raises NotGenuine."""
        ...


class EventReader(Protocol):
    """Reads what a platform pushes to us."""

    def answer_to_check(self, query: Mapping[str, str]) -> str:
        """What the platform wants to hear when it checks our address. Raises NotGenuine."""
        ...

    def read(self, query: Mapping[str, str], body: bytes) -> list[PushEvent]:
        """What it says; nothing where it is of no concern to us. Raises NotGenuine."""
        ...
