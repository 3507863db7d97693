"""Consent for each purpose, over HTTP: given, seen, withdrawn at once; and what follows of it."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from models import consent_people, notice_delivery, purpose_notices
from models.consents import Purpose
from models.database import rows, transaction
from models.notice_delivery import Begin
from models.notice_kinds import NoticeKind
from models.purpose_notices import Concern, Told
from tests.conftest import Api
from tests.people import Person

NOW = datetime.fromisoformat("2026-11-23T09:30:00+08:00")


def her_id(person: Person) -> UUID:
    return UUID(person.session["citizen"]["id"])


async def told(person: Person, occasion: str, groups: int, rule: str = "a-rule") -> int:
    facts = '{"title": "x", "text": "y", "because": "z"}'
    async with transaction() as tx:
        return await purpose_notices.write(
            tx,
            Told(rule, Purpose.SERVICES, NoticeKind.SERVICE_DUE),
            [Concern(her_id(person), occasion, facts, groups)],
            now=NOW,
        )


async def states(person: Person) -> list[tuple[str, str | None]]:
    found = await rows(
        "SELECT state, fault FROM notice WHERE citizen_id = $1 AND purpose = 'services'"
        " ORDER BY id",
        her_id(person),
    )
    return [(row["state"], row["fault"]) for row in found]


async def test_nothing_is_used_until_she_says_so(api: Api) -> None:
    lin = await api.citizen()
    listed, statements = await api.statements(lin.get("/me/purposes"))
    found = {one["purpose"]: one for one in listed.json()["data"]}
    assert (set(found), statements) == ({"documents", "services", "policies"}, 1)
    assert all(one["given_at"] is None and not one["groups"] for one in found.values())
    assert found["documents"]["may_use"] == ["certificates"]
    assert await told(lin, "", 0) == 0
    english = await lin.http.get(
        "/api/v1/me/purposes", headers=lin.headers | {"Accept-Language": "en"}
    )
    assert english.json()["data"][0]["name"] == "Reminders of certificates"


async def test_withdrawn_at_once_nothing_of_that_purpose_goes_out(api: Api) -> None:
    lin = await api.citizen()
    given = await lin.put("/me/purposes/services", {"groups": ["age", "items"]})
    assert given.status_code == 200, given.text
    assert given.json()["groups"] == ["age", "items"]
    assert await told(lin, "2026", 17) == 1
    assert await told(lin, "2026", 17) == 0
    assert await states(lin) == [("waiting", None)]
    assert (await lin.delete("/me/purposes/services")).status_code == 204
    assert await states(lin) == [("expired", "consent_withdrawn")]
    assert await told(lin, "2027", 17) == 0
    audited = await rows(
        "SELECT action FROM audit_entry WHERE subject_id = $1 AND action LIKE 'consent.%'"
        " ORDER BY seq",
        str(her_id(lin)),
    )
    assert [row["action"] for row in audited] == ["consent.given", "consent.withdrawn"]
    assert (await lin.delete("/me/purposes/services")).status_code == 204


async def test_what_a_courier_holds_already_is_not_begun_once_she_withdrew(api: Api) -> None:
    begun = []
    for withdraws in (False, True):
        lin = await api.citizen()
        await lin.put("/me/purposes/services", {"groups": []})
        assert await told(lin, "", 0) == 1
        [notice] = await rows("SELECT id FROM notice WHERE citizen_id = $1", her_id(lin))
        if withdraws:
            await lin.delete("/me/purposes/services")
        plan = Begin(notice["id"], "sms", None, "x", is_counted=False, spends=False)
        begun.append(notice["id"] in await notice_delivery.begin([plan]))
    assert begun == [True, False]


async def test_withdrawing_meets_the_night(api: Api) -> None:
    for _ in range(5):
        lin = await api.citizen()
        await lin.put("/me/purposes/services", {"groups": []})
        await asyncio.gather(told(lin, "", 0), lin.delete("/me/purposes/services"))
        assert await states(lin) in ([], [("expired", "consent_withdrawn")])


async def test_who_lets_less_be_used_is_not_told_what_was_found_by_more(api: Api) -> None:
    lin = await api.citizen()
    await lin.put("/me/purposes/services", {"groups": ["age", "items"]})
    assert await told(lin, "a", 17) == 1
    await lin.put("/me/purposes/services", {"groups": ["items"]})
    assert await states(lin) == [("expired", "consent_withdrawn")]
    assert await told(lin, "b", 17) == 0
    assert await told(lin, "b", 16) == 1


async def test_one_thing_a_day(api: Api) -> None:
    lin = await api.citizen()
    await lin.put("/me/purposes/services", {"groups": []})
    assert [await told(lin, "x", 0, f"rule-{nth}") for nth in range(3)] == [1, 0, 0]


async def test_what_is_sealed_is_known_while_she_lets_it_be_used(api: Api) -> None:
    lin = await api.citizen()
    await lin.put("/me/residence", {"town": "dg-24"})
    await lin.put("/me/purposes/services", {"groups": ["residence", "company", "family"]})
    [known] = await rows("SELECT * FROM trait WHERE citizen_id = $1", her_id(lin))
    assert (known["residence"], known["has_company"], known["household"]) == ("dg-24", False, 1)
    exported = (await lin.get("/me/export")).json()
    assert exported["known_for_rules"][0]["residence"] == "dg-24"
    assert exported["let_be_used"][0]["groups"] == ["residence", "family", "company"]
    await lin.put("/me/purposes/services", {"groups": ["company"]})
    [known] = await rows("SELECT * FROM trait WHERE citizen_id = $1", her_id(lin))
    assert (known["residence"], known["household"]) == (None, None)
    await lin.delete("/me/purposes/services")
    assert await rows("SELECT 1 FROM trait WHERE citizen_id = $1", her_id(lin)) == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/me/purposes/documents", {"groups": ["age"]}, 422),
        ("/me/purposes/services", {"groups": ["income"]}, 422),
        ("/me/purposes/services", {}, 422),
        ("/me/purposes/anything", {"groups": []}, 404),
        ("/me/certificates/id-card", {"expires_on": "soon"}, 422),
        ("/me/certificates/id-card", {"expires_on": "2026-02-30"}, 422),
        ("/me/certificates/diploma", {"expires_on": None}, 404),
        ("/me/topics", {"topics": ["gossip"]}, 422),
    ],
)
async def test_what_is_none_is_refused(
    api: Api, lin: Person, path: str, body: dict[str, Any], status: int
) -> None:
    reply = await lin.put(path, body)
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"


async def test_certificates_and_topics_are_hers_to_say(api: Api) -> None:
    lin = await api.citizen()
    entered = await lin.put("/me/certificates/id-card", {"expires_on": "2027-01-22"})
    assert entered.json()["remind"] == [90, 30, 7]
    listed, statements = await api.statements(lin.get("/me/certificates"))
    assert [one["kind"] for one in listed.json()["data"]] == ["id-card"]
    assert statements == 1
    assert "passport" in [one["code"] for one in listed.json()["kinds"]]
    assert (await lin.delete("/me/certificates/id-card")).status_code == 204
    assert (await lin.delete("/me/certificates/id-card")).status_code == 404
    followed = await lin.put("/me/topics", {"topics": ["tax", "birth", "tax"]})
    assert followed.json() == {"topics": ["birth", "tax"]}
    assert (await lin.put("/me/topics", {"topics": []})).json() == {"topics": []}


async def test_erased_nothing_of_it_is_kept(api: Api) -> None:
    lin = await api.citizen()
    await lin.put("/me/residence", {"town": "dg-24"})
    await lin.put("/me/purposes/services", {"groups": ["residence", "certificates"]})
    await lin.put("/me/certificates/passport", {"expires_on": "2027-01-22"})
    await lin.put("/me/topics", {"topics": ["tax"]})
    assert await told(lin, "a", 34) == 1
    assert (await lin.delete("/me")).status_code == 204
    for table in ("consent", "trait", "certificate", "topic_follow", "matched", "notice"):
        left = await rows(
            f"SELECT 1 FROM {table} WHERE citizen_id = $1",
            her_id(lin),
        )
        assert left == [], table


async def test_joined_what_both_accounts_said_is_hers_once(api: Api) -> None:
    into, was = await api.citizen(), await api.citizen()
    for one, day in ((into, "2027-01-22"), (was, "2028-01-22")):
        await one.put("/me/purposes/services", {"groups": ["certificates"]})
        await one.put("/me/certificates/passport", {"expires_on": day})
        await one.put("/me/topics", {"topics": ["tax"]})
        assert await told(one, "once", 32) == 1
    async with transaction() as tx:
        await consent_people.move_to(tx, her_id(was), her_id(into))
    [held] = (await into.get("/me/certificates")).json()["data"]
    assert held["expires_on"] == "2028-01-22"
    assert (await into.get("/me/topics")).json() == {"topics": ["tax"]}
    [row] = await rows("SELECT count(*) AS n FROM matched WHERE citizen_id = $1", her_id(into))
    assert row["n"] == 1
