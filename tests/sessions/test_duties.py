"""Managers and above enrol a device, and one-time passwords are changed, first."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pyotp
import pytest

from models.database import transaction
from models.staff import Role
from server.admin.staff import NewAccount, create_account
from tests.conftest import Api
from tests.people import PASSWORD, Person, a_member_of_staff

OWN = "correct horse battery"


@dataclass
class Newcomer:
    """An account just made, and what was given to its owner."""

    username: str
    given: str


async def a_newcomer(role: Role, **scope: list[str]) -> Newcomer:
    name = f"new-{uuid4().hex[:12]}"
    made = await create_account(NewAccount(name, "新人", role, **scope), by=None)
    return Newcomer(name, made.password)


async def sign_in(api: Api, username: str, password: str, otp: str | None = None) -> Person:
    body = {"username": username, "password": password, "otp": otp}
    reply = await api.http.post("/api/v1/staff/sessions", json=body)
    assert reply.status_code == 200, reply.text
    return Person(api.http, reply.json()["access_token"], reply.json())


async def refresh(person: Person) -> None:
    body = {"refresh_token": person.session["refresh_token"]}
    reply = await person.http.post("/api/v1/sessions/refresh", json=body)
    assert reply.status_code == 200, reply.text
    person.session = reply.json()
    person.token = reply.json()["access_token"]


def said(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["code"]


async def change(person: Person, old: str, new: str = OWN) -> httpx.Response:
    return await person.post("/staff/me/password", {"password": old, "new_password": new})


async def test_a_one_time_password_is_changed_before_anything_else(api: Api) -> None:
    newcomer = await a_newcomer(Role.CLERK, halls=["dg-09"])
    clerk = await sign_in(api, newcomer.username, newcomer.given)
    assert clerk.session["duty"] == "change_password"
    refused = await clerk.get("/halls/dg-09/counters")
    assert said(refused) == (403, "password_change_required")
    assert said(await clerk.get("/me/devices")) == (403, "password_change_required")
    assert (await clerk.get("/staff/me")).json()["duty"] == "change_password"
    assert (await change(clerk, newcomer.given)).status_code == 204
    await refresh(clerk)
    assert (await clerk.get("/halls/dg-09/counters")).status_code == 200
    assert (await clerk.get("/staff/me")).json()["duty"] is None
    assert (await sign_in(api, newcomer.username, OWN)).session["duty"] is None


async def test_a_one_time_password_is_no_good_after_three_days(api: Api) -> None:
    newcomer = await a_newcomer(Role.CLERK)
    async with transaction() as tx:
        await tx.run(
            "UPDATE staff SET password_expires_at = $2 WHERE username = $1",
            newcomer.username,
            datetime.now(UTC) - timedelta(seconds=1),
        )
    body = {"username": newcomer.username, "password": newcomer.given}
    reply = await api.http.post("/api/v1/staff/sessions", json=body)
    assert said(reply) == (401, "wrong_password")


@pytest.mark.parametrize("role", [Role.HALL_MANAGER, Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR])
async def test_managers_and_above_enrol_first(api: Api, role: Role) -> None:
    newcomer = await a_newcomer(role)
    manager = await sign_in(api, newcomer.username, newcomer.given)
    # First the one duty, then the other.
    assert (await change(manager, newcomer.given)).status_code == 204
    await refresh(manager)
    refused = await manager.get("/halls/dg-09/counters")
    assert said(refused) == (403, "totp_enrolment_required")
    device = pyotp.TOTP((await manager.post("/staff/me/totp")).json()["secret"])
    confirmed = await manager.post("/staff/me/totp/confirm", {"otp": device.now()})
    assert confirmed.status_code == 200
    await refresh(manager)
    assert (await manager.get("/halls/dg-09/counters")).status_code == 200


async def test_who_has_a_duty_may_sign_out(api: Api) -> None:
    newcomer = await a_newcomer(Role.ADMIN)
    manager = await sign_in(api, newcomer.username, newcomer.given)
    assert (await manager.delete("/sessions/current")).status_code == 204


async def test_clerks_and_demo_accounts_need_no_device(api: Api) -> None:
    newcomer = await a_newcomer(Role.CLERK, halls=["dg-09"])
    clerk = await sign_in(api, newcomer.username, newcomer.given)
    await change(clerk, newcomer.given)
    await refresh(clerk)
    assert (await clerk.get("/halls/dg-09/counters")).status_code == 200
    admin = await a_member_of_staff(api.http, "admin")
    assert admin.session["duty"] is None
    assert (await admin.get("/admin/staff")).status_code == 200


async def test_a_new_password_ends_the_other_sign_ins_and_not_this_one(api: Api) -> None:
    newcomer = await a_newcomer(Role.CLERK, halls=["dg-09"])
    here = await sign_in(api, newcomer.username, newcomer.given)
    there = await sign_in(api, newcomer.username, newcomer.given)
    assert (await change(here, newcomer.given)).status_code == 204
    assert (await here.get("/staff/me")).status_code == 200
    assert said(await there.get("/staff/me")) == (401, "not_signed_in")


async def test_the_old_password_is_asked_for_and_counted(api: Api) -> None:
    newcomer = await a_newcomer(Role.CLERK)
    clerk = await sign_in(api, newcomer.username, newcomer.given)
    for _ in range(5):
        assert said(await change(clerk, "guess")) == (401, "wrong_password")
    assert said(await change(clerk, newcomer.given)) == (429, "account_locked")
    # Whoever has her token only cannot lock her out.
    await sign_in(api, newcomer.username, newcomer.given)


async def test_passwords_anybody_would_guess_are_refused(api: Api) -> None:
    newcomer = await a_newcomer(Role.CLERK)
    clerk = await sign_in(api, newcomer.username, newcomer.given)
    for unfit in (newcomer.given, f"my-{newcomer.username}", f"{PASSWORD}-2"):
        assert said(await change(clerk, newcomer.given, unfit)) == (422, "password_unfit")
    assert said(await change(clerk, newcomer.given, "short")) == (422, "invalid_request")
