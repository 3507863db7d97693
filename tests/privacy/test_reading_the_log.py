"""Auditors read the log over HTTP, a page at a time, and that they did is in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import pytest

from models.database import Transaction, transaction
from models.staff import Role
from server.admin.staff import NewAccount, create_account
from server.privacy import showing
from tests.conftest import Api
from tests.people import Person, a_member_of_staff, with_a_device

OWN = "correct horse"


async def a_newcomer(api: Api, role: Role, **scope: list[str]) -> Person:
    """A member of staff with her first duties done."""
    name = f"new-{uuid4().hex[:12]}"
    made = await create_account(NewAccount(name, "新人", role, **scope), by=None)
    changing = await sign_in(api, name, made.password)
    change = {"password": made.password, "new_password": OWN}
    assert (await changing.post("/staff/me/password", change)).status_code == 204
    return await with_a_device(await sign_in(api, name, OWN))


async def sign_in(api: Api, username: str, password: str) -> Person:
    body = {"username": username, "password": password}
    reply = await api.http.post("/api/v1/staff/sessions", json=body)
    assert reply.status_code == 200, reply.text
    return Person(api.http, reply.json()["access_token"], reply.json())


@pytest.fixture
async def auditor(api: Api) -> Person:
    return await a_newcomer(api, Role.AUDITOR)


async def read(person: Person, **query: Any) -> dict[str, Any]:
    reply = await person.get("/admin/audit", params=query)
    assert reply.status_code == 200, reply.text
    page: dict[str, Any] = reply.json()
    return page


async def test_what_was_done_to_an_account_is_read_newest_first(api: Api, auditor: Person) -> None:
    clerk = await a_newcomer(api, Role.CLERK, halls=["dg-10"])
    her = (await clerk.get("/staff/me")).json()["id"]
    page = await read(auditor, subject=her)
    assert [entry["action"] for entry in page["data"]] == [
        "staff.password_changed",
        "staff.created",
    ]
    assert page["next_cursor"] is None
    assert page["data"][0]["actor_id"] == page["data"][0]["subject_id"] == her
    assert page["data"][0]["at"].endswith("+08:00")


async def test_the_log_is_read_a_page_at_a_time(auditor: Person) -> None:
    me = (await auditor.get("/staff/me")).json()["id"]
    first = await read(auditor, actor=me, limit=1)
    second = await read(auditor, actor=me, limit=1, cursor=first["next_cursor"])
    assert first["data"][0]["seq"] > second["data"][0]["seq"]
    assert first["data"][0]["seq"] == int(first["next_cursor"])


async def test_that_the_log_was_read_is_in_it(auditor: Person) -> None:
    me = (await auditor.get("/staff/me")).json()["id"]
    about = str(uuid4())
    assert (await read(auditor, subject=about))["data"] == []
    newest = (await read(auditor, actor=me))["data"][0]
    assert (newest["action"], newest["subject_id"]) == ("audit.looked_at", about)


async def test_only_who_oversees_every_hall_reads_the_log(api: Api) -> None:
    refused = [
        await api.citizen(),
        await api.clerk("dg-10"),
        await a_member_of_staff(api.http, "supervisor"),
        await a_newcomer(api, Role.AUDITOR, halls=["dg-10"]),
    ]
    for person in refused:
        assert (await person.get("/admin/audit")).status_code == 403
    assert (await api.http.get("/api/v1/admin/audit")).status_code == 401


@pytest.mark.parametrize(
    "query", [{"subject": "441900199001011234"}, {"actor": "x"}, {"cursor": "0"}, {"limit": "101"}]
)
async def test_what_is_no_question_is_refused(auditor: Person, query: dict[str, str]) -> None:
    reply = await auditor.get("/admin/audit", params=query)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("asked", "index"),
    [(showing._SUBJECT, "audit_of_subject"), (showing._ACTOR, "audit_of_actor")],
)
async def test_a_long_log_is_not_read_whole_for_one_person(
    api: Api, asked: str, index: str
) -> None:
    statement = showing._ENTRIES.format(where=asked.format(1), limit=2)
    async with undone() as tx:
        await tx.run(
            """
            INSERT INTO audit_entry (seq, at, actor_kind, actor_id, action, subject_kind,
                subject_id, detail, previous, hash)
            SELECT 1000000 + n, now(), 'staff', gen_random_uuid(), 'x', 'citizen',
                gen_random_uuid()::text, '{}', '', '' FROM generate_series(1, 20000) n
            """
        )
        await tx.run("ANALYZE audit_entry")
        await tx.run("SET LOCAL plan_cache_mode = force_generic_plan")
        await tx.run(f"PREPARE look (uuid, int) AS {statement}")
        plan = await tx.rows(f"EXPLAIN EXECUTE look ('{uuid4()}', 50)")
        await tx.run("DEALLOCATE look")
    said = "\n".join(row[0] for row in plan)
    assert index in said, said


class _Undo(Exception):
    """Rolls a transaction back."""


@asynccontextmanager
async def undone() -> AsyncIterator[Transaction]:
    """A transaction of which nothing stays."""
    with suppress(_Undo):
        async with transaction() as tx:
            yield tx
            raise _Undo
