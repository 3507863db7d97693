"""Citizens follow their cases: only those who may, late steps said, told of each, and rated."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest_asyncio

from models.database import rows
from tests.cases.systems import System, a_system, hence
from tests.conftest import Api
from tests.identity.families import a_named_citizen, add_company
from tests.people import Person, a_company_code, an_id_number


@pytest_asyncio.fixture
async def system(api: Api) -> System:
    return await a_system(api)


async def hers(who: Person) -> list[dict[str, Any]]:
    reply = await who.get("/cases")
    assert reply.status_code == 200, reply.text
    data: list[dict[str, Any]] = reply.json()["data"]
    return data


async def told(who: Person) -> list[tuple[str, str]]:
    """What she was told of cases, the oldest first, and how that stands."""
    data = (await who.get("/notices")).json()["data"]
    return [(one["kind"], one["state"]) for one in data if one["kind"].startswith("case_")][::-1]


async def test_she_follows_her_case_step_by_step(api: Api, system: System) -> None:
    number = an_id_number()
    lin = await a_named_citizen(api, number=number)
    no = (await system.a_case(id_number=number, due_at=hence(api, days=3)))["no"]
    await system.tells(no, "waiting_for_materials", name="补正材料", note="请补交租赁合同")
    reply, sent = await api.statements(lin.get("/cases"))
    assert sent == 1
    [case] = reply.json()["data"]
    assert case["no"] == no
    assert (case["item"], case["state"], case["is_mine"]) == (
        system.item,
        "waiting_for_materials",
        True,
    )
    assert [(one["name"], one["note"], one["by_department"]) for one in case["steps"]] == [
        ("受理", None, "不动产登记中心"),
        ("补正材料", "请补交租赁合同", "不动产登记中心"),
    ]
    one, sent = await api.statements(lin.get(f"/cases/{no}"))
    assert (one.json(), sent) == (case, 1)
    assert (await lin.get(f"/cases/{case['id']}")).json() == case, "as notices name it"
    [row] = await rows("SELECT note FROM case_step WHERE nth = 2 AND case_id = $1", case["id"])
    assert "租赁合同" not in bytes(row["note"]).decode(errors="replace")


async def test_a_step_that_is_late_says_so_while_it_is_and_ever_after(
    api: Api, system: System
) -> None:
    number = an_id_number()
    lin = await a_named_citizen(api, number=number)
    began, due = hence(api, days=-3), hence(api, days=-1)
    no = (await system.a_case(id_number=number, at=began, due_at=due))["no"]
    [case] = await hers(lin)
    assert (case["overdue"], case["due_at"] is not None) == (True, True)
    await system.tells(no, "in_progress", due_at=hence(api, days=1))
    [case] = await hers(lin)
    assert (case["overdue"], [one["overdue"] for one in case["steps"]]) == (False, [True, False])
    await system.tells(no, "finished")
    [case] = await hers(lin)
    assert (case["overdue"], case["due_at"]) == (False, None)
    assert [one["overdue"] for one in case["steps"]] == [True, False, False]


async def test_others_do_not_see_it_and_pages_go_on(api: Api, system: System) -> None:
    number = an_id_number()
    lin, stranger = await a_named_citizen(api, number=number), await api.citizen()
    made = [(await system.a_case(id_number=number))["no"] for _ in range(3)]
    await system.tells(made[0], "finished")
    assert await hers(stranger) == []
    refused = await stranger.get(f"/cases/{made[0]}")
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert (await api.http.get("/api/v1/cases")).status_code == 401
    first = (await lin.get("/cases", params={"limit": 2})).json()
    rest = (await lin.get("/cases", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [one["no"] for one in (*first["data"], *rest["data"])] == made[::-1]
    assert rest["next_cursor"] is None
    over = (await lin.get("/cases", params={"open": "false"})).json()["data"]
    assert [one["no"] for one in over] == [made[0]]
    for wrong in ({"limit": 0}, {"limit": 101}, {"cursor": "x"}, {"open": "perhaps"}, {"a": 1}):
        assert (await lin.get("/cases", params=wrong)).status_code == 422
    for no in ("x", "%00", "C" * 500, "%E5%8A%9E"):
        assert (await lin.get(f"/cases/{no}")).status_code in (400, 404)


async def test_who_comes_later_finds_it_and_who_handed_it_in_does(api: Api, system: System) -> None:
    mother, daughter = an_id_number(), an_id_number()
    child = await a_named_citizen(api, "王小芳", number=daughter)
    company = a_company_code()
    # To say that she acts for a company shows nobody the company's cases.
    boaster = await a_named_citizen(api, "陈大伟")
    assert (await add_company(boaster, company)).status_code == 201
    firm = (await system.a_case(uscc=company, agent={"id_number": daughter}))["no"]
    no = (await system.a_case(id_number=mother, agent={"id_number": daughter}))["no"]
    assert {(one["no"], one["is_mine"]) for one in await hers(child)} == {
        (no, False),
        (firm, False),
    }
    assert await hers(boaster) == []
    late = await a_named_citizen(api, "王桂英", number=mother)
    [case] = await hers(late)
    assert (case["no"], case["is_mine"]) == (no, True)
    unknown = an_id_number()
    firm = (await system.a_case(uscc=company, agent={"id_number": unknown}))["no"]
    agent = await a_named_citizen(api, "赵来", number=unknown)
    assert [one["no"] for one in await hers(agent)] == [firm]


async def test_opening_and_coming_at_once_loses_nothing(api: Api, system: System) -> None:
    for _ in range(3):
        number = an_id_number()
        lin, made = await asyncio.gather(
            a_named_citizen(api, number=number), system.opens(uuid4().hex, id_number=number)
        )
        assert made.status_code == 201
        assert [one["no"] for one in await hers(lin)] == [made.json()["no"]]


async def test_she_is_told_of_each_change_and_never_of_what_is_over(
    api: Api, system: System
) -> None:
    number = an_id_number()
    lin = await a_named_citizen(api, number=number)
    no = (await system.a_case(id_number=number))["no"]
    step = {"number": "1", "name": "补交租赁合同"}
    for _ in range(2):
        await system.tells(no, "waiting_for_materials", **step)
    assert [kind for kind, _ in await told(lin)] == ["case_opened", "case_wanted"]
    await system.tells(no, "in_progress")
    await system.tells(no, "finished", name="发证")
    stands = await told(lin)
    assert [kind for kind, _ in stands] == [
        "case_opened",
        "case_wanted",
        "case_step",
        "case_finished",
    ]
    assert {state for _, state in stands[:-1]} <= {"expired", "kept", "sent"}
    [newest, *_] = (await lin.get("/notices")).json()["data"]
    assert no in newest["body"]
    assert "发证" in newest["body"]
    other = an_id_number()
    chen = await a_named_citizen(api, number=other)
    no = (await system.a_case(id_number=other))["no"]
    await system.tells(no, "refused", name="不予登记")
    assert (await told(chen))[-1][0] == "case_refused"


async def test_it_is_rated_once_when_it_is_over_and_its_department_answers(
    api: Api, system: System
) -> None:
    number, other = an_id_number(), await a_system(api)
    lin = await a_named_citizen(api, number=number)
    no = (await system.a_case(id_number=number))["no"]
    [case] = await hers(lin)
    said = {"subject": "case", "id": case["id"], "stars": 1, "comment": "跑了三趟"}
    early = await lin.post("/ratings", said)
    assert (early.status_code, early.json()["code"]) == (409, "wrong_state")
    assert (await (await api.citizen()).post("/ratings", said)).status_code == 404
    await system.tells(no, "finished")
    replies = await asyncio.gather(*(lin.post("/ratings", said) for _ in range(4)))
    assert sorted(one.status_code for one in replies) == [201, 409, 409, 409]
    [rated] = (await lin.get("/ratings")).json()["data"]
    assert (rated["number"], rated["hall"], rated["subject"]) == (no, None, "case")
    [waiting] = (await system.ask("GET", "/case-ratings")).json()["data"]
    assert (waiting["no"], waiting["comment"]) == (no, "跑了三趟")
    assert (await other.ask("GET", "/case-ratings")).json()["data"] == []
    answer = {"text": "已改为一次告知。"}
    assert (await other.ask("POST", f"/cases/{no}/answer", answer)).status_code == 404
    assert (await system.ask("POST", f"/cases/{no}/answer", answer)).status_code == 200
    again = await system.ask("POST", f"/cases/{no}/answer", answer)
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_answer")
    [rated] = (await lin.get("/ratings")).json()["data"]
    assert rated["answer"] == "已改为一次告知。"


async def test_what_is_kept_of_it_is_hers_to_have_and_to_have_forgotten(
    api: Api, system: System
) -> None:
    number = an_id_number()
    lin = await a_named_citizen(api, number=number)
    told_first = {"id_number": number, "note": "请带户口本"}
    opened = await system.opens("mine", **told_first)
    no = opened.json()["no"]
    [kept] = (await lin.get("/me/export")).json()["cases"]
    assert (kept["no"], kept["steps"][0]["note"]) == (no, "请带户口本")
    assert (await lin.delete("/me")).status_code == 204
    assert (await system.tells(no, "in_progress", note="请补交")).status_code == 201
    [row] = await rows("SELECT * FROM case_file WHERE no = $1", no)
    assert (row["citizen_id"], row["person_key"], row["erased"]) == (None, None, True)
    notes = await rows("SELECT note FROM case_step WHERE case_id = $1", row["id"])
    assert [each["note"] for each in notes] == [None, None]
    again = await system.opens("mine", **told_first)
    assert (again.status_code, again.json()["no"]) == (201, no), "its department knows it still"
    back = await a_named_citizen(api, number=number)
    assert await hers(back) == []
