"""An appointment for her calendar: an iCalendar file, what mini-programs take, and its QR code."""

import io
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec
import segno
from icalendar import Alarm, Calendar, Event, vBinary

from server.appointments.views import AppointmentView
from server.halls.directory import Directory

PRODUCT: Final = "-//Yiting//Appointments//ZH"
# She is reminded so long before.
REMIND: Final = timedelta(minutes=60)


class CalendarEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What `wx.addPhoneCalendar` and `my.addPhoneCalendar` take; times are Unix seconds.

    `qr` is what the QR code says that the hall reads.
    """

    title: str
    description: str
    location: str
    start_time: int
    end_time: int
    alarm: bool
    alarm_offset_s: int
    qr: str


def entry(view: AppointmentView, directory: Directory, *, english: bool) -> CalendarEntry:
    """An appointment as a phone's calendar takes it."""
    hall = directory.hall(view.hall)
    items = [directory.item(code) for code in view.items]
    named = ", ".join(i.name_en for i in items) if english else "、".join(i.name for i in items)
    bring = [each.name_en if english else each.name for each in view.materials if each.required]
    if english:
        title = f"{hall.name_en}: {named}"
        said = f"Check-in code {view.check_in_code}. Bring: {', '.join(bring) or '-'}."
    else:
        title = f"{hall.name}：{named}"
        said = f"签到码 {view.check_in_code}。请带：{'、'.join(bring) or '无'}。"
    return CalendarEntry(
        title=title,
        description=said,
        location=f"{hall.name_en if english else hall.name}, {hall.address}",
        start_time=int(view.slot_start.timestamp()),
        end_time=int(view.slot_end.timestamp()),
        alarm=True,
        alarm_offset_s=int(REMIND.total_seconds()),
        qr=view.check_in_code,
    )


def ics(view: AppointmentView, directory: Directory, *, now: datetime, english: bool) -> bytes:
    """The same as a file (RFC 5545); one that is given up says so to the calendar that has it."""
    told = entry(view, directory, english=english)
    over = view.state.value in {"cancelled", "expired"}
    event = Event()
    event.add("uid", f"{view.id}@yiting")
    event.add("sequence", view.revision)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("dtstart", view.slot_start.astimezone(UTC))
    event.add("dtend", view.slot_end.astimezone(UTC))
    event.add("summary", told.title)
    event.add("description", told.description)
    event.add("location", told.location)
    if not over:
        event.add("attach", vBinary(qr_png(view.check_in_code)), {"FMTTYPE": "image/png"})
    event.add("status", "CANCELLED" if over else "CONFIRMED")
    reminder = Alarm()
    reminder.add("action", "DISPLAY")
    reminder.add("description", told.title)
    reminder.add("trigger", -REMIND)
    event.add_component(reminder)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "CANCEL" if over else "PUBLISH")
    calendar.add_component(event)
    file: bytes = calendar.to_ical()
    return file


def qr_svg(text: str) -> bytes:
    """A text as a QR code, as SVG."""
    return _qr(text, "svg")


def qr_png(text: str) -> bytes:
    """The same as PNG, which calendars show: some hundred bytes."""
    return _qr(text, "png")


def _qr(text: str, kind: Literal["svg", "png"]) -> bytes:
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind=kind, scale=6, border=4)
    return out.getvalue()
