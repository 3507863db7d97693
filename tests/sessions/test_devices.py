"""Where I am signed in, and signing out there; the same for citizens and staff."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from models.database import transaction
from tests.conftest import Api
from tests.people import Person, a_member_of_staff, an_id_number


async def two_devices(api: Api, kind: str) -> tuple[Person, Person]:
    if kind == "citizen":
        id_number = an_id_number()
        return await api.citizen(id_number), await api.citizen(id_number)
    name = "clerk.dg-04.01"
    tablet = await a_member_of_staff(api.http, name)
    await tablet.post("/me/devices/end-others")
    return await a_member_of_staff(api.http, name), tablet


async def devices(person: Person) -> list[dict[str, object]]:
    reply = await person.get("/me/devices")
    assert reply.status_code == 200
    found: list[dict[str, object]] = reply.json()["data"]
    return found


async def me(person: Person) -> int:
    return (await person.get("/me/devices")).status_code


@pytest.mark.parametrize("kind", ["citizen", "staff"])
async def test_each_sign_in_is_listed_and_the_one_that_asks_is_marked(api: Api, kind: str) -> None:
    phone, tablet = await two_devices(api, kind)
    seen_by_phone, seen_by_tablet = await devices(phone), await devices(tablet)
    assert [one["id"] for one in seen_by_phone] == [one["id"] for one in seen_by_tablet]
    assert sorted(bool(one["current"]) for one in seen_by_phone) == [False, True]
    assert [one["current"] for one in seen_by_phone] != [one["current"] for one in seen_by_tablet]
    for one in seen_by_phone:
        assert set(one) == {"id", "device", "channel", "started_at", "last_seen_at", "current"}
        assert one["channel"] == ("wechat" if kind == "citizen" else "password")
        assert str(one["started_at"]).endswith("+08:00")
        assert str(one["device"]).startswith("python-httpx")


async def test_a_refresh_is_when_a_device_was_last_seen(api: Api) -> None:
    phone, _ = await two_devices(api, "citizen")
    body = {"refresh_token": phone.session["refresh_token"]}
    assert (await api.http.post("/api/v1/sessions/refresh", json=body)).status_code == 200
    first, second = await devices(phone)
    assert first["current"]
    # The one last seen comes first, also within one second.
    assert str(first["last_seen_at"]) >= str(second["last_seen_at"])
    assert str(first["started_at"]) <= str(second["started_at"])


@pytest.mark.parametrize("kind", ["citizen", "staff"])
async def test_a_device_is_signed_out_from_another(api: Api, kind: str) -> None:
    phone, tablet = await two_devices(api, kind)
    [lost] = [one["id"] for one in await devices(phone) if not one["current"]]
    assert (await phone.delete(f"/me/devices/{lost}")).status_code == 204
    assert (await me(phone), await me(tablet)) == (200, 401)
    body = {"refresh_token": tablet.session["refresh_token"]}
    reply = await api.http.post("/api/v1/sessions/refresh", json=body)
    assert reply.json()["code"] == "refresh_token_invalid"
    assert [one["current"] for one in await devices(phone)] == [True]
    assert (await phone.delete(f"/me/devices/{lost}")).status_code == 404


@pytest.mark.parametrize("kind", ["citizen", "staff"])
async def test_all_other_devices_are_signed_out_together(api: Api, kind: str) -> None:
    phone, tablet = await two_devices(api, kind)
    reply = await tablet.post("/me/devices/end-others")
    assert (reply.status_code, reply.json()) == (200, {"ended": 1})
    assert (await me(phone), await me(tablet)) == (401, 200)
    assert (await tablet.post("/me/devices/end-others")).json() == {"ended": 0}


async def test_ending_the_present_device_is_signing_out(api: Api) -> None:
    lin = await api.citizen()
    [here] = await devices(lin)
    assert (await lin.delete(f"/me/devices/{here['id']}")).status_code == 204
    assert await me(lin) == 401


async def test_nobody_ends_somebody_elses_sign_in(api: Api) -> None:
    lin, chen, clerk = await api.citizen(), await api.citizen(), await api.clerk("dg-05")
    [hers] = await devices(lin)
    for somebody in (chen, clerk):
        reply = await somebody.delete(f"/me/devices/{hers['id']}")
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert await me(lin) == 200


@pytest.mark.parametrize("name", ["0" * 32, "current", "%00", "1"])
async def test_a_device_that_is_none_is_not_found(api: Api, name: str) -> None:
    lin = await api.citizen()
    reply: httpx.Response = await lin.delete(f"/me/devices/{name}")
    assert reply.status_code in {400, 404}


async def test_a_sign_in_that_cannot_be_refreshed_any_more_is_not_listed(api: Api) -> None:
    phone, _ = await two_devices(api, "citizen")
    [old] = [one["id"] for one in await devices(phone) if not one["current"]]
    async with transaction() as tx:
        await tx.run(
            "UPDATE refresh_token SET expires_at = $2 WHERE sign_in_id = $1",
            UUID(str(old)),
            datetime.now(UTC) - timedelta(seconds=1),
        )
    assert [one["current"] for one in await devices(phone)] == [True]
