"""Administrators make, change and disable accounts; each change ends sign-ins at once."""

from asyncio import gather
from typing import Any
from uuid import uuid4

import httpx
import pyotp
import pytest

from models.database import rows
from tests.conftest import Api
from tests.people import Person, a_member_of_staff, with_a_device


@pytest.fixture
async def admin(api: Api) -> Person:
    return await a_member_of_staff(api.http, "admin")


def a_name() -> str:
    return f"new-{uuid4().hex[:12]}"


def said(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["code"]


async def patch(person: Person, username: str, **body: Any) -> httpx.Response:
    return await person.http.patch(
        f"/api/v1/admin/staff/{username}", json=body, headers=person.headers
    )


async def a_clerk(api: Api, admin: Person, **more: Any) -> tuple[str, Person]:
    """A new account whose first duties are done, signed in."""
    username = a_name()
    body = {"username": username, "name": "新人", "role": "clerk", "halls": ["dg-10"], **more}
    made = await admin.post("/admin/staff", body)
    assert made.status_code == 201, made.text
    given = made.json()["one_time_password"]
    clerk = await sign_in(api, username, given)
    own = {"password": given, "new_password": "correct horse"}
    assert (await clerk.post("/staff/me/password", own)).status_code == 204
    clerk = await sign_in(api, username, "correct horse")
    return username, await with_a_device(clerk)


async def sign_in(api: Api, username: str, password: str) -> Person:
    body = {"username": username, "password": password}
    reply = await api.http.post("/api/v1/staff/sessions", json=body)
    assert reply.status_code == 200, reply.text
    return Person(api.http, reply.json()["access_token"], reply.json())


async def test_an_account_is_made_with_a_password_told_once(api: Api, admin: Person) -> None:
    username = a_name()
    body = {"username": username, "name": "王芳", "role": "auditor", "levels": ["town"]}
    made = (await admin.post("/admin/staff", body)).json()
    account = made["account"]
    assert (account["username"], account["role"], account["levels"]) == (
        username,
        "auditor",
        ["town"],
    )
    assert (account["one_time_password"], account["demo"], account["totp"]) == (True, False, False)
    assert made["expires_at"].endswith("+08:00")
    assert made["one_time_password"] not in str(await rows("SELECT * FROM staff"))
    assert said(await admin.post("/admin/staff", body)) == (409, "username_taken")


async def test_of_five_who_make_the_same_account_one_does(admin: Person) -> None:
    body = {"username": a_name(), "name": "王芳", "role": "clerk"}
    replies = await gather(*(admin.post("/admin/staff", body) for _ in range(5)))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409, 409, 409]


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": "Wang"},
        {"username": "w"},
        {"username": "wang fang"},
        {"username": "wang\n"},
        {"username": "../wang"},
        {"name": ""},
        {"role": "emperor"},
        {"halls": ["dg-99"]},
        {"halls": "dg-01"},
        {"levels": ["country"]},
        {"password": "chosen"},
    ],
    ids=str,
)
async def test_an_account_that_makes_no_sense_is_refused(
    admin: Person, wrong: dict[str, Any]
) -> None:
    body = {"username": a_name(), "name": "王芳", "role": "clerk", **wrong}
    assert said(await admin.post("/admin/staff", body)) == (422, "invalid_request")


async def test_accounts_are_listed_a_page_at_a_time(admin: Person) -> None:
    names, cursor = [], ""
    while True:
        query = {"role": "hall_manager", "limit": 10, **({"cursor": cursor} if cursor else {})}
        page = (await admin.get("/admin/staff", params=query)).json()
        names += [account["username"] for account in page["data"]]
        assert len(page["data"]) <= 10
        if page["next_cursor"] is None:
            break
        cursor = page["next_cursor"]
    assert {f"manager.dg-{nth:02d}" for nth in range(34)} <= set(names)
    assert names == sorted(set(names))
    of_hall = (await admin.get("/admin/staff", params={"hall": "dg-11"})).json()["data"]
    assert {tuple(account["halls"]) for account in of_hall} == {("dg-11",)}
    assert "password_hash" not in of_hall[0]


