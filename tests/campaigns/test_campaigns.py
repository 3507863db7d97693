"""Campaigns: drafted by one, approved by another, told once to each whom they concern."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from asyncpg import CheckViolationError

from models import campaigns, consents
from models.consents import Purpose
from models.database import rows, transaction
from models.notice_kinds import NoticeKind
from models.purpose_notices import Concern, Told, write
from server.campaigns import running
from tests.campaigns.office import POLICY, Office, path, people_born, written
from tests.conftest import Api
from tests.counters.halls import code_of


@pytest_asyncio.fixture
async def office(api: Api) -> AsyncIterator[Office]:
    """An office in a city where nobody lets herself be told of policies yet."""
    await rows("DELETE FROM consent WHERE purpose = 'policies'")
    yield Office(api, await api.colleague("admin"), await api.colleague("supervisor"))
    await rows(
        "UPDATE campaign SET state = 'cancelled', ended_at = now()"
        " WHERE state IN ('approved', 'running', 'paused')"
    )


async def test_it_is_told_to_whom_it_concerns_once_with_the_reason(office: Office) -> None:
    old, young = await people_born("1950-01-01", 7), await people_born("2001-01-01", 3)
    one = await office.approved()
    view = await office.runs(one)
    assert view["state"] == "done"
    assert view["ended_at"]
    assert (view["figures"]["written"], view["figures"]["waiting"]) == (7, 7)
    found = await written(one)
    assert {row["citizen_id"] for row in found} == set(old)
    assert not {row["citizen_id"] for row in found} & set(young)
    facts = json.loads(found[0]["facts"])
    assert facts["title"] == POLICY["title"]
    assert "60" in facts["because"]
    assert found[0]["purpose"] == "policies"
    # Again it is the same people, who are told nothing more.
    await rows("UPDATE campaign SET state = 'running', ended_at = NULL WHERE id = $1", UUID(one))
    assert (await office.runs(one))["figures"]["written"] == 7


async def test_nobody_approves_what_she_wrote_herself(office: Office) -> None:
    draft = await office.draft()
    one = draft["id"]
    own = await office.author.post(path(one, "approve"), {"version": 1})
    assert code_of(own) == (403, "needs_second_person")
    assert "另一人" in own.json()["detail"]
    # Whoever changes it last is the one who wrote it.
    changed = await office.second.put(path(one), {**POLICY, "title": "新的标题"})
    assert (changed.json()["version"], changed.json()["title"]) == (2, "新的标题")
    assert code_of(await office.second.post(path(one, "approve"), {"version": 2})) == (
        403,
        "needs_second_person",
    )
    stale = await office.author.post(path(one, "approve"), {"version": 1})
    assert code_of(stale) == (409, "draft_changed")
    assert (await office.author.post(path(one, "approve"), {"version": 2})).status_code == 200
    # And it stays as it was approved.
    assert code_of(await office.second.put(path(one), POLICY)) == (409, "wrong_state")
    with pytest.raises(CheckViolationError):
        await rows("UPDATE campaign SET approved_by = author_id WHERE id = $1", UUID(one))
    kinds = [
        row["action"]
        for row in await rows(
            "SELECT action FROM audit_entry WHERE subject_id = $1 ORDER BY seq", str(one)
        )
    ]
    assert kinds == ["campaign.drafted", "campaign.rewritten", "campaign.approved"]


async def test_it_pauses_goes_on_and_ends_when_told(office: Office) -> None:
    await people_born("1950-01-01", 6)
    one = await office.approved(per_minute=120)
    runner = office.runner()
    assert await runner.once() == 2
    assert (await office.step(one, "pause")).json()["state"] == "paused"
    assert await runner.once() == 0
    assert [row["is_held"] for row in await written(one)] == [True, True]
    assert code_of(await office.step(one, "pause")) == (409, "wrong_state")
    assert (await office.step(one, "resume")).status_code == 200
    assert not any(row["is_held"] for row in await written(one))
    await rows("UPDATE campaign SET next_at = now() WHERE id = $1", UUID(one))
    assert await runner.once() == 2
    assert (await office.step(one, "cancel")).json()["state"] == "cancelled"
    assert await runner.once() == 0
    assert {(row["state"], row["fault"]) for row in await written(one)} == {
        ("expired", "campaign_cancelled")
    }
    assert code_of(await office.step(one, "resume")) == (409, "wrong_state")


async def test_it_keeps_its_pace(office: Office) -> None:
    await people_born("1950-01-01", 5)
    one = await office.approved(per_minute=60)
    runner = office.runner()
    assert await runner.once() == 1
    assert await runner.once() == 0  # one a second
    [row] = await rows("SELECT next_at - now() AS left FROM campaign WHERE id = $1", UUID(one))
    assert 0 < row["left"].total_seconds() <= 1


async def test_a_worker_that_dies_is_followed_by_another_just_there(office: Office) -> None:
    everybody = await people_born("1950-01-01", 9)
    one = await office.approved(per_minute=180)
    first, second = office.runner(), office.runner()
    assert await first.once() == 3
    # The first is not heard of any more; what it had read on is of no use when it comes back.
    await rows("UPDATE campaign SET held_until = now(), next_at = now() WHERE id = $1", UUID(one))
    assert await second.once() == 3
    await rows("UPDATE campaign SET held_until = now(), next_at = now() WHERE id = $1", UUID(one))
    await asyncio.gather(first.once(), second.once())
    await rows("UPDATE campaign SET held_until = now(), next_at = now() WHERE id = $1", UUID(one))
    await office.runs(one, first)
    assert [row["citizen_id"] for row in await written(one)] == sorted(everybody)


async def test_who_was_told_enough_is_told_another_day(office: Office) -> None:
    busy, free = await people_born("1950-01-01", 2)
    now = office.api.services.clock.now()
    told = Told("another", Purpose.POLICIES, NoticeKind.SERVICE_DUE)
    async with transaction() as tx:
        assert await write(tx, told, [Concern(busy, "", "{}", 1)], now=now) == 1
    one = await office.approved()
    view = await office.runs(one)
    assert (view["state"], view["figures"]["written"]) == ("running", 1)
    [row] = await rows("SELECT next_at - now() AS wait FROM campaign WHERE id = $1", UUID(one))
    assert 20 < row["wait"].total_seconds() / 3600 < 22
    await rows("UPDATE notice SET happened_at = happened_at - interval '2 days'")
    await rows("UPDATE campaign SET next_at = now() WHERE id = $1", UUID(one))
    view = await office.runs(one)
    assert (view["state"], view["figures"]["written"]) == ("done", 2)
    assert {row["citizen_id"] for row in await written(one)} == {busy, free}


async def test_who_withdraws_is_not_told(office: Office) -> None:
    stays, leaves, left = await people_born("1950-01-01", 3)
    one = await office.approved()
    async with transaction() as tx:
        await consents.withdraw(tx, left, Purpose.POLICIES)
    view = await office.runs(one)
    async with transaction() as tx:
        await consents.withdraw(tx, leaves, Purpose.POLICIES)
    view = await office.counted(one)
    assert (view["figures"]["written"], view["figures"]["withdrawn"]) == (2, 1)
    assert {row["citizen_id"]: row["state"] for row in await written(one)} == {
        stays: "waiting",
        leaves: "expired",
    }


async def test_when_its_time_is_over_nothing_more_goes_out(office: Office) -> None:
    await people_born("1950-01-01", 4)
    one = await office.approved(per_minute=60)
    runner = office.runner()
    assert await runner.once() == 1
    await rows(
        "UPDATE campaign SET starts_at = $2::timestamptz - interval '2 days', ends_at = $2"
        " WHERE id = $1",
        UUID(one),
        office.api.services.clock.now(),
    )
    assert await runner.once() == 0
    assert (await office.shown(one))["state"] == "done"
    assert [(row["state"], row["fault"]) for row in await written(one)] == [("expired", "over")]


async def test_it_begins_at_its_time(office: Office) -> None:
    await people_born("1950-01-01", 1)
    one = await office.approved(
        starts_at="2026-11-25T09:00:00+08:00", ends_at="2026-11-26T09:00:00+08:00"
    )
    assert await office.runner().once() == 0
    assert (await office.shown(one))["state"] == "approved"


async def test_it_writes_no_faster_than_it_goes_out(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaigns, "MOST_WAITING", 2)
    monkeypatch.setattr(running, "MOST_WAITING", 2)
    await people_born("1950-01-01", 5)
    one = await office.approved(per_minute=120)
    runner = office.runner()
    assert await runner.once() == 2
    await rows("UPDATE campaign SET next_at = now() WHERE id = $1", UUID(one))
    assert await runner.once() == 0
    await rows(
        "UPDATE notice SET state = 'kept', settled_at = now() WHERE subject_id = $1", UUID(one)
    )
    await rows("UPDATE campaign SET next_at = now() WHERE id = $1", UUID(one))
    assert await runner.once() == 2


async def test_a_dry_run_tells_how_many_and_nobody_anything(office: Office) -> None:
    await people_born("1950-01-01", 12)
    one = (await office.draft())["id"]
    tried = (await office.author.post(path(one, "dry-run"))).json()
    assert (tried["looked_at"], tried["concerned"], len(tried["sample"])) == (12, 10, 5)
    assert await written(one) == []


async def test_it_is_read_in_her_inbox(office: Office) -> None:
    lin = await office.api.citizen()
    async with transaction() as tx:
        await consents.give(
            tx, UUID(lin.session["citizen"]["id"]), Purpose.POLICIES, [], at=datetime.now(UTC)
        )
    one = await office.approved(audience="", reads=[])
    await office.runs(one)
    [news] = [
        each for each in (await lin.get("/notices")).json()["data"] if each["kind"] == "policy_news"
    ]
    assert (news["title"], news["purpose"]) == (POLICY["title"], "policies")
    assert POLICY["text"] in news["body"]
    assert (await lin.post(f"/notices/{news['id']}/read")).status_code in (200, 204)
    assert (await office.counted(one))["figures"]["opened"] == 1


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"audience": "age >="}, "/audience"),
        ({"audience": "__import__('os')"}, "/audience"),
        ({"reads": []}, "/audience"),
        ({"audience": 'done("no-such")', "reads": ["items"]}, "/audience"),
        ({"title": " "}, "/title"),
        ({"item": "no-such"}, "/item"),
        ({"ends_at": "2026-11-22T09:00:00+08:00"}, "/ends_at"),
        ({"ends_at": "2027-11-22T09:00:00+08:00"}, "/ends_at"),
        ({"per_minute": 0}, "/per_minute"),
        ({"reads": ["wealth"]}, "/reads"),
        ({"text": "字" * 501}, "/text"),
    ],
)
async def test_what_cannot_be_told_is_refused_with_its_place(
    office: Office, given: dict[str, Any], at: str
) -> None:
    reply = await office.author.post("/admin/campaigns", {**POLICY, **given})
    assert code_of(reply) == (422, "invalid_request")
    assert reply.json()["errors"][0]["pointer"].startswith(at), reply.text


async def test_it_speaks_for_the_city_so_no_hall_and_no_citizen_may(office: Office) -> None:
    lin, manager = await office.api.citizen(), await office.api.manager("dg-01")
    for who in (lin, manager):
        assert (await who.post("/admin/campaigns", POLICY)).status_code == 403
        assert (await who.get("/admin/campaigns")).status_code == 403
    unknown = path("01939f2e-7c6a-7b1e-9d2f-3a4b5c6d7e99", "approve")
    assert code_of(await office.author.post(unknown, {"version": 1})) == (404, "not_found")
    first = await office.draft()
    second = await office.draft()
    page = (await office.author.get("/admin/campaigns?limit=1")).json()
    assert page["data"][0]["id"] == second["id"]
    rest = (
        await office.author.get(f"/admin/campaigns?limit=1&cursor={page['next_cursor']}")
    ).json()
    assert rest["data"][0]["id"] == first["id"]
