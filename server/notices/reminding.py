"""What only time brings: reminders of appointments, payments that are not finished."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from models import matter_notices
from models.database import transaction
from models.matter_notices import Reminder
from models.notice_kinds import NoticeKind
from server.clock import Clock
from server.halls.directory import Directory

# Where no worker ran at the moment, "tomorrow" is still said so long before the slot.
_TOMORROW: Final = timedelta(hours=24)
_NOT_TOMORROW: Final = timedelta(hours=12)
# So many in one transaction; the rest in the next.
_AT_ONCE: Final = 2000


async def remind_what_is_due(clock: Clock, directory: Callable[[], Directory]) -> None:
    """Write what is due now, each once whoever looks."""
    now, reminders = clock.now(), list(_reminders(directory()))
    while True:
        async with transaction() as tx:
            new = await matter_notices.remind(tx, reminders, now=now, limit=_AT_ONCE)
        # Those for somebody and who booked for her are two, so a full batch is no fewer.
        if new < _AT_ONCE:
            break
    async with transaction() as tx:
        await matter_notices.tell_of_ending_orders(tx, now=now)


def _reminders(directory: Directory) -> Iterator[Reminder]:
    for hall in directory.halls.values():
        yield Reminder(hall.id, NoticeKind.APPOINTMENT_TOMORROW, _TOMORROW, _NOT_TOMORROW)
        if hours := hall.booking.remind_before_h:
            before = timedelta(hours=hours)
            yield Reminder(hall.id, NoticeKind.APPOINTMENT_SOON, before, timedelta())
