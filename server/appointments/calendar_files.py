"""An appointment for her calendar: an iCalendar file, what mini-programs take, and its QR code."""

import io
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import segno

from server.appointments.views import AppointmentView
from server.halls.directory import Directory

PRODUCT: Final = "-//Yiting//Appointments//ZH"
# She is reminded so long before.
REMIND: Final = timedelta(minutes=60)
_OCTETS: Final = 75


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


def ics(view: AppointmentView, directory: Directory, *, now: datetime, english: bool) -> str:
    """The same as a file (RFC 5545); one that is given up says so to the calendar that has it."""
    told = entry(view, directory, english=english)
    over = view.state.value in {"cancelled", "expired"}
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        f"METHOD:{'CANCEL' if over else 'PUBLISH'}",
        "BEGIN:VEVENT",
        f"UID:{_uid(view.id)}",
        f"SEQUENCE:{view.version // 1_000_000 % 2**31}",
        f"DTSTAMP:{_utc(now)}",
        f"DTSTART:{_utc(view.slot_start)}",
        f"DTEND:{_utc(view.slot_end)}",
        f"SUMMARY:{_text(told.title)}",
        f"DESCRIPTION:{_text(told.description)}",
        f"LOCATION:{_text(told.location)}",
        f"STATUS:{'CANCELLED' if over else 'CONFIRMED'}",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"DESCRIPTION:{_text(told.title)}",
        f"TRIGGER:-PT{int(REMIND.total_seconds()) // 60}M",
        "END:VALARM",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def qr_svg(text: str) -> bytes:
    """A text as a QR code, as SVG."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="svg", scale=6, border=4)
    return out.getvalue()


def _uid(appointment_id: UUID) -> str:
    return f"{appointment_id}@yiting"


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(said: str) -> str:
    """A text as iCalendar escapes it."""
    escaped = said.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return escaped.replace("\r\n", "\\n").replace("\n", "\\n")


def _folded(line: str) -> list[str]:
    """A line of at most 75 octets, and what is left of it on lines that begin with a space."""
    parts, part, size = [], "", 0
    for letter in line:
        octets = len(letter.encode())
        if size + octets > _OCTETS:
            parts.append(part)
            part, size = " ", 1
        part, size = part + letter, size + octets
    return [*parts, part]
