"""What a ticket tells its holder besides where it stands: why it ended, or is where it is."""

from typing import Any, Final, Literal

import msgspec

from models.tickets import TicketState
from server.live.state import SentFrom

# Why a line is stopped, in Chinese and in English.
Words = tuple[str | None, str | None]
_decode_words: Final = msgspec.json.Decoder(Words).decode


class Reason(msgspec.Struct, frozen=True):
    """These fields of a `TicketView`."""

    reason: Literal["day_ended", "line_stopped", "sent_on"] | None = None
    reason_text: str | None = None
    reason_text_en: str | None = None
    sent_from: SentFrom | None = None


_NOTHING: Final = Reason()


def reason_of(
    state: TicketState, hall: str, *, day_ended: bool, stopped: Words | None, sent_from: str | None
) -> Reason:
    """The reason of a ticket of this hall; `stopped` are the words of its line, if it is."""
    if stopped is not None and state is not TicketState.WAITING:
        stopped = None
    if sent_from is None:
        if day_ended:
            return Reason("day_ended")
        return Reason("line_stopped", *stopped) if stopped is not None else _NOTHING
    before, words = _read(sent_from, hall)
    if day_ended:
        return Reason("day_ended", sent_from=before)
    if stopped is not None:
        return Reason("line_stopped", *stopped, before)
    return Reason("sent_on", *words, before)


def line_stopped(row: Any) -> Words | None:
    """The words of a `VIEW_ONE` row's line, if that is stopped."""
    said = row.get("line_stopped")
    return _decode_words(said) if said else None


def _read(sent_from: str, hall: str) -> tuple[SentFrom, Words]:
    """`A023`, `A023@dg-24` or `A023@dg-24 why | in English`, as events keep it."""
    where, _, said = sent_from.partition(" ")
    number, _, left = where.partition("@")
    zh, _, en = said.partition(" | ")
    return SentFrom(left or hall, number.rstrip("0123456789"), number), (zh or None, en or None)
