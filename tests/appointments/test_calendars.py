"""An appointment in her calendar, and as a QR code."""

import base64
import io
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta

import pytest
import segno
from icalendar import Calendar, Component

from tests.appointments.days import a_bookable_hall, an_item, at, booked
from tests.conftest import Api


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api)


def event_in(file: bytes) -> tuple[Calendar, Component]:
    """What another calendar reads of it."""
    assert file.endswith(b"END:VCALENDAR\r\n")
    assert all(len(line) <= 75 for line in file.split(b"\r\n"))
    calendar = Calendar.from_ical(file)
    [event] = calendar.walk("VEVENT")
    return calendar, event


async def test_any_calendar_takes_it_and_takes_it_out_again(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    mine = await booked(lin, hall, item, at("10:00"))
    path = f"/appointments/{mine['id']}"
    reply = await lin.get(f"{path}/calendar.ics")
    assert reply.headers["content-type"] == "text/calendar; charset=utf-8"
    _, event = event_in(reply.content)
    assert event.decoded("dtstart") == datetime.fromisoformat(at("10:00"))
    assert event.decoded("dtend") == datetime.fromisoformat(at("10:30"))
    assert str(event["summary"]).startswith(api.services.directory.hall(hall).name)
    assert mine["check_in_code"] in str(event["description"])
    assert event["attach"].params["fmttype"] == "image/png"
    png = io.BytesIO()
    segno.make(mine["check_in_code"], error="m", micro=False).save(png, kind="png", scale=6)
    assert base64.b64decode(event["attach"].to_ical()) == png.getvalue()
    [alarm] = event.walk("VALARM")
    assert alarm.decoded("trigger") == timedelta(hours=-1)
    await lin.post(f"{path}/cancel")
    after, gone = event_in((await lin.get(f"{path}/calendar.ics")).content)
    assert (after["method"], gone["status"]) == ("CANCEL", "CANCELLED")
    assert "attach" not in gone
    assert gone["uid"] == event["uid"]


async def test_each_change_is_later_than_the_one_before_however_quick(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    mine = await booked(lin, hall, item, at("10:00"), hold=True)
    path = f"/appointments/{mine['id']}"

    async def sequence() -> int:
        _, event = event_in((await lin.get(f"{path}/calendar.ics")).content)
        return int(str(event["sequence"]))

    found = [await sequence()]
    for step, body in (
        ("confirm", None),
        ("reschedule", {"slot_start": at("11:00")}),
        ("reschedule", {"slot_start": at("10:00")}),
        ("cancel", None),
    ):
        assert (await lin.post(f"{path}/{step}", body)).is_success, step
        found.append(await sequence())
    assert found == [0, 1, 2, 3, 4]


async def test_a_phone_is_told_in_seconds_and_in_either_language(api: Api, hall: str) -> None:
    lin = await api.citizen()
    mine = await booked(lin, hall, an_item(api, hall), at("10:00"))
    told = (await lin.get(f"/appointments/{mine['id']}/calendar")).json()
    assert told["end_time"] - told["start_time"] == 30 * 60
    headers = {**lin.headers, "Accept-Language": "en"}
    path = f"/api/v1/appointments/{mine['id']}/calendar"
    english = (await api.http.get(path, headers=headers)).json()
    assert english["title"].isascii()
    assert told["qr"] == english["qr"] == mine["check_in_code"]


async def test_the_code_is_a_picture_for_its_own_alone(api: Api, hall: str) -> None:
    lin, stranger = await api.citizen(), await api.citizen()
    mine = await booked(lin, hall, an_item(api, hall), at("10:00"))
    for what in ("qr.svg", "calendar", "calendar.ics"):
        assert (await stranger.get(f"/appointments/{mine['id']}/{what}")).status_code == 404
    reply = await lin.get(f"/appointments/{mine['id']}/qr.svg")
    assert reply.headers["content-type"] == "image/svg+xml"
    assert ET.fromstring(reply.content).tag.endswith("svg")
