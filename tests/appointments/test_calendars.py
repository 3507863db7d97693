"""An appointment in her calendar, and as a QR code."""

import xml.etree.ElementTree as ET

import pytest

from tests.appointments.days import a_bookable_hall, an_item, at, booked
from tests.conftest import Api


@pytest.fixture
async def hall(api: Api) -> str:
    return await a_bookable_hall(api)


def unfolded(ics: str) -> dict[str, str]:
    assert ics.endswith("END:VCALENDAR\r\n")
    assert all(len(line.encode()) <= 75 for line in ics.split("\r\n"))
    lines = ics.replace("\r\n ", "").split("\r\n")
    return dict(line.partition(":")[::2] for line in reversed(lines) if line)


async def test_any_calendar_takes_it_and_takes_it_out_again(api: Api, hall: str) -> None:
    lin, item = await api.citizen(), an_item(api, hall)
    mine = await booked(lin, hall, item, at("10:00"))
    path = f"/appointments/{mine['id']}"
    reply = await lin.get(f"{path}/calendar.ics")
    assert reply.headers["content-type"] == "text/calendar; charset=utf-8"
    file = unfolded(reply.text)
    assert (file["DTSTART"], file["DTEND"]) == ("20261124T020000Z", "20261124T023000Z")
    entry = api.services.directory.hall(hall)
    assert file["SUMMARY"].startswith(entry.name)
    assert mine["check_in_code"] in file["DESCRIPTION"]
    await lin.post(f"{path}/cancel")
    after = unfolded((await lin.get(f"{path}/calendar.ics")).text)
    assert (after["METHOD"], after["STATUS"]) == ("CANCEL", "CANCELLED")
    assert after["UID"] == file["UID"]
    assert int(after["SEQUENCE"]) >= int(file["SEQUENCE"])


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
