"""The night's work: whom a rule concerns is told once an occasion, why, and not too much."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from models.consents import Purpose
from models.database import rows
from server.matching.nightly import Night, match_everybody
from server.matching.rule_files import RuleBook, WrongRules, read_rules, shipped, strange_names
from tests.conftest import Api
from tests.identity.people import a_persona, real_name, through
from tests.matching.people import consenting_person, known_as
from tests.people import an_id_number

NIGHT = datetime.fromisoformat("2026-11-23T03:47:00+08:00")
ELDERS = """
[[rule]]
code = "elders"
reads = ["age", "items"]
when = 'age >= 60 and not done("elder-card")'
once_each = "year"
item = "elder-card"
title = "优待证"
title_en = "A card"
text = "可申领。"
text_en = "It is yours."
"""
CARDS = """
[[certificate]]
code = "id-card"
name = "居民身份证"
name_en = "Identity card"
renew = "id-card-renewal"
remind = [90, 30, 7]
"""
CHAIN = """
[[chain]]
code = "newborn"
begins = "birth-registration"
[[chain.step]]
item = "birth-household"
after_days = 7
within_days = 60
title = "入户"
title_en = "Household"
text = "请办理。"
text_en = "Please do."
"""


async def night(api: Api, text: str, *, days: int = 0) -> Night:
    return await match_everybody(
        read_rules(text),
        directory=api.services.directory,
        sealer=api.services.sealer,
        now=NIGHT + timedelta(days=days),
    )


async def told(citizen_id: UUID) -> list[str]:
    found = await rows("SELECT event_key FROM notice WHERE citizen_id = $1 ORDER BY id", citizen_id)
    return [row["event_key"] for row in found]


async def test_whom_a_rule_concerns_is_told_once_a_year_whoever_runs_it(api: Api) -> None:
    elder, young = [await consenting_person(["age", "items"]) for _ in range(2)]
    await known_as(elder, born=date(1950, 1, 1))
    await known_as(young, born=date(2000, 1, 1))
    await asyncio.gather(*(night(api, ELDERS) for _ in range(3)))
    assert (await told(elder), await told(young)) == (["rule:elders:2026"], [])
    # The notice may be forgotten; that she was told is not.
    await rows("DELETE FROM notice WHERE citizen_id = $1", elder)
    await night(api, ELDERS, days=3)
    assert await told(elder) == []
    await night(api, ELDERS, days=60)
    assert await told(elder) == ["rule:elders:2027"]


async def test_a_certificate_is_told_of_at_each_of_its_days_and_no_more_once_renewed(
    api: Api,
) -> None:
    person = await api.citizen()
    her_id = UUID(person.session["citizen"]["id"])
    await person.put("/me/purposes/documents", {"groups": ["certificates"]})
    await person.put("/me/certificates/id-card", {"expires_on": "2027-01-22"})  # in 60 days
    await night(api, CARDS)
    await night(api, CARDS, days=1)
    assert await told(her_id) == ["rule:expiring-id-card:2027-01-22:90"]
    await night(api, CARDS, days=31)
    assert (await told(her_id))[1:] == ["rule:expiring-id-card:2027-01-22:30"]
    inbox = (await person.get("/notices")).json()["data"]
    assert inbox[0]["body"].startswith("您的居民身份证将于2027-01-22到期，请及时换领。")
    assert inbox[0]["because"] == "您收到这条消息，因为您登记了这一证件，并同意到期提醒。"
    english = await person.http.get(
        "/api/v1/notices", headers=person.headers | {"Accept-Language": "en"}
    )
    assert english.json()["data"][0]["because"].startswith("You get this because you entered")
    await person.put("/me/certificates/id-card", {"expires_on": "2047-01-22"})
    left = await rows(
        "SELECT DISTINCT state, fault FROM notice WHERE citizen_id = $1 AND purpose = 'documents'",
        her_id,
    )
    assert [tuple(row) for row in left] == [("expired", "renewed")]
    await night(api, CARDS, days=54)
    assert len(await told(her_id)) == 2


async def test_a_chain_tells_of_the_step_that_is_due(api: Api) -> None:
    parent = await consenting_person(["items"])
    [item] = await rows("SELECT id FROM item WHERE code = 'birth-registration'")
    await rows(
        "INSERT INTO ticket (id, hall_id, line_id, item_id, citizen_id, day, sequence, number,"
        " state, issued_at, rank_time, ended_at, version)"
        " SELECT uuidv7(), l.hall_id, l.id, $1, $2, '2026-11-20', 9002, 'Z902', 'finished',"
        " $3, $3, $3, 1 FROM line l LIMIT 1",
        item["id"],
        parent,
        datetime(2026, 11, 20, 1, tzinfo=UTC),
    )
    try:
        await night(api, CHAIN)
        assert await told(parent) == []
        await night(api, CHAIN, days=4)
        await night(api, CHAIN, days=5)
        assert await told(parent) == ["rule:newborn:2026-11-20:birth-household"]
    finally:
        await rows("DELETE FROM ticket WHERE citizen_id = $1", parent)


async def test_nobody_is_told_more_than_one_thing_a_day_and_three_a_week(api: Api) -> None:
    elder = await consenting_person(["age", "items"])
    await known_as(elder, born=date(1950, 1, 1))
    six = "".join(ELDERS.replace('"elders"', f'"elders-{nth}"') for nth in range(6))
    counts = []
    for day in range(8):
        await night(api, six, days=day)
        counts.append(len(await told(elder)))
    assert counts == [1, 2, 3, 3, 3, 3, 3, 4]
    assert await told(elder) == [f"rule:elders-{nth}:2026" for nth in range(4)]


async def test_her_age_becomes_known_with_her_real_name(api: Api) -> None:
    persona = await a_persona(api, id_number=an_id_number(date(1950, 5, 5)))
    lin = await through(api, "wechat", persona)
    await lin.put("/me/purposes/services", {"groups": ["age", "items"]})
    her_id = UUID(lin.session["citizen"]["id"])
    await night(api, ELDERS)
    assert await told(her_id) == []
    assert (await real_name(lin, persona)).status_code == 200
    await night(api, ELDERS)
    assert await told(her_id) == ["rule:elders:2026"]
    [mine] = [
        one for one in (await lin.get("/notices")).json()["data"] if one["kind"] == "service_due"
    ]
    assert (mine["title"], mine["purpose"]) == ("优待证", "services")
    assert mine["because"] == (
        "您收到这条消息，因为：年龄不小于 60；您尚未办理“老年人优待证申领”。"
    )


def test_the_rules_that_come_with_the_program_fit_the_city(api: Api) -> None:
    book: RuleBook = shipped()
    assert strange_names(book, api.services.directory) == []
    assert len(book.of(Purpose.SERVICES)) >= 30
    assert len(book.of(Purpose.DOCUMENTS)) == len(book.kinds)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rubbish", "file"),
        (ELDERS.replace("age >= 60", "age >="), "rule elders: "),
        (ELDERS.replace("age >= 60", "income > 3"), "must be one of"),
        (ELDERS.replace('"age", ', ""), "reads what it does not declare: age"),
        (ELDERS.replace('"year"', '"often"'), "once_each must be"),
        (ELDERS.replace('"year"', '"item:passport"'), "must be compared in `when`"),
        (ELDERS.replace("age >= 60", '__import__("os").system("x")'), "must be one of"),
        (ELDERS + ELDERS, "stands there twice"),
        (ELDERS + 'colour = "red"\n', "colour"),
        (CARDS.replace("[90, 30, 7]", "[]"), "length"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(WrongRules) as refused:
        read_rules(text)
    assert says in str(refused.value)


def test_names_that_the_city_does_not_have_are_told(api: Api) -> None:
    book = read_rules(ELDERS.replace('done("elder-card")', 'done("flying-licence")'))
    [fault] = strange_names(book, api.services.directory)
    assert "flying-licence" in str(fault)