@pytest.mark.parametrize(
    "change",
    [
        {"disabled": True},
        {"role": "hall_manager"},
        {"halls": ["dg-11"]},
        {"halls": []},
        {"levels": ["village"]},
    ],
    ids=str,
)
async def test_a_change_of_rights_ends_all_sign_ins(
    api: Api, admin: Person, change: dict[str, Any]
) -> None:
    username, here = await a_clerk(api, admin)
    there = await sign_in(api, username, "correct horse")
    changed = await patch(admin, username, **change)
    assert changed.status_code == 200
    assert {name: changed.json()[name] for name in change} == change
    for clerk in (here, there):
        assert said(await clerk.get("/staff/me")) == (401, "not_signed_in")
        body = {"refresh_token": clerk.session["refresh_token"]}
        refreshed = await api.http.post("/api/v1/sessions/refresh", json=body)
        assert said(refreshed) == (401, "refresh_token_invalid")


async def test_a_change_that_changes_no_rights_ends_nothing(api: Api, admin: Person) -> None:
    username, clerk = await a_clerk(api, admin)
    same = {"name": "王芳芳", "role": "clerk", "halls": ["dg-10", "dg-10"], "levels": []}
    for change in ({}, same):
        assert (await patch(admin, username, **change)).status_code == 200
    assert (await clerk.get("/staff/me")).json()["name"] == "王芳芳"


async def test_a_disabled_account_does_not_sign_in_until_it_is_enabled(
    api: Api, admin: Person
) -> None:
    username, _ = await a_clerk(api, admin)
    await patch(admin, username, disabled=True)
    body = {"username": username, "password": "correct horse"}
    refused = await api.http.post("/api/v1/staff/sessions", json=body)
    assert said(refused) == (401, "wrong_password")
    await patch(admin, username, disabled=False)
    await sign_in(api, username, "correct horse")


async def test_no_sign_in_outlives_a_change_that_races_with_it(api: Api, admin: Person) -> None:
    username, _ = await a_clerk(api, admin)
    for nth in range(6):
        halls = [f"dg-{nth + 1:02d}"]

        async def sign_in_and_look() -> tuple[int, list[str]]:
            clerk = await sign_in(api, username, "correct horse")
            return (await clerk.get("/staff/me")).status_code, clerk.session["halls"]

        ways: list[Any] = [patch(admin, username, halls=halls)]
        ways += [sign_in_and_look() for _ in range(4)]
        await gather(*ways)
        sign_ins = await rows(
            """
            SELECT s.id FROM sign_in s JOIN staff ON staff.id = s.person_id
            WHERE staff.username = $1 AND s.ended_at IS NULL
            """,
            username,
        )
        clerk = await sign_in(api, username, "correct horse")
        for one in (await clerk.get("/me/devices")).json()["data"]:
            assert one["current"] or any(str(row["id"]) == one["id"] for row in sign_ins)
        # Whoever is still signed in signed in after the change, so with the halls of now.
        assert clerk.session["halls"] == halls
        assert (await clerk.get(f"/halls/{halls[0]}/counters")).status_code == 200
        await clerk.post("/me/devices/end-others")


async def test_a_reset_password_ends_sign_ins_unlocks_and_must_be_changed(
    api: Api, admin: Person
) -> None:
    username, clerk = await a_clerk(api, admin)
    for _ in range(5):
        body = {"username": username, "password": "guess"}
        await api.http.post("/api/v1/staff/sessions", json=body)
    reset = await admin.post(f"/admin/staff/{username}/password")
    assert reset.status_code == 200
    assert said(await clerk.get("/staff/me")) == (401, "not_signed_in")
    again = await sign_in(api, username, reset.json()["one_time_password"])
    assert again.session["duty"] == "change_password"
    body = {"username": username, "password": "correct horse"}
    old = await api.http.post("/api/v1/staff/sessions", json=body)
    assert said(old) == (401, "wrong_password")


