"""The crowd's department: its cases are seen by whom they are for, and told once."""

import asyncio
from datetime import datetime
from itertools import pairwise
from random import Random

import httpx
from hypothesis import given
from hypothesis import strategies as st

from integrations.sandbox.crowd import CrowdPlan, Figures, simulate_crowd
from integrations.sandbox.crowd.department import working_days
from integrations.sandbox.crowd.pace import CHINA
from integrations.sandbox.crowd.people import Person as Invented
from integrations.sandbox.crowd.people import invent
from integrations.sandbox.crowd.rates import Rates
from tests.conftest import City
from tests.people import Person

PATIENCE_S = 100
SEED = 4_711


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(CHINA)),
    st.integers(1, 6),
    st.integers(),
)
def test_what_was_before_happened_in_office_hours_in_order(
    now: datetime, many: int, seed: int
) -> None:
    days = working_days(now, many, Random(seed))
    assert len(days) == many
    assert all(earlier < later for earlier, later in pairwise([*days, now]))
    assert all(day.weekday() < 5 and 9 <= day.hour < 17 for day in days)


async def signed_in(http: httpx.AsyncClient, sandbox_url: str, person: Invented) -> Person:
    """Somebody of the crowd at a phone of her own, with her name proven."""
    facts = {"id_number": person.id_number, "name": person.name, "phone": person.phone}
    known = await http.post(f"{sandbox_url}/_sandbox/personas", json=facts)
    code = {"code": known.json()["wechat_code"]}
    session = (await http.post("/api/v1/sessions/wechat", json=code)).json()
    citizen = Person(http, session["access_token"], session)
    claim = {"name": person.name, "id_number": person.id_number}
    proven = await citizen.post("/me/real-name", claim)
    assert proven.status_code == 200, proven.text
    return citizen


async def test_who_comes_finds_once_what_a_department_does_for_her(city: City) -> None:
    plan = CrowdPlan(
        api_url=city.url,
        sandbox_url=city.sandbox_url,
        password="yiting-demo",
        per_hour=60,
        speed=60,
        seed=SEED,
        halls=frozenset({"dg-30"}),
        rates=Rates(asked_before=1.0, at_the_hall=0.0, proves_name=0.0),
        opening_s=0,
    )
    first, again = Figures(), Figures()

    async def cases_are_told() -> None:
        while first.case_steps < 3:  # noqa: ASYNC110 others count
            await asyncio.sleep(0.1)

    async def they_are_told_again() -> None:
        while again.cases < first.cases or again.case_steps < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    await simulate_crowd(plan, asyncio.wait_for(cases_are_told(), PATIENCE_S), first)
    await simulate_crowd(plan, asyncio.wait_for(they_are_told_again(), PATIENCE_S), again)
    assert first.errors == again.errors == 0, (first.refused, again.refused)

    told = []
    async with httpx.AsyncClient(base_url=city.url, trust_env=False, timeout=20) as http:
        for serial in range(first.cases + 10):
            citizen = await signed_in(http, city.sandbox_url, invent(SEED, serial))
            before = [
                case
                for case in (await citizen.get("/cases")).json()["data"]
                if case["hall"] is None
            ]
            assert len(before) <= 1
            told += before
    assert len(told) >= first.cases
    for case in told:
        assert case["is_mine"]
        assert case["steps"][0]["name"] == "受理"
        assert {step["by_department"] for step in case["steps"]} == {"市直部门办件系统（模拟）"}
        days = [datetime.fromisoformat(step["at"]) for step in case["steps"]]
        assert all(earlier < later for earlier, later in pairwise(days))