async def test_a_device_is_taken_off(api: Api, admin: Person) -> None:
    username, clerk = await a_clerk(api, admin)
    secret = (await clerk.post("/staff/me/totp")).json()["secret"]
    code = pyotp.TOTP(secret).now()
    assert (await clerk.post("/staff/me/totp/confirm", {"otp": code})).status_code == 200
    assert (await admin.delete(f"/admin/staff/{username}/totp")).status_code == 204
    assert said(await clerk.get("/staff/me")) == (401, "not_signed_in")
    again = await sign_in(api, username, "correct horse")
    account = (await again.get("/staff/me")).json()
    assert (account["totp"], account["recovery_codes_left"]) == (False, 0)


async def test_an_admin_cannot_shut_herself_out(api: Api, admin: Person) -> None:
    for change in ({"disabled": True}, {"role": "clerk"}, {"halls": ["dg-01"]}):
        assert said(await patch(admin, "admin", **change)) == (409, "own_account")
    assert said(await admin.post("/admin/staff/admin/password")) == (409, "own_account")
    assert said(await admin.delete("/admin/staff/admin/totp")) == (409, "own_account")
    assert (await patch(admin, "admin", name="系统管理员")).status_code == 200
    assert (await admin.get("/staff/me")).status_code == 200


async def test_accounts_there_are_not_are_not_found(admin: Person) -> None:
    assert said(await patch(admin, "nobody", disabled=True)) == (404, "not_found")
    assert said(await admin.post("/admin/staff/nobody/password")) == (404, "not_found")
    assert said(await admin.delete("/admin/staff/nobody/totp")) == (404, "not_found")


async def test_only_admins_of_every_hall_see_and_make_accounts(api: Api, admin: Person) -> None:
    body = {"username": a_name(), "name": "王芳", "role": "admin"}
    people = [
        await api.citizen(),
        await api.clerk("dg-10"),
        await a_member_of_staff(api.http, "manager.dg-10"),
        await a_member_of_staff(api.http, "supervisor"),
        (await a_clerk(api, admin, role="auditor", halls=[]))[1],
        (await a_clerk(api, admin, role="admin", halls=["dg-10"]))[1],
        (await a_clerk(api, admin, role="admin", halls=[], levels=["city"]))[1],
    ]
    for person in people:
        assert said(await person.get("/admin/staff")) == (403, "not_allowed")
        assert said(await person.post("/admin/staff", body)) == (403, "not_allowed")
        assert said(await patch(person, "admin", disabled=True)) == (403, "not_allowed")
        reset = await person.post("/admin/staff/admin/password")
        assert said(reset) == (403, "not_allowed")


async def test_changes_are_in_the_audit_log_by_ids_only(api: Api, admin: Person) -> None:
    username, _ = await a_clerk(api, admin)
    changed = await patch(admin, username, disabled=True, name="王芳", role="clerk")
    await admin.post(f"/admin/staff/{username}/password")
    await admin.delete(f"/admin/staff/{username}/totp")
    entries = await rows(
        "SELECT actor_kind, actor_id, action, detail::text AS detail FROM audit_entry"
        " WHERE subject_id = $1 ORDER BY seq",
        changed.json()["id"],
    )
    assert [(entry["action"], entry["detail"]) for entry in entries] == [
        ("staff.created", "{}"),
        ("staff.password_changed", "{}"),
        ("staff.changed", '{"changed": ["name", "disabled"]}'),
        ("staff.password_reset", "{}"),
        ("staff.totp_reset", "{}"),
    ]
    me = (await admin.get("/staff/me")).json()["id"]
    hers = changed.json()["id"]
    assert [str(entry["actor_id"]) for entry in entries] == [me, hers, me, me, me]
    assert {entry["actor_kind"] for entry in entries} == {"staff"}
